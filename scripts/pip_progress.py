# SPDX-License-Identifier: Apache-2.0
"""Runs pip with its output in a log file and a short sign of life on the terminal."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

_SIGN_OF_LIFE_S = 10.0


class PipError(RuntimeError):
    """pip failed; the text holds the end of its output."""


def pip_install(python: Path, arguments: list[str], log: Path, say: Callable[[str], None]) -> None:
    """Runs `pip install` with its output in `log`; says every ten seconds how far it is.

    Raises:
        PipError: with pip's last lines and the name of the log.
    """
    command = [
        str(python),
        "-m",
        "pip",
        "install",
        "--no-input",
        "--disable-pip-version-check",
        "--no-cache-dir",  # nothing is to be left outside of the repository
        *arguments,
    ]
    collected = 0
    phase = "looking for packages"
    next_sign = time.monotonic() + _SIGN_OF_LIFE_S
    lines: list[str] = []
    with (
        log.open("a", encoding="utf-8") as record,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as pip,
    ):
        assert pip.stdout is not None
        for line in pip.stdout:
            record.write(line)
            lines.append(line.rstrip())
            if line.startswith("Collecting "):
                collected += 1
                phase = f"{collected} packages found"
            elif line.startswith("Installing collected packages"):
                phase = f"unpacking {line.count(',') + 1} packages"
                say(phase)
            if time.monotonic() >= next_sign:
                say(phase)
                next_sign = time.monotonic() + _SIGN_OF_LIFE_S
    if pip.returncode != 0:
        tail = "\n".join(f"    {line[:200]}" for line in lines[-12:])
        raise PipError(f"pip failed (its whole output: {log}):\n{tail}")
