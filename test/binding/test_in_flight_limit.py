# SPDX-License-Identifier: Apache-2.0
"""max_in_flight: unfinished runs are bounded, and the caller chooses to wait or to be told."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable

import numpy as np
import pytest
import simulator_live
from async_models import (
    X,
    plus_one,
    wait_until,
    wait_until_memory_is_used,
    wait_until_nothing_is_held,
)

from hbm_runtime import HB_HBMRuntime, HBMBusyError, HBMError, HBMInputError, HBMTimeoutError
from hbm_runtime.futures import RunFuture

BUFFER = 128  # bytes that a tensor of four numbers takes


def test_a_full_runtime_raises_if_asked_to(save: Callable[..., str]) -> None:
    rt = HB_HBMRuntime(save(plus_one("m", 100)), max_in_flight=3)
    futures = [rt.run_async(X, when_full="raise") for _ in range(3)]
    with pytest.raises(HBMBusyError, match="max_in_flight") as caught:
        rt.run_async(X, when_full="raise")
    assert isinstance(caught.value, HBMError)
    assert rt.stats().models["m"].rejected == 1
    assert all((future.result()["m"]["y"] == 1).all() for future in futures)
    assert (rt.run_async(X, when_full="raise").result()["m"]["y"] == 1).all()


def test_a_full_runtime_waits_by_default(save: Callable[..., str]) -> None:
    rt = HB_HBMRuntime(save(plus_one("m", 10)), max_in_flight=2)
    futures = []
    for _ in range(12):
        futures.append(rt.run_async(X))
        assert rt.stats().in_flight <= 2
    assert all((future.result()["m"]["y"] == 1).all() for future in futures)
    assert rt.stats().models["m"].ok == 12


def test_a_cancelled_run_makes_room_at_once(slow: HB_HBMRuntime, save: Callable[..., str]) -> None:
    rt = HB_HBMRuntime(save(plus_one("m", 300)), max_in_flight=1)
    rt.run_async(X).cancel()
    rt.run_async(X, when_full="raise").cancel()


def test_run_does_not_count(save: Callable[..., str]) -> None:
    rt = HB_HBMRuntime(save(plus_one("m", 50)), max_in_flight=1)
    future = rt.run_async(X)
    assert (rt.run(X)["m"]["y"] == 1).all()
    future.result()


def test_ten_thousand_runs_in_bounded_memory(save: Callable[..., str]) -> None:
    before = simulator_live.count()
    rt = HB_HBMRuntime(save(plus_one("m")), max_in_flight=40)
    most_memory = 0
    wrong: list[int] = []
    left = threading.Semaphore(0)

    def check(number: int) -> Callable[[object], None]:
        def look(results: object) -> None:
            if not (results["m"]["y"] == number % 50 + 1).all():  # type: ignore[index]
                wrong.append(number)
            left.release()

        return look

    for number in range(10_000):
        rt.run_async(np.full((1, 4), number % 50, np.float32), callback=check(number))
        if number % 100 == 0:
            most_memory = max(most_memory, simulator_live.live("memory"))
    for _ in range(10_000):
        assert left.acquire(timeout=60)
    assert wrong == []
    assert rt.stats().models["m"].ok == 10_000
    # 40 runs of two buffers each, and those whose result is on its way to the callback.
    assert most_memory - before["memory"] < 300 * BUFFER
    wait_until_memory_is_used(rt, 0)
    del rt
    wait_until_nothing_is_held(before)


@pytest.mark.parametrize("wrong", [0, -1, 1.5, None, True, "8"])
def test_a_wrong_limit_is_told(save: Callable[..., str], wrong: object) -> None:
    with pytest.raises(HBMInputError, match="max_in_flight"):
        HB_HBMRuntime(save(plus_one("m")), max_in_flight=wrong)  # type: ignore[arg-type]


def test_results_that_slow_callbacks_keep_waiting_are_bounded_too(
    save: Callable[..., str],
) -> None:
    before = simulator_live.count()
    rt = HB_HBMRuntime(save(plus_one("m")), max_in_flight=4)
    called = threading.Semaphore(0)

    def slow_callback(results: object) -> None:
        time.sleep(0.002)
        called.release()

    most_memory = 0
    for _ in range(100):
        rt.run_async(X, callback=slow_callback)
        most_memory = max(most_memory, simulator_live.live("memory"))
    for _ in range(100):
        assert called.acquire(timeout=20)
    assert most_memory - before["memory"] < 30 * BUFFER, (
        "4 runs, 4 results that wait, and idle buffers"
    )


STARTS = {
    "a waiting thread": lambda rt, work: rt.run_async(X, callback=work).result(),
    "a thread that waits for a time": lambda rt, work: rt.run_async(X, callback=work).result(60),
    "the completion thread": lambda rt, work: wait_until(
        rt.run_async(X, callback=work).done, "the callback returns"
    ),
    "a done callback": lambda rt, work: add_and_wait(rt.run_async(X), work),
    "a cancelled run's done callback": lambda rt, work: add_and_cancel(rt.run_async(X), work),
    "a binding's callback": lambda rt, work: rt.bind().run_async(callback=work).result(),
}


def add_and_wait(future: RunFuture, work: Callable[[object], object]) -> None:
    future.add_done_callback(work)
    future.result()


def add_and_cancel(future: RunFuture, work: Callable[[object], object]) -> None:
    future.add_done_callback(work)
    future.cancel()


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("most", [1, 3])
def test_a_callback_may_start_runs_on_any_thread(
    save: Callable[..., str], start: str, most: int
) -> None:
    """As many threads as runs may be in flight, all in callbacks: none waits for the others."""
    rt = HB_HBMRuntime(save(plus_one("m", 100)), max_in_flight=most)
    together = threading.Barrier(most)
    started: list[RunFuture] = []

    def work(results: object) -> None:
        with contextlib.suppress(threading.BrokenBarrierError):  # where one thread calls them all
            together.wait(1)  # all runs have ended, and no future is settled
        started.append(rt.run_async(X, timeout=20))

    threads = [
        threading.Thread(target=STARTS[start], args=(rt, work), daemon=True) for _ in range(most)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(90)
        assert not thread.is_alive()
    wait_until(lambda: len(started) == most, "all callbacks were called")
    assert all((future.result(timeout=60)["m"]["y"] == 1).all() for future in started)


def test_a_time_to_wait_covers_the_callback(save: Callable[..., str]) -> None:
    rt = HB_HBMRuntime(save(plus_one("m", 1)))
    go_on = threading.Event()
    for wait in (
        rt.run_async(X, callback=lambda results: go_on.wait(20)).result,
        rt.run_async(X, callback=lambda results: go_on.wait(20)).exception,
    ):
        with pytest.raises(HBMTimeoutError, match="time given to wait"):
            wait(timeout=0.1)
    future = rt.run_async(X)
    future.add_done_callback(lambda future: go_on.wait(20))
    with pytest.raises(HBMTimeoutError, match="time given to wait"):
        future.result(timeout=0.1)
    go_on.set()
    assert (future.result(timeout=60)["m"]["y"] == 1).all()
