# SPDX-License-Identifier: Apache-2.0
"""Notices when subscribers of a model's tensors come and go."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rclpy.clock import Clock, ClockType
from rclpy.qos import QoSProfile

from hbm_runtime_ros.msg import TensorList
from hbm_runtime_ros.ros.qos_events import PublisherEventCallbacks, UnsupportedEventTypeError
from hbm_runtime_ros.ros.safe_callbacks import safe_callback

if TYPE_CHECKING:
    from rclpy.node import Node
    from rclpy.publisher import Publisher
    from rclpy.timer import Timer

POLL_PERIOD = 0.25  # seconds, where the middleware reports no matches


class SubscriberWatch:
    """Makes the publishers of results and says when their subscribers change."""

    def __init__(self, node: Node, changed: Callable[[], None]) -> None:
        """Watch nothing yet.

        Args:
            node: That publishes.
            changed: Called by the executor when a subscriber may have come or gone.
        """
        self._node = node
        self._changed = safe_callback(node, changed)
        self._publishers: list[Publisher] = []
        self._timer: Timer | None = None

    def create_publisher(self, topic: str, profile: QoSProfile) -> Publisher:
        """Publish results on a topic.

        Args:
            topic: Its name.
            profile: Its QoS.

        Returns:
            The publisher, until `clear`.
        """
        publisher = self._with_events(topic, profile)
        if publisher is None:
            publisher = self._node.create_publisher(TensorList, topic, profile)
            self._poll()
        self._publishers.append(publisher)
        return publisher

    def clear(self) -> None:
        """Destroy the publishers."""
        if self._timer is not None:
            self._node.destroy_timer(self._timer)
            self._timer = None
        for publisher in self._publishers:
            self._node.destroy_publisher(publisher)
        self._publishers.clear()

    def _with_events(self, topic: str, profile: QoSProfile) -> Publisher | None:
        def on_matched(event: Any) -> None:
            self._changed()

        try:
            events = PublisherEventCallbacks(matched=on_matched)
            return self._node.create_publisher(TensorList, topic, profile, event_callbacks=events)
        except (TypeError, UnsupportedEventTypeError):
            return None  # before Iron, or a middleware without this event

    def _poll(self) -> None:
        """Look at the number of subscribers again and again."""
        if self._timer is None:
            # not the node's clock: it may stand still in a simulation
            clock = Clock(clock_type=ClockType.STEADY_TIME)
            self._timer = self._node.create_timer(POLL_PERIOD, self._changed, clock=clock)
