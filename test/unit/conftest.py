# SPDX-License-Identifier: Apache-2.0
"""What the unit tests share: a folder of their own, and which of them run without ROS."""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

WITHOUT_ROS = importlib.util.find_spec("rclpy") is None
# What only a ROS installation and the ROS package bring; the wheel holds some of its rooms.
OF_ROS = ("ament_index_python", "builtin_interfaces", "cv_bridge", "hbm_runtime_ros", "launch")
OF_ROS += (
    "launch_ros",
    "rcl_interfaces",
    "rclpy",
    "rosgraph_msgs",
    "sensor_msgs",
    "std_msgs",
    "diagnostic_msgs",
)


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Away from the source tree, where a child's Python would find the package without its core."""
    monkeypatch.chdir(tmp_path)


def pytest_pycollect_makemodule(
    module_path: Path, parent: pytest.Collector
) -> pytest.Module | None:
    """Skips a file by name that imports what is not there without ROS."""
    if not WITHOUT_ROS:
        return None
    missing = sorted({name for name in imports(module_path) if not exists(name)})
    if not missing:
        return None
    skipped = _NeedsRos.from_parent(parent, path=module_path)
    skipped.missing = missing[0]
    return skipped


class _NeedsRos(pytest.Module):
    """A file of tests that is not imported."""

    missing = ""

    def collect(self) -> list[pytest.Item]:
        pytest.skip(
            f"needs {self.missing}, which is not there without ROS", allow_module_level=True
        )


def imports(file: Path) -> Iterator[str]:
    """Yields what a file of tests imports of ROS, itself or through a helper beside it."""
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            # Of `from package import name` it cannot be seen whether the name is a module.
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        helper = file.with_name(f"{names[0].partition('.')[0]}.py")
        if helper.is_file():
            yield from imports(helper)
        yield from (name for name in names if name.partition(".")[0] in OF_ROS)


def exists(name: str) -> bool:
    """Tells whether a module, or a name in a module, can be imported; imports its packages."""
    package, _, last = name.rpartition(".")
    if not package:
        return importlib.util.find_spec(name) is not None
    if not exists(package):
        return False
    try:
        module = importlib.import_module(package)
    except ModuleNotFoundError as error:
        if str(error.name).partition(".")[0] in OF_ROS:
            return False
        raise
    return hasattr(module, last) or (
        hasattr(module, "__path__") and importlib.util.find_spec(name) is not None
    )
