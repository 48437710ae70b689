# SPDX-License-Identifier: Apache-2.0
"""Priorities order what is queued; max_wait_ms lets the lowest run under a saturating stream."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import simulator_live
from async_models import X, plus_one

from hbm_runtime import HB_HBMRuntime, HBMInputError, HBMTimeoutError

JOB = 0.005  # seconds


@contextmanager
def saturated(rt: HB_HBMRuntime) -> Iterator[None]:
    """Keep more tasks of a high priority queued on all cores than the accelerator takes."""
    stop = threading.Event()

    def again(results: object = None) -> None:
        if not stop.is_set():
            rt.run_async(X, "high", priority=200, callback=again)

    for _ in range(48):
        again()
    try:
        yield
    finally:
        stop.set()


@pytest.fixture
def two(save: Callable[..., str]) -> HB_HBMRuntime:
    return HB_HBMRuntime(save(plus_one("high", JOB * 1000), plus_one("low", JOB * 1000)))


def test_queued_jobs_run_by_priority_then_custom_id(save: Callable[..., str]) -> None:
    rt = HB_HBMRuntime(save(plus_one("m", 5), plus_one("first", 60_000)))
    order: list[str] = []

    def start(name: str, **how: int) -> object:
        return rt.run_async(
            X, "m", bpu_cores=[0], callback=lambda results: order.append(name), **how
        )

    # It keeps the core until all have been asked for, and nobody else has a place.
    first = rt.run_async(X, "first", bpu_cores=[0])
    simulator_live.wait_for_tasks(1)
    futures = [rt.run_async(X, "m", bpu_cores=[0]) for _ in range(31)]
    last = [
        start("low", priority=1),
        start("second", priority=9, custom_id=2),
        start("third", priority=9, custom_id=3),
        start("first", priority=9, custom_id=1),
    ]
    assert rt.stats().waiting == 4
    assert first.cancel()
    for future in [*last, *futures]:
        future.result()  # type: ignore[attr-defined]
    assert order == ["first", "second", "third", "low"]


def test_without_ageing_the_lowest_starves(two: HB_HBMRuntime) -> None:
    with saturated(two):
        future = two.run_async(X, "low", priority=0, timeout=0.4)
        with pytest.raises(HBMTimeoutError):
            future.result()


@pytest.mark.parametrize("how", ["run", "run_async"])
def test_with_ageing_the_lowest_runs(two: HB_HBMRuntime, how: str) -> None:
    two.set_scheduling_params(max_wait_ms={"low": 50})
    with saturated(two):
        for _ in range(3):
            if how == "run":
                results = two.run(X, "low", priority=0, timeout=20)
            else:
                results = two.run_async(X, "low", priority=0, timeout=20).result()
            assert (results["low"]["y"] == 1).all()
        assert two.stats().models["low"].ok == 3  # without ageing it would be the stream's end


def test_waiting_for_a_place_while_aged_costs_no_cpu(save: Callable[..., str]) -> None:
    """The accelerator is full for 0.3 s; a request that aged after 1 ms sleeps meanwhile."""
    rt = HB_HBMRuntime(save(plus_one("high", 300), plus_one("low")))
    rt.set_scheduling_params(max_wait_ms={"low": 1})
    futures = [rt.run_async(X, "high") for _ in range(32)]
    cpu = time.process_time()
    low = rt.run_async(X, "low")
    results = []
    thread = threading.Thread(target=lambda: results.append(rt.run(X, "low")))
    thread.start()
    time.sleep(0.25)
    assert time.process_time() - cpu < 0.12
    for future in futures:
        future.cancel()
    assert (low.result(timeout=20)["low"]["y"] == 1).all()
    thread.join(20)
    assert len(results) == 1


def test_it_may_be_switched_off_again(two: HB_HBMRuntime) -> None:
    two.set_scheduling_params(max_wait_ms={"low": 1})
    two.set_scheduling_params(max_wait_ms={"low": None})
    with saturated(two), pytest.raises(HBMTimeoutError):
        two.run(X, "low", priority=0, timeout=0.3)
    for wrong in (-1, "5", float("nan")):
        with pytest.raises(HBMInputError, match="max_wait_ms"):
            two.set_scheduling_params(max_wait_ms={"low": wrong})  # type: ignore[dict-item]
