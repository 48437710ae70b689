# SPDX-License-Identifier: Apache-2.0
"""The node's clock as nanoseconds, quick enough to be read several times per image."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from rclpy.clock import JumpThreshold

if TYPE_CHECKING:
    from rclpy.node import Node


class NodeClock:
    """Reads a node's clock; from any thread.

    rclpy makes two objects per reading, 60 µs with cold caches. Without simulated time its clock is
    the system's, which Python reads in less than one.
    """

    def __init__(self, node: Node) -> None:
        """Follow a node's clock.

        Args:
            node: Whose parameter `use_sim_time` decides.
        """
        self._clock: Any = node.get_clock()
        self._changed()
        threshold = JumpThreshold(min_forward=None, min_backward=None, on_clock_change=True)
        # rclpy calls it as long as the handle is held
        self._handle = self._clock.create_jump_callback(
            threshold, post_callback=lambda jump: self._changed()
        )

    def __call__(self) -> int:
        """Nanoseconds since the clock's epoch; 0 while simulated time has not begun."""
        return int(self._clock.now().nanoseconds) if self._simulated else time.time_ns()

    def _changed(self) -> None:
        """Simulated time was switched on or off."""
        self._simulated = bool(self._clock.ros_time_is_active)
