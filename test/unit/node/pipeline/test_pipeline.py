# SPDX-License-Identifier: Apache-2.0
"""A model's pipeline with fake steps: what is run, what is dropped and why, errors survived."""

from __future__ import annotations

import random
import threading
import time
import weakref
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from operations import operations
from pipeline_rig import PATIENCE, SECOND, TRANSFORM, Rig, eventually, frame, workers

from hbm_runtime import HBMError, HBMInputError, HBMTimeoutError
from hbm_runtime.image import ImageError, ImageFault
from hbm_runtime_ros.parameters.settings import LiveSettings, SyncSettings
from hbm_runtime_ros.pipeline import drop_reasons
from hbm_runtime_ros.pipeline.attempt import Rejected
from hbm_runtime_ros.pipeline.counters import CounterSnapshot, NodeStage
from hbm_runtime_ros.pipeline.frame_queue import MARGIN


@pytest.fixture
def rig() -> Iterator[Rig]:
    with Rig() as rig:
        yield rig


def balanced(now: CounterSnapshot) -> bool:
    return now.frames_in == now.results + sum(now.drops.values()) + now.waiting + now.running


# One frame


def test_a_frame_becomes_a_result_with_its_times_in_order(rig: Rig) -> None:
    result = rig.run("frame")
    assert (result.frames, result.tensors) == ((frame("frame"),), {"y": ("frame",)})
    assert result.transforms == (TRANSFORM,)
    assert result.received <= result.started <= result.prepared <= result.finished


def test_times_are_those_of_the_node_s_clock() -> None:
    ticks = iter(range(100, 200))
    with Rig(clock=lambda: next(ticks)) as rig:
        result = rig.run()
    times = (result.received, result.started, result.prepared, result.finished)
    assert times == (100, 101, 102, 103)


def test_results_are_numbered_without_gaps(rig: Rig) -> None:
    assert [rig.run(i).sequence for i in range(3)] == [0, 1, 2]


def test_offering_does_not_wait_for_a_running_inference(rig: Rig) -> None:
    rig.occupy()
    rig.offer("next")  # would hang here: nothing has been allowed to end yet
    assert rig.results.empty()
    rig.allow(2)
    assert rig.names(2) == ["busy", "next"]


def test_offering_takes_some_microseconds() -> None:
    """As much as 150 steps of Python take; a lock, as any hand-over needs, is among them."""
    with Rig(queue_policy="latest", queue_depth=2, max_rate=1e6, deadline=1.0) as rig:
        rig.occupy()
        one = frame()
        assert max(operations(lambda: rig.pipeline.offer(0, one)) for _ in range(2000)) < 150


def test_no_frame_is_kept_after_its_end(rig: Rig) -> None:
    rig.hold = False
    kept = []
    for make in (lambda: None, lambda: HBMError("x"), lambda: RuntimeError("x")):
        rig.prepare_fault = make()
        one = frame()
        kept.append(weakref.ref(one))
        rig.pipeline.offer(0, one)
        assert eventually(rig.settled)
        assert eventually(lambda: rig.pipeline.state().busy_since is None)
        del one
    rig.prepare_fault = None  # an exception keeps what it passed through
    rig.next_result()
    assert [one() for one in kept] == [None] * 3


# Policies


def test_only_the_newest_waiting_frame_is_run(rig: Rig) -> None:
    rig.occupy("first")
    rig.offer("second", "third", "fourth")
    rig.allow(2)
    assert rig.names(2) == ["first", "fourth"]
    assert rig.drops() == {"replaced": 2}


def test_the_oldest_are_kept_with_oldest() -> None:
    with Rig(queue_policy="oldest", queue_depth=2) as rig:
        rig.occupy("first")
        rig.offer("second", "third", "fourth")
        rig.allow(3)
        assert rig.names(3) == ["first", "second", "third"]
        assert rig.drops() == {"queue_full": 1}


def test_every_nth_is_run() -> None:
    with Rig(queue_policy="every_nth", every_nth=3, queue_depth=10) as rig:
        rig.hold = False
        rig.offer(*range(1, 11))
        assert rig.names(4) == [1, 4, 7, 10]
        assert rig.drops() == {"skipped": 6}


def test_with_block_the_node_is_told_to_wait_and_once_to_go_on() -> None:
    with Rig(queue_policy="block", queue_depth=2) as rig:
        rig.occupy()
        assert rig.pipeline.has_room()
        rig.offer(1, 2)
        assert not rig.pipeline.has_room()
        assert not rig.pipeline.has_room()
        assert rig.rooms == 0
        rig.allow(2)
        assert rig.names(2) == ["busy", 1]
        assert eventually(lambda: rig.rooms == 1)
        assert rig.pipeline.has_room()
        rig.allow()
        assert rig.names(1) == [2]
        assert rig.rooms == 1
        assert rig.drops() == {}


