# SPDX-License-Identifier: Apache-2.0
"""Table 4: cores in parallel, the hand-over to a core, and how long an urgent task waits."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any

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
HANDOVER = "queueing and hand-over to an idle core, p50"
URGENT = "255 behind preemptible 10: p99 of its wait / (one function call + hand-over p99)"


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
    times = abi_latency(folder, effort)
    limit = times["long_p50"] / CALLS_OF_LONG + times["idle_p99"]
    lines += [
        Line(
            HANDOVER,
            times["idle_p50"] / 1000,
            "µs",
            at_most=40.0,
            detail=f"submit to done of one tiny operation, its execution included; "
            f"p99 {times['idle_p99'] / 1000:.0f} µs",
        ),
        Line(
            URGENT,
            times["behind_p99"] / limit,
            at_most=1.0,
            detail=f"p50 {times['behind_p50'] / 1e6:.2f}, p99 {times['behind_p99'] / 1e6:.2f} ms, "
            f"{times['calls']} waits behind {times['long_done']} runs of {CALLS_OF_LONG} calls of "
            f"{times['long_p50'] / CALLS_OF_LONG / 1e6:.2f} ms",
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


def abi_latency(folder: Path, effort: Effort) -> dict[str, Any]:
    """What the program abi_latency found, in ns.

    Raises:
        RuntimeError: It failed; the text is what it said.
    """
    model = short_and_long(folder, CALLS_OF_LONG, CALL_US)
    # It inherits the engine that hbm_runtime chose when it opened the simulator here.
    calls = max(20, effort.tail_calls // 20)
    done = subprocess.run(
        [built("abi_latency"), model, str(calls)],
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT_S,
    )
    if done.returncode != 0:
        raise RuntimeError(f"abi_latency failed: {done.stderr.strip()}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found
