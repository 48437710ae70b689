# SPDX-License-Identifier: Apache-2.0
"""A model's pipeline with fake steps: newest frame wins, all else counted, errors survived."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

pipeline = pytest.importorskip(
    "hbm_runtime_ros.pipeline", reason="needs the ROS package hbm_runtime_ros to be built"
)
from hbm_runtime import HBMError, HBMTimeoutError
from hbm_runtime.image import ImageError, ImageFault, place
from hbm_runtime_ros.counters import PipelineCounters, Stage
from hbm_runtime_ros.preprocessing import ModelInputs
from hbm_runtime_ros.throttle import Throttle

PATIENCE = 10.0  # seconds; only reached by a failing test
TRANSFORM = place(4, 4, 2, 2, "stretch").transform


@dataclass
class Rig:
    """A pipeline whose inference waits for permission, so that a test decides what happens when."""

    may_infer: queue.Queue[Exception | None] = field(default_factory=queue.Queue)
    inferring: queue.Queue[object] = field(default_factory=queue.Queue)
    results: queue.Queue[object] = field(default_factory=queue.Queue)
    reports: queue.Queue[tuple[str, str]] = field(default_factory=queue.Queue)
    prepare_fault: Exception | None = None
    deliver_fault: Exception | None = None

    def __post_init__(self) -> None:
        steps = pipeline.Steps(self.prepare, self.infer, self.deliver)
        self.pipeline = pipeline.ModelPipeline(
            "model", steps, lambda reason, text: self.reports.put((reason, text))
        )

    def prepare(self, frame: object) -> ModelInputs:
        if self.prepare_fault is not None:
            raise self.prepare_fault
        return ModelInputs({"x": frame}, TRANSFORM)

    def infer(self, inputs: dict) -> dict:
        self.inferring.put(inputs["x"])
        fault = self.may_infer.get(timeout=PATIENCE)
        if fault is not None:
            raise fault
        return {"y": inputs["x"]}

    def deliver(self, result: object) -> None:
        if self.deliver_fault is not None:
            raise self.deliver_fault
        self.results.put(result)

    def run(self, frame: object) -> object:
        """Take one frame all the way."""
        self.pipeline.offer(frame)
        self.may_infer.put(None)
        return self.results.get(timeout=PATIENCE)

    def drops(self) -> dict[str, int]:
        return dict(self.pipeline.snapshot().drops)


@pytest.fixture
def rig() -> Iterator[Rig]:
    rig = Rig()
    rig.pipeline.start()
    yield rig
    rig.may_infer.put(None)
    assert rig.pipeline.stop(PATIENCE)


def eventually(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.002)
    return condition()


def test_a_frame_becomes_a_result_with_its_times_in_order(rig: Rig) -> None:
    result = rig.run("frame")
    assert (result.frame, result.tensors, result.transform) == ("frame", {"y": "frame"}, TRANSFORM)
    assert result.received <= result.started <= result.finished


def test_results_are_numbered_without_gaps(rig: Rig) -> None:
    assert [rig.run(i).sequence for i in range(3)] == [0, 1, 2]


def test_only_the_newest_waiting_frame_is_run(rig: Rig) -> None:
    rig.pipeline.offer("first")
    assert rig.inferring.get(timeout=PATIENCE) == "first"
    for frame in ("second", "third", "fourth"):
        rig.pipeline.offer(frame)
    rig.may_infer.put(None)
    assert rig.inferring.get(timeout=PATIENCE) == "fourth"
    rig.may_infer.put(None)
    assert [rig.results.get(timeout=PATIENCE).frame for _ in range(2)] == ["first", "fourth"]
    assert rig.drops() == {"replaced": 2}


def test_offering_does_not_wait_for_a_running_inference(rig: Rig) -> None:
    rig.pipeline.offer("busy")
    rig.inferring.get(timeout=PATIENCE)
    rig.pipeline.offer("next")  # would hang here: nothing has been allowed to end yet
    assert rig.results.empty()
    rig.may_infer.put(None)
    rig.may_infer.put(None)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (HBMTimeoutError("late"), "timeout"),
        (HBMError("broken"), "inference_error"),
        (RuntimeError("surprise"), "internal_error"),
    ],
)
def test_a_failed_inference_is_counted_reported_and_survived(
    rig: Rig, fault: Exception, reason: str
) -> None:
    rig.pipeline.offer("bad")
    rig.may_infer.put(fault)
    reported, text = rig.reports.get(timeout=PATIENCE)
    assert reported == reason
    assert str(fault) in text
    assert rig.run("good").sequence == 0
    assert rig.drops() == {reason: 1}


@pytest.mark.parametrize("fault", list(ImageFault))
def test_a_bad_image_is_counted_by_its_fault(rig: Rig, fault: ImageFault) -> None:
    rig.prepare_fault = ImageError(fault, "what was wrong")
    rig.pipeline.offer("bad")
    assert rig.reports.get(timeout=PATIENCE) == (fault.value, "what was wrong")
    rig.prepare_fault = None
    rig.run("good")
    assert rig.drops() == {fault.value: 1}


def test_a_failed_publication_is_counted(rig: Rig) -> None:
    rig.deliver_fault = ValueError("no")
    rig.pipeline.offer("bad")
    rig.may_infer.put(None)
    assert rig.reports.get(timeout=PATIENCE) == ("publish_error", "ValueError: no")
    assert rig.pipeline.snapshot().results == 0


def test_every_frame_is_accounted_for_once(rig: Rig) -> None:
    for i in range(200):
        rig.pipeline.offer(i)
        if i % 3 == 0:
            rig.may_infer.put(HBMError("x") if i % 2 else None)

    def balanced() -> bool:
        now = rig.pipeline.snapshot()
        return now.frames_in == now.results + sum(now.drops.values())

    for _ in range(3):
        rig.may_infer.put(None)
    assert eventually(balanced)
    assert rig.pipeline.snapshot().frames_in == 200


def test_stop_drops_the_waiting_frame_and_ends_the_thread() -> None:
    rig = Rig()
    rig.pipeline.start()
    rig.pipeline.offer("running")
    rig.inferring.get(timeout=PATIENCE)
    rig.pipeline.offer("waiting")
    rig.may_infer.put(None)
    assert rig.pipeline.stop(PATIENCE)
    rig.pipeline.offer("late")
    assert rig.drops() == {"stopped": 2}
    assert "hbm-model" not in [thread.name for thread in threading.enumerate()]


def test_stop_gives_up_on_an_inference_that_does_not_end() -> None:
    rig = Rig()
    rig.pipeline.start()
    rig.pipeline.offer("stuck")
    rig.inferring.get(timeout=PATIENCE)
    assert not rig.pipeline.stop(0.05)
    rig.may_infer.put(None)
    assert rig.pipeline.stop(PATIENCE)


def test_stop_before_start_is_harmless() -> None:
    assert Rig().pipeline.stop(0.1)


def test_latencies_cover_each_stage_and_add_up(rig: Rig) -> None:
    for i in range(5):
        rig.run(i)
    assert eventually(lambda: rig.pipeline.snapshot().results == 5)
    latencies = rig.pipeline.snapshot().latencies
    assert {stage: summary.samples for stage, summary in latencies.items()} == dict.fromkeys(
        Stage, 5
    )
    parts = [latencies[stage].max for stage in Stage if stage is not Stage.TOTAL]
    assert max(parts) <= latencies[Stage.TOTAL].max <= sum(parts)


def test_percentiles_are_those_of_the_latest_results() -> None:
    counters = PipelineCounters(window=100)
    for milliseconds in [10_000] * 50 + list(range(1, 101)):
        counters.count_result({Stage.TOTAL: milliseconds / 1000})
    summary = counters.snapshot().latencies[Stage.TOTAL]
    assert summary.samples == 100
    assert summary.p50 == pytest.approx(0.0505)
    assert summary.p99 == pytest.approx(0.09901)
    assert summary.max == pytest.approx(0.1)


def test_repeated_reports_are_held_back_per_key_and_counted() -> None:
    now = [0.0]
    throttle = Throttle(5.0, clock=lambda: now[0])
    assert throttle.admit("a") == 0
    assert throttle.admit("b") == 0
    for now[0] in (1.0, 2.0, 4.9):
        assert throttle.admit("a") is None
    now[0] = 5.0
    assert throttle.admit("a") == 3
    now[0] = 10.0
    assert throttle.admit("a") == 0
