# SPDX-License-Identifier: Apache-2.0
"""Removes the shared memory that Fast DDS leaves behind when a process is killed."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path

_SHARED_MEMORY = Path("/dev/shm")
# A segment or port NAME has the files NAME, NAME_el and sem.NAME_mutex; its users map the first.
_FILE_NAME = re.compile(
    r"(?:sem\.)?(?P<name>(?:fastrtps|fastdds)_(?:port)?[0-9a-f]+)(?:_el|_mutex)?"
)


def segments() -> dict[str, list[Path]]:
    """Find the segments and ports of this user.

    Returns:
        Their files by name.
    """
    found: dict[str, list[Path]] = {}
    for file in _SHARED_MEMORY.iterdir():
        match = _FILE_NAME.fullmatch(file.name)
        with contextlib.suppress(FileNotFoundError):
            if match and file.stat().st_uid == os.getuid():
                found.setdefault(match["name"], []).append(file)
    return found


def remove_leftovers(before: dict[str, list[Path]]) -> list[str]:
    """Remove the segments and ports that have come since and that no other process has mapped.

    Only for a process that has shut rclpy down: with a killed peer, Fast DDS keeps this process's
    own segment mapped and forgets to remove it.

    Args:
        before: From :func:`segments`.

    Returns:
        Names of those removed.
    """
    new = {name: files for name, files in segments().items() if name not in before}
    leftovers = sorted(new.keys() - _mapped_by_others()) if new else []
    for name in leftovers:
        for file in new[name]:
            file.unlink(missing_ok=True)
    return leftovers


def _mapped_by_others() -> set[str]:
    """Names of the segments and ports in use by any process but this one."""
    names: set[str] = set()
    for process in Path("/proc").glob("[0-9]*"):
        if process.name == str(os.getpid()):
            continue
        with contextlib.suppress(OSError):
            for line in (process / "maps").read_text().splitlines():
                match = _FILE_NAME.fullmatch(line.partition(f"{_SHARED_MEMORY}/")[2])
                if match:
                    names.add(match["name"])
    return names
