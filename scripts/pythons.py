# SPDX-License-Identifier: Apache-2.0
"""Finds the Pythons of this machine by their version; prints the one of the version given.

The package findpython does this, too, but what is tested without `make setup` has no packages.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

# What a wheel is built and tried with; a shim of pyenv exists for versions that do not run.
PROBE = """
import os, sys, sysconfig, ensurepip, venv
if sys.version_info[:2] != ({}, {}):
    sys.exit(f"is Python {{sys.version_info[0]}}.{{sys.version_info[1]}}")
if not os.path.isfile(os.path.join(sysconfig.get_paths()["include"], "Python.h")):
    sys.exit("has no headers")
print(sys.executable)
"""


def find_python(version: str) -> tuple[Path | None, str]:
    """Looks in PATH, in the folders of pyenv and in those of uv.

    Args:
        version: Such as "3.12".

    Returns:
        The interpreter and its whole version; or None and why there is none.
    """
    refusals = []
    for candidate in _candidates(version):
        run = subprocess.run(
            [candidate, "-c", PROBE.format(*version.split(".")) + "print(sys.version.split()[0])"],
            capture_output=True,
            text=True,
        )
        if run.returncode == 0:
            python, whole_version = run.stdout.splitlines()
            return Path(python), whole_version
        said = run.stderr.strip().splitlines() or [f"ends with status {run.returncode}"]
        refusals.append(f"{candidate}: {said[0]}")
    return None, "; ".join(refusals) or f"no python{version} in PATH, of pyenv or of uv"


def _candidates(version: str) -> Iterator[Path]:
    if in_path := shutil.which(f"python{version}"):
        yield Path(in_path)
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    uv = Path.home() / ".local" / "share" / "uv" / "python"
    yield from sorted(pyenv.glob(f"versions/{version}*/bin/python{version}"), reverse=True)
    yield from sorted(uv.glob(f"cpython-{version}*/bin/python{version}"), reverse=True)


if __name__ == "__main__":
    interpreter, reason = find_python(sys.argv[1])
    if interpreter is None:
        sys.exit(f"Python {sys.argv[1]}: {reason}")
    print(interpreter)
