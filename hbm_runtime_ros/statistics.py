# SPDX-License-Identifier: Apache-2.0
"""Counters of the pipelines as a statistics message."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from hbm_runtime_ros.counters import CounterSnapshot
from hbm_runtime_ros.msg import DropCount, ModelStatistics, StageLatency, StatisticsList

if TYPE_CHECKING:
    from builtin_interfaces.msg import Time


class StatisticsReporter:
    """Makes statistics messages; remembers the previous one for the rates."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Start the first period now.

        Args:
            clock: Monotonic time in seconds.
        """
        self._clock = clock
        self._previous: dict[str, CounterSnapshot] = {}
        self._since = clock()

    def message(
        self, stamp: Time, models: Sequence[ModelCounters], core_use: Sequence[float] = ()
    ) -> StatisticsList:
        """Put the counters into a message.

        Args:
            stamp: Time of the counters, of the node's clock.
            models: In the order of the message.
            core_use: Share of the time since the previous message that this node kept each core
                busy, 0..1.

        Returns:
            The message, with rates since the previous call.
        """
        now = self._clock()
        elapsed = max(now - self._since, 1e-9)
        self._since = now
        msg = StatisticsList(stamp=stamp)
        for model, snapshot in snapshots:
            before = self._previous.get(model, CounterSnapshot())
            self._previous[model] = snapshot
            msg.models.append(_model_statistics(model, snapshot, before, elapsed))
        return msg


def _model_statistics(
    model: str, now: CounterSnapshot, before: CounterSnapshot, elapsed: float
) -> ModelStatistics:
    return ModelStatistics(
        model=model,
        frames_in=now.frames_in,
        results=now.results,
        drops=[DropCount(reason=reason, count=n) for reason, n in sorted(now.drops.items())],
        input_rate=(now.frames_in - before.frames_in) / elapsed,
        result_rate=(now.results - before.results) / elapsed,
        latencies=[
            StageLatency(
                stage=stage.value,
                samples=summary.samples,
                p50=summary.p50,
                p99=summary.p99,
                max=summary.max,
            )
            for stage, summary in now.latencies.items()
        ],
    )
