# SPDX-License-Identifier: Apache-2.0
"""What the launch tests share: launch files with arguments, tiny models, a node that looks on."""

from __future__ import annotations

import os
import signal
import time
import unittest
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import rclpy
import tiny_models
from ament_index_python.packages import get_package_share_directory
from hbm_runtime_ros.msg import ModelInfo, ModelInfoList, TensorList
from launch.actions import GroupAction, IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.msg import ParameterValue
from rcl_interfaces.srv import GetParameters
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import parameter_value_to_python
from sensor_msgs.msg import Image

from dds_files import remove_leftovers, segments
from hbm_runtime_ros.messages.conversions import bytes_to_field
from hbm_runtime_ros.ros.qos import MODEL_INFO

PATIENCE = 60.0  # seconds; only reached by a failing test
CALL_AGAIN = 5.0  # seconds
LAUNCH = Path(get_package_share_directory("hbm_runtime_ros"), "launch")


def include(name: str, /, **arguments: object) -> GroupAction:
    """A launch file of the package, with arguments that no other one sees."""
    included = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(str(LAUNCH / f"{name}.launch.py")),
        launch_arguments={key: str(value) for key, value in arguments.items()}.items(),
    )
    return GroupAction([included], scoped=True)


def save_model(path: Path) -> Path:
    """A convolution on an NV12 image of 12x8."""
    path.parent.mkdir(parents=True, exist_ok=True)
    spec = tiny_models.pack(tiny_models.conv(), "conv", nv12_inputs=("x",))
    return tiny_models.save(path, spec)


def make_image(stamp: int = 1) -> Image:
    """An NV12 image of 12x8."""
    msg = Image(encoding="nv12", width=12, height=8, step=12)
    msg.data = bytes_to_field(np.arange(144, dtype=np.uint8))
    msg.header.stamp.sec = stamp
    return msg


def processes_with(word: str) -> list[psutil.Process]:
    """Running inference nodes that have this word in their command line."""
    found = []
    for process in psutil.process_iter():
        try:
            line = process.cmdline()
        except psutil.Error:  # it has just ended
            continue
        if any("inference_node" in part for part in line) and any(word in part for part in line):
            found.append(process)
    return found


class LaunchTest(unittest.TestCase):
    """Looks on while the launched nodes run."""

    def setUp(self) -> None:
        self.context = rclpy.Context()
        rclpy.init(context=self.context)
        self.node = rclpy.create_node("observer", context=self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)

    def tearDown(self) -> None:
        self.executor.shutdown()
        self.node.destroy_node()
        rclpy.try_shutdown(context=self.context)

    def until(self, condition: Callable[[], Any], what: str) -> None:
        """Spin until the condition holds."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, f"waited in vain for {what}"
            self.executor.spin_once(timeout_sec=0.1)

    def process_with(self, word: str) -> psutil.Process:
        """The one running inference node that has this word in its command line."""
        self.until(lambda: len(processes_with(word)) == 1, f"one node with {word}")
        return processes_with(word)[0]

    def model_info(self, node: str) -> list[ModelInfo]:
        """Models that a node has told of, in order."""
        messages: list[ModelInfoList] = []
        topic = f"{node}/model_info"
        subscription = self.node.create_subscription(
            ModelInfoList, topic, messages.append, MODEL_INFO
        )
        self.until(lambda: messages, topic)
        self.node.destroy_subscription(subscription)
        return list(messages[-1].models)

    def results(self, topic: str) -> list[TensorList]:
        """The list that results arrive in."""
        messages: list[TensorList] = []
        self.node.create_subscription(TensorList, topic, messages.append, 5)
        return messages

    def publish_until(self, topic: str, condition: Callable[[], Any], what: str) -> None:
        """Play camera until the condition holds."""
        camera = self.node.create_publisher(Image, topic, 5)
        stamps = iter(range(1, 1_000_000))

        def published() -> bool:
            camera.publish(make_image(next(stamps)))
            return bool(condition())

        self.until(published, what)
        self.node.destroy_publisher(camera)

    def call(self, kind: Any, service: str, request: Any) -> Any:
        """Call a service, again if need be: a killed node seems to be there for some seconds."""
        client = self.node.create_client(kind, service)
        calls: list[tuple[float, Any]] = []

        def answered() -> bool:
            if client.service_is_ready() and (
                not calls or time.monotonic() - calls[-1][0] > CALL_AGAIN
            ):
                calls.append((time.monotonic(), client.call_async(request)))
            return any(future.done() for _, future in calls)

        self.until(answered, f"an answer of {service}")
        self.node.destroy_client(client)
        return next(future.result() for _, future in calls if future.done())

    def parameter(self, node: str, name: str) -> Any:
        """A parameter of a node."""
        request = GetParameters.Request(names=[name])
        (value,) = self.call(GetParameters, f"{node}/get_parameters", request).values
        assert isinstance(value, ParameterValue)
        return parameter_value_to_python(value)

    def state(self, node: str) -> str:
        """Label of a node's state."""
        answer = self.call(GetState, f"{node}/get_state", GetState.Request())
        return str(answer.current_state.label)

    def change_state(self, node: str, transition: int) -> bool:
        """Ask for a transition."""
        request = ChangeState.Request()
        request.transition.id = transition
        return bool(self.call(ChangeState, f"{node}/change_state", request).success)


def environment_of(process: psutil.Process) -> dict[str, str]:
    """Environment that a process was started with."""
    text = Path(f"/proc/{process.pid}/environ").read_bytes().decode()
    return dict(line.partition("=")[::2] for line in text.split("\0") if line)


def kill(process: psutil.Process) -> None:
    """End a process as the kernel does when memory runs out."""
    os.kill(process.pid, signal.SIGKILL)


SEGMENTS_BEFORE = segments()


def remove_what_killed_nodes_left() -> None:
    """Only for the end of a test file, when its nodes are gone and rclpy is shut down."""
    remove_leftovers(SEGMENTS_BEFORE)
