# SPDX-License-Identifier: Apache-2.0
"""Nodes in processes of their own, and a rclpy node that feeds and watches them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from ament_index_python.packages import get_package_prefix
from hbm_runtime_ros.msg import ModelStatistics, StatisticsList, TensorList
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.srv import SetParametersAtomically
from rclpy.parameter import Parameter
from rclpy.qos import qos_profile_sensor_data
from ros_observer import PATIENCE, Observer
from sensor_msgs.msg import Image

from hbm_runtime_ros.messages.conversions import bytes_to_field
from hbm_runtime_ros.ros.qos import STATISTICS, TENSORS

EXECUTABLES = Path(get_package_prefix("hbm_runtime_ros"), "lib", "hbm_runtime_ros")


class NodeProcess:
    """One executable of the package in a process of its own."""

    def __init__(
        self, executable: str, arguments: list[str], folder: Path, where: Path = EXECUTABLES
    ) -> None:
        self.log_file = folder / f"{executable}.log"
        environment = {**os.environ, "ROS_LOG_DIR": str(folder / "ros_log")}
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(where / executable), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env=environment,
            )

    @property
    def log(self) -> str:
        """All that it has printed."""
        return self.log_file.read_text()

    def wait(self) -> int:
        """Wait for it to end by itself and return its exit code."""
        return self.process.wait(PATIENCE)

    def stop(self, with_signal: signal.Signals = signal.SIGINT) -> int:
        """Ask it to end and return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(with_signal)
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise


