# SPDX-License-Identifier: Apache-2.0
"""Statistics are plain values: right quantiles, names for every number, JSON that says the same."""

from __future__ import annotations

import copy
import dataclasses
import json
import math
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hbm_runtime import _core
from hbm_runtime.telemetry.statistics import (
    RUN_STAGES,
    StageTimes,
    Statistics,
    from_snapshot,
    summary_of,
)

BELOW = (0,) * 23
EMPTY = (0, 0, 0, 0, 0, 0, BELOW)


def snapshot() -> dict[str, Any]:
    """What the core gives for two models, one of which has not run."""
    stages = tuple((3, 600 + stage, 200, 290, 300, 300, (0, 1, *(3,) * 21)) for stage in range(5))
    return {
        "models": {
            "busy": {
                "outcomes": (3, 1, 2, 5, 4),
                "copied_in": (6, 600_000),
                "copied_out": (1, 1_000),
                "stages": stages,
            },
            "idle": {
                "outcomes": (0, 0, 0, 0, 0),
                "copied_in": (0, 0),
                "copied_out": (0, 0),
                "stages": (EMPTY,) * 5,
            },
        },
        "elapsed_ns": 2_000_000_000,
        "pinned_ns": (1_000_000_000, 0, 0, 500_000_000),
        "occupied_ns": 4_000_000_000,
        "wanted_now": 6,
        "in_flight": 5,
        "waiting": 7,
        "memory": (4096, 1024),
    }


def close(got: int, exact: int) -> bool:
    return abs(got - exact) <= 0.03 * exact


def exact_quantile(values: np.ndarray[Any, Any], percent: int) -> int:
    """The smallest value that so many per cent do not exceed: numpy's inverted_cdf."""
    return int(np.sort(values)[math.ceil(len(values) * percent / 100) - 1])


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 2**42 - 1) | st.integers(0, 10_000_000), min_size=1, max_size=300))
def test_quantiles_are_within_three_percent_of_the_exact_ones(durations: list[int]) -> None:
    histogram = _core.Histogram()
    for ns in durations:
        histogram.add(ns)
    summary = summary_of(histogram.summary())
    values = np.array(durations, np.int64)
    assert summary.count == len(durations)
    assert summary.sum_ns == sum(durations)
    assert summary.max_ns == max(durations)
    assert summary.mean_ns == pytest.approx(values.mean())
    assert close(summary.p50_ns, exact_quantile(values, 50))
    assert close(summary.p90_ns, exact_quantile(values, 90))
    assert close(summary.p99_ns, exact_quantile(values, 99))
    for bound, count in summary.below:
        assert count == (values < bound).sum()


def test_quantiles_of_many_runs_are_those_that_numpy_interpolates() -> None:
    values = np.random.default_rng(7).lognormal(15, 0.5, 20_000).astype(np.int64)
    histogram = _core.Histogram()
    for ns in values.tolist():
        histogram.add(ns)
    summary = summary_of(histogram.summary())
    got = [summary.p50_ns, summary.p90_ns, summary.p99_ns]
    np.testing.assert_allclose(got, np.percentile(values, [50, 90, 99]), rtol=0.03)


def test_every_number_of_the_core_has_its_name() -> None:
    statistics = from_snapshot(snapshot())
    assert list(statistics.models) == ["busy", "idle"]
    busy = statistics.models["busy"]
    assert (busy.ok, busy.timeout, busy.cancelled, busy.rejected, busy.failed) == (3, 1, 2, 5, 4)
    assert busy.runs == 15
    assert (busy.copies_in, busy.bytes_in, busy.copies_out, busy.bytes_out) == (6, 600_000, 1, 1000)
    assert tuple(busy.stages) == RUN_STAGES == ("queue", "copy_in", "execute", "copy_out", "total")
    execute = busy.stages["execute"]
    assert (execute.count, execute.sum_ns, execute.mean_ns) == (3, 602, 602 / 3)
    assert (execute.p50_ns, execute.p90_ns, execute.p99_ns, execute.max_ns) == (200, 290, 300, 300)
    assert execute.below[:2] == ((4096, 0), (8192, 1)) and execute.below[-1] == (2**34, 3)
    assert statistics.models["idle"].stages["total"].mean_ns == 0
    assert statistics.seconds == 2.0
    cores = statistics.cores
    assert (cores.count, cores.wanted, cores.occupied_s) == (4, 6, 4.0)
    assert cores.pinned_s == (1.0, 0.0, 0.0, 0.5)
    assert cores.utilization == 0.5, "4 core-seconds of 2 seconds on 4 cores"
    assert (statistics.in_flight, statistics.waiting) == (5, 7)
    assert (statistics.device_memory.used, statistics.device_memory.idle) == (4096, 1024)


def test_use_of_no_time_is_none() -> None:
    assert from_snapshot({**snapshot(), "elapsed_ns": 0}).cores.utilization == 0


def test_json_and_dict_say_the_same() -> None:
    statistics = from_snapshot(snapshot())
    as_dict = statistics.to_dict()
    assert json.loads(statistics.to_json()) == as_dict
    assert json.loads(statistics.to_json(indent=2)) == as_dict
    assert as_dict["models"]["busy"]["stages"]["execute"]["p99_ns"] == 300
    assert as_dict["cores"]["pinned_s"] == [1.0, 0.0, 0.0, 0.5]


def test_json_has_every_field() -> None:
    statistics = from_snapshot(snapshot())

    def names(value: Any) -> list[str]:
        return [field.name for field in dataclasses.fields(value)]

    as_dict = statistics.to_dict()
    busy = statistics.models["busy"]
    assert list(as_dict) == names(statistics)
    assert list(as_dict["cores"]) == names(statistics.cores)
    assert list(as_dict["device_memory"]) == names(statistics.device_memory)
    assert list(as_dict["models"]["busy"]) == names(busy)
    assert list(as_dict["models"]["busy"]["stages"]["queue"]) == names(busy.stages["queue"])


def test_a_snapshot_does_not_change() -> None:
    statistics = from_snapshot(snapshot())
    with pytest.raises(dataclasses.FrozenInstanceError):
        statistics.in_flight = 0  # type: ignore[misc]
    assert pickle.loads(pickle.dumps(statistics)) == statistics
    assert copy.deepcopy(statistics) == statistics


def test_statistics_of_nothing_are_zero() -> None:
    empty = Statistics()
    assert empty.to_dict()["models"] == {}
    assert empty.cores.count == 0 and empty.device_memory.used == 0


def test_the_total_of_a_run_is_the_sum_of_its_stages() -> None:
    times = StageTimes(1, 20, 300, 4000)
    assert times.total_ns == 4321
    assert times.to_dict() == {
        "queue_ns": 1,
        "copy_in_ns": 20,
        "execute_ns": 300,
        "copy_out_ns": 4000,
        "total_ns": 4321,
    }
