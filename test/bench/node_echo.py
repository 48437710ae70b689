# SPDX-License-Identifier: Apache-2.0
"""What the node is held against: a bare rclpy node that prepares each image and answers at once.

The same preprocessing, the same sizes of messages, no model, no queue, no thread of its own.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from sensor_msgs.msg import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from hbm_runtime_ros.msg import Tensor, TensorList

from bench.node_models import CHANNELS, SIDE, STRIDE
from hbm_runtime.image import InputSpec, Preprocessor
from hbm_runtime_ros.messages.conversions import array_to_tensor, time_msg
from hbm_runtime_ros.messages.received_image import ReceivedImage
from hbm_runtime_ros.ros import qos
from hbm_runtime_ros.ros.malloc_settings import tune_process_for_images

INPUTS = (
    InputSpec("x_y", (1, SIDE, SIDE, 1), "U8"),
    InputSpec("x_uv", (1, SIDE // 2, SIDE // 2, 2), "U8"),
)


class Echo(Node):
    """Subscribes `image_raw`, publishes `~/tensors`."""

    def __init__(self) -> None:
        super().__init__("echo")
        self._prepare = Preprocessor(INPUTS)
        cells = SIDE // STRIDE
        output = np.zeros((1, CHANNELS, cells, cells), np.float32)
        self._tensors = [array_to_tensor("cells", output, Tensor.F32)]
        self._publisher = self.create_publisher(TensorList, "~/tensors", qos.TENSORS)
        self.create_subscription(Image, "image_raw", self._on_image, qos.IMAGES)

    def _on_image(self, msg: Image) -> None:
        received = time.time_ns()
        self._prepare(ReceivedImage(msg))
        prepared = time.time_ns()
        self._publisher.publish(
            TensorList(
                header=msg.header,
                received=time_msg(received),
                started=time_msg(received),
                prepared=time_msg(prepared),
                finished=time_msg(prepared),
                tensors=self._tensors,
            )
        )


def main() -> None:
    """Runs until a signal comes."""
    tune_process_for_images()  # memory and threads as the inference node has them
    rclpy.init()
    try:
        rclpy.spin(Echo())
    except (KeyboardInterrupt, ExternalShutdownException):
        rclpy.try_shutdown()


if __name__ == "__main__":
    main()