def test_block_drops_nothing_that_is_offered_when_there_is_room() -> None:
    with Rig(queue_policy="block", queue_depth=3) as rig:
        rig.hold = False
        room = threading.Event()
        rig.pipeline._on_room = room.set
        for i in range(500):
            while not rig.pipeline.has_room():
                assert room.wait(PATIENCE)
                room.clear()
            rig.offer(i)
        assert rig.names(500) == list(range(500))
        assert rig.drops() == {}


def test_a_few_frames_are_kept_that_come_while_there_is_no_room() -> None:
    with Rig(queue_policy="block", queue_depth=1) as rig:
        rig.occupy()
        rig.offer(*range(1 + MARGIN + 2))
        assert rig.drops() == {"queue_full": 2}


@pytest.mark.parametrize("how", ["policy", "depth", "stop"])
def test_whoever_waits_for_room_is_told_when_blocking_ends_in_another_way(how: str) -> None:
    with Rig(queue_policy="block", queue_depth=1) as rig:
        rig.occupy()
        rig.offer(1)
        assert not rig.pipeline.has_room()
        if how == "policy":
            rig.change(queue_policy="latest")
        elif how == "depth":
            rig.change(queue_depth=5)
        else:
            rig.pipeline.stop(0.0)
        assert rig.pipeline.has_room()
        rig.allow(2)
        assert eventually(lambda: rig.rooms == 1)


def test_policy_and_depth_change_with_the_next_frame() -> None:
    with Rig(queue_policy="oldest", queue_depth=4) as rig:
        rig.occupy("first")
        rig.offer(1, 2, 3, 4)
        rig.change(queue_policy="latest", queue_depth=2)
        rig.offer(5)
        assert rig.drops() == {"replaced": 3}
        rig.change(queue_depth=1)
        rig.allow(2)
        assert rig.names(2) == ["first", 5]
        assert rig.drops() == {"replaced": 4}


def test_max_rate_goes_by_the_node_s_clock() -> None:
    now = [SECOND]
    with Rig(clock=lambda: now[0], max_rate=15.0, queue_policy="oldest", queue_depth=1000) as rig:
        rig.hold = False
        for _ in range(300):  # ten seconds of a camera of 30 Hz, offered in no time
            now[0] += SECOND // 30
            rig.offer()
        assert eventually(rig.settled)
        assert rig.drops() == {"rate": 150}
        now[0] = SECOND // 2  # a bag begins anew
        rig.run()


@pytest.mark.parametrize(
    ("stamp", "clock", "too_old"),
    [
        (100.0, 100.4, False),
        (100.0, 100.6, True),
        (100.0, 90.0, False),
        (0.0, 100.0, False),
        (100.0, 0.0, False),
    ],
)
def test_max_age_goes_by_the_stamp_and_the_node_s_clock(
    stamp: float, clock: float, too_old: bool
) -> None:
    with Rig(clock=lambda: round(clock * SECOND), max_age=0.5) as rig:
        rig.hold = False
        rig.pipeline.offer(0, frame("one", round(stamp * SECOND)))
        assert eventually(rig.settled)
        assert rig.drops() == ({"age": 1} if too_old else {})
        assert rig.all_reports() == []


def test_an_image_ages_until_its_turn() -> None:
    now = [100 * SECOND]
    with Rig(clock=lambda: now[0], max_age=0.5) as rig:
        rig.pipeline.offer(0, frame("busy", now[0]))
        rig.inferring.get(timeout=PATIENCE)
        rig.pipeline.offer(0, frame("waiting", now[0]))
        now[0] += SECOND
        rig.allow()
        assert eventually(rig.settled)
        assert rig.drops() == {"age": 1}


# Deadlines and time-outs


class Timed(Rig):
    """Time goes on by the test's hand: inferences take `takes` seconds."""

    def __init__(self, **live: object) -> None:
        self.now = 1000.0
        self.takes = 0.0
        super().__init__(steady=lambda: self.now, **live)

    def infer(self, *args: object) -> dict:
        outputs = super().infer(*args)
        self.now += self.takes
        return outputs


