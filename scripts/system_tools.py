# SPDX-License-Identifier: Apache-2.0
"""Checks the tools of the operating system and says which package brings a missing one."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sysconfig
from pathlib import Path

CMAKE_MINIMUM = (3, 22)


def missing_tools() -> list[str]:
    """Returns one sentence per missing tool, with the Debian and Ubuntu package that brings it."""
    checks = (_compiler(), _make(), _cmake(), _venv(), _python_headers())
    return [sentence for sentence in checks if sentence]


def _compiler() -> str:
    if shutil.which("c++") and shutil.which("cc"):
        return ""
    return "No C and C++ compiler (cc, c++) was found: sudo apt install build-essential"


def _make() -> str:
    return "" if shutil.which("make") else "No make was found: sudo apt install build-essential"


def _cmake() -> str:
    needed = ".".join(map(str, CMAKE_MINIMUM))
    if not shutil.which("cmake"):
        return f"No CMake was found, {needed} or newer is needed: sudo apt install cmake"
    text = subprocess.run(["cmake", "--version"], capture_output=True, text=True).stdout
    match = re.search(r"(\d+)\.(\d+)", text)
    if match and (int(match[1]), int(match[2])) >= CMAKE_MINIMUM:
        return ""
    found = match[0] if match else "one that does not run"
    return f"CMake {needed} or newer is needed, found {found}: pip install cmake"


def _venv() -> str:
    # Debian ships the venv module without ensurepip, which makes `python -m venv` fail half-way.
    if importlib.util.find_spec("venv") and importlib.util.find_spec("ensurepip"):
        return ""
    return "This Python cannot make virtual environments: sudo apt install python3-venv"


def _python_headers() -> str:
    header = Path(sysconfig.get_paths()["include"]) / "Python.h"
    if header.is_file():
        return ""
    return f"Python's headers are missing ({header}): sudo apt install python3-dev"
