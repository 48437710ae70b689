# SPDX-License-Identifier: Apache-2.0
"""The node's statistics message: counters, rates since the message before, and its cost."""

from __future__ import annotations

import math

import pytest
from operations import operations

statistics = pytest.importorskip(
    "hbm_runtime_ros.telemetry.statistics_message",
    reason="needs the ROS package hbm_runtime_ros to be built",
)
from builtin_interfaces.msg import Time
from hbm_runtime_ros.msg import DropCount, StageLatency

from hbm_runtime_ros.pipeline import drop_reasons
from hbm_runtime_ros.pipeline.counters import (
    LATENCY_WINDOW,
    CounterSnapshot,
    LatencySummary,
    NodeStage,
    PipelineCounters,
    Totals,
)
from hbm_runtime_ros.telemetry.report import InputReport, ModelReport
from hbm_runtime_ros.telemetry.statistics_message import StatisticsReporter


def constants(message: type) -> set[str]:
    """Values of a message's constants, which are its names in small letters."""
    values = {name: getattr(message, name) for name in dir(message) if name.isupper()}
    text = {name: value for name, value in values.items() if isinstance(value, str)}
    assert all(name.lower() == value for name, value in text.items())
    return set(text.values())


def test_the_reasons_for_a_drop_are_those_of_the_message() -> None:
    assert constants(DropCount) == drop_reasons.POLICY | drop_reasons.FAULTS


def test_the_stages_are_those_of_the_message() -> None:
    assert {stage.value for stage in NodeStage} == constants(StageLatency)


class Clocked:
    """A reporter whose time goes on by the test's hand."""

    def __init__(self) -> None:
        self.now = 100.0
        self.reporter = StatisticsReporter(clock=lambda: self.now)

    def after(self, seconds: float, *models: ModelReport, **more: object) -> object:
        self.now += seconds
        return self.reporter.message(Time(sec=7), models, **more)


def snapshot(frames_in: int = 0, results: int = 0, drops: int = 0, **more: object) -> object:
    return CounterSnapshot(
        frames_in,
        results,
        {"rate": drops} if drops else {},
        totals=Totals(frames_in, results, drops),
        **more,
    )


def test_every_field_is_told() -> None:
    counts = CounterSnapshot(
        frames_in=10,
        results=3,
        drops={"replaced": 4, "age": 2},
        waiting=1,
        recoveries=5,
        failed_recoveries=6,
        latencies={stage: LatencySummary(3, 0.1, 0.2, 0.3, 0.4) for stage in NodeStage},
        totals=Totals(10, 3, 6),
    )
    image = InputReport("left", "/left/image", 12, 0.03, 1, 2, 3)
    msg = Clocked().after(
        2.0,
        ModelReport("eye", counters=counts, inputs=(image,), subscribed=False),
        core_use=[0.5, 0.25],
    )
    assert msg.stamp == Time(sec=7)
    assert list(msg.core_use) == [0.5, 0.25]
    (model,) = msg.models
    assert (model.model, model.frames_in, model.results, model.waiting) == ("eye", 10, 3, 1)
    assert [(drop.reason, drop.count) for drop in model.drops] == [("age", 2), ("replaced", 4)]
    assert (model.input_rate, model.result_rate, model.drop_rate) == (5.0, 1.5, 3.0)
    assert (model.recoveries, model.failed_recoveries, model.idle) == (5, 6, True)
    assert [latency.stage for latency in model.latencies] == [stage.value for stage in NodeStage]
    total = model.latencies[-1]
    figures = (total.samples, total.p50, total.p90, total.p99, total.max)
    assert figures == (3, 0.1, 0.2, 0.3, 0.4)
    (left,) = model.inputs
    assert (left.name, left.topic, left.received) == ("left", "/left/image", 12)
    assert (left.rate, left.age) == (6.0, 0.03)
    assert (left.publishers, left.messages_lost, left.qos_mismatches) == (1, 2, 3)


def test_rates_are_those_since_the_message_before() -> None:
    clocked = Clocked()
    clocked.after(1.0, ModelReport("eye", counters=snapshot(30, 20, 10)))
    (model,) = clocked.after(2.0, ModelReport("eye", counters=snapshot(50, 30, 14))).models
    assert (model.input_rate, model.result_rate, model.drop_rate) == (10.0, 5.0, 2.0)


def test_rates_survive_a_reset() -> None:
    counts = PipelineCounters()
    clocked = Clocked()
    for _ in range(100):
        counts.count_frame()
        counts.count_result([0.0] * len(NodeStage))
    clocked.after(1.0, ModelReport("eye", counters=counts.read()()))
    counts.reset(0)
    for _ in range(30):
        counts.count_frame()
        counts.count_result([0.0] * len(NodeStage))
    (model,) = clocked.after(1.0, ModelReport("eye", counters=counts.read()())).models
    assert (model.frames_in, model.input_rate, model.result_rate) == (30, 30.0, 30.0)


def test_a_model_made_anew_under_the_same_name_has_no_negative_rates() -> None:
    clocked = Clocked()
    image = InputReport("", "/image", received=500)
    clocked.after(1.0, ModelReport("eye", counters=snapshot(500, 400, 100), inputs=(image,)))
    image = InputReport("", "/image", received=9)
    (model,) = clocked.after(
        1.0, ModelReport("eye", counters=snapshot(8, 6, 2), inputs=(image,))
    ).models
    assert (model.input_rate, model.result_rate, model.drop_rate) == (8.0, 6.0, 2.0)
    assert model.inputs[0].rate == 9.0


def test_models_are_told_apart_by_name_not_by_place() -> None:
    clocked = Clocked()
    clocked.after(
        1.0, ModelReport("a", counters=snapshot(100)), ModelReport("b", counters=snapshot(5))
    )
    msg = clocked.after(
        1.0, ModelReport("b", counters=snapshot(7)), ModelReport("c", counters=snapshot(1))
    )
    assert [(m.model, m.input_rate) for m in msg.models] == [("b", 2.0), ("c", 1.0)]


def test_two_messages_at_the_same_time_do_not_divide_by_zero() -> None:
    clocked = Clocked()
    (model,) = clocked.after(0.0, ModelReport("eye", counters=snapshot())).models
    assert model.input_rate == 0.0


def test_an_age_before_the_first_image_is_not_a_number() -> None:
    msg = Clocked().after(
        1.0, ModelReport("eye", counters=snapshot(), inputs=(InputReport("", "/image"),))
    )
    assert math.isnan(msg.models[0].inputs[0].age)


def test_statistics_of_four_models_cost_little() -> None:
    """5000 steps of Python each second take about half a millisecond."""
    models = [PipelineCounters() for _ in range(4)]
    reporter = StatisticsReporter()
    inputs = (InputReport("", "/image", 100, 0.01, 1),)

    def work_of_a_second() -> int:
        for counts in models:
            for i in range(LATENCY_WINDOW):
                counts.count_result([i / 1000] * len(NodeStage))
            counts.count_drop("replaced")

        def report() -> None:
            entries = [
                ModelReport(str(i), counters=c.read()(), inputs=inputs)
                for i, c in enumerate(models)
            ]
            reporter.message(Time(), entries, [0.1, 0.2])

        return operations(report)

    assert max(work_of_a_second() for _ in range(10)) < 5000
