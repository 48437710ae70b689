# SPDX-License-Identifier: Apache-2.0
"""Counters and latencies of one model, shared by its pipeline and statistics. Knows no ROS."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from hbm_runtime_ros.pipeline import drop_reasons

if TYPE_CHECKING:
    from numpy.typing import NDArray

LATENCY_WINDOW = 1024


class NodeStage(str, enum.Enum):
    """Stages of a frame in the node; the values are those of StageLatency.msg."""

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
        waiting: Frames in the queue now.
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
    latencies: Mapping[NodeStage, LatencySummary] = field(default_factory=dict)
    totals: Totals = field(default_factory=Totals)


class LatencyWindow:
    """Durations of the stages of the latest results. Not thread-safe."""

    def __init__(self, window: int = LATENCY_WINDOW) -> None:
        self._seconds = np.zeros((len(NodeStage), window))
        self._added = 0
        self._version = 0
        self._known: tuple[int, Mapping[NodeStage, LatencySummary]] = (0, _NO_LATENCIES)

    def add(self, durations: Sequence[float]) -> None:
        """Take the durations of one result, which replace those of the oldest.

        Args:
            durations: Seconds, in the order of NodeStage.
        """
        self._seconds[:, self._added % self._seconds.shape[1]] = durations
        self._added += 1
        self._version += 1

    def clear(self) -> None:
        """Forget all."""
        self._added = 0
        self._version += 1
        self._known = (self._version, _NO_LATENCIES)

    def summary(self) -> Callable[[], Mapping[NodeStage, LatencySummary]]:
        """Copy the durations, if they have changed.

        Returns:
            Sorts the copy, which takes longer and needs no lock.
        """
        version, (known_version, known) = self._version, self._known
        if version == known_version:
            return lambda: known
        seconds = self._seconds[:, : self._added].copy()

        def sort() -> Mapping[NodeStage, LatencySummary]:
            summary = _summaries(seconds)
            self._known = (version, summary)
            return summary

        return sort


class PipelineCounters:
    """Counters of one model. Not thread-safe: the pipeline's lock guards it."""

    def __init__(self, window: int = LATENCY_WINDOW) -> None:
        self._latencies = LatencyWindow(window)
        self._total_in = 0
        self._total_results = 0
        self._total_drops = 0
        self._begin(0)

    def _begin(self, frames_in: int) -> None:
        self._frames_in = frames_in
        self._results = 0
        self._drops: Counter[str] = Counter()
        self._unmatched: Counter[str] = Counter()
        self._recoveries = 0
        self._failed_recoveries = 0

    def reset(self, in_flight: int) -> None:
        """Count from zero, but for the totals.

        Args:
            in_flight: Frames that wait or run now: they are counted as in.
        """
        self._begin(in_flight)
        self._latencies.clear()

    def count_frame(self) -> None:
        """A frame was offered."""
        self._frames_in += 1
        self._total_in += 1

    def count_drop(self, reason: str) -> None:
        """A frame will not become a result.

        Args:
            reason: A reason of DropCount.msg.
        """
        self._drops[reason] += 1
        self._total_drops += 1

    def count_unmatched(self, image: str, reason: str = drop_reasons.UNMATCHED) -> None:
        """An image leaves without its partners: it counts as a frame in and as a drop.

        Args:
            image: Its name.
            reason: A reason of DropCount.msg.
        """
        self.count_frame()
        self.count_drop(reason)
        if reason == drop_reasons.UNMATCHED:
            self._unmatched[image] += 1

    def count_result(self, durations: Sequence[float]) -> None:
        """A frame became a delivered result.

        Args:
            durations: Seconds, in the order of NodeStage.
        """
        self._results += 1
        self._total_results += 1
        self._latencies.add(durations)

    def count_recovery(self, done: bool) -> None:
        """The watchdog tried to replace the runtime.

        Args:
            done: It could.
        """
        if done:
            self._recoveries += 1
        else:
            self._failed_recoveries += 1

    def read(
        self, waiting: int = 0, running: int = 0, incomplete: int = 0
    ) -> Callable[[], CounterSnapshot]:
        """Read everything at one moment.

        Args:
            waiting: Frames in the queue now.
            running: Frames being worked on now.
            incomplete: Images that wait for their partners now.

        Returns:
            Makes the snapshot of that moment, which takes longer and needs no lock.
        """
        counts = CounterSnapshot(
            frames_in=self._frames_in,
            results=self._results,
            drops=dict(self._drops),
            waiting=waiting,
            running=running,
            incomplete=incomplete,
            unmatched=dict(self._unmatched),
            recoveries=self._recoveries,
            failed_recoveries=self._failed_recoveries,
            totals=Totals(self._total_in, self._total_results, self._total_drops),
        )
        summary = self._latencies.summary()
        return lambda: replace(counts, latencies=summary())


_NO_LATENCIES: Mapping[NodeStage, LatencySummary] = {stage: LatencySummary() for stage in NodeStage}
_RANKS = np.array([0.5, 0.9, 0.99, 1.0])


def _summaries(seconds: NDArray[np.float64]) -> Mapping[NodeStage, LatencySummary]:
    """Percentiles with linear interpolation; np.percentile says the same and takes longer."""
    samples = seconds.shape[1]
    ordered = np.sort(seconds, axis=1)
    at = _RANKS * (samples - 1)
    low = at.astype(np.intp)
    high = np.minimum(low + 1, samples - 1)
    figures = ordered[:, low] + (ordered[:, high] - ordered[:, low]) * (at - low)
    return {
        stage: LatencySummary(samples, *row)
        for stage, row in zip(NodeStage, figures.tolist(), strict=True)
    }
