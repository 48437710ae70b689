# SPDX-License-Identifier: Apache-2.0
"""demo.launch.py: its three nodes find each other and end cleanly."""

from __future__ import annotations

import sys
import tempfile
import time
import unittest
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip(
    "launch_testing", reason="needs launch_testing, which comes with a ROS installation"
)
pytest.importorskip("launch_ros", reason="needs launch_ros, which comes with a ROS installation")
pytest.importorskip("onnx", reason="needs onnx: pip install 'hbm-runtime[tools]'")

import launch_testing.actions
import launch_testing.asserts
import rclpy
from ament_index_python.packages import get_package_share_directory
from hbm_runtime_ros.msg import TensorList
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource

from launch import LaunchDescription

sys.path.insert(0, str(Path(__file__).parents[1]))
import tiny_demo

PATIENCE = 60.0  # seconds; only reached by a failing test
FOLDER = tempfile.TemporaryDirectory(prefix="hbm_demo_launch_")


@pytest.mark.launch_test
def generate_test_description() -> LaunchDescription:
    folder = tiny_demo.make_folder(Path(FOLDER.name))
    share = get_package_share_directory("hbm_runtime_ros")
    demo = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(str(Path(share, "launch", "demo.launch.py"))),
        launch_arguments={
            "models": str(folder / "models"),
            "source": str(folder / "photo.png"),
            "overlay": str(folder / "overlay.png"),
            "log_level": "warn",
        }.items(),
    )
    return LaunchDescription([demo, launch_testing.actions.ReadyToTest()])


class TestDemo(unittest.TestCase):
    """While it runs."""

    def test_both_models_answer_and_the_overlay_is_written(self) -> None:
        context = rclpy.Context()
        rclpy.init(context=context)
        node = rclpy.create_node("observer", context=context)
        executor = rclpy.executors.SingleThreadedExecutor(context=context)
        executor.add_node(node)
        seen: set[str] = set()
        for model in ("detector", "orientation"):
            topic = f"/inference_node/{model}/tensors"
            node.create_subscription(TensorList, topic, lambda msg: seen.add(msg.model), 5)
        overlay = Path(FOLDER.name, "overlay.png")
        deadline = time.monotonic() + PATIENCE
        try:
            while seen != {"detector", "orientation"} or not overlay.is_file():
                assert time.monotonic() < deadline, f"{seen}, {list(overlay.parent.iterdir())}"
                executor.spin_once(timeout_sec=0.1)
        finally:
            executor.shutdown()
            node.destroy_node()
            rclpy.try_shutdown(context=context)


@launch_testing.post_shutdown_test()
class TestEnd(unittest.TestCase):
    """After its end."""

    def test_all_nodes_ended_cleanly(self, proc_info: Any) -> None:
        assert len(proc_info.process_names()) == 3
        launch_testing.asserts.assertExitCodes(proc_info)
