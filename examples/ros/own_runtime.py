# SPDX-License-Identifier: Apache-2.0
"""A node that imports hbm_runtime and runs a model itself, without the inference node.

    python examples/ros/own_runtime.py --ros-args -p file:=build/demo/models/orientation.hbm

Subscribes `image_raw` (nv12), publishes the most probable class on `~/top_class`. Its executor
never waits for the model: an image that comes while the model is busy is dropped and counted.
"""

from __future__ import annotations

import sys
from concurrent.futures import Future
from typing import Any

import numpy as np
import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image
from std_msgs.msg import Int32

from hbm_runtime import HB_HBMRuntime, HBMError
from hbm_runtime.image import nv12_from_buffer, nv12_resize

TIMEOUT = 1.0  # seconds for one image, waiting for the accelerator included


class Classifier(Node):
    """Runs one NV12 model on the newest image."""

    def __init__(self) -> None:
        """Load the model and subscribe; raises HBMError if the file cannot be used."""
        super().__init__("classifier")
        file = self.declare_parameter("file", "model.hbm").value
        priority = self.declare_parameter("priority", 0).value
        self._runtime = HB_HBMRuntime(str(file))
        (model,) = self._runtime.model_names
        self._runtime.set_scheduling_params(priority={model: priority})
        shapes = self._runtime.input_shapes[model]
        self._luma, self._chroma = sorted(shapes, key=lambda name: shapes[name][3])
        _, self._height, self._width, _ = shapes[self._luma]
        self._model = model
        self._running: Future[Any] | None = None
        self._dropped = 0
        self._publisher = self.create_publisher(Int32, "~/top_class", 10)
        self.create_subscription(Image, "image_raw", self._on_image, qos_profile_sensor_data)

    def _on_image(self, msg: Image) -> None:
        if self._running is not None and not self._running.done():
            self._dropped += 1
            self.get_logger().info(f"{self._dropped} dropped", throttle_duration_sec=5.0)
            return
        try:
            frame = nv12_from_buffer(msg.data, msg.width, msg.height, msg.step)
            planes, _ = nv12_resize(frame, self._width, self._height)
            inputs = {self._luma: planes.y[None, :, :, None], self._chroma: planes.uv[None]}
            self._running = self._runtime.run_async(inputs, timeout=TIMEOUT)
        except HBMError as error:  # a broken image, or one that the runtime refuses
            self.get_logger().error(f"{error}", throttle_duration_sec=5.0)
            return
        self._running.add_done_callback(self._on_result)

    def _on_result(self, future: Future[Any]) -> None:
        """In a thread of the runtime; publishing is allowed from there."""
        try:
            (scores,) = future.result()[self._model].values()
        except Exception as error:  # a time-out, a failed task, the end of the program
            self.get_logger().error(f"{error}", throttle_duration_sec=5.0)
            return
        if self.context.ok():
            self._publisher.publish(Int32(data=int(np.argmax(scores))))

    def close(self) -> None:
        """Wait for what is under way; then no callback comes any more."""
        self._runtime.close(timeout=TIMEOUT)


def main() -> int:
    """Run until a signal comes."""
    rclpy.init()
    try:
        node = Classifier()
    except HBMError as error:
        rclpy.logging.get_logger("classifier").fatal(f"cannot start: {error}")
        return 1
    try:
        rclpy.spin(node)
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        node.close()
        node.destroy_node()
        rclpy.try_shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
