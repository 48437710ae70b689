# SPDX-License-Identifier: Apache-2.0
"""Counters and latencies of one model, shared by its pipeline and statistics. Knows no ROS."""

from __future__ import annotations

import enum
import math
import threading
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

LATENCY_WINDOW = 1024


class Stage(str, enum.Enum):
    """The stages a frame goes through; the values are those of StageLatency.msg."""

    WAIT = "wait"
    PREPROCESS = "preprocess"
    INFERENCE = "inference"
    PUBLISH = "publish"
    TOTAL = "total"


@dataclass(frozen=True)
class LatencySummary:
    """Latencies of one stage over the latest results.

    Attributes:
        samples: Results that the figures are taken from; 0 makes the figures 0.
        p50: Median, seconds.
        p90: 90th percentile, seconds.
        p99: 99th percentile, seconds.
        max: Seconds.
    """

    samples: int = 0
    p50: float = 0.0
    p90: float = 0.0
    p99: float = 0.0
    max: float = 0.0


@dataclass(frozen=True)
class Totals:
    """Counts that no reset changes: what rates are made of.

    Attributes:
        frames_in: Frames (sets of them) offered.
        results: Frames that became a result.
        drops: Frames that did not.
    """

    frames_in: int = 0
    results: int = 0
    drops: int = 0


@dataclass(frozen=True)
class CounterSnapshot:
    """The counters of one model at one moment, since its making or the latest reset.

    ``frames_in == results + sum(drops.values()) + waiting + running``, always. A set of images
    counts once; an image without partners counts when it leaves.

    Attributes:
        frames_in: Frames offered.
        results: Frames that became a delivered result.
        drops: Frames that did not, by reason of DropCount.msg.
        waiting: Frames that wait for their turn now.
        running: Frames being worked on now, 0 or 1.
        incomplete: Images that wait for their partners now; not in frames_in yet.
        unmatched: Images dropped as unmatched, by name of the image.
        recoveries: Times that the watchdog has recreated the runtime.
        failed_recoveries: Times that it could not.
        latencies: Summary per stage.
        totals: Counts that no reset changes.
    """

    frames_in: int = 0
    results: int = 0
    drops: Mapping[str, int] = field(default_factory=dict)
    waiting: int = 0
    running: int = 0
    incomplete: int = 0
    unmatched: Mapping[str, int] = field(default_factory=dict)
    recoveries: int = 0
    failed_recoveries: int = 0
    latencies: Mapping[Stage, LatencySummary] = field(default_factory=dict)
    totals: Totals = field(default_factory=Totals)


@dataclass(frozen=True)
class InputCounters:
    """What the node knows of one image topic of one model.

    Attributes:
        name: Of the image; "" where the model has one.
        topic: Resolved name.
        received: Messages since the node was configured.
        age: Seconds from the latest image's stamp until its reception, NaN before the first.
        publishers: On the topic now.
        messages_lost: Reported by the middleware.
        qos_mismatches: Publishers whose QoS does not fit, reported by the middleware.
    """

    name: str
    topic: str
    received: int = 0
    age: float = math.nan
    publishers: int = 0
    messages_lost: int = 0
    qos_mismatches: int = 0


@dataclass(frozen=True)
class ModelCounters:
    """All that a statistics message tells of one model.

    Attributes:
        model: Name in the node's parameter `models`.
        counters: Of its pipeline.
        inputs: In the order of its images.
        idle: Lazy, and nobody subscribes.
    """

    model: str
    counters: CounterSnapshot
    inputs: Sequence[InputCounters] = ()
    idle: bool = False


class PipelineCounters:
    """Thread-safe counters; every frame in ends as one result or one drop."""

    def __init__(self, window: int = LATENCY_WINDOW) -> None:
        self._lock = threading.Lock()
        self._frames_in = 0
        self._results = 0
        self._drops: Counter[str] = Counter()
        self._latencies = {stage: deque[float](maxlen=window) for stage in Stage}

    def count_frame(self) -> None:
        """A frame was offered."""
        with self._lock:
            self._frames_in += 1

    def count_drop(self, reason: str) -> None:
        """A frame will not become a result.

        Args:
            reason: A reason of DropCount.msg.
        """
        with self._lock:
            self._drops[reason] += 1

    def count_result(self, durations: Mapping[Stage, float]) -> None:
        """A frame became a published result.

        Args:
            durations: Seconds per stage.
        """
        with self._lock:
            self._results += 1
            for stage, seconds in durations.items():
                self._latencies[stage].append(seconds)

    def snapshot(self) -> CounterSnapshot:
        """Read everything at one moment."""
        with self._lock:
            frames_in, results, drops = self._frames_in, self._results, dict(self._drops)
            samples = {stage: list(window) for stage, window in self._latencies.items()}
        latencies = {stage: _summary(values) for stage, values in samples.items()}
        return CounterSnapshot(frames_in, results, drops, latencies)


def _summary(values: list[float]) -> LatencySummary:
    if not values:
        return LatencySummary()
    p50, p99 = np.percentile(values, (50, 99))
    return LatencySummary(len(values), float(p50), float(p99), max(values))
