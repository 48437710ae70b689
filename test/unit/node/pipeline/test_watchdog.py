# SPDX-License-Identifier: Apache-2.0
"""A model that keeps failing gets a new runtime: when, how often, and without disturbing others."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable

import pytest
from pipeline_rig import PATIENCE, Rig, eventually

from hbm_runtime import HBMClosedError, HBMInputError, HBMTaskError, HBMTimeoutError
from hbm_runtime.image import ImageError, ImageFault
from hbm_runtime_ros.pipeline.pipeline import NOT_RECOVERED, RECOVERED
from hbm_runtime_ros.pipeline.watchdog import LONGEST_BACK_OFF, Watchdog


def test_failures_have_no_consequence_until_the_stall_timeout() -> None:
    dog = Watchdog()
    dog.failed(began=100.0)
    assert not dog.is_due(109.9, 10.0)
    assert dog.is_due(110.0, 10.0)
    assert dog.failing_since == 100.0


def test_a_success_ends_the_failing() -> None:
    dog = Watchdog()
    dog.failed(100.0)
    dog.succeeded()
    dog.failed(109.0)
    assert not dog.is_due(111.0, 10.0)
    assert dog.is_due(119.0, 10.0)


def test_a_stall_timeout_of_0_never_recovers() -> None:
    dog = Watchdog()
    dog.failed(0.0)
    assert not dog.is_due(1e9, 0.0)


def test_recoveries_that_do_not_help_are_tried_ever_less_often() -> None:
    dog = Watchdog()
    now, tried = 0.0, []
    while len(tried) < 7:
        dog.failed(now)
        now += 1.0
        if dog.is_due(now, 10.0):
            tried.append(now)
            dog.tried(now, 10.0)
    gaps = [later - earlier for earlier, later in zip([0.0, *tried], tried, strict=False)]
    assert gaps == [10.0, 10.0, 20.0, 40.0, 60.0, 60.0, 60.0]
    assert max(gaps) == LONGEST_BACK_OFF


def test_the_back_off_begins_anew_after_a_success() -> None:
    dog = Watchdog()
    dog.failed(0.0)
    assert dog.tried(10.0, 10.0) == 10.0
    assert dog.tried(20.0, 10.0) == 20.0
    dog.succeeded()
    dog.failed(30.0)
    assert dog.is_due(40.0, 10.0)
    assert dog.tried(40.0, 10.0) == 10.0


def test_a_long_stall_timeout_is_the_back_off() -> None:
    dog = Watchdog()
    dog.failed(0.0)
    assert dog.tried(300.0, 300.0) == 300.0
    assert dog.tried(600.0, 300.0) == 300.0


class FailingRig(Rig):
    """A pipeline whose runtime is broken until it is made anew; time goes on by the test's hand."""

    def __init__(self, **live: object) -> None:
        self.now = 1000.0
        self.fault: Exception | None = HBMTaskError("no such device")
        self.mends = True
        self.recoveries = 0
        self.recover_first = lambda: None
        super().__init__(steady=lambda: self.now, **{"stall_timeout": 10.0, **live})
        self.hold = False

    def infer(self, *args: object) -> dict:
        self.now += 1.0  # seconds per inference
        if self.fault is not None:
            raise self.fault
        return super().infer(*args)

    def recover(self) -> None:
        self.recover_first()
        self.recoveries += 1
        self.recovering_thread = threading.current_thread().name
        self.state_while_recovering = self.pipeline.state()
        if not self.mends:
            raise HBMTaskError("cannot load")
        self.fault = None

    def attempt(self, count: int = 1) -> None:
        """Offer frames one by one, each until it has ended."""
        for _ in range(count):
            before = self.ended()
            self.offer()
            assert eventually(lambda before=before: self.ended() > before)
            assert eventually(lambda: self.pipeline.state().busy_since is None)

    def ended(self) -> int:
        now = self.pipeline.snapshot()
        return now.results + sum(now.drops.values())


@pytest.mark.parametrize(
    "fault", [HBMTaskError("broken"), HBMTimeoutError("late"), HBMClosedError("closed")]
)
def test_a_failing_model_is_recovered_in_its_own_thread_and_goes_on(fault: Exception) -> None:
    with FailingRig() as rig:
        rig.fault = fault
        rig.attempt(9)
        assert rig.recoveries == 0
        assert sum(rig.drops().values()) == 9
        assert rig.pipeline.state().failing_since == 1000.0
        rig.attempt(1)
        assert rig.recoveries == 1
        assert rig.recovering_thread == "hbm-model"
        rig.attempt(1)
        snapshot = rig.pipeline.snapshot()
        assert (snapshot.results, snapshot.recoveries, snapshot.failed_recoveries) == (1, 1, 0)
        state = rig.pipeline.state()
        assert state.failing_since is None
        assert str(fault) in state.last_error
        reports = rig.all_reports()
        assert [reason for reason, _ in reports].count(RECOVERED) == 1
        assert "10.0 s" in reports[-1][1]


