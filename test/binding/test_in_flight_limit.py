# SPDX-License-Identifier: Apache-2.0
"""max_in_flight: unfinished runs are bounded, and the caller chooses to wait or to be told."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import pytest
import simulator_live
from async_models import X, plus_one, wait_until, wait_until_nothing_is_held

from hbm_runtime import HB_HBMRuntime, HBMBusyError, HBMError, HBMInputError


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
    unfinished = []
    futures = []
    for _ in range(12):
        futures.append(rt.run_async(X))
        unfinished.append(sum(not future.done() for future in futures))
    # One that has just ended may not be settled yet.
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
    assert most_memory < 1000
    wait_until(lambda: rt.stats().device_memory.used == 0, "all came back")
    del rt
    wait_until_nothing_is_held(before)


@pytest.mark.parametrize("wrong", [0, -1, 1.5, None, True, "8"])
def test_a_wrong_limit_is_told(save: Callable[..., str], wrong: object) -> None:
    with pytest.raises(HBMInputError, match="max_in_flight"):
        HB_HBMRuntime(save(plus_one("m")), max_in_flight=wrong)  # type: ignore[arg-type]
