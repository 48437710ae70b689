# SPDX-License-Identifier: Apache-2.0
"""inference.launch.py: its arguments reach the node."""

from __future__ import annotations

import sys
import tempfile
import time
import unittest
from collections.abc import Callable
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
from hbm_runtime_ros.msg import ModelInfoList
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource

from hbm_runtime_ros.qos import MODEL_INFO
from launch import LaunchDescription

sys.path.insert(0, str(Path(__file__).parents[1]))
import tiny_models

PATIENCE = 60.0  # seconds; only reached by a failing test
FOLDER = tempfile.TemporaryDirectory(prefix="hbm_inference_launch_")

PARAMETERS = """
/**:
  ros__parameters:
    models: [eye]
    eye:
      file: {file}
      priority: 77
"""


@pytest.mark.launch_test
def generate_test_description() -> LaunchDescription:
    folder = Path(FOLDER.name)
    spec = tiny_models.pack(tiny_models.conv(), "conv", nv12_inputs=("x",))
    file = tiny_models.save(folder / "eye.hbm", spec)
    (folder / "eye.yaml").write_text(PARAMETERS.format(file=file))
    share = get_package_share_directory("hbm_runtime_ros")
    inference = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(str(Path(share, "launch", "inference.launch.py"))),
        launch_arguments={
            "params_file": str(folder / "eye.yaml"),
            "namespace": "robot",
            "image_topic": "/front/image",
            "log_level": "info",
        }.items(),
    )
    return LaunchDescription([inference, launch_testing.actions.ReadyToTest()])


class TestInference(unittest.TestCase):
    """While it runs."""

    def setUp(self) -> None:
        self.context = rclpy.Context()
        rclpy.init(context=self.context)
        self.node = rclpy.create_node("observer", context=self.context)
        self.executor = rclpy.executors.SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)

    def tearDown(self) -> None:
        self.executor.shutdown()
        self.node.destroy_node()
        rclpy.try_shutdown(context=self.context)

    def spin_until(self, condition: Callable[[], Any]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline
            self.executor.spin_once(timeout_sec=0.1)

    def test_namespace_parameters_and_remap_reach_the_node(self) -> None:
        messages: list[ModelInfoList] = []
        topic = "/robot/inference_node/model_info"
        self.node.create_subscription(ModelInfoList, topic, messages.append, MODEL_INFO)
        self.spin_until(lambda: messages)
        (model,) = messages[0].models
        assert (model.name, model.priority) == ("eye", 77)
        assert model.image_topic == "/front/image"
        assert model.tensors_topic == "/robot/inference_node/eye/tensors"

    def test_the_shared_memory_profile_is_set(self, proc_info: Any) -> None:
        (process,) = (proc_info[name] for name in proc_info.process_names())
        environment = Path(f"/proc/{process.pid}/environ").read_bytes().decode().split("\0")
        for name in ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE"):
            (value,) = (line.partition("=")[2] for line in environment if line.startswith(name))
            assert Path(value).is_file(), value


@launch_testing.post_shutdown_test()
class TestEnd(unittest.TestCase):
    """After its end."""

    def test_the_node_ended_cleanly(self, proc_info: Any) -> None:
        launch_testing.asserts.assertExitCodes(proc_info)
