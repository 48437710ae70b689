# SPDX-License-Identifier: Apache-2.0
"""The installed executables: from the first line on, Ctrl-C ends them without a traceback."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

TEMPLATE = Path(__file__).parents[3] / "scripts" / "executable.py.in"


def started(folder: Path, module: str) -> subprocess.Popen[str]:
    """An executable of a module, which has said where it is."""
    (folder / "program.py").write_text(module)
    script = folder / "program"
    text = TEMPLATE.read_text().replace("@Python3_EXECUTABLE@", sys.executable)
    script.write_text(text.replace("@module@", "program").replace("@search@", ""))
    process = subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "here\n"
    return process


def test_a_signal_while_modules_are_imported_ends_it_without_a_traceback(tmp_path: Path) -> None:
    process = started(
        tmp_path, "import time\nprint('here', flush=True)\ntime.sleep(60)\ndef main(): return 0\n"
    )
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == -signal.SIGINT
    assert errors == ""


def test_a_signal_in_its_work_is_an_exception_that_can_be_caught(tmp_path: Path) -> None:
    process = started(
        tmp_path,
        "import time\n"
        "def main():\n"
        "    try:\n"
        "        print('here', flush=True)\n"
        "        time.sleep(60)\n"
        "    except KeyboardInterrupt:\n"
        "        return 7\n",
    )
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 7
