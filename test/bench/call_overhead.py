# SPDX-License-Identifier: Apache-2.0
"""Table 1: what a call costs when the accelerator costs nothing, beside other runtimes' calls."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

from bench import null_runtime, peers
from bench.built import built
from bench.lines import Line, Section
from bench.timing import Effort, Function, in_turn, p50_us, p99_us, ratio

RUN = "run / InferenceSession.run"
BOUND = "bound run / run_with_iobinding"
ASYNC = "run_async + result / OpenVINO start_async + wait"
ASYNC_BOUND = f"bound {ASYNC}"
ASYNC_HANDED_OVER = f"{ASYNC}, done on another thread"
ASYNC_BOUND_HANDED_OVER = f"bound {ASYNC_HANDED_OVER}"
EARLIER = "the earlier generation's way / run"
RUN_TAIL = "run: p99 / p50"
BOUND_TAIL = "bound run: p99 / p50"
STATISTICS = "statistics of a run, in the core"

TIME_LIMIT_S = 120


def measure(effort: Effort, folder: Path) -> Section:
    """Every line of the table."""
    rt = null_runtime.open_runtime(folder)
    given = null_runtime.inputs()
    binding = rt.bind()
    for name, array in given.items():
        binding.inputs[name][...] = array

    def run() -> object:
        return rt.run(given)

    def run_async() -> object:
        return rt.run_async(given).result()

    def run_async_bound() -> object:
        return binding.run_async().result()

    threaded = null_runtime.open_runtime(folder, callback="thread")
    threaded_binding = threaded.bind()

    def run_async_handed_over() -> object:
        return threaded.run_async(given).result()

    def run_async_bound_handed_over() -> object:
        return threaded_binding.run_async().result()

    openvino = peers.openvino_start_and_wait
    earlier = null_runtime.earlier_runtime(folder)
    ort_run = peers.onnxruntime_run()
    lines = (
        compare(RUN, run, lambda: ort_run, effort, at_most=1.0),
        compare(BOUND, binding.run, peers.onnxruntime_bound_run, effort, at_most=1.0),
        compare(ASYNC, run_async, openvino, effort, at_most=1.0),
        compare(ASYNC_BOUND, run_async_bound, openvino, effort, at_most=1.0),
        compare(ASYNC_HANDED_OVER, run_async_handed_over, openvino, effort),
        compare(
            ASYNC_BOUND_HANDED_OVER, run_async_bound_handed_over, openvino, effort, at_most=1.0
        ),
        compare(EARLIER, lambda: earlier.run(given), lambda: run, effort),
        tail(RUN_TAIL, run, ort_run, effort),
        tail(BOUND_TAIL, binding.run, ort_run, effort),
        statistics_cost(),
    )
    conditions = (
        "null backend: calls of the ABI return at once; ours: 2 inputs and 3 outputs of 4 bytes; "
        "others: 1 input and 1 output of 4 bytes, identity, one thread; in turn in one process; "
        "OpenVINO's input is set before, as a bound one of ours"
    )
    return Section("Call overhead", conditions, lines)


def compare(
    what: str,
    ours: Function,
    make_theirs: Callable[[], Function],
    effort: Effort,
    at_most: float | None = None,
) -> Line:
    """Ours beside theirs, call for call."""
    try:
        theirs = make_theirs()
    except peers.Absent as reason:
        return Line(what, None, at_most=at_most, detail=str(reason))
    mine, other = in_turn((ours, theirs), effort.rounds, effort.calls)
    found = ratio(mine, other)
    return Line(
        what,
        found.median,
        at_most=at_most,
        detail=f"p50 {p50_us(mine):.2f} / {p50_us(other):.2f} µs; "
        f"80 % of rounds {found.low:.2f} to {found.high:.2f}",
    )


def tail(what: str, ours: Function, theirs: Function, effort: Effort) -> Line:
    """How far the slowest hundredth is from the middle; theirs says what the machine adds."""
    calls = 100
    mine, other = in_turn((ours, theirs), effort.tail_calls // calls, calls)
    return Line(
        what,
        p99_us(mine) / p50_us(mine),
        at_most=3.0,
        detail=f"{p99_us(mine):.1f} / {p50_us(mine):.2f} µs over {mine.size} calls; "
        f"InferenceSession.run in the same loop {p99_us(other) / p50_us(other):.2f}",
    )


def statistics_cost() -> Line:
    """What counting and timing add to a run, from the C++ program that measures them."""
    report = subprocess.run(
        [built("statistics_cost")], capture_output=True, text=True, timeout=TIME_LIMIT_S, check=True
    ).stdout
    found = re.search(r"^a whole run, with the clock +([\d.]+)", report, re.MULTILINE)
    assert found is not None, report
    return Line(
        STATISTICS,
        float(found.group(1)) / 1000,
        "µs",
        at_most=0.3,
        detail="outcome, stage times, copies and core use, with the clock; part of the calls above",
    )