def test_an_image_that_is_late_is_not_begun() -> None:
    with Timed(deadline=0.5) as rig:
        rig.occupy()
        rig.offer("late")
        rig.now += 0.6
        rig.allow()
        assert eventually(rig.settled)
        assert rig.drops() == {"deadline": 2}  # the busy one came to its end too late as well
        assert rig.inferring.empty()
        assert rig.all_reports() == []


def test_nothing_is_inferred_after_a_preparation_that_takes_too_long() -> None:
    class Slow(Timed):
        def prepare(self, frames: object) -> object:
            self.now += 0.6
            return super().prepare(frames)

    with Slow(deadline=0.5) as rig:
        rig.offer()
        assert eventually(rig.settled)
        assert rig.drops() == {"deadline": 1}
        assert rig.inferring.empty()


def test_an_inference_gets_the_time_that_is_left() -> None:
    with Timed(deadline=0.5, timeout=5.0) as rig:
        rig.occupy()
        assert rig.inferred_with[1] == 0.5
        rig.offer("next")
        rig.now += 0.3
        rig.allow(2)
        rig.names(2)
        assert rig.inferred_with[1] == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("deadline", "timeout", "reason"),
    [(0.5, 5.0, "deadline"), (5.0, 0.5, "timeout"), (0.0, 0.5, "timeout")],
)
def test_the_limit_that_was_reached_is_the_reason(
    deadline: float, timeout: float, reason: str
) -> None:
    with Timed(deadline=deadline, timeout=timeout) as rig:
        rig.offer()
        rig.may_infer.put(HBMTimeoutError("the accelerator did not answer"))
        assert eventually(rig.settled)
        assert rig.inferred_with[1] == 0.5
        assert rig.drops() == {reason: 1}
        ((reported, text),) = rig.all_reports()
        assert reported == reason
        assert "the accelerator did not answer" in text


def test_a_result_after_the_deadline_is_none() -> None:
    with Timed(deadline=0.5) as rig:
        rig.hold = False
        rig.takes = 0.6
        rig.offer()
        assert eventually(rig.settled)
        assert rig.drops() == {"deadline": 1}
        assert rig.results.empty()
        assert rig.pipeline.state().failing_since is None


# What goes along with an inference


def test_live_settings_are_those_of_the_moment_it_begins(rig: Rig) -> None:
    rig.run()
    assert rig.inferred_with[0] is rig.live
    rig.occupy()
    rig.offer("next")
    rig.change(priority=200, bpu_cores=(1,), timeout=0.25)
    rig.allow(2)
    rig.names(2)
    assert rig.inferred_with == (rig.live, 0.25, None)


def test_one_frame_sees_one_state_of_the_live_settings() -> None:
    """Once when it is offered and once when its turn comes, however often they are used."""
    reads = []
    with Rig(max_age=1.0, deadline=5.0, max_rate=1e9) as rig:
        rig.hold = False
        rig.run()
        assert eventually(lambda: rig.pipeline.state().busy_since is None)
        rig.pipeline._live = lambda: reads.append(1) or rig.live
        rig.run()
        assert eventually(lambda: rig.pipeline.state().busy_since is None)
        assert len(reads) == 2


def test_custom_id_is_the_stamp_the_sequence_or_none(rig: Rig) -> None:
    def custom_id(policy: str, stamp: int = 0) -> object:
        rig.change(custom_id=policy)
        rig.allow()
        rig.pipeline.offer(0, frame("one", stamp))
        rig.next_result()
        return rig.inferred_with[2]

    assert custom_id("none", 5) is None
    assert custom_id("stamp", 12 * SECOND + 34) == 12 * SECOND + 34
    assert [custom_id("sequence") for _ in range(2)] == [2, 3]


def test_live_settings_that_cannot_be_read_are_those_known_before(rig: Rig) -> None:
    rig.hold = False
    rig.run()

    def broken() -> LiveSettings:
        raise RuntimeError("gone")

    rig.pipeline._live = broken
    rig.run()
    assert rig.reports.get(timeout=PATIENCE)[0] == "internal_error"


# Faults


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (HBMTimeoutError("late"), "timeout"),
        (HBMError("broken"), "inference_error"),
        (HBMInputError("wrong"), "inference_error"),
        (RuntimeError("surprise"), "internal_error"),
        (SystemExit("a step wants to leave"), "internal_error"),
    ],
)
def test_a_failed_inference_is_counted_reported_and_survived(
    rig: Rig, fault: BaseException, reason: str
) -> None:
    rig.offer("bad")
    rig.may_infer.put(fault)
    reported, text = rig.reports.get(timeout=PATIENCE)
    assert reported == reason
    assert str(fault) in text
    assert rig.run("good").sequence == 0
    assert rig.drops() == {reason: 1}
    assert rig.pipeline.state().last_error == text


