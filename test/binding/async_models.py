# SPDX-License-Identifier: Apache-2.0
"""What the tests of asynchronous runs share: models that take a known time, and waits."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import simulator_live
import tiny_models

from hbm_runtime import HB_HBMRuntime

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


def wait_until_memory_is_used(rt: HB_HBMRuntime, size: int) -> None:
    """Wait until so many bytes are not in the pool."""
    wait_until(lambda: rt.stats().device_memory.used == size, "device memory is kept")
