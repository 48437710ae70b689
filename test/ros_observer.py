# SPDX-License-Identifier: Apache-2.0
"""A rclpy node of the test, in a context of its own."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import rclpy
from rclpy.executors import SingleThreadedExecutor

PATIENCE = 30.0  # seconds; only reached by a failing test


class Observer:
    """A rclpy node of the test, spun whenever the test waits for something."""

    def __init__(self) -> None:
        self._context = rclpy.Context()
        rclpy.init(context=self._context)
        self.node = rclpy.create_node("observer", context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)

    def spin(self, seconds: float, done: Callable[[], Any] = lambda: False) -> bool:
        """Spin until the condition holds or the time is over; tell which."""
        deadline = time.monotonic() + seconds
        while not done():
            if time.monotonic() > deadline:
                return False
            self._executor.spin_once(timeout_sec=0.02)
        return True

    def until(self, condition: Callable[[], Any], what: str) -> None:
        """Spin until the condition holds."""
        assert self.spin(PATIENCE, condition), f"waited in vain for {what}"

    def collect(self, kind: type, topic: str, profile: Any) -> list[Any]:
        """Subscribe and return the list that messages arrive in."""
        messages: list[Any] = []
        self.node.create_subscription(kind, topic, messages.append, profile)
        return messages

    def add(self, node: Any) -> None:
        """Spin another node of this process, too."""
        self._executor.add_node(node)

    def remove(self, node: Any) -> None:
        """Spin it no more."""
        self._executor.remove_node(node)

    def close(self) -> None:
        self._executor.shutdown()
        self.node.destroy_node()
        rclpy.try_shutdown(context=self._context)