def test_a_defect_is_reported_with_its_place(rig: Rig) -> None:
    rig.offer()
    rig.may_infer.put(KeyError("x"))
    _, text = rig.reports.get(timeout=PATIENCE)
    assert text.startswith("KeyError: 'x' (line ")
    assert "pipeline_rig.py" in text


@pytest.mark.parametrize("fault", list(ImageFault))
def test_a_bad_image_is_counted_by_its_fault(rig: Rig, fault: ImageFault) -> None:
    rig.prepare_fault = ImageError(fault, "what was wrong")
    rig.offer("bad")
    assert rig.reports.get(timeout=PATIENCE) == (fault.value, "what was wrong")
    rig.prepare_fault = None
    rig.run("good")
    assert rig.drops() == {fault.value: 1}


@pytest.mark.parametrize("fault", [ValueError("no"), SystemExit("no")])
def test_a_failed_publication_is_counted(rig: Rig, fault: BaseException) -> None:
    rig.deliver_fault = fault
    rig.offer("bad")
    rig.allow()
    reason, text = rig.reports.get(timeout=PATIENCE)
    assert reason == "publish_error"
    assert "no" in text
    assert rig.drops() == {"publish_error": 1}
    rig.deliver_fault = None
    assert rig.run().sequence == 0


def test_a_report_or_a_call_for_room_that_fails_is_survived() -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no log any more")

    with Rig(queue_policy="block") as rig:
        rig.pipeline._report_to = fail
        rig.pipeline._on_room = fail
        rig.occupy()
        rig.offer("waiting")
        assert not rig.pipeline.has_room()
        rig.may_infer.put(HBMError("x"))
        rig.allow()
        assert rig.names(1) == ["waiting"]
        rig.run()


def test_reports_are_made_without_a_lock(rig: Rig) -> None:
    seen = []
    rig.pipeline._report_to = lambda *_: seen.append(rig.pipeline.snapshot())
    rig.offer()
    rig.may_infer.put(HBMError("x"))
    assert eventually(lambda: len(seen) == 1)
    assert seen[0].drops == {"inference_error": 1}


def test_the_state_tells_what_goes_on() -> None:
    with Timed() as rig:
        before = rig.pipeline.state()
        assert (before.running, before.busy_since) == (True, None)
        rig.occupy()
        rig.now += 3.0
        assert rig.pipeline.state().busy_since == 1000.0
        rig.allow()
        rig.names(1)
        assert eventually(lambda: rig.pipeline.state().busy_since is None)
        rig.offer()
        rig.may_infer.put(HBMError("x"))
        assert eventually(lambda: rig.pipeline.state().failing_since == 1003.0)
        assert rig.pipeline.state().last_error == "x"
    assert not rig.pipeline.state().running


# Several images


def cameras(**live: object) -> Rig:
    return Rig(("left", "right"), SyncSettings("exact", max_age=0.5), **live)


def test_images_with_equal_stamps_are_run_together() -> None:
    with cameras() as rig:
        rig.hold = False
        rig.pipeline.offer(1, frame("right", 5))
        assert rig.pipeline.snapshot().incomplete == 1
        assert rig.pipeline.snapshot().frames_in == 0
        rig.pipeline.offer(0, frame("left", 5))
        result = rig.next_result()
        assert result.tensors == {"y": ("left", "right")}
        assert len(result.transforms) == 2
        assert eventually(rig.settled)
        assert rig.pipeline.snapshot().frames_in == 1


def test_images_that_stay_alone_are_counted_each() -> None:
    with cameras() as rig:
        rig.hold = False
        for stamp in (1, 2, 3):
            rig.pipeline.offer(0, frame("left", stamp))
        rig.pipeline.offer(1, frame("right", 3))
        rig.next_result()
        assert eventually(rig.settled)
        now = rig.pipeline.snapshot()
        assert (now.frames_in, now.results, now.drops) == (3, 1, {"unmatched": 2})
        assert now.unmatched == {"left": 2}


def test_an_image_that_waits_too_long_is_counted_when_somebody_looks() -> None:
    now = [1000.0]
    sync = SyncSettings("exact", max_age=0.5)
    with Rig(("left", "right"), sync, steady=lambda: now[0]) as rig:
        rig.pipeline.offer(0, frame("left", 1))
        now[0] += 0.4
        assert rig.drops() == {}
        now[0] += 0.1
        assert rig.drops() == {"unmatched": 1}


