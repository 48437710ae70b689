# SPDX-License-Identifier: Apache-2.0
"""Table 2: how often a run's bytes are copied, and what a bound run allocates."""

from __future__ import annotations

import json
import subprocess
import tracemalloc
from collections.abc import Callable
from pathlib import Path

from bench import null_runtime
from bench.built import built
from bench.lines import Line, Section
from bench.timing import Effort
from hbm_runtime import HB_HBMRuntime

ELEMENTS = 1000
RUNS = 100
TIME_LIMIT_S = 120

PLAIN = "copies per plain input"
DEVICE_BUFFERS = "copies per input of input_buffers()"
BOUND = "copies per input of a bound run"
OUTPUTS = "copies per output, of all these runs"
ALLOCATIONS = "allocations per bound run of the core, after warm-up"
PYTHON_MEMORY = "bytes of Python objects during a bound run, freed at its end"


def measure(effort: Effort, folder: Path) -> Section:
    """Every line of the table."""
    rt = null_runtime.open_runtime(folder, elements=ELEMENTS)
    given = null_runtime.inputs(ELEMENTS)
    buffers = rt.input_buffers()
    binding = rt.bind()
    copies_out = 0.0
    lines = []
    for what, run, at_most in (
        (PLAIN, lambda: rt.run(given), 1.0),
        (DEVICE_BUFFERS, lambda: rt.run(buffers), 0.0),
        (BOUND, binding.run, 0.0),
    ):
        per_input, of_outputs = copies(rt, run, len(given))
        copies_out += of_outputs
        lines.append(Line(what, per_input, "copies", at_most=at_most, detail="rt.stats()"))
    lines += [
        Line(OUTPUTS, copies_out, "copies", at_most=0.0, detail="rt.stats()"),
        core_allocations(folder),
        Line(
            PYTHON_MEMORY,
            python_memory(binding.run),
            "bytes",
            detail="tracemalloc: the call itself; no array is made",
        ),
    ]
    conditions = f"null backend, float32 [1, {ELEMENTS}], {RUNS} runs each"
    return Section("Copies and allocations", conditions, tuple(lines))


def copies(rt: HB_HBMRuntime, run: Callable[[], object], inputs: int) -> tuple[float, float]:
    """Copies per input, and of all outputs per run."""
    rt.reset_stats()
    for _ in range(RUNS):
        run()
    counted = rt.stats().models["null"]
    assert counted.ok == RUNS, counted
    return counted.copies_in / (RUNS * inputs), counted.copies_out / RUNS


def core_allocations(folder: Path) -> Line:
    """What the C++ test counted that takes malloc's place."""
    report = folder / "allocations.json"
    done = subprocess.run(
        [
            *(built("allocation_test"), "--gtest_filter=BoundRun.AllocatesNothing"),
            f"--gtest_output=json:{report}",
        ],
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT_S,
    )
    if done.returncode != 0:
        return Line(ALLOCATIONS, None, at_most=0.0, detail="the C++ test that counts them failed")
    (suite,) = json.loads(report.read_text(encoding="utf-8"))["testsuites"]
    (test,) = suite["testsuite"]
    if test["result"] != "COMPLETED":
        return Line(ALLOCATIONS, None, at_most=0.0, detail="a sanitizer owns the heap")
    counted, runs = int(test["allocations"]), int(test["runs"])
    return Line(
        ALLOCATIONS,
        counted / runs,
        "allocations",
        at_most=0.0,
        detail=f"{counted} calls of malloc, calloc, realloc and operator new in {runs} runs, "
        f"all threads",
    )


def python_memory(run: Callable[[], object]) -> float:
    """The most that was allocated at a time during one call, the least of several calls."""
    peaks = []
    tracemalloc.start()
    try:
        for _ in range(RUNS):
            before, _ = tracemalloc.get_traced_memory()
            tracemalloc.reset_peak()
            run()
            _, peak = tracemalloc.get_traced_memory()
            peaks.append(peak - before)
    finally:
        tracemalloc.stop()
    return float(min(peaks))