class InferenceRig:
    """A running inference node with a camera in front of it and its results behind it.

    The node is in a process of its own (`process`) or in this one (`node`).
    """

    def __init__(
        self,
        observer: Observer,
        models: list[str],
        *,
        process: NodeProcess | None = None,
        node: Any = None,
        name: str = "inference_node",
        topic: str = "/camera/image",
        tensors: bool = True,
        read_log: Callable[[], str] = lambda: "",
    ) -> None:
        self._process = process
        self.node = node
        self.name = name
        self.observer = observer
        self.camera = observer.node.create_publisher(Image, topic, qos_profile_sensor_data)
        self.results: dict[str, list[TensorList]] = {}
        if tensors:
            self.results = {model: self.collect_results(model) for model in models}
        self._statistics = observer.collect(StatisticsList, f"/{name}/stats", STATISTICS)
        self._read_log = read_log
        self._log = ""

    @property
    def process(self) -> NodeProcess:
        """The process of the node, where it has one of its own."""
        assert self._process is not None, "this node is in the process of the test"
        return self._process

    @property
    def log(self) -> str:
        """All that the node has logged; with a node in this process all that was logged here."""
        if self._process is not None:
            return self._process.log
        self._log += self._read_log()
        return self._log

    def collect_results(self, model: str) -> list[TensorList]:
        """Subscribe to a model's tensors."""
        return self.observer.collect(TensorList, f"/{self.name}/{model}/tensors", TENSORS)

    def until(self, condition: Callable[[], Any], what: str) -> None:
        """Spin until the condition holds."""
        met = self.observer.spin(PATIENCE, condition)
        assert met, f"waited in vain for {what}; the node's log:\n{self.log}"

    def until_active(self) -> InferenceRig:
        """Wait until the node is active and everybody is connected."""
        self.until(self._connected, "the node's topics")
        if self.node is not None:
            self.until(lambda: self.node.lifecycle_state == "active", "the active node")
        return self

    def until_active_without_camera(self) -> InferenceRig:
        """Wait until the node of this process is active, whether or not the camera suits it."""
        self.until(lambda: self.node.lifecycle_state == "active", "the active node")
        wanted = [image.topic for model in self.node.models for image in model.inputs]
        self.until(
            lambda: all(self.observer.node.count_subscribers(topic) for topic in wanted),
            "the node's subscriptions",
        )
        return self

    def _connected(self) -> bool:
        if self._process is not None:
            assert self._process.process.poll() is None, self.log
        node = self.observer.node
        topics = [f"/{self.name}/{model}/tensors" for model in self.results]
        return (
            self.camera.get_subscription_count() > 0
            and all(node.count_publishers(topic) > 0 for topic in topics)
            and node.count_publishers(f"/{self.name}/stats") > 0
        )

    def call(self, kind: Any, service: str, request: Any) -> Any:
        """Call one of the node's services, given by its name below the node, and wait."""
        client = self.observer.node.create_client(kind, f"/{self.name}/{service}")
        try:
            self.until(client.service_is_ready, f"the service {service}")
            answer = client.call_async(request)
            self.until(answer.done, f"an answer of {service}")
            return answer.result()
        finally:
            self.observer.node.destroy_client(client)

    def change_state(self, label: str) -> bool:
        """Do a transition, e.g. "configure"; tell whether it succeeded."""
        request = ChangeState.Request(transition=Transition(label=label))
        return bool(self.call(ChangeState, "change_state", request).success)

    def state(self) -> str:
        """Label of the node's state."""
        return str(self.call(GetState, "get_state", GetState.Request()).current_state.label)

    def set_parameters(self, **values: Any) -> str:
        """Set parameters at once (`eye__priority=3`); returns why not, or ""."""
        parameters = [
            Parameter(key.replace("__", "."), value=value).to_parameter_msg()
            for key, value in values.items()
        ]
        request = SetParametersAtomically.Request(parameters=parameters)
        result = self.call(SetParametersAtomically, "set_parameters_atomically", request).result
        assert result.successful == (not result.reason)
        return str(result.reason)

    def publish_until_result(self, msg: Image, model: str) -> TensorList:
        """Publish an image (again, should the middleware lose it) until its result arrives."""
        results, key = self.results[model], msg.header.stamp
        deadline = time.monotonic() + PATIENCE
        while not any(result.header.stamp == key for result in results):
            assert time.monotonic() < deadline, f"no result; the node's log:\n{self.log}"
            self.camera.publish(msg)
            self.observer.spin(0.3, lambda: any(result.header.stamp == key for result in results))
        return next(result for result in results if result.header.stamp == key)

    def publish_until_received(self, msg: Image, model: str) -> None:
        """Publish an image until the node has counted one more, however long it computes."""
        before = self.frames_in(model)
        deadline = time.monotonic() + PATIENCE
        while self.frames_in(model) == before:
            assert time.monotonic() < deadline, f"not received; the node's log:\n{self.log}"
            self.camera.publish(msg)
            self.observer.spin(0.1, lambda: self.node and self.frames_in(model) != before)

    def frames_in(self, model: str) -> int:
        """Images that a model has counted, now."""
        if self.node is None:
            return int(self.statistics(model).frames_in)
        return int(self.counters(model).frames_in)

    def counters(self, model: str) -> Any:
        """A model's CounterSnapshot, where the node is in this process."""
        return next(m for m in self.node.models if m.name == model).pipeline.snapshot()

    def statistics(self, model: str) -> ModelStatistics:
        """Wait for statistics of a moment after this call."""
        message = self.all_statistics()
        return next(each for each in message.models if each.model == model)

    def all_statistics(self) -> StatisticsList:
        """Wait for statistics of a moment after this call."""
        now = self.observer.node.get_clock().now().to_msg()
        asked = (now.sec, now.nanosec)

        def is_newer() -> bool:
            stamps = [(each.stamp.sec, each.stamp.nanosec) for each in self._statistics[-1:]]
            return bool(stamps) and stamps[0] > asked

        self.until(is_newer, "statistics")
        return self._statistics[-1]

    def drops(self, model: str) -> dict[str, int]:
        """Drops by reason, now."""
        if self.node is not None:
            return dict(self.counters(model).drops)
        return {drop.reason: drop.count for drop in self.statistics(model).drops}


def flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested parameters as ROS has them: with dotted names; paths as text."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            found.update(flat(value, f"{prefix}{key}."))
        else:
            found[prefix + key] = str(value) if isinstance(value, Path) else value
    return found


def make_image(
    encoding: str = "nv12",
    width: int = 12,
    height: int = 8,
    *,
    stamp: tuple[int, int] = (1, 2),
    seed: int = 0,
    **changes: Any,
) -> Image:
    """An image of noise; `changes` overwrite fields to break it."""
    row = width * (3 if encoding == "bgr8" else 1)
    size = row * height * 3 // 2 if encoding == "nv12" else row * height
    msg = Image(encoding=encoding, width=width, height=height, step=row)
    msg.data = bytes_to_field(np.random.default_rng(seed).integers(0, 256, size, dtype=np.uint8))
    msg.header.stamp.sec, msg.header.stamp.nanosec = stamp
    msg.header.frame_id = "camera"
    for name, value in changes.items():
        setattr(msg, name, value)
    return msg
