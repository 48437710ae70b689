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
import rclpy
from ament_index_python.packages import get_package_prefix
from hbm_runtime_ros.msg import ModelStatistics, StatisticsList, TensorList
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image

from hbm_runtime_ros.conversions import bytes_to_field
from hbm_runtime_ros.qos import STATISTICS, TENSORS

PATIENCE = 30.0  # seconds; only reached by a failing test
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


class Observer:
    """A rclpy node of the test, spun whenever the test waits for something."""

    def __init__(self) -> None:
        self._context = rclpy.Context()
        rclpy.init(context=self._context)
        self.node = rclpy.create_node("observer", context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)

    def spin(self, seconds: float, done: Callable[[], Any] = lambda: False) -> bool:
        """Spin until the condition holds or the time is over; tell which."""
        deadline = time.monotonic() + seconds
        while not done():
            if time.monotonic() > deadline:
                return False
            self._executor.spin_once(timeout_sec=0.02)
        return True

    def until(self, condition: Callable[[], Any], what: str) -> None:
        """Spin until the condition holds."""
        assert self.spin(PATIENCE, condition), f"waited in vain for {what}"

    def collect(self, kind: type, topic: str, profile: Any) -> list[Any]:
        """Subscribe and return the list that messages arrive in."""
        messages: list[Any] = []
        self.node.create_subscription(kind, topic, messages.append, profile)
        return messages

    def close(self) -> None:
        self._executor.shutdown()
        self.node.destroy_node()
        rclpy.try_shutdown(context=self._context)


class InferenceRig:
    """A running inference_node with a camera in front of it and its results behind it."""

    def __init__(self, process: NodeProcess, observer: Observer, models: list[str]) -> None:
        self.process = process
        self.observer = observer
        self.camera = observer.node.create_publisher(
            Image, "/camera/image", qos_profile_sensor_data
        )
        self.results: dict[str, list[TensorList]] = {
            name: observer.collect(TensorList, f"/inference_node/{name}/tensors", TENSORS)
            for name in models
        }
        self._statistics = observer.collect(StatisticsList, "/inference_node/stats", STATISTICS)
        observer.until(self._connected, f"the node's topics; its log:\n{process.log}")

    def _connected(self) -> bool:
        assert self.process.process.poll() is None, self.process.log
        node = self.observer.node
        topics = [f"/inference_node/{name}/tensors" for name in self.results]
        return (
            self.camera.get_subscription_count() > 0
            and all(node.count_publishers(topic) > 0 for topic in topics)
            and node.count_publishers("/inference_node/stats") > 0
        )

    def publish_until_result(self, msg: Image, model: str) -> TensorList:
        """Publish an image (again, should the middleware lose it) until its result arrives."""
        results, key = self.results[model], msg.header.stamp
        deadline = time.monotonic() + PATIENCE
        while not any(result.header.stamp == key for result in results):
            assert time.monotonic() < deadline, f"no result; the node's log:\n{self.process.log}"
            self.camera.publish(msg)
            self.observer.spin(0.3, lambda: any(result.header.stamp == key for result in results))
        return next(result for result in results if result.header.stamp == key)

    def publish_until_received(self, msg: Image, model: str) -> None:
        """Publish an image until the node has counted one more, however long it computes."""
        before = self.statistics(model).frames_in
        while self.statistics(model).frames_in == before:
            self.camera.publish(msg)

    def statistics(self, model: str) -> ModelStatistics:
        """Wait for statistics of a moment after this call."""
        now = self.observer.node.get_clock().now().to_msg()
        asked = (now.sec, now.nanosec)

        def is_newer() -> bool:
            stamps = [(each.stamp.sec, each.stamp.nanosec) for each in self._statistics[-1:]]
            return bool(stamps) and stamps[0] > asked

        self.observer.until(is_newer, f"statistics; the node's log:\n{self.process.log}")
        return next(each for each in self._statistics[-1].models if each.model == model)

    def drops(self, model: str) -> dict[str, int]:
        """Drops by reason, now."""
        return {drop.reason: drop.count for drop in self.statistics(model).drops}


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
