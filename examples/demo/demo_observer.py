# SPDX-License-Identifier: Apache-2.0
"""Watches the demo from outside, as any node can: results, statistics, diagnostics; and one change.

It takes samples of images with their tensors, which the demo checks in the end.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from hbm_runtime_ros.msg import (
    ModelInfo,
    ModelInfoList,
    ModelStatistics,
    StatisticsList,
    TensorList,
)
from rcl_interfaces.srv import SetParameters
from rclpy.node import Node
from rclpy.parameter import Parameter
from sensor_msgs.msg import Image

from hbm_runtime_ros.ros import qos
from recent_images import RecentImages

if TYPE_CHECKING:
    from rclpy.task import Future

NODE = "inference_node"


@dataclass(frozen=True)
class Sample:
    """An image and what a model made of it."""

    image: Image
    tensors: TensorList


@dataclass
class ModelRecord:
    """What was seen of one model.

    Attributes:
        results: Messages received.
        latencies: Seconds from the image's stamp to the arrival of its tensors, since the last
            reset.
        sample: One image with its tensors.
        info: From ~/model_info.
        statistics: The latest from ~/stats.
    """

    results: int = 0
    latencies: list[float] = field(default_factory=list)
    sample: Sample | None = None
    info: ModelInfo | None = None
    statistics: ModelStatistics | None = None


@dataclass
class PriorityChange:
    """A change of a model's priority while it runs.

    Attributes:
        model: Name.
        before: Priority in ~/model_info when the change was asked for.
        after: Priority asked for.
        asked: When, by the monotonic clock.
        refused: Why the node did not accept it; "" if it did, or has not answered yet.
        seconds: Until ~/model_info said so; None if it has not yet.
    """

    model: str
    before: int
    after: int
    asked: float
    refused: str = ""
    seconds: float | None = None


class DemoObserver(Node):
    """Subscribes what the demo's inference node publishes.

    Attributes:
        records: Per model.
        diagnostics: The latest status per name, in the order of their first appearance.
        change: The latest change asked for.
    """

    def __init__(self, models: Sequence[str]) -> None:
        """Subscribe.

        Args:
            models: Names of the models in the node's parameter `models`.
        """
        super().__init__("demo_observer")
        self.records = {name: ModelRecord() for name in models}
        self.diagnostics: dict[str, DiagnosticStatus] = {}
        self.change: PriorityChange | None = None
        self._images = RecentImages()
        self._image_subscription = self.create_subscription(
            Image, "image_raw", self._images.add, qos.IMAGES
        )
        for name in models:
            self.create_subscription(
                TensorList, f"{NODE}/{name}/tensors", partial(self._on_tensors, name), qos.TENSORS
            )
        self.create_subscription(ModelInfoList, f"{NODE}/model_info", self._on_info, qos.MODEL_INFO)
        self.create_subscription(
            StatisticsList, f"{NODE}/stats", self._on_statistics, qos.STATISTICS
        )
        self.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 10)
        self._set_parameters = self.create_client(SetParameters, f"{NODE}/set_parameters")

    def missing(self) -> list[str]:
        """What was not seen yet; empty when everything was seen of every model."""
        found = [
            f"{name}: no {what}"
            for name, record in self.records.items()
            for what, seen in (
                ("tensors", record.results),
                ("model_info", record.info),
                ("stats", record.statistics),
                ("image for a result", record.sample),
                ("diagnostics", any(name in status for status in self.diagnostics)),
            )
            if not seen
        ]
        if not self._set_parameters.service_is_ready():
            found.append(f"no service {self._set_parameters.srv_name}")
        return found

    def start_measuring(self) -> None:
        """Forget the latencies so far, and the images: each model has its sample."""
        self.destroy_subscription(self._image_subscription)
        self._images.clear()
        for record in self.records.values():
            record.latencies.clear()

    def set_priority(self, model: str, priority: int) -> PriorityChange:
        """Ask the node for another priority, as `ros2 param set` does; does not wait.

        Args:
            model: Name; its ~/model_info was seen.
            priority: 0..255.

        Returns:
            What becomes of it, in time.
        """
        info = self.records[model].info
        assert info is not None
        change = PriorityChange(model, info.priority, priority, time.monotonic())
        self.change = change
        parameter = Parameter(f"{model}.priority", Parameter.Type.INTEGER, priority)
        request = SetParameters.Request(parameters=[parameter.to_parameter_msg()])

        def on_answer(future: Future[Any]) -> None:
            (result,) = future.result().results
            if not result.successful:
                change.refused = result.reason or "no reason given"

        self._set_parameters.call_async(request).add_done_callback(on_answer)
        return change

    def _on_tensors(self, name: str, msg: TensorList) -> None:
        stamp = msg.header.stamp
        record = self.records[name]
        record.results += 1
        age = self.get_clock().now().nanoseconds - (stamp.sec * 1_000_000_000 + stamp.nanosec)
        record.latencies.append(age / 1e9)
        image = self._images.get(msg.header)
        if record.sample is None and image is not None:
            record.sample = Sample(image, msg)

    def _on_info(self, msg: ModelInfoList) -> None:
        for info in msg.models:
            if info.name in self.records:
                self.records[info.name].info = info
                self._note_change(info)

    def _note_change(self, info: ModelInfo) -> None:
        change = self.change
        if change is None or change.seconds is not None or change.model != info.name:
            return
        if info.priority == change.after:
            change.seconds = time.monotonic() - change.asked

    def _on_statistics(self, msg: StatisticsList) -> None:
        for statistics in msg.models:
            if statistics.model in self.records:
                self.records[statistics.model].statistics = statistics

    def _on_diagnostics(self, msg: DiagnosticArray) -> None:
        self.diagnostics.update({status.name: status for status in msg.status})
