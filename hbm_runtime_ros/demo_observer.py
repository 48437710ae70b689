# SPDX-License-Identifier: Apache-2.0
"""Watches the demo from outside: counts results, takes samples of images with their tensors."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from rclpy.node import Node
from sensor_msgs.msg import Image

from hbm_runtime_ros import qos
from hbm_runtime_ros.msg import (
    ModelInfo,
    ModelInfoList,
    ModelStatistics,
    StatisticsList,
    TensorList,
)

IMAGES_KEPT = 60  # until their results come


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

    @property
    def complete(self) -> bool:
        """Everything was seen at least once."""
        return None not in (self.sample, self.info, self.statistics) and self.results > 0


class DemoObserver(Node):
    """Subscribes what the demo's inference node publishes."""

    def __init__(self, models: Sequence[str]) -> None:
        """Subscribe.

        Args:
            models: Names of the models in the node's parameter `models`.
        """
        super().__init__("demo_observer")
        self.records = {name: ModelRecord() for name in models}
        self._images: OrderedDict[tuple[int, int], Image] = OrderedDict()
        self._image_subscription = self.create_subscription(
            Image, "image_raw", self._on_image, qos.IMAGES
        )
        for name in models:
            self.create_subscription(
                TensorList,
                f"inference_node/{name}/tensors",
                partial(self._on_tensors, name),
                qos.TENSORS,
            )
        self.create_subscription(
            ModelInfoList, "inference_node/model_info", self._on_info, qos.MODEL_INFO
        )
        self.create_subscription(
            StatisticsList, "inference_node/stats", self._on_statistics, qos.STATISTICS
        )

    @property
    def complete(self) -> bool:
        """Everything was seen of every model."""
        return all(record.complete for record in self.records.values())

    def start_measuring(self) -> None:
        """Forget the latencies so far, and the images: each model has its sample."""
        self.destroy_subscription(self._image_subscription)
        self._images.clear()
        for record in self.records.values():
            record.latencies.clear()

    def _on_image(self, msg: Image) -> None:
        self._images[msg.header.stamp.sec, msg.header.stamp.nanosec] = msg
        if len(self._images) > IMAGES_KEPT:
            self._images.popitem(last=False)

    def _on_tensors(self, name: str, msg: TensorList) -> None:
        stamp = msg.header.stamp
        record = self.records[name]
        record.results += 1
        age = self.get_clock().now().nanoseconds - (stamp.sec * 1_000_000_000 + stamp.nanosec)
        record.latencies.append(age / 1e9)
        image = self._images.get((stamp.sec, stamp.nanosec))
        if record.sample is None and image is not None:
            record.sample = Sample(image, msg)

    def _on_info(self, msg: ModelInfoList) -> None:
        for info in msg.models:
            if info.name in self.records:
                self.records[info.name].info = info

    def _on_statistics(self, msg: StatisticsList) -> None:
        for statistics in msg.models:
            if statistics.model in self.records:
                self.records[statistics.model].statistics = statistics
