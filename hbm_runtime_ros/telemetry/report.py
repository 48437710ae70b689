# SPDX-License-Identifier: Apache-2.0
"""What the node, its models and their inputs do at one moment; messages are made of this alone."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hbm_runtime_ros.parameters.settings import LiveSettings
from hbm_runtime_ros.pipeline.counters import CounterSnapshot, NodeStage

if TYPE_CHECKING:
    from hbm_runtime import HB_HBMRuntime
    from hbm_runtime_ros.models.served_model import ServedModel


@dataclass(frozen=True)
class RecentInput:
    """What happened to one input within the latest seconds, `RecentModel.seconds` of them.

    Attributes:
        received: Messages.
        lost: Messages that the middleware lost.
        silence: Seconds since the latest message, or since subscribing.
        qos_mismatch: A publisher is there now whose QoS does not fit.
    """

    received: int = 0
    lost: int = 0
    silence: float = 0.0
    qos_mismatch: bool = False


@dataclass(frozen=True)
class InputReport:
    """One image topic of one model at one moment.

    Attributes:
        name: Of the image; "" where the model has one.
        topic: Resolved name.
        received: Messages since the node was configured.
        age: Seconds from the latest image's stamp until its reception, NaN before the first.
        publishers: On the topic now.
        messages_lost: Reported by the middleware.
        qos_mismatches: Publishers whose QoS does not fit, reported by the middleware.
        recent: Only in reports that somebody compares with earlier ones.
    """

    name: str
    topic: str
    received: int = 0
    age: float = math.nan
    publishers: int = 0
    messages_lost: int = 0
    qos_mismatches: int = 0
    recent: RecentInput = field(default_factory=RecentInput)


@dataclass(frozen=True)
class RecentModel:
    """What a model's counters have gained within the latest seconds.

    Attributes:
        seconds: How long that is.
        frames: Images (sets of images) received.
        results: Results.
        drops: Drops, by reason.
        recoveries: Times that the watchdog has recreated the runtime.
        failed_recoveries: Times that it could not.
    """

    seconds: float = 1.0
    frames: int = 0
    results: int = 0
    drops: Mapping[str, int] = field(default_factory=dict)
    recoveries: int = 0
    failed_recoveries: int = 0


@dataclass(frozen=True)
class ModelReport:
    """One model at one moment.

    Attributes:
        model: Name in the node's parameter `models`.
        at: The moment, steady seconds.
        loaded: False after ~/unload.
        active: The node is.
        subscribed: Its images are received; False while a lazy model has no subscribers.
        live: Its settings.
        counters: Of its pipeline.
        busy: Seconds that the work under way has taken, 0 for none.
        recovering: That work replaces the runtime.
        failing: Seconds since inferences began to fail without a result in between, 0 if they
            do not.
        last_error: Text of the latest fault, "" for none.
        inputs: In the order of its images.
        recent: Only in reports that somebody compares with earlier ones.
    """

    model: str
    at: float = 0.0
    loaded: bool = True
    active: bool = True
    subscribed: bool = True
    live: LiveSettings = field(default_factory=LiveSettings)
    counters: CounterSnapshot = field(default_factory=CounterSnapshot)
    busy: float = 0.0
    recovering: bool = False
    failing: float = 0.0
    last_error: str = ""
    inputs: tuple[InputReport, ...] = ()
    recent: RecentModel = field(default_factory=RecentModel)

    @property
    def idle(self) -> bool:
        """Lazy, and nobody wants its results."""
        return self.active and self.loaded and not self.subscribed

    @property
    def latency(self) -> float:
        """99th percentile from reception to publication, seconds; 0 before the first result."""
        latencies = self.counters.latencies
        return latencies[NodeStage.TOTAL].p99 if latencies else 0.0


@dataclass(frozen=True)
class NodeReport:
    """The node at one moment.

    Attributes:
        lifecycle: Label of its state, e.g. "active".
        problems: Why the last configuration failed, () if it did not.
        models: In the order of the parameter `models`.
        runtime: Of any model that is loaded, for its versions; None without one.
    """

    lifecycle: str
    problems: tuple[str, ...] = ()
    models: tuple[ModelReport, ...] = ()
    runtime: HB_HBMRuntime | None = None


def report_model(
    model: ServedModel,
    active: bool,
    publishers: Callable[[str], int],
    steady: Callable[[], float] = time.monotonic,
) -> ModelReport:
    """Look at a model now; never waits. For the executor thread.

    Args:
        model: The model.
        active: Whether the node is active.
        publishers: Counts those on a topic.
        steady: The pipeline's steady clock, seconds.

    Returns:
        The report, without what is recent.
    """
    counters, now, state = model.pipeline.snapshot(), steady(), model.pipeline.state()
    return ModelReport(
        model.settings.name,
        at=now,
        loaded=model.runtime is not None,
        active=active,
        subscribed=model.subscribed,
        live=model.settings.live,
        counters=counters,
        busy=_since(state.busy_since, now),
        recovering=state.recovering,
        failing=_since(state.failing_since, now),
        last_error=state.last_error,
        inputs=tuple(
            InputReport(
                input.name,
                input.topic,
                input.received,
                input.age,
                publishers(input.topic),
                input.messages_lost,
                input.qos_mismatches,
            )
            for input in model.inputs
        ),
    )


def _since(moment: float | None, now: float) -> float:
    """Seconds since a moment, 0 for none."""
    return 0.0 if moment is None else max(0.0, now - moment)
