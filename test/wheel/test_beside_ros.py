# SPDX-License-Identifier: Apache-2.0
"""The wheel's part of the ROS package and a whole ROS package in one process."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

try:
    importlib.metadata.distribution("hbm-runtime")
except importlib.metadata.PackageNotFoundError:
    pytest.skip("the wheel of hbm-runtime is not installed here", allow_module_level=True)
if importlib.util.find_spec("rclpy") is not None:
    pytest.skip("shows what is without ROS, which is here", allow_module_level=True)


def imported(name: str, statement: str, cwd: Path) -> str:
    """The file that a module comes from, after a statement about `sys.path`."""
    script = f"import sys; {statement}; import {name} as found; print(found.__file__)"
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def ros(tmp_path: Path) -> Path:
    """What colcon installs: a package with __init__.py, its messages and its check."""
    package = tmp_path / "ros" / "hbm_runtime_ros"
    for folder in (package, package / "msg", package / "check"):
        folder.mkdir(parents=True)
        (folder / "__init__.py").write_text("")
    return package


def test_without_a_ros_package_the_wheels_part_is_there(tmp_path: Path) -> None:
    assert "site-packages" in imported("hbm_runtime_ros.check.command", "pass", tmp_path)
    assert "site-packages" in imported(
        "hbm_runtime_ros.parameters.derived_tables", "pass", tmp_path
    )


@pytest.mark.parametrize("where", ["insert(0, {0!r})", "append({0!r})"])
@pytest.mark.parametrize("part", ["msg", "check"])
def test_the_ros_package_wins_wherever_it_is_on_the_path(
    ros: Path, where: str, part: str, tmp_path: Path
) -> None:
    statement = f"sys.path.{where.format(str(ros.parent))}"
    found = imported(f"hbm_runtime_ros.{part}", statement, tmp_path)
    assert found == str(ros / part / "__init__.py")
