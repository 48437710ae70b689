# SPDX-License-Identifier: Apache-2.0
"""Writes requirements/lock/: the exact versions that the make targets install, for each Python."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "requirements"
LOCK = REQUIREMENTS / "lock"
PYTHONS = ("3.10", "3.11", "3.12")
# The oldest Linux that is supported, Ubuntu 22.04's; files of other processors are listed as well.
PLATFORM = "x86_64-manylinux_2_35"
UV = (
    *("uv", "pip", "compile", "--quiet", "--no-header", "--no-annotate"),
    *("--no-emit-index-url", "--no-emit-find-links", "--python-platform", PLATFORM),
)
OK = "lock: it is what the requirements ask for"
HASHES = ("--generate-hashes",)
ALONE = (*HASHES, "--no-deps")


@dataclass(frozen=True)
class Lock:
    """One file for each Python: what it is resolved from and with which options of uv."""

    sources: tuple[str, ...]
    options: tuple[str, ...]
    pythons: tuple[str, ...] = PYTHONS
    stdin: str = ""


LOCKS = {
    "environment": Lock(("python.txt", "lint.txt", "ros-jazzy.txt", "ros-companions.txt"), HASHES),
    "samples": Lock(("samples.txt",), ALONE),
    "bench": Lock(("bench.txt",), ALONE),
    # For Python 3.10, whose own wheel lacks the sources.
    "googletest": Lock(("googletest.txt",), ALONE, ("3.11",)),
    # The others are pip's constraints, which must not have hashes.
    # numpy is the sourced ROS's own: version 1 in Humble and in Jazzy.
    "sourced-ros": Lock(
        ("python.txt", "lint.txt", "colcon.txt", "-"),
        ("--no-emit-package", "numpy"),
        stdin="numpy<2",
    ),
    "wheel": Lock(("python.txt", "lint.txt", "../setup.py"), ("--all-extras",), (*PYTHONS, "3.13")),
    "floor": Lock(
        ("python.txt", "lint.txt", "../setup.py", "floor.txt"),
        ("--all-extras", "--overrides", "floor.txt"),
        ("3.10",),
    ),
}


def lock_file(name: str, python: str) -> Path:
    """Returns the file that holds one lock for one Python, such as "3.12"."""
    return LOCK / python / f"{name}.txt"


def main() -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--check",
        action="store_true",
        help="write nothing; fail where the locked versions are not what the requirements ask for",
    )
    check = parser.parse_args().check
    locks = dict(files())
    before = {file: file.read_text(encoding="utf-8") if file.exists() else "" for file in locks}
    with ThreadPoolExecutor(8) as pool:  # most of the time it is the package index that answers
        resolved = pool.map(
            lambda file: resolve(locks[file], file.parent.name, before[file] if check else ""),
            locks,
        )
        after = dict(zip(locks, resolved, strict=True))
    stale = [file for file in locks if pins(after[file]) != pins(before[file])]
    stale += sorted(set(LOCK.rglob("*.txt")) - locks.keys())
    names = ", ".join(str(file.relative_to(LOCK)) for file in stale)
    if check:
        print(f"lock: not what the requirements ask for: {names}: run `make lock`" if stale else OK)
        return 1 if stale else 0
    for file, text in after.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    for file in set(LOCK.rglob("*.txt")) - locks.keys():
        file.unlink()
    print(f"lock: changed: {names}" if stale else "lock: nothing is newer")
    return 0


def files() -> Iterator[tuple[Path, Lock]]:
    """Yields every file of the lock with what it is made from."""
    for name, lock in LOCKS.items():
        for python in lock.pythons:
            yield lock_file(name, python), lock


def pins(text: str) -> list[str]:
    """Returns the versions in a lock; its hashes grow when a release gets another file."""
    return re.findall(r"^\S+==\S+", text, re.MULTILINE)


def resolve(lock: Lock, python: str, kept: str) -> str:
    """Returns a lock's text; versions in `kept` stay as they are where the requirements allow it.

    Raises:
        SystemExit: the requirements cannot be met, or the package index cannot be reached.
    """
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "lock.txt"
        output.write_text(kept, encoding="utf-8")
        command = [
            *(sys.executable, "-m", *UV, "--python-version", python),
            *(*lock.options, "--output-file", str(output), *lock.sources),
        ]
        run = subprocess.run(command, cwd=REQUIREMENTS, input=lock.stdin, text=True)
        if run.returncode != 0:
            sys.exit(f"lock: uv failed for {', '.join(lock.sources)} on Python {python}, see above")
        return f"# Made by `make lock` for Python {python}.\n{output.read_text(encoding='utf-8')}"


if __name__ == "__main__":
    sys.exit(main())