@pytest.mark.parametrize("looked_at", [True, False])
def test_images_do_not_age_while_their_partners_are_not_let_in(looked_at: bool) -> None:
    now = [1000.0]
    sync = SyncSettings("exact", max_age=0.5)
    with Rig(("left", "right"), sync, steady=lambda: now[0], queue_policy="block") as rig:
        for stamp in (1, 2):  # one runs, one waits
            rig.pipeline.offer(0, frame("left", stamp))
            rig.pipeline.offer(1, frame("right", stamp))
            if stamp == 1:
                rig.inferring.get(timeout=PATIENCE)
        rig.pipeline.offer(0, frame("left", 3))
        assert not rig.pipeline.has_room()
        now[0] += 60.0
        if looked_at:
            assert rig.drops() == {}
        rig.allow(3)
        rig.names(2)
        rig.pipeline.offer(1, frame("right", 3))
        rig.names(1)
        assert rig.drops() == {}


def test_images_that_wait_for_partners_at_the_stop_are_counted_as_stopped() -> None:
    with cameras() as rig:
        rig.pipeline.offer(0, frame("left", 1))
        assert rig.pipeline.stop(PATIENCE)
        rig.pipeline.offer(1, frame("right", 1))
        now = rig.pipeline.snapshot()
        assert (now.frames_in, now.incomplete, now.drops) == (2, 0, {"stopped": 2})
        assert now.unmatched == {}


def test_the_stamp_of_a_set_is_that_of_its_anchor() -> None:
    sync = SyncSettings("anchor", tolerance=0.01, anchor="right")
    with Rig(("left", "right"), sync, custom_id="stamp") as rig:
        rig.hold = False
        rig.pipeline.offer(0, frame("left", 7_000_000))
        rig.pipeline.offer(1, frame("right", 6_000_000))
        rig.next_result()
        assert rig.inferred_with[2] == 6_000_000


# Requests


def answer(rig: Rig, names: list[str], timeout: float = PATIENCE) -> tuple[threading.Thread, list]:
    """Ask in a thread of its own."""
    answers: list = []

    def ask() -> None:
        try:
            answers.append(rig.pipeline.infer_now(tuple(frame(n) for n in names), timeout))
        except Rejected as error:
            answers.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    return thread, answers


def test_a_request_is_answered_before_the_frames_that_wait() -> None:
    with Rig(queue_policy="oldest", queue_depth=5) as rig:
        rig.occupy()
        rig.offer(1, 2)
        thread, answers = answer(rig, ["mine"])
        assert eventually(lambda: len(rig.pipeline._calls) == 1)
        rig.allow(2)
        thread.join(PATIENCE)
        (result,) = answers
        assert result.tensors == {"y": ("mine",)}
        assert result.received <= result.started <= result.prepared <= result.finished
        rig.allow(2)
        assert rig.names(3) == ["busy", 1, 2]
        assert rig.pipeline.snapshot().frames_in == 3
        assert rig.pipeline.snapshot().drops == {}


def test_requests_do_not_disturb_the_numbers_of_results(rig: Rig) -> None:
    rig.hold = False
    assert rig.run().sequence == 0
    assert [rig.pipeline.infer_now((frame(),), PATIENCE).sequence for _ in range(3)] == [0, 1, 2]
    assert rig.run().sequence == 1


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (HBMTimeoutError("late"), "timeout"),
        (HBMError("broken"), "inference_error"),
        (ImageError(ImageFault.BAD_STEP, "row"), "bad_step"),
        (RuntimeError("surprise"), "internal_error"),
    ],
)
def test_a_request_that_fails_is_told_why(rig: Rig, fault: Exception, reason: str) -> None:
    rig.may_infer.put(fault)
    with pytest.raises(Rejected, match=str(fault)) as error:
        rig.pipeline.infer_now((frame(),), PATIENCE)
    assert error.value.reason == reason
    assert rig.all_reports() == []
    assert rig.drops() == {}


def test_a_request_ends_in_time_while_the_model_is_busy(rig: Rig) -> None:
    rig.occupy()
    with pytest.raises(Rejected, match=r"within 0\.05 s") as error:
        rig.pipeline.infer_now((frame("never"),), 0.05)
    assert not rig.pipeline._calls
    assert error.value.reason == "timeout"
    rig.allow()
    rig.run()
    assert rig.inferring.get(timeout=PATIENCE) != ("never",)


def test_a_request_ends_in_time_while_it_is_run_itself(rig: Rig) -> None:
    with pytest.raises(Rejected) as error:
        rig.pipeline.infer_now((frame(),), 0.05)
    assert error.value.reason == "timeout"
    rig.allow()
    rig.run()


