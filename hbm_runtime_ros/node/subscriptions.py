# SPDX-License-Identifier: Apache-2.0
"""Subscriptions of images: one per topic and QoS, however many models want it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CompressedImage, Image

from hbm_runtime_ros.messages.received_image import ReceivedImage
from hbm_runtime_ros.parameters.settings import QosSettings
from hbm_runtime_ros.ros.qos_events import SubscriptionEventCallbacks, UnsupportedEventTypeError
from hbm_runtime_ros.ros.safe_callbacks import safe_callback
from hbm_runtime_ros.ros.topic_qos import subscription_profile

try:
    from rclpy.qos import qos_policy_name_from_kind
except ImportError:  # not promised by rclpy

    def qos_policy_name_from_kind(kind: int) -> str:
        """Name of a QoS policy."""
        return str(kind)


if TYPE_CHECKING:
    from rclpy.node import Node
    from rclpy.subscription import Subscription

    from hbm_runtime_ros.models.served_model import ServedModel
    from hbm_runtime_ros.ros.log_throttle import LogThrottle


class _TopicAndQos(NamedTuple):
    topic: str
    transport: str
    qos: QosSettings
    # A model that lets images wait in the middleware has a subscription of its own, because it
    # would make the others wait too.
    waiting_for: str


class _Route(NamedTuple):
    model: ServedModel
    image: int


class _RoomGroup(MutuallyExclusiveCallbackGroup):
    """Lets the executor take no image while a model has no room for it."""

    def __init__(self, has_room: Callable[[], bool]) -> None:
        super().__init__()
        self._has_room = has_room

    def can_execute(self, entity: Any) -> bool:
        """Ask whether a callback may be called."""
        return bool(super().can_execute(entity)) and self._has_room()


class _ImageSubscription:
    """One subscription and the models that its images go to."""

    def __init__(
        self,
        node: Node,
        key: _TopicAndQos,
        routes: tuple[_Route, ...],
        profile: QoSProfile,
        clock: Callable[[], int],
        max_bytes: Callable[[], int],
        throttle: LogThrottle,
    ) -> None:
        self.key = key
        self.routes = routes
        self._node = node
        self._clock = clock
        self._max_bytes = max_bytes
        self._throttle = throttle
        # groups remember their entities for ever: this one goes with the subscription
        group: Any = MutuallyExclusiveCallbackGroup()
        if key.waiting_for:
            group = _RoomGroup(lambda: all(r.model.pipeline.has_room() for r in self.routes))
        self.subscription = self._subscribe(profile, group)

    def _subscribe(self, profile: QoSProfile, group: Any) -> Subscription:
        wanted: dict[str, Any] = {
            "incompatible_qos": safe_callback(self._node, self._on_incompatible_qos),
            "message_lost": safe_callback(self._node, self._on_message_lost),
        }
        if profile.deadline.nanoseconds:
            wanted["deadline"] = safe_callback(self._node, self._on_deadline)
        kind = CompressedImage if self.key.transport == "compressed" else Image
        callback = safe_callback(self._node, self._on_image)
        for events in (wanted, {"incompatible_qos": wanted["incompatible_qos"]}, {}):
            try:
                return self._node.create_subscription(
                    kind,
                    self.key.topic,
                    callback,
                    profile,
                    callback_group=group,
                    event_callbacks=SubscriptionEventCallbacks(**events),
                )
            except UnsupportedEventTypeError:
                continue  # not every middleware has all of them
        raise AssertionError("a subscription without events cannot lack them")

    def _on_image(self, msg: Image | CompressedImage) -> None:
        image = ReceivedImage(msg, self._max_bytes())
        stamp = msg.header.stamp
        received = self._clock()
        for model, index in self.routes:
            model.inputs[index].count(stamp, received)
            model.pipeline.offer(index, image, received)

    def _on_message_lost(self, event: Any) -> None:
        for model, index in self.routes:
            model.inputs[index].messages_lost += event.total_count_change

    def _on_incompatible_qos(self, event: Any) -> None:
        for model, index in self.routes:
            model.inputs[index].qos_mismatches += event.total_count_change
        policy = qos_policy_name_from_kind(event.last_policy_kind)
        models = ", ".join(dict.fromkeys(model.name for model, _ in self.routes))
        self._warn(
            "qos",
            f"{self.key.topic}: a publisher offers QoS that this node's subscription for {models} "
            f"cannot take, so nothing comes from it; the policy is {policy}: change the publisher "
            "or the parameters image_qos.*",
        )

    def _on_deadline(self, event: Any) -> None:
        self._warn(
            "deadline",
            f"{self.key.topic}: no image within image_qos.deadline "
            f"({event.total_count} times so far)",
        )

    def _warn(self, what: str, text: str) -> None:
        if self._throttle.admit((self.key.topic, what)) is not None:
            self._node.get_logger().warning(text)


class Subscriptions:
    """The subscriptions of a node; for the thread that changes the node's structure."""

    def __init__(
        self,
        node: Node,
        clock: Callable[[], int],
        max_bytes: Callable[[], int],
        throttle: LogThrottle,
    ) -> None:
        """Start without any.

        Args:
            node: That subscribes.
            clock: The node's, nanoseconds.
            max_bytes: Of an image's data, asked for each image.
            throttle: For log lines.
        """
        self._node = node
        self._clock = clock
        self._max_bytes = max_bytes
        self._throttle = throttle
        self._subscriptions: dict[_TopicAndQos, _ImageSubscription] = {}

    def update(self, models: Iterable[ServedModel]) -> None:
        """Subscribe to what these models want, and to nothing else.

        Args:
            models: All that should receive images.
        """
        wanted: dict[_TopicAndQos, list[_Route]] = {}
        for model in models:
            for index, image in enumerate(model.settings.images):
                blocks = model.settings.live.queue_policy == "block"
                key = _TopicAndQos(
                    model.topics.images[index],
                    image.transport,
                    image.qos,
                    model.name if blocks else "",
                )
                wanted.setdefault(key, []).append(_Route(model, index))
        for key in [key for key in self._subscriptions if key not in wanted]:
            self._node.destroy_subscription(self._subscriptions.pop(key).subscription)
        for key, routes in wanted.items():
            if key in self._subscriptions:
                self._subscriptions[key].routes = tuple(routes)
            else:
                profile, _ = subscription_profile(self._node, key.topic, key.qos)
                self._subscriptions[key] = _ImageSubscription(
                    self._node,
                    key,
                    tuple(routes),
                    profile,
                    self._clock,
                    self._max_bytes,
                    self._throttle,
                )
