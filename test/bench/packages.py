# SPDX-License-Identifier: Apache-2.0
"""Packages that only the bench needs, in a folder of their own beside the environment."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
import lock
import pip_progress

REQUIREMENTS = lock.lock_file("bench", f"{sys.version_info.major}.{sys.version_info.minor}")
FOLDER = ROOT / "build" / "bench" / "packages"
STAMP = FOLDER / "requirements.txt"


def add_to_path() -> None:
    """Lets the packages be imported; behind all others, so that they replace none."""
    sys.path.append(str(FOLDER))


def install(say: Callable[[str], None]) -> None:
    """Installs the locked versions of requirements/bench.txt, if that has not been done yet.

    A failure is said and not raised: the lines that need a package say that it is absent.
    """
    wanted = f"{sys.version_info[:2]}\n{REQUIREMENTS.read_text(encoding='utf-8')}"
    if STAMP.is_file() and STAMP.read_text(encoding="utf-8") == wanted:
        return
    FOLDER.mkdir(parents=True, exist_ok=True)
    say(f"installing the packages of {REQUIREMENTS.name} with pip")
    arguments = ["--no-deps", "--upgrade", "--target", str(FOLDER), "-r", str(REQUIREMENTS)]
    try:
        pip_progress.pip_install(Path(sys.executable), arguments, FOLDER.parent / "pip.log", say)
    except pip_progress.PipError as error:
        say(f"{REQUIREMENTS.name} cannot be installed, its lines stay empty: {error}")
        return
    STAMP.write_text(wanted, encoding="utf-8")