def test_an_inference_of_a_request_gets_the_time_that_is_left(rig: Rig) -> None:
    rig.hold = False
    rig.pipeline.infer_now((frame(),), 2.0)
    assert 0.0 < rig.inferred_with[1] <= 2.0
    rig.pipeline.infer_now((frame(),), 1000.0)
    assert rig.inferred_with[1] == rig.live.timeout


def test_a_request_is_refused_at_once_while_nothing_runs() -> None:
    rig = Rig()
    for _ in range(2):  # before the first start, and after a stop
        with pytest.raises(Rejected, match="activate the node") as error:
            rig.pipeline.infer_now((frame(),), PATIENCE)
        assert error.value.reason == "stopped"
        rig.pipeline.start()
        assert rig.pipeline.stop(PATIENCE)


def test_a_request_that_waits_is_answered_by_the_stop(rig: Rig) -> None:
    rig.occupy()
    thread, answers = answer(rig, ["mine"])
    assert eventually(lambda: len(rig.pipeline._calls) == 1)
    assert not rig.pipeline.stop(0.0)
    thread.join(PATIENCE)
    assert answers[0].reason == "stopped"
    rig.allow()


def test_a_drain_answers_the_request_that_waits(rig: Rig) -> None:
    rig.occupy()
    thread, answers = answer(rig, ["mine"])
    assert eventually(lambda: len(rig.pipeline._calls) == 1)
    rig.allow(2)
    assert rig.pipeline.stop(PATIENCE)
    thread.join(PATIENCE)
    assert answers[0].tensors == {"y": ("mine",)}


def test_a_request_for_the_wrong_number_of_images_is_refused(rig: Rig) -> None:
    with pytest.raises(ValueError, match=r"takes 1 image\(s\), got 2"):
        rig.pipeline.infer_now((frame(), frame()), 1.0)


# Start and stop


def test_a_drain_finishes_the_frames_that_wait() -> None:
    with Rig(queue_policy="oldest", queue_depth=5) as rig:
        rig.occupy()
        rig.offer(1, 2, 3)
        rig.allow(4)
        assert rig.pipeline.stop(PATIENCE)
        assert rig.names(4) == ["busy", 1, 2, 3]
        assert rig.drops() == {}
        assert workers() == []


def test_without_drain_only_the_running_frame_is_finished() -> None:
    with Rig(queue_policy="oldest", queue_depth=5) as rig:
        rig.occupy()
        rig.offer(1, 2, 3)
        rig.allow(4)
        assert rig.pipeline.stop(PATIENCE, drain=False)
        assert rig.drops() == {"stopped": 3}


def test_what_a_drain_does_not_finish_in_time_is_counted_as_stopped() -> None:
    with Rig(queue_policy="oldest", queue_depth=5) as rig:
        rig.occupy()
        rig.offer(1, 2, 3)
        assert not rig.pipeline.stop(0.05)
        assert rig.drops() == {"stopped": 3}
        assert rig.pipeline.snapshot().running == 1
        rig.allow()
        assert rig.pipeline.stop(PATIENCE)
        assert rig.pipeline.snapshot().results == 1


def test_frames_offered_while_nothing_runs_are_counted_as_stopped() -> None:
    rig = Rig()
    rig.offer("early")
    rig.pipeline.start()
    assert rig.pipeline.stop(PATIENCE)
    rig.offer("late")
    assert rig.drops() == {"stopped": 2}


def test_counters_and_numbers_go_on_after_a_new_start(rig: Rig) -> None:
    rig.hold = False
    for start in range(3):
        assert rig.run().sequence == start
        assert rig.pipeline.stop(PATIENCE)
        assert workers() == []
        rig.pipeline.start()
    assert rig.pipeline.snapshot().results == 3


def test_a_start_before_the_end_of_a_stop_keeps_the_one_worker(rig: Rig) -> None:
    rig.occupy()
    assert not rig.pipeline.stop(0.0)
    rig.pipeline.start()
    rig.pipeline.start()
    assert len(workers()) == 1
    rig.allow(2)
    rig.offer("after")
    assert rig.names(2) == ["busy", "after"]
    assert len(workers()) == 1


def test_stop_before_start_and_stop_twice_are_harmless() -> None:
    rig = Rig()
    assert rig.pipeline.stop(0.1)
    rig.pipeline.start()
    assert rig.pipeline.stop(PATIENCE)
    assert rig.pipeline.stop(0.0)


