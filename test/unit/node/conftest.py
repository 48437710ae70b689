# SPDX-License-Identifier: Apache-2.0
"""What the node's unit tests share: rooms that need no ROS, and a rclpy node for those that do."""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from ros_observer import Observer

SOURCES = Path(__file__).parents[3] / "hbm_runtime_ros"

# Without ROS only `hbm check` is installed: the other rooms that need none come from the sources.
with contextlib.suppress(ImportError):
    import hbm_runtime_ros

    if importlib.util.find_spec("hbm_runtime_ros.msg") is None:
        hbm_runtime_ros.__path__.append(str(SOURCES))


@pytest.fixture
def observer() -> Iterator[Observer]:
    """A rclpy node that spins while a test waits."""
    pytest.importorskip("rclpy", reason="needs ROS 2 (rclpy)")
    from ros_observer import Observer

    observer = Observer()
    yield observer
    observer.close()
