# SPDX-License-Identifier: Apache-2.0
"""Reports of the models as a statistics message."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from hbm_runtime_ros.msg import (
    DropCount,
    InputStatistics,
    ModelStatistics,
    StageLatency,
    StatisticsList,
)
from hbm_runtime_ros.pipeline.counters import Totals
from hbm_runtime_ros.telemetry.report import ModelReport

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
        self._previous: dict[str, ModelReport] = {}
        self._since = clock()

    def message(
        self, stamp: Time, models: Sequence[ModelReport], core_use: Sequence[float] = ()
    ) -> StatisticsList:
        """Put the reports into a message.

        Args:
            stamp: Time of the reports, of the node's clock.
            models: In the order of the message.
            core_use: Share of the time since the previous message that this node kept each core
                busy, 0..1.

        Returns:
            The message, with rates since the previous call.
        """
        now = self._clock()
        elapsed = max(now - self._since, 1e-9)
        self._since = now
        before = self._previous
        self._previous = {report.model: report for report in models}
        return StatisticsList(
            stamp=stamp,
            models=[
                _model_statistics(report, before.get(report.model), elapsed) for report in models
            ],
            core_use=list(core_use),
        )


def _model_statistics(
    report: ModelReport, before: ModelReport | None, elapsed: float
) -> ModelStatistics:
    now = report.counters
    totals = now.totals
    past = Totals() if before is None else before.counters.totals
    received = {} if before is None else {image.name: image.received for image in before.inputs}
    return ModelStatistics(
        model=report.model,
        frames_in=now.frames_in,
        results=now.results,
        drops=[DropCount(reason=reason, count=n) for reason, n in sorted(now.drops.items())],
        input_rate=_rate(totals.frames_in, past.frames_in, elapsed),
        result_rate=_rate(totals.results, past.results, elapsed),
        drop_rate=_rate(totals.drops, past.drops, elapsed),
        waiting=now.waiting,
        idle=report.idle,
        recoveries=now.recoveries,
        failed_recoveries=now.failed_recoveries,
        latencies=[
            StageLatency(
                stage=stage.value,
                samples=summary.samples,
                p50=summary.p50,
                p90=summary.p90,
                p99=summary.p99,
                max=summary.max,
            )
            for stage, summary in now.latencies.items()
        ],
        inputs=[
            InputStatistics(
                name=image.name,
                topic=image.topic,
                received=image.received,
                rate=_rate(image.received, received.get(image.name, 0), elapsed),
                age=image.age,
                publishers=image.publishers,
                messages_lost=image.messages_lost,
                qos_mismatches=image.qos_mismatches,
            )
            for image in report.inputs
        ],
    )


def _rate(now: int, before: int, elapsed: float) -> float:
    """Per second; a count below the one before was reset meanwhile."""
    return (now - before if now >= before else now) / elapsed