def test_while_it_recovers_the_state_says_so() -> None:
    with FailingRig() as rig:
        rig.attempt(10)
        state = rig.state_while_recovering
        assert state.recovering
        assert state.busy_since == rig.now
        assert not rig.pipeline.state().recovering


def test_nothing_of_the_failed_frame_is_kept_while_a_new_runtime_is_made() -> None:
    with FailingRig() as rig:
        rig.attempt(9)
        one = rig.frame()
        kept, seen = weakref.ref(one), []

        def look() -> None:
            rig.fault = None  # an exception keeps what it passed through
            seen.append(kept())

        rig.recover_first = look
        rig.pipeline.offer(0, one)
        del one
        assert eventually(lambda: rig.recoveries == 1)
        assert seen == [None]


def test_a_recovery_that_fails_is_counted_reported_and_tried_again_later() -> None:
    with FailingRig() as rig:
        rig.mends = False
        rig.attempt(10)
        assert rig.pipeline.snapshot().failed_recoveries == 1
        (text,) = [text for reason, text in rig.all_reports() if reason == NOT_RECOVERED]
        assert "cannot load" in text
        assert "next try in 10 s" in text
        rig.attempt(9)
        assert rig.recoveries == 1
        rig.attempt(1)
        assert rig.recoveries == 2
        rig.mends = True
        rig.attempt(20)
        assert rig.recoveries == 3
        assert rig.pipeline.snapshot().recoveries == 1
        rig.attempt(1)
        assert rig.pipeline.snapshot().results == 1


@pytest.mark.parametrize(
    "fault",
    [
        HBMInputError("wrong shape"),
        ImageError(ImageFault.ENCODING, "what is this"),
        RuntimeError("a defect"),
    ],
)
def test_what_a_new_runtime_would_not_mend_does_not_recover(fault: Exception) -> None:
    with FailingRig() as rig:
        rig.fault = fault
        rig.attempt(30)
        assert rig.recoveries == 0
        assert rig.pipeline.state().failing_since is None


def test_time_outs_by_the_deadline_are_failures_too() -> None:
    with FailingRig(deadline=2.0) as rig:
        rig.fault = HBMTimeoutError("late")
        rig.attempt(10)
        assert rig.pipeline.snapshot().drops == {"deadline": 10}
        assert rig.recoveries == 1


def test_a_request_with_little_time_is_no_failure_of_the_runtime() -> None:
    with FailingRig() as rig:
        rig.fault = HBMTimeoutError("late")
        for _ in range(20):
            with pytest.raises(rig.Rejected):
                rig.pipeline.infer_now((rig.frame(),), timeout=4.0)
        assert rig.pipeline.state().failing_since is None
        for _ in range(10):
            with pytest.raises(rig.Rejected):
                rig.pipeline.infer_now((rig.frame(),), timeout=30.0)
        assert eventually(lambda: rig.recoveries == 1)


def test_the_time_of_a_node_that_was_not_active_does_not_count() -> None:
    with FailingRig() as rig:
        rig.attempt(5)
        assert rig.pipeline.stop(PATIENCE)
        rig.now += 1000.0
        rig.pipeline.start()
        rig.attempt(9)
        assert rig.recoveries == 0
        rig.attempt(1)
        assert rig.recoveries == 1


def test_another_model_is_not_disturbed_by_one_that_stalls_and_recovers() -> None:
    """Real threads; the broken model's clock moves by its time-out with each attempt."""
    stalled, timed_out, recovering, healed = (threading.Event() for _ in range(4))

    class Stalling(Rig):
        broken = True
        now = 0.0

        def infer(self, inputs: object, live: object, timeout: float, *args: object) -> dict:
            if self.broken:
                stalled.set()
                assert timed_out.wait(PATIENCE)
                self.now += timeout
                raise HBMTimeoutError("no answer")
            return super().infer(inputs, live, timeout, *args)

        def recover(self) -> None:
            recovering.set()
            assert healed.wait(PATIENCE)
            self.broken = False

    broken = Stalling(steady=lambda: broken.now, timeout=0.02, stall_timeout=0.1)
    with broken, Rig() as healthy:
        broken.hold = healthy.hold = False

        def both_run_until(done: Callable[[], bool]) -> None:
            end = time.monotonic() + PATIENCE
            while not done() and time.monotonic() < end:
                broken.offer()
                healthy.run()  # fails without a result
            assert done()

        for held_up, go_on in ((stalled, timed_out), (recovering, healed)):
            both_run_until(held_up.is_set)
            for _ in range(50):
                healthy.run()
            go_on.set()
        both_run_until(lambda: broken.pipeline.snapshot().results >= 3)
        snapshot = broken.pipeline.snapshot()
        assert snapshot.recoveries == 1
        assert snapshot.drops["timeout"] >= 3
        assert healthy.pipeline.snapshot().drops == {}
