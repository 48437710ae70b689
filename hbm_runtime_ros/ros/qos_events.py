# SPDX-License-Identifier: Apache-2.0
"""Events of the middleware, under the names that each ROS has for them, safe in many threads."""

from __future__ import annotations

from typing import Any

from rclpy.exceptions import InvalidHandle

try:
    from rclpy import event_handler as _events
except ImportError:  # before Iron
    from rclpy import qos_event as _events

UnsupportedEventTypeError = _events.UnsupportedEventTypeError


class _SafeHandlers:
    """Handlers whose publisher or subscription may be destroyed in another thread than spins."""

    def create_event_handlers(self, *arguments: Any, **options: Any) -> list[Any]:
        """Make rclpy's handlers, safe."""
        made = super().create_event_handlers(*arguments, **options)  # type: ignore[misc]
        return [_outlived(handler) for handler in made]


class PublisherEventCallbacks(
    _SafeHandlers,
    _events.PublisherEventCallbacks,  # type: ignore[misc, unused-ignore]
):
    """rclpy's class of this name, with safe handlers."""


class SubscriptionEventCallbacks(
    _SafeHandlers,
    _events.SubscriptionEventCallbacks,  # type: ignore[misc, unused-ignore]
):
    """rclpy's class of this name, with safe handlers."""


def _outlived(handler: Any) -> Any:
    """Let an executor meet an event that is gone already: rclpy would end its spinning."""
    add_to_wait_set, is_ready, take_data = (
        handler.add_to_wait_set,
        handler.is_ready,
        handler.take_data,
    )
    waited_for = True

    def add(wait_set: Any) -> None:
        nonlocal waited_for
        try:
            add_to_wait_set(wait_set)
        except InvalidHandle:
            waited_for = False

    def ready(wait_set: Any) -> bool:
        return waited_for and bool(is_ready(wait_set))

    def take() -> Any:
        try:
            return take_data()
        except InvalidHandle:
            return None

    handler.add_to_wait_set, handler.is_ready, handler.take_data = add, ready, take
    return handler
