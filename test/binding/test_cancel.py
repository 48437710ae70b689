# SPDX-License-Identifier: Apache-2.0
"""cancel(): a queued task never runs, a running one is abandoned, the model is usable at once."""

from __future__ import annotations

import concurrent.futures
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, ThreadPoolExecutor

import pytest
import simulator_live
from async_models import X, plus_one, wait_until, wait_until_idle, wait_until_nothing_is_held

from hbm_runtime import HB_HBMRuntime


def test_a_queued_task_never_runs(save: Callable[..., str]) -> None:
    """40 tasks, of which the accelerator takes 32; the others are ours to take back.

    The first keeps the core until the others have been asked for.
    """
    rt = HB_HBMRuntime(save(plus_one("m", 10), plus_one("first", 60_000)))
    callbacks: list[object] = []
    first = rt.run_async(X, "first", bpu_cores=[0])
    simulator_live.wait_for_tasks(1)
    futures = [rt.run_async(X, "m", bpu_cores=[0], callback=callbacks.append) for _ in range(39)]
    assert rt.stats().waiting == 8
    wait_until(lambda: simulator_live.live("tasks") == 32, "32 tasks")  # and none of another test
    assert all(future.cancel() for future in futures[31:])
    assert rt.stats().waiting == 0
    assert first.cancel()
    for future in futures[:31]:
        assert (future.result()["m"]["y"] == 1).all()
    for future in futures[31:]:
        assert future.cancelled() and future.done()
        with pytest.raises(CancelledError):
            future.result()
        with pytest.raises(CancelledError):
            future.exception()
    stats = rt.stats()
    assert (stats.models["m"].ok, stats.models["m"].cancelled) == (31, 8)
    # A core counts as in use for all that was with it: 31 tasks of 10 ms, not 39.
    assert stats.models["m"].stages["execute"].count == 31
    assert len(callbacks) == 31, "a cancelled run has no callback"


@pytest.mark.timeout(50)  # the task itself takes a minute
def test_a_running_task_is_abandoned_and_the_model_usable(save: Callable[..., str]) -> None:
    before = simulator_live.count()
    rt = HB_HBMRuntime(save(plus_one("m", 60_000), plus_one("quick")))
    future = rt.run_async(X, "m", bpu_cores=[0])
    simulator_live.wait_for_tasks(1)
    assert future.cancel() and future.cancelled()
    assert (rt.run(X, "quick", bpu_cores=[1])["quick"]["y"] == 1).all()
    assert rt.stats().models["m"].cancelled == 1
    del rt, future
    wait_until_nothing_is_held(before)


def test_cancel_after_the_end_changes_nothing(save: Callable[..., str]) -> None:
    rt = HB_HBMRuntime(save(plus_one("m")))
    future = rt.run_async(X)
    future.result()
    assert not future.cancel() and not future.cancelled()
    assert (future.result()["m"]["y"] == 1).all()


def test_cancel_twice_is_the_same_as_once(slow: HB_HBMRuntime) -> None:
    future = slow.run_async(X)
    assert future.cancel() and future.cancel()
    assert slow.stats().models["slow"].cancelled == 1


def test_cancel_ends_the_wait_of_another_thread(slow: HB_HBMRuntime) -> None:
    future = slow.run_async(X)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(future.exception)
        time.sleep(0.03)
        assert future.cancel()
        with pytest.raises(CancelledError):
            waiting.result(timeout=10)


def test_done_callbacks_come_when_cancelled(slow: HB_HBMRuntime) -> None:
    seen: list[object] = []
    future = slow.run_async(X)
    future.add_done_callback(seen.append)
    future.cancel()
    assert seen == [future]
    assert concurrent.futures.wait([future], timeout=5).done == {future}


def test_cancel_in_a_race_with_the_end_gives_one_of_both(save: Callable[..., str]) -> None:
    before = simulator_live.count()
    rt = HB_HBMRuntime(save(plus_one("m", 0.2)))

    def work(seed: int, rt: HB_HBMRuntime = rt) -> tuple[int, int]:
        chance = random.Random(seed)
        ok = cancelled = 0
        for _ in range(150):
            future = rt.run_async(X)
            time.sleep(chance.random() * 0.001)
            if future.cancel():
                with pytest.raises(CancelledError):
                    future.result()
                cancelled += 1
            else:
                assert (future.result()["m"]["y"] == 1).all()
                ok += 1
        return ok, cancelled

    with ThreadPoolExecutor(4) as pool:
        counts = list(pool.map(work, range(4)))
    stats = rt.stats().models["m"]
    assert stats.ok == sum(ok for ok, _ in counts) > 0
    assert stats.cancelled == sum(cancelled for _, cancelled in counts) > 0
    wait_until_idle(rt)
    del rt, work
    wait_until_nothing_is_held(before)


def test_cancel_from_a_callback_of_another_run(save: Callable[..., str]) -> None:
    rt = HB_HBMRuntime(save(plus_one("m", 5)))
    last = rt.run_async(X, priority=0, bpu_cores=[0], custom_id=9)
    queued = [rt.run_async(X, priority=0, bpu_cores=[0], custom_id=10) for _ in range(10)]
    done = threading.Event()

    def cancel_all(results: object) -> None:
        for future in queued:
            future.cancel()
        done.set()

    rt.run_async(X, bpu_cores=[1], callback=cancel_all)
    assert done.wait(20)
    last.result()
    assert all(future.done() for future in queued)
    assert any(future.cancelled() for future in queued)
