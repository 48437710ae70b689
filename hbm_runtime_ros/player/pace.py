# SPDX-License-Identifier: Apache-2.0
"""When the player plays its next image: by rate, as recorded, or after the last one's result."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hbm_runtime_ros.msg import TensorList
from hbm_runtime_ros.ros import qos

if TYPE_CHECKING:
    from builtin_interfaces.msg import Time
    from rclpy.node import Node
    from rclpy.publisher import Publisher

LONGEST_GAP = 10_000_000_000  # ns between two images as recorded; longer ones are shortened
RESULT_TIMEOUT = 10_000_000_000  # ns that a result may take


class Pace:
    """When each image is due, on a clock that never jumps. Knows no ROS."""

    def __init__(self, rate: float, recorded: int | None) -> None:
        """Begin with the first image.

        Args:
            rate: Images per second; 0 for as recorded.
            recorded: When the first image was recorded, ns; None if that is not known.
        """
        self._gap = round(1e9 / rate) if rate else 0
        self._as_recorded = not rate
        self._recorded = recorded
        self._due: int | None = None

    def next_due(self, recorded: int | None, now: int) -> int:
        """Say when the next image is due, after one has been played.

        Args:
            recorded: When the next image was recorded, ns; None if that is not known.
            now: Of the clock that never jumps, ns.

        Returns:
            A time of that clock, ns; not before now.
        """
        if self._as_recorded and recorded is not None and self._recorded is not None:
            gap = recorded - self._recorded
            # backwards: the bag starts again, after one more gap like the one before
            self._gap = min(gap, LONGEST_GAP) if gap >= 0 else self._gap
        self._recorded = recorded
        # from when the last one was due, not played: what is late once does not stay late
        self._due = max((now if self._due is None else self._due) + self._gap, now)
        return self._due


class ResultGate:
    """Closed from each image until its result has come, and until everybody is connected."""

    def __init__(self, node: Node, topic: str, images: Publisher) -> None:
        """Subscribe.

        Args:
            node: Of the player.
            topic: Of TensorList.
            images: Publisher of the images.
        """
        self._node = node
        self._images = images
        self._came: tuple[int, int] | None = None
        self._awaited: tuple[int, int] | None = None
        self._deadline = 0
        self._results = node.create_subscription(TensorList, topic, self._on_result, qos.TENSORS)

    def close(self, stamp: Time, now: int) -> None:
        """An image has been played.

        Args:
            stamp: Of the image.
            now: Of a clock that never jumps, ns.
        """
        self._came, self._awaited = None, (stamp.sec, stamp.nanosec)
        self._deadline = now + RESULT_TIMEOUT

    def is_open(self, now: int) -> bool:
        """Tell whether the next image may be played.

        Args:
            now: Of the same clock, ns.
        """
        if self._awaited is None:
            return self._is_connected()
        if self._came == self._awaited:
            return True
        if now < self._deadline:
            return False
        self._node.get_logger().warning(
            f"no result on {self._results.topic_name} within {RESULT_TIMEOUT / 1e9:g} s of the "
            "image; playing the next one"
        )
        return True

    def _on_result(self, msg: TensorList) -> None:
        self._came = (msg.header.stamp.sec, msg.header.stamp.nanosec)

    def _is_connected(self) -> bool:
        if hasattr(self._results, "get_publisher_count"):
            publishers = self._results.get_publisher_count()
        else:  # Humble: what is known, matched or not
            publishers = self._node.count_publishers(self._results.topic_name)
        return bool(publishers and self._images.get_subscription_count())
