# SPDX-License-Identifier: Apache-2.0
"""Counters and latencies of one model, shared by its pipeline and statistics. Knows no ROS."""

from __future__ import annotations

import enum
import threading
from collections import Counter, deque
from collections.abc import Mapping
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
        p99: 99th percentile, seconds.
        max: Seconds.
    """

    samples: int = 0
    p50: float = 0.0
    p99: float = 0.0
    max: float = 0.0


@dataclass(frozen=True)
class CounterSnapshot:
    """The counters of one model at one moment.

    Attributes:
        frames_in: Frames offered.
        results: Frames that became a published result.
        drops: Frames that did not, by reason.
        latencies: Summary per stage.
    """

    frames_in: int = 0
    results: int = 0
    drops: Mapping[str, int] = field(default_factory=dict)
    latencies: Mapping[Stage, LatencySummary] = field(default_factory=dict)


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
