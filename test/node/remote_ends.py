# SPDX-License-Identifier: Apache-2.0
"""The two ends of a stream as programs for the computers of a test network: camera and listener."""

from __future__ import annotations

import argparse
import array
import sys
import time
from typing import Any

import rclpy
from hbm_runtime_ros.msg import TensorList
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image

DEPTH = 5
KINDS = {"images": Image, "tensors": TensorList}


def qos(reliability: str) -> QoSProfile:
    return QoSProfile(depth=DEPTH, reliability=ReliabilityPolicy[reliability.upper()])


def say(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


class Camera(Node):
    """Publishes NV12 images of the time they are stamped with."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        super().__init__("camera")
        width, height = arguments.size
        self._image = Image(width=width, height=height, step=width, encoding="nv12")
        self._image.data = array.array("B", bytes(width * height * 3 // 2))
        self._publisher = self.create_publisher(Image, arguments.topic, qos(arguments.reliability))
        self.create_timer(1.0 / arguments.rate, self._publish)

    def _publish(self) -> None:
        begin = time.time_ns()
        stamp = self._image.header.stamp
        stamp.sec, stamp.nanosec = divmod(begin, 10**9)
        self._publisher.publish(self._image)
        say(begin, time.time_ns() - begin)


class Listener(Node):
    """Prints a line per message: its stamp and its arrival, ns of the machine's clock.

    Beside these `publishers N`, whenever it knows of another number of publishers.
    """

    def __init__(self, arguments: argparse.Namespace) -> None:
        super().__init__("listener")
        kind, profile = KINDS[arguments.end], qos(arguments.reliability)
        self.create_subscription(kind, arguments.topic, self._note, profile)
        self._topic: str = arguments.topic
        self._publishers = -1
        self.create_timer(0.2, self._look)

    def _look(self) -> None:
        publishers = self.count_publishers(self._topic)
        if publishers != self._publishers:
            say("publishers", publishers)
        self._publishers = publishers

    def _note(self, msg: Any) -> None:
        stamp = msg.header.stamp
        say(stamp.sec * 10**9 + stamp.nanosec, time.time_ns())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("end", choices=["camera", *KINDS])
    parser.add_argument("topic")
    parser.add_argument("--size", type=int, nargs=2, default=(64, 48), help="of the camera's image")
    parser.add_argument("--rate", type=float, default=30.0, help="images per second")
    parser.add_argument("--reliability", choices=["reliable", "best_effort"], default="best_effort")
    arguments = parser.parse_args()
    rclpy.init(args=[])
    try:
        rclpy.spin(Camera(arguments) if arguments.end == "camera" else Listener(arguments))
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        rclpy.try_shutdown()


if __name__ == "__main__":
    main()
