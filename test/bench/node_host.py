# SPDX-License-Identifier: Apache-2.0
"""The inference node with a clock around its image callback and around rclpy's taking of images.

When it ends it writes both, in ns, to the file that its first argument names.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from sensor_msgs.msg import Image

from hbm_runtime_ros.node.inference_node import InferenceNode
from hbm_runtime_ros.ros.malloc_settings import tune_process_for_images


class TimedNode(InferenceNode):
    """Counts the time of each call of an image callback."""

    def __init__(self, **options: Any) -> None:
        self.callback_ns: list[int] = []
        super().__init__(**options)

    def create_subscription(
        self, msg_type: Any, topic: str, callback: Callable[[Any], None], *args: Any, **more: Any
    ) -> Any:
        """Subscribes, with a clock around a callback of images."""
        timed = self._timed(callback) if msg_type is Image else callback
        return super().create_subscription(msg_type, topic, timed, *args, **more)

    def _timed(self, callback: Callable[[Any], None]) -> Callable[[Any], None]:
        def timed(msg: Any) -> None:
            start = time.perf_counter_ns()
            callback(msg)
            self.callback_ns.append(time.perf_counter_ns() - start)

        return timed


class TimedExecutor(SingleThreadedExecutor):
    """Counts the time that rclpy needs to make an image message of what the middleware holds."""

    def __init__(self) -> None:
        super().__init__()
        self.take_ns: list[int] = []

    def _take_subscription(self, sub: Any) -> Any:
        start = time.perf_counter_ns()
        taken = super()._take_subscription(sub)
        if sub.msg_type is Image:
            self.take_ns.append(time.perf_counter_ns() - start)
        return taken


def main() -> None:
    """Runs until a signal comes."""
    times = Path(sys.argv[1])
    tune_process_for_images()  # as the node's own main does
    rclpy.init(args=sys.argv)
    node = TimedNode()
    executor = TimedExecutor()
    executor.add_node(node)
    try:
        executor.spin()
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        found = {"callback_ns": node.callback_ns, "take_ns": executor.take_ns}
        times.write_text(json.dumps(found), encoding="utf-8")
        node.stop()
        node.destroy_node()
        rclpy.try_shutdown()


if __name__ == "__main__":
    main()
