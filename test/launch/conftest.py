# SPDX-License-Identifier: Apache-2.0
"""Skips the launch tests by name where launch is missing, and lets them import what they share."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

NEEDED = {
    "launch_testing": "launch_testing, which comes with a ROS installation",
    "launch_ros": "launch_ros, which comes with a ROS installation",
    "hbm_runtime_ros.msg": "the ROS package hbm_runtime_ros to be built",
    "onnx": "onnx: pip install 'hbm-runtime[tools]'",
}

for folder in (Path(__file__).parent, Path(__file__).parents[1]):
    sys.path.insert(0, str(folder))


def is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # its parent is missing
        return False


class SkippedModule(pytest.Module):
    """A file of this storey where something that all of them need is missing."""

    def collect(self) -> list[pytest.Item]:
        missing = [what for module, what in NEEDED.items() if not is_installed(module)]
        pytest.skip(f"needs {', '.join(missing)}", allow_module_level=True)


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> Any:
    if all(map(is_installed, NEEDED)):
        return None  # launch_testing makes it
    return SkippedModule.from_parent(parent, path=module_path)
