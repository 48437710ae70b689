# SPDX-License-Identifier: Apache-2.0
"""Counters of a model: what they add up to, and percentiles of the latest results."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from operations import operations

from hbm_runtime_ros.pipeline import drop_reasons
from hbm_runtime_ros.pipeline.counters import (
    LATENCY_WINDOW,
    LatencySummary,
    NodeStage,
    PipelineCounters,
    Totals,
)

STAGES = len(NodeStage)


def test_nothing_counted_is_all_zero() -> None:
    snapshot = PipelineCounters().read()()
    assert (snapshot.frames_in, snapshot.results, snapshot.drops) == (0, 0, {})
    assert snapshot.latencies == dict.fromkeys(NodeStage, LatencySummary())


def test_percentiles_are_those_of_the_latest_results() -> None:
    counts = PipelineCounters(window=100)
    for milliseconds in [10_000] * 50 + list(range(1, 101)):
        counts.count_result([milliseconds / 1000] * STAGES)
    summary = counts.read()().latencies[NodeStage.TOTAL]
    assert summary.samples == 100
    assert summary.p50 == pytest.approx(0.0505)
    assert summary.p90 == pytest.approx(0.0901)
    assert summary.p99 == pytest.approx(0.09901)
    assert summary.max == pytest.approx(0.1)


@given(
    st.lists(
        st.lists(st.floats(0.0, 100.0), min_size=STAGES, max_size=STAGES), min_size=1, max_size=30
    ),
    st.integers(1, 20),
)
def test_percentiles_are_numpy_s(durations: list[list[float]], window: int) -> None:
    counts = PipelineCounters(window)
    for row in durations:
        counts.count_result(row)
    latest = np.array(durations[-window:])
    for column, (_, summary) in enumerate(counts.read()().latencies.items()):
        figures = [summary.p50, summary.p90, summary.p99, summary.max]
        assert figures == pytest.approx(np.percentile(latest[:, column], [50, 90, 99, 100]))
        assert summary.samples == len(latest)


def test_a_snapshot_is_of_the_moment_it_was_read_not_made() -> None:
    counts = PipelineCounters(window=1)
    counts.count_frame()
    counts.count_result([1.0] * STAGES)
    make = counts.read(waiting=2)
    counts.count_frame()
    counts.count_drop(drop_reasons.RATE)
    counts.count_result([5.0] * STAGES)
    snapshot = make()
    assert (snapshot.frames_in, snapshot.results, snapshot.drops) == (1, 1, {})
    assert snapshot.waiting == 2
    assert snapshot.latencies[NodeStage.WAIT].max == 1.0
    assert counts.read()().latencies[NodeStage.WAIT].max == 5.0


def test_unmatched_images_count_as_frames_and_by_image() -> None:
    counts = PipelineCounters()
    counts.count_unmatched("left")
    counts.count_unmatched("left")
    counts.count_unmatched("right")
    counts.count_unmatched("right", drop_reasons.STOPPED)
    snapshot = counts.read()()
    assert snapshot.frames_in == 4
    assert snapshot.drops == {"unmatched": 3, "stopped": 1}
    assert snapshot.unmatched == {"left": 2, "right": 1}


def test_a_reset_counts_what_is_under_way_and_keeps_the_totals() -> None:
    counts = PipelineCounters()
    for _ in range(5):
        counts.count_frame()
    counts.count_result([1.0] * STAGES)
    counts.count_drop(drop_reasons.REPLACED)
    counts.count_recovery(done=True)
    counts.count_recovery(done=False)
    counts.reset(in_flight=3)
    snapshot = counts.read(waiting=2, running=1)()
    assert (snapshot.frames_in, snapshot.results, snapshot.drops) == (3, 0, {})
    assert (snapshot.recoveries, snapshot.failed_recoveries) == (0, 0)
    assert snapshot.latencies[NodeStage.TOTAL] == LatencySummary()
    assert snapshot.totals == Totals(frames_in=5, results=1, drops=1)


def test_latencies_are_not_sorted_again_while_there_is_no_result() -> None:
    counts = PipelineCounters()
    for i in range(2 * LATENCY_WINDOW):
        counts.count_result([i / 1000] * STAGES)

    def work() -> int:
        return operations(lambda: counts.read()())

    first = counts.read()().latencies
    assert counts.read()().latencies is first
    idle = work()
    counts.count_result([0.001] * STAGES)
    assert idle < work()
    assert idle == work()
