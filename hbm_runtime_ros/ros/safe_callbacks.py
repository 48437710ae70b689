# SPDX-License-Identifier: Apache-2.0
"""Callbacks that log what goes wrong: an exception in one would end the executor's spinning."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from hbm_runtime._texts import handled_traceback

if TYPE_CHECKING:
    from rclpy.node import Node


def safe_callback(node: Node, callback: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a callback so that it never raises.

    Args:
        node: Its log gets a defect, with the traceback.
        callback: Of a timer, subscription or event.

    Returns:
        The wrapped callback; it returns None after an error.
    """

    # rclpy looks at the signature of subscriptions' callbacks: wraps() keeps it visible
    @functools.wraps(callback)
    def call(*arguments: Any) -> Any:
        try:
            return callback(*arguments)
        except Exception:
            if not node.context.ok():
                return None  # a signal has ended ROS under it
            name = getattr(callback, "__qualname__", repr(callback))
            node.get_logger().error(
                f"a defect of the node, please report it: {name} raised\n{handled_traceback()}",
                throttle_duration_sec=5.0,
            )
            return None

    return call
