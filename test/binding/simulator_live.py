# SPDX-License-Identifier: Apache-2.0
"""Asks the simulator what this process holds of it."""

from __future__ import annotations

import ctypes
import gc
import time

from hbm_runtime._loading import library


def live(kind: str) -> int:
    """Number of live blocks of "memory", "tasks" or sets of "models"."""
    function = ctypes.CDLL(str(library.SIMULATOR_FOLDER / "libhbucp.so")).hbSimLive
    function.restype = ctypes.c_int64
    return int(function(kind.encode()))


def count() -> dict[str, int]:
    """All of them, after a garbage collection."""
    gc.collect()
    return {kind: live(kind) for kind in ("memory", "tasks", "models")}


def wait_for_tasks(number: int) -> None:
    """Wait until so many tasks are live: whoever waits for them has submitted them."""
    deadline = time.monotonic() + 30
    while live("tasks") < number:
        assert time.monotonic() < deadline, f"{live('tasks')} tasks instead of {number}"
        time.sleep(0.001)
    time.sleep(0.005)  # from its making to its submission
