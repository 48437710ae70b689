# SPDX-License-Identifier: Apache-2.0
"""What a process holds: memory, file descriptors, threads, and what the simulator counts."""

from __future__ import annotations

import ctypes
import gc
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "binding"))
import simulator_live

SETTLE_S = 10.0


@dataclass(frozen=True)
class Held:
    """What must be the same before and after."""

    descriptors: int
    threads: int
    device_memory: int
    tasks: int
    models: int


def held() -> Held:
    """Counts after a garbage collection."""
    live = simulator_live.count()
    return Held(
        descriptors=len(os.listdir("/proc/self/fd")),
        threads=len(os.listdir("/proc/self/task")),
        device_memory=live["memory"],
        tasks=live["tasks"],
        models=live["models"],
    )


def held_once_settled(expected: Held) -> Held:
    """Waits for threads that are ending: their entries go a moment after their join."""
    deadline = time.monotonic() + SETTLE_S
    while (now := held()) != expected and time.monotonic() < deadline:
        time.sleep(0.01)
    return now


def use_one_arena() -> None:
    """Lets all threads allocate from one arena of glibc's from now on.

    Each further arena keeps a fragment of memory of its own; which thread gets which is chance,
    and the resident memory creeps up by it for a long time, without a leak.
    """
    m_arena_max = -8  # <malloc.h>
    if ctypes.CDLL(None).mallopt(m_arena_max, 1) != 1:
        raise OSError("mallopt(M_ARENA_MAX) failed")


def resident_kib() -> int:
    """Resident memory that this process allocated, after everything unused went back.

    Pages of files are left out: the system drops and reads them as it likes. glibc keeps freed
    memory in its arenas; malloc_trim gives it back, so that what remains is in use.
    """
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1])
    raise OSError("/proc/self/status has no RssAnon")
