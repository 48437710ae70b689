# SPDX-License-Identifier: Apache-2.0
"""The inference node: images in, raw tensors and model metadata out."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import Any

from rclpy.logging import get_logger
from rclpy.node import Node
from sensor_msgs.msg import Image

from hbm_runtime import HB_HBMRuntime
from hbm_runtime_ros import qos
from hbm_runtime_ros.lifetime import run_node
from hbm_runtime_ros.log_bridge import ROOT, forward_runtime_log
from hbm_runtime_ros.msg import ModelInfoList, StatisticsList
from hbm_runtime_ros.parameters import read_parameters
from hbm_runtime_ros.served_model import RuntimeFactory, ServedModel, open_model_file
from hbm_runtime_ros.statistics import StatisticsReporter
from hbm_runtime_ros.throttle import Throttle

NAME = "inference_node"
STATISTICS_PERIOD = 1.0  # seconds
REPORT_PERIOD = 5.0  # seconds between two log lines about the same fault of the same model
STOP_TIMEOUT = 5.0  # seconds for running inferences to end


class InferenceNode(Node):
    """Runs models on image topics; the README describes its topics and parameters.

    The executor thread only stores images and answers requests. Conversion, inference and
    publishing of results happen in one worker thread per model.
    """

    def __init__(self, *, load: RuntimeFactory = HB_HBMRuntime, **options: Any) -> None:
        """Load the models, start their workers and subscribe.

        Args:
            load: Opens a model file.
            options: For rclpy's Node, e.g. `parameter_overrides`.

        Raises:
            ConfigurationError: If a parameter or a model file cannot be used.
        """
        super().__init__(NAME, **options)
        self._models: list[ServedModel] = []
        try:
            self._models.extend(self._load_models(load))
        except BaseException:
            self.destroy_node()
            raise
        self._info_publisher = self.create_publisher(ModelInfoList, "~/model_info", qos.MODEL_INFO)
        self._info_publisher.publish(self._model_info_list())
        self._statistics = StatisticsReporter()
        self._statistics_publisher = self.create_publisher(
            StatisticsList, "~/stats", qos.STATISTICS
        )
        self.create_timer(STATISTICS_PERIOD, self._publish_statistics)
        for model in self._models:
            model.pipeline.start()
        for topic in dict.fromkeys(model.info.image_topic for model in self._models):
            self.create_subscription(Image, topic, partial(self._on_image, topic), qos.IMAGES)

    def stop(self, timeout: float = STOP_TIMEOUT) -> bool:
        """End the workers.

        Args:
            timeout: Seconds for all of them together.

        Returns:
            False if an inference was still running then.
        """
        deadline = time.monotonic() + timeout
        pipelines = [model.pipeline for model in self._models]
        for pipeline in pipelines:
            pipeline.stop(0.0)  # all at once, then wait
        ended = [pipeline.stop(max(0.0, deadline - time.monotonic())) for pipeline in pipelines]
        return all(ended)

    def _load_models(self, load: RuntimeFactory) -> list[ServedModel]:
        throttle = Throttle(REPORT_PERIOD)
        runtimes: dict[str, HB_HBMRuntime] = {}
        models = []
        for settings in read_parameters(self):
            if settings.file not in runtimes:
                runtimes[settings.file] = open_model_file(load, settings)
            models.append(ServedModel(self, runtimes[settings.file], settings, throttle))
        library = runtimes[models[0].info.file].library
        kind = "simulated accelerator" if library.is_simulator else library.soc_name
        self.get_logger().info(f"{kind}, {library.core_count} cores, libraries in {library.path}")
        return models

    def _on_image(self, topic: str, msg: Image) -> None:
        for model in self._models:
            if model.info.image_topic == topic:
                model.pipeline.offer(msg)

    def _publish_statistics(self) -> None:
        snapshots = [(model.info.name, model.pipeline.snapshot()) for model in self._models]
        stamp = self.get_clock().now().to_msg()
        self._statistics_publisher.publish(self._statistics.message(stamp, snapshots))

    def _model_info_list(self) -> ModelInfoList:
        library = self._models[0].runtime.library
        return ModelInfoList(
            stamp=self.get_clock().now().to_msg(),
            runtime_version=str(self._models[0].runtime.version),
            library_path=str(library.path),
            ucp_version=str(library.ucp_version),
            dnn_version=str(library.dnn_version),
            soc_name=str(library.soc_name),
            simulator=bool(library.is_simulator),
            core_count=int(library.core_count),
            models=[model.info for model in self._models],
        )


def main(args: Sequence[str] | None = None) -> int:
    """Run the node until it is told to stop.

    Args:
        args: Command line with ROS arguments; None for the process's own.

    Returns:
        Exit code.
    """
    forward_runtime_log(get_logger(NAME).get_child(ROOT))
    return run_node(NAME, InferenceNode, args)
