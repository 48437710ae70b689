# SPDX-License-Identifier: Apache-2.0
"""Runs the pinned style and type checkers, says how many files each one saw, and fails on none."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHON_FOLDERS = ("hbm_runtime", "hbm_runtime_ros", "examples", "launch", "scripts", "test")
TYPED_FOLDERS = ("hbm_runtime", "hbm_runtime_ros", "examples", "scripts")
CPP_TESTS = ("abi", "bench", "conformance", "cpp", "fuzz")
CPP_FOLDERS = ("src", "examples", *(f"test/{name}" for name in CPP_TESTS))


def files(folders: tuple[str, ...], *endings: str) -> list[str]:
    """Returns the files below `folders` with one of `endings`, relative to the repository."""
    found = [file for folder in folders for file in (ROOT / folder).rglob("*")]
    return sorted(str(file.relative_to(ROOT)) for file in found if file.suffix in endings)


def main() -> int:
    """Runs every checker, also after a failure, and returns the exit status."""
    python = ["setup.py", *files(PYTHON_FOLDERS, ".py", ".pyi")]
    typed = files(TYPED_FOLDERS, ".py", ".pyi")
    cpp = files(CPP_FOLDERS, ".c", ".h", ".hpp", ".cpp")
    checks = (
        (["ruff", "check"], python),
        (["ruff", "format", "--check"], python),
        (["mypy"], typed),
        (["clang-format", "--dry-run", "-Werror"], cpp),
    )
    failed = [" ".join(tool) for tool, seen in checks if not check(tool, seen)]
    print(f"lint: failed: {', '.join(failed)}" if failed else "lint: all is well")
    return 1 if failed else 0


def check(tool: list[str], seen: list[str]) -> bool:
    """Runs one checker on these files and prints one line about it."""
    good = bool(seen) and subprocess.run([*tool, *seen], cwd=ROOT).returncode == 0
    print(f"lint: {' '.join(tool)}: {len(seen)} files, {'good' if good else 'FAILED'}", flush=True)
    return good


if __name__ == "__main__":
    sys.exit(main())
