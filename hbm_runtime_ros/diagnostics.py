# SPDX-License-Identifier: Apache-2.0
"""The node, its models and its inputs as a message on /diagnostics."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from diagnostic_msgs.msg import DiagnosticArray

if TYPE_CHECKING:
    from rclpy.clock import Clock
    from rclpy.time import Time

    from hbm_runtime_ros.counters import CounterSnapshot
    from hbm_runtime_ros.settings import ModelSettings, NodeSettings

TOPIC = "/diagnostics"
WINDOW = 5.0  # seconds that "recent" means


class ObservedInput(Protocol):
    """What is read of a `ServedModel.inputs[i]`: the fields of InputStatistics.msg."""

    @property
    def name(self) -> str: ...
    @property
    def topic(self) -> str: ...
    @property
    def received(self) -> int: ...
    @property
    def age(self) -> float: ...
    @property
    def messages_lost(self) -> int: ...
    @property
    def qos_mismatches(self) -> int: ...


class ObservedPipeline(Protocol):
    """What is read of a ModelPipeline."""

    def snapshot(self) -> CounterSnapshot: ...
    def state(self) -> Any: ...


class ObservedModel(Protocol):
    """What is read of a ServedModel."""

    @property
    def settings(self) -> ModelSettings: ...
    @property
    def pipeline(self) -> ObservedPipeline: ...
    @property
    def inputs(self) -> Sequence[ObservedInput]: ...
    @property
    def runtime(self) -> Any:
        """None after ~/unload."""

    @property
    def subscribed(self) -> bool:
        """False while a lazy model has no subscribers, and while the node is inactive."""


class ObservedNode(Protocol):
    """What is read of the InferenceNode."""

    @property
    def settings(self) -> NodeSettings | None:
        """None until the first configure has read the parameters."""

    @property
    def models(self) -> Sequence[ObservedModel]:
        """In the order of the parameter; empty while unconfigured."""

    @property
    def problems(self) -> Sequence[str]:
        """Why the last configure failed, one text per problem; empty if it did not."""

    @property
    def lifecycle_state(self) -> str:
        """Label: "unconfigured", "inactive", "active", …"""

    @property
    def library(self) -> Any:
        """`HB_HBMRuntime.library` of a loaded model, None while there is none."""

    def get_fully_qualified_name(self) -> str: ...
    def get_clock(self) -> Clock: ...
    def count_publishers(self, topic_name: str) -> int: ...


class DiagnosticsReporter:
    """Makes diagnostics messages; remembers the latest seconds for what is recent.

    Never waits; costs some microseconds per model and input. For the executor thread.
    """

    def __init__(
        self, node: ObservedNode, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """Start with nothing seen.

        Args:
            node: To report on.
            monotonic: Seconds.
        """
        self._node = node
        self._monotonic = monotonic

    def message(self, now: Time) -> DiagnosticArray:
        """Look at everything now.

        Args:
            now: Of the node's clock.

        Returns:
            One status for the node, one per model, one per input.
        """
        raise NotImplementedError