def test_a_step_may_stop_its_own_pipeline() -> None:
    class Stopping(Rig):
        def deliver(self, result: object) -> None:
            self.stopped = self.pipeline.stop(PATIENCE)
            super().deliver(result)

    rig = Stopping()
    rig.hold = False
    rig.pipeline.start()
    rig.run()
    assert rig.stopped is False
    assert eventually(lambda: workers() == [])
    assert rig.pipeline.stop(PATIENCE)


def test_a_reset_counts_from_now_on() -> None:
    with Rig(queue_policy="oldest", queue_depth=5) as rig:
        rig.run()
        rig.run()
        rig.occupy()
        rig.offer(1, 2)
        rig.pipeline.reset()
        now = rig.pipeline.snapshot()
        assert (now.frames_in, now.results, now.waiting, now.running) == (3, 0, 2, 1)
        assert now.totals.frames_in == 5
        assert now.latencies[NodeStage.TOTAL].samples == 0
        rig.allow(3)
        assert eventually(rig.settled)
        assert rig.pipeline.snapshot().results == 3
        assert rig.next_result().sequence == 2


def test_latencies_cover_each_stage_and_add_up(rig: Rig) -> None:
    for i in range(5):
        rig.run(i)
    assert eventually(lambda: rig.pipeline.snapshot().results == 5)
    latencies = rig.pipeline.snapshot().latencies
    assert {stage: summary.samples for stage, summary in latencies.items()} == dict.fromkeys(
        NodeStage, 5
    )
    parts = [latencies[stage].max for stage in NodeStage if stage is not NodeStage.TOTAL]
    assert max(parts) <= latencies[NodeStage.TOTAL].max <= sum(parts) + 1e-9


# Nothing is lost


LIVE = st.fixed_dictionaries(
    {},
    optional={
        "queue_policy": st.sampled_from(["latest", "oldest", "block", "every_nth"]),
        "queue_depth": st.integers(1, 4),
        "every_nth": st.integers(1, 3),
        "max_rate": st.sampled_from([0.0, 1.0, 1e6]),
        "max_age": st.sampled_from([0.0, 1e-9, 1e6]),
        "deadline": st.sampled_from([0.0, 1e-9, 1e6]),
    },
)
FAULTS = st.sampled_from([None, None, HBMError("x"), HBMTimeoutError("x"), KeyError("x")])
ACTIONS = st.one_of(
    st.tuples(st.just("offer"), st.integers(0, 1)),
    st.tuples(st.just("allow"), FAULTS),
    st.tuples(st.just("change"), LIVE),
    st.tuples(st.sampled_from(["start", "stop", "drain", "reset", "room"]), st.none()),
)


@settings(deadline=None, max_examples=60)
@given(st.lists(ACTIONS, max_size=40), st.booleans())
def test_whatever_happens_every_frame_is_accounted_for(
    actions: list[tuple[str, object]], two: bool
) -> None:
    images = ("left", "right") if two else ("",)
    with Rig(images, SyncSettings("exact", max_age=0.0, depth=3)) as rig:
        stamps = [1, 1]
        offered = 0
        for action, value in actions:
            if action == "offer":
                image = value if two else 0
                rig.pipeline.offer(image, frame("f", stamps[image]))
                stamps[image] += 1
                offered += 1
            elif action == "allow":
                rig.may_infer.put(value)
            elif action == "change":
                rig.change(**value)
            elif action == "start":
                rig.pipeline.start()
            elif action in ("stop", "drain"):
                rig.pipeline.stop(0.001, drain=action == "drain")
            elif action == "reset":
                rig.pipeline.reset()
            else:
                rig.pipeline.has_room()
            assert balanced(rig.pipeline.snapshot())
        rig.hold = False
        rig.allow()
        rig.pipeline.start()
        assert rig.pipeline.stop(PATIENCE)
        end = rig.pipeline.snapshot()
        assert balanced(end)
        assert end.waiting == end.running == end.incomplete == 0
        totals = end.totals
        assert totals.frames_in == totals.results + totals.drops
        assert totals.results <= totals.frames_in <= offered
        if not two:
            assert totals.frames_in == offered
        assert set(end.drops) <= drop_reasons.POLICY | drop_reasons.FAULTS


