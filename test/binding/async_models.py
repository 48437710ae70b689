# SPDX-License-Identifier: Apache-2.0
"""What the tests of asynchronous runs share: models that take a known time, and waits."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import simulator_live
import tiny_models

from hbm_runtime import HB_HBMRuntime, HBMTimeoutError

X = np.zeros((1, 4), np.float32)


def plus_one(name: str, milliseconds: float = 0, constant: float = 1.0) -> Any:
    """Y = x + constant, [1, 4] float32; a simulated core is busy that long."""
    return tiny_models.pack(
        tiny_models.add(constant=constant), name, latency_us=int(milliseconds * 1000)
    )


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Wait for something that happens soon."""
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.001)


def wait_until_nothing_is_held(before: dict[str, int]) -> None:
    """Wait until the simulator holds what it held before."""
    wait_until(
        lambda: simulator_live.count() == before, f"{simulator_live.count()} instead of {before}"
    )


def wait_until_idle(rt: HB_HBMRuntime) -> None:
    """Wait until the accelerator has no task and nobody waits for a place."""
    wait_until(
        lambda: rt.stats().in_flight == rt.stats().waiting == 0, "gauges do not go back to 0"
    )


def idle_cores(rt: HB_HBMRuntime, quick: str) -> list[int]:
    """Find the cores that run a quick model at once, because nothing else keeps them."""

    def is_idle(core: int) -> bool:
        try:
            rt.run(X, quick, bpu_cores=[core], timeout=0.2)
        except HBMTimeoutError:
            return False
        return True

    return [core for core in range(rt.library.core_count) if is_idle(core)]


def wait_until_idle_cores_are(rt: HB_HBMRuntime, expected: list[int]) -> None:
    """Wait until the model "quick" runs on these cores at once, and no others."""
    wait_until(lambda: idle_cores(rt, "quick") == expected, f"others than {expected} are idle")


#: Runs the models of argument 1 but "quick" together, on the cores of argument 2, and says when
#: only those of argument 3 are idle. Then it ends: a run() of a minute cannot be cancelled.
TOGETHER = f"""
    import json, os, sys, threading
    sys.path[:0] = {[str(folder) for folder in (Path(__file__).parent, Path(__file__).parents[1])]}
    from async_models import X, wait_until_idle_cores_are
    from hbm_runtime import HB_HBMRuntime
    rt = HB_HBMRuntime(sys.argv[1])
    cores, idle = map(json.loads, sys.argv[2:])
    inputs = {{name: {{"x": X}} for name in rt.model_names if name != "quick"}}
    how = {{"bpu_cores": cores}}
    threading.Thread(target=rt.run, args=(inputs,), kwargs=how, daemon=True).start()
    wait_until_idle_cores_are(rt, idle)
    print("as expected", flush=True)
    os._exit(0)
"""


def wait_until_memory_is_used(rt: HB_HBMRuntime, size: int) -> None:
    """Wait until so many bytes are not in the pool."""
    wait_until(lambda: rt.stats().device_memory.used == size, "device memory is kept")
