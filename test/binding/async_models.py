# SPDX-License-Identifier: Apache-2.0
"""What the tests of asynchronous runs share: models of a known time, and waiting for ends."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import simulator_live
import tiny_models

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