@pytest.mark.parametrize("images", [("",), ("left", "right")])
def test_under_stress_no_frame_is_lost_and_nothing_hangs(images: tuple[str, ...]) -> None:
    """Eight producers, live changes, requests, resets and looks at the counters, all at once."""
    sync = SyncSettings("approximate", tolerance=1.0, max_age=0.01, depth=3)
    noise = random.Random(3)
    faults = [None] * 20 + [HBMError("x"), KeyError("x"), ImageError(ImageFault.ENCODING, "x")]

    class Faulty(Rig):
        def prepare(self, frames: object) -> object:
            self.prepare_fault = noise.choice(faults)
            return super().prepare(frames)

    rig = Faulty(images, sync)
    rig.hold = False
    over = threading.Event()
    errors: list[BaseException] = []
    each = 1500
    offered = [0] * 8
    requests = [0, 0]

    def producer(number: int) -> None:
        own = random.Random(number)
        for i in range(each):
            image = number % len(images)
            rig.pipeline.offer(image, frame(i, time.time_ns()))
            offered[number] += 1
            if own.random() < 0.02:
                time.sleep(0.0005)

    def changer() -> None:
        own = random.Random(99)
        while not over.is_set():
            rig.change(
                queue_policy=own.choice(["latest", "oldest", "block", "every_nth"]),
                queue_depth=own.randint(1, 6),
                every_nth=own.randint(1, 4),
                max_rate=own.choice([0.0, 1000.0]),
                deadline=own.choice([0.0, 0.001]),
            )
            rig.pipeline.has_room()
            time.sleep(0.001)

    def looker() -> None:
        while not over.is_set():
            assert balanced(rig.pipeline.snapshot())
            rig.pipeline.state()
            time.sleep(0.0005)

    def asker() -> None:
        while not over.is_set():
            try:
                rig.pipeline.infer_now(tuple(frame("r") for _ in images), 5.0)
            except Rejected:
                requests[1] += 1
            requests[0] += 1
            time.sleep(0.001)

    def stopper() -> None:
        while not over.is_set():
            rig.pipeline.stop(0.002, drain=True)
            rig.pipeline.start()
            time.sleep(0.003)

    def guarded(work: object, *args: object) -> threading.Thread:
        def run() -> None:
            try:
                work(*args)
            except BaseException as error:
                errors.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    rig.pipeline.start()
    others = [guarded(work) for work in (changer, looker, asker, stopper)]
    producers = [guarded(producer, number) for number in range(8)]
    for thread in producers:
        thread.join(PATIENCE)
    over.set()
    for thread in others:
        thread.join(PATIENCE)
    assert not any(thread.is_alive() for thread in producers + others)
    assert errors == []
    assert rig.pipeline.stop(PATIENCE)
    end = rig.pipeline.snapshot()
    assert balanced(end)
    assert end.waiting == end.running == end.incomplete == 0
    assert sum(offered) == 8 * each
    if len(images) == 1:
        assert end.frames_in == 8 * each
    else:
        sets = end.frames_in - end.drops.get("unmatched", 0) - end.drops.get("stopped", 0)
        assert sets > 0
    assert requests[0] > 0
    assert workers() == []


def test_a_thousand_starts_and_stops_lose_no_frame_and_leave_no_thread() -> None:
    rig = Rig(queue_policy="oldest", queue_depth=3)
    rig.hold = False
    over = threading.Event()
    offered = 0

    def produce() -> None:
        nonlocal offered
        while not over.is_set():
            rig.offer()
            offered += 1
            time.sleep(0.0002)

    before = threading.active_count()
    thread = threading.Thread(target=produce)
    thread.start()
    for cycle in range(1000):
        rig.pipeline.start()
        assert rig.pipeline.stop(PATIENCE, drain=cycle % 2 == 0)
    over.set()
    thread.join(PATIENCE)
    now = rig.pipeline.snapshot()
    assert balanced(now)
    assert (now.frames_in, now.waiting, now.running) == (offered, 0, 0)
    assert threading.active_count() == before
    assert workers() == []


def test_a_frame_that_is_not_wanted_any_more_is_counted_and_not_reported(rig: Rig) -> None:
    rig.prepare_fault = Rejected("stopped", "unloaded meanwhile")
    rig.offer("late")
    assert eventually(lambda: rig.drops() == {"stopped": 1})
    assert rig.all_reports() == []
    assert rig.pipeline.state().failing_since is None


def test_one_can_wait_for_the_end_of_the_attempt_under_way(rig: Rig) -> None:
    assert rig.pipeline.wait_for_attempt(0.0)  # there is none
    rig.occupy()
    rig.offer("next")
    assert not rig.pipeline.wait_for_attempt(0.02)
    threading.Timer(0.2, rig.allow).start()
    assert rig.pipeline.wait_for_attempt(PATIENCE)  # not for the next one, which is held
    assert rig.names(1) == ["busy"]
