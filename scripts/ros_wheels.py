# SPDX-License-Identifier: Apache-2.0
"""Makes of ROS wheels in a virtual environment what a ROS installation is: a prefix to build on."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

_BUILDER = r"/opt/python/cp3\d+-cp3\d+"
NUMPY_HEADERS = re.compile(_BUILDER + r"/lib/python3\.\d+/site-packages/numpy/_?core/include")
PYTHON_HEADERS = re.compile(_BUILDER + r"/include/python3\.\d+")

_ASK_HEADERS = (
    "import numpy, sysconfig; print(sysconfig.get_paths()['include']); print(numpy.get_include())"
)

# What setup.bash of a ROS installation does; install/setup.bash of a colcon build calls it.
SETUP_SCRIPT = """\
# Made by scripts/ros_wheels.py.
case ":$PATH:" in
  *":{venv}/bin:"*) ;;
  *)
    export PATH="{venv}/bin:$PATH"
    export AMENT_PREFIX_PATH="{venv}${{AMENT_PREFIX_PATH:+:$AMENT_PREFIX_PATH}}"
    export CMAKE_PREFIX_PATH="{venv}${{CMAKE_PREFIX_PATH:+:$CMAKE_PREFIX_PATH}}"
    export LD_LIBRARY_PATH="{libraries}${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}"
    # Unless this is set, the wheels start every Python a second time to set LD_LIBRARY_PATH.
    export _ROS_WHEELS_BOOTSTRAP_COMPLETE=1
    ;;
esac
"""


def googletest(prefix: Path) -> Path:
    """Returns where the sources of GoogleTest are below a prefix."""
    return prefix / "src" / "gtest_vendor"


def write_setup_scripts(venv: Path) -> None:
    """Writes `venv`/local_setup.bash and .sh, by which colcon knows a prefix."""
    libraries = [venv / "lib", *sorted(venv.glob("lib/python3*/site-packages/ros_*.libs"))]
    text = SETUP_SCRIPT.format(venv=venv, libraries=":".join(map(str, libraries)))
    for shell in ("bash", "sh"):
        (venv / f"local_setup.{shell}").write_text(text, encoding="utf-8")


def relocate(venv: Path) -> int:
    """Puts this machine's header folders into CMake targets that name the wheel builder's.

    Returns:
        How many files below `venv`/share that changed; 0 the second time.
    """
    answer = subprocess.run(
        [venv / "bin" / "python", "-c", _ASK_HEADERS], check=True, capture_output=True, text=True
    )
    python_headers, numpy_headers = answer.stdout.splitlines()
    changed = 0
    for file in sorted((venv / "share").glob("*/cmake/*.cmake")):
        before = file.read_text(encoding="utf-8")
        after = NUMPY_HEADERS.sub(lambda _: numpy_headers, before)
        after = PYTHON_HEADERS.sub(lambda _: python_headers, after)
        if after != before:
            file.write_text(after, encoding="utf-8")
            changed += 1
    return changed
