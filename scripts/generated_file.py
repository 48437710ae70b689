# SPDX-License-Identifier: Apache-2.0
"""Writes a generated file of the repository, or compares it with what would be written."""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main(file: Path, generate: Callable[[], str], description: str | None) -> int:
    """Does what the command line asks for and returns the exit status.

    Args:
        file: The generated file, in the repository.
        generate: Returns what it should hold.
        description: Of the script, for its help text.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "--check", action="store_true", help="change nothing; fail with a diff if it is out of date"
    )
    check: bool = parser.parse_args().check
    name = file.relative_to(ROOT)
    there = file.read_text(encoding="utf-8") if file.exists() else ""
    wanted = generate()
    if not check:
        file.write_text(wanted, encoding="utf-8")
    elif there != wanted:
        difference = difflib.unified_diff(
            there.splitlines(), wanted.splitlines(), f"{name} as it is", f"{name} generated", n=1
        )
        print("\n".join(line.rstrip("\n") for line in difference))
        print(
            f"{name} is out of date. In the environment of a new `make build`: "
            f"python scripts/{Path(sys.argv[0]).name}"
        )
        return 1
    print(f"{name}: {len(wanted.splitlines())} lines {'are up to date' if check else 'written'}")
    return 0
