# SPDX-License-Identifier: Apache-2.0
"""Finds what a test run leaves behind: marked processes and shared-memory files."""

from __future__ import annotations

import os
import time
from pathlib import Path

import psutil

MARK = "HBM_TEST_RUN"
_SHARED_MEMORY = Path("/dev/shm")
_OURS = ("fastrtps*", "sem.fastrtps*", "fastdds*", "sem.fastdds*", "hbm*", "sem.hbm*")
_GRACE_S = 10.0


def shared_memory_files() -> set[Path]:
    """Returns the shared-memory files of Fast DDS and of this project that exist now."""
    return {file for pattern in _OURS for file in _SHARED_MEMORY.glob(pattern)}


def marked_processes(mark: str) -> list[psutil.Process]:
    """Returns the processes whose environment has `MARK` set to `mark`, without this one."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.environ().get(MARK) == mark:
                found.append(process)
        except psutil.Error:
            continue
    return found


def find(mark: str, files_before: set[Path]) -> list[str]:
    """Names every process and shared-memory file that is still there, and ends those processes.

    Waits a little for what is just ending.
    """
    deadline = time.monotonic() + _GRACE_S
    while True:
        processes = marked_processes(mark)
        files = _unused(shared_memory_files() - files_before)
        if not (processes or files) or time.monotonic() > deadline:
            break
        time.sleep(0.2)
    names = [_describe(process) for process in processes]
    for process in processes:
        process.kill()
    return names + [f"shared memory {file}" for file in sorted(files)]


def _describe(process: psutil.Process) -> str:
    try:
        return f"process {process.pid}: {' '.join(process.cmdline())}"
    except psutil.Error:
        return f"process {process.pid}"


def _unused(files: set[Path]) -> set[Path]:
    """Leaves out what belongs to a running process: another program on this machine may use DDS."""
    if not files:
        return files
    used: set[str] = set()
    for process in psutil.process_iter():
        try:
            used.update(_segment(mapping.path) for mapping in process.memory_maps())
        except psutil.Error:
            continue
    return {file for file in files if _segment(file) not in used}


def _segment(file: str | Path) -> str:
    """Returns the segment that a lock or semaphore belongs to; Fast DDS maps only the segment."""
    return Path(file).name.removeprefix("sem.").removesuffix("_el").removesuffix("_mutex")
