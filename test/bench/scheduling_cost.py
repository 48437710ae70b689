# SPDX-License-Identifier: Apache-2.0
"""Table 4: cores in parallel, the hand-over to a core, and how long an urgent task waits."""

from __future__ import annotations

import json
import os
import subprocess
import time
from bisect import bisect
from pathlib import Path
from typing import Any

import numpy as np

from bench.built import built
from bench.lines import Line, Section
from bench.simulated_models import CORES, fixed_latency, one_input, short_and_long
from bench.timing import Effort
from hbm_runtime import HB_HBMRuntime

LATENCY_US = 5000
CALLS_OF_LONG = 20
CALL_US = 2000
TIME_LIMIT_S = 300

RUN_MANY = f"run_many on {CORES} cores / ideal throughput"
BLOCKING = "queueing and hand-over, p50: submit to done, waited for"
HANDOVER = "queueing and hand-over, p50: submit to callback on the core's thread"
URGENT = "255 behind preemptible 10: function calls that it waited for, most"
URGENT_HANDOVER = "255 behind preemptible 10: from the end of that call to its start, p50"


def scaling(cores: int) -> str:
    """Name of the line for so many cores."""
    return f"{cores} cores / {cores} × 1 core, throughput"


def measure(effort: Effort, folder: Path) -> Section:
    """Every line of the table."""
    rt = fixed_latency(folder, LATENCY_US)
    single = throughput(rt, 1, effort.busy_s)
    lines = []
    for cores in range(2, CORES + 1):
        many = throughput(rt, cores, effort.busy_s)
        lines.append(
            Line(
                scaling(cores),
                many / (cores * single),
                at_least=0.95,
                detail=f"{many:.0f} / {single:.0f} runs per second",
            )
        )
    ideal = CORES * 1e6 / LATENCY_US
    lines.append(
        Line(
            RUN_MANY,
            many / ideal,
            at_least=0.95,
            detail=f"{many:.0f} of {ideal:.0f} runs per second",
        )
    )
    trace = folder / "trace.json"
    times = abi_latency(folder, effort, trace)
    lines += [
        Line(
            name,
            times[f"{key}_p50"] / 1000,
            "µs",
            at_most=40.0,
            detail=f"one tiny operation on an idle core, its execution included; "
            f"p99 {times[f'{key}_p99'] / 1000:.0f} µs",
        )
        for name, key in ((BLOCKING, "idle"), (HANDOVER, "called"))
    ]
    waits = urgent_waits(trace)
    late = [us for _, us in waits]
    lines += [
        Line(
            URGENT,
            float(max(calls for calls, _ in waits)),
            "calls",
            at_most=1.0,
            detail=f"{len(waits)} waits among {times['calls']} jobs, p50 "
            f"{times['behind_p50'] / 1e6:.2f}, p99 {times['behind_p99'] / 1e6:.2f} ms, behind runs "
            f"of {CALLS_OF_LONG} calls of {times['long_p50'] / CALLS_OF_LONG / 1e6:.2f} ms",
        ),
        Line(
            URGENT_HANDOVER,
            float(np.median(late)),
            "µs",
            at_most=40.0,
            detail=f"from the simulator's trace; p99 {np.percentile(late, 99):.0f} µs",
        ),
    ]
    conditions = (
        f"simulator; throughput: models that keep a core busy for {LATENCY_US / 1000:g} ms; "
        f"hand-over and waits: a C++ program on the C ABI, one core"
    )
    return Section("Cores and queue of the simulator", conditions, tuple(lines))


def throughput(rt: HB_HBMRuntime, cores: int, busy_s: float) -> float:
    """Runs per second of run_many on the first `cores` cores."""
    jobs = max(4, round(busy_s * 1e6 / LATENCY_US)) * cores
    inputs = [one_input() for _ in range(jobs)]
    rt.run_many(inputs[: 2 * cores], bpu_cores=list(range(cores)))
    start = time.perf_counter()
    rt.run_many(inputs, bpu_cores=list(range(cores)))
    return jobs / (time.perf_counter() - start)


def abi_latency(folder: Path, effort: Effort, trace: Path) -> dict[str, Any]:
    """What the program abi_latency found, in ns; it leaves the simulator's trace, too.

    Raises:
        RuntimeError: It failed; the text is what it said.
    """
    model = short_and_long(folder, CALLS_OF_LONG, CALL_US)
    calls = max(20, effort.tail_calls // 20)
    done = subprocess.run(
        [built("abi_latency"), model, str(calls)],
        # Also the engine's path, which hbm_runtime chose when it opened the simulator here.
        env={**os.environ, "HBM_SIM_TRACE": str(trace)},
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT_S,
    )
    if done.returncode != 0:
        raise RuntimeError(f"abi_latency failed: {done.stderr.strip()}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def urgent_waits(trace: Path) -> list[tuple[int, float]]:
    """Of each job of "short" that waited: for how many calls of "long", and how late it then began.

    Returns:
        (number of calls, µs from the end of the last of them to the start of the job).
    """
    events = json.loads(trace.read_text(encoding="utf-8"))["traceEvents"]
    calls = [event for event in events if event["ph"] == "X" and event["cat"] == "call"]
    ends = sorted(event["ts"] + event["dur"] for event in calls if event["name"] == "long")
    starts = {event["args"]["task"]: event["ts"] for event in calls if event["name"] == "short"}
    waits = []
    for event in events:
        if (event["ph"], event["name"]) != ("b", "queued"):
            continue
        start = starts.get(event["id"])
        if start is None:
            continue
        first, behind = bisect(ends, event["ts"]), bisect(ends, start)
        if behind > first:
            waits.append((behind - first, start - ends[behind - 1]))
    if not waits:
        raise RuntimeError("no urgent job met long work: nothing was measured")
    return waits
