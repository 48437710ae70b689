# SPDX-License-Identifier: Apache-2.0
"""The inference node inside of a program of one's own: tensors as numpy arrays, without DDS.

    python examples/ros/embedded_node.py --ros-args --params-file config/inference.yaml

Node and listener share a process and an executor. The parameters, topics and services of the
inference node are all there; `~/peak` of the second node is the largest value of each result.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from std_msgs.msg import Float32

from hbm_runtime_ros.node.inference_node import InferenceNode

if TYPE_CHECKING:
    from hbm_runtime_ros.pipeline import Result

MODEL = "detector"  # a name in the parameter `models`


class Peaks(Node):
    """Publishes the largest value of each result."""

    def __init__(self) -> None:
        """Make the publisher."""
        super().__init__("peaks")
        self._publisher = self.create_publisher(Float32, "~/peak", 10)

    def on_result(self, result: Result[Any]) -> None:
        """In the model's worker thread, which waits: be quick, or hand the work on.

        Args:
            result: Its arrays are valid as long as they are held; nothing was copied for us.
        """
        peak = max(float(tensor.max()) for tensor in result.tensors.values())
        self._publisher.publish(Float32(data=peak))


def main() -> int:
    """Run until a signal comes."""
    rclpy.init()
    inference, peaks = InferenceNode(), Peaks()
    inference.add_result_listener(MODEL, peaks.on_result)
    executor = SingleThreadedExecutor()
    executor.add_node(inference)
    executor.add_node(peaks)
    try:
        executor.spin()
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        inference.destroy_node()  # ends its work, too
        peaks.destroy_node()
        rclpy.try_shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
