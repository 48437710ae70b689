# SPDX-License-Identifier: Apache-2.0
"""Time-outs of asynchronous runs: back-pressure, queue and execution, and what comes after."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
import simulator_live
from async_models import (
    X,
    plus_one,
    wait_until,
    wait_until_idle,
    wait_until_memory_is_used,
    wait_until_nothing_is_held,
)
from simulator_faults import faults

from hbm_runtime import HB_HBMRuntime, HBMTimeoutError


def test_a_time_out_covers_the_execution(save: Callable[..., str]) -> None:
    rt = HB_HBMRuntime(save(plus_one("slow", 60_000)))
    start = time.monotonic()
    future = rt.run_async(X, timeout=0.05)
    with pytest.raises(HBMTimeoutError):
        future.result()
    assert time.monotonic() - start >= 0.05
    assert isinstance(future.exception(), TimeoutError)
    assert future.exception().model == "slow"  # type: ignore[union-attr]
    assert rt.stats().models["slow"].timeout == 1


def test_a_time_out_covers_the_queue(save: Callable[..., str]) -> None:
    """The accelerator is full, so that the task never gets there."""
    rt = HB_HBMRuntime(save(plus_one("m", 60_000)))
    before = [rt.run_async(X, bpu_cores=[0]) for _ in range(32)]
    late = rt.run_async(X, timeout=0.03)
    wait_until(lambda: simulator_live.live("tasks") == 32, "32 tasks")  # and none of another test
    with pytest.raises(HBMTimeoutError):
        late.result()
    assert rt.stats().waiting == 0
    for future in before:
        future.cancel()


def test_a_time_out_covers_the_wait_for_max_in_flight(save: Callable[..., str]) -> None:
    rt = HB_HBMRuntime(save(plus_one("m", 1000)), max_in_flight=1)
    first = rt.run_async(X)
    with pytest.raises(HBMTimeoutError):
        rt.run_async(X, timeout=0.03)
    assert not first.done()
    assert (first.result()["m"]["y"] == 1).all()
    assert (rt.run_async(X, timeout=10).result()["m"]["y"] == 1).all()
    assert rt.stats().models["m"].timeout == 1


def test_a_time_out_begins_with_the_call_not_when_there_is_room(save: Callable[..., str]) -> None:
    rt = HB_HBMRuntime(save(plus_one("m", 200)), max_in_flight=1)
    first = rt.run_async(X)
    with pytest.raises(HBMTimeoutError):  # waits 0.2 s, so that 0.1 s is left of 0.2 s
        rt.run_async(X, timeout=0.3).result()
    assert first.exception() is None


def test_no_time_at_all_is_a_time_out_and_never_more(save: Callable[..., str]) -> None:
    """The deadline passes while the job is still being made."""
    before = simulator_live.count()
    rt = HB_HBMRuntime(save(plus_one("m", 1)))
    outcomes = {"timeout": 0, "ok": 0}
    for number in range(600):
        future = rt.run_async(X, timeout=(number % 3) * 1e-5)
        try:
            assert (future.result(timeout=10)["m"]["y"] == 1).all()
            outcomes["ok"] += 1
        except HBMTimeoutError:
            assert future.done()
            outcomes["timeout"] += 1
    assert outcomes["timeout"] > 300
    stats = rt.stats().models["m"]
    assert (stats.ok, stats.timeout) == (outcomes["ok"], outcomes["timeout"])
    wait_until_idle(rt)
    del rt, future
    wait_until_nothing_is_held(before)


def test_the_models_own_time_out_applies(slow: HB_HBMRuntime) -> None:
    slow.set_scheduling_params(timeout={"slow": 0.03})
    with pytest.raises(HBMTimeoutError):
        slow.run_async(X).result()
    assert (slow.run_async(X, timeout=10).result()["slow"]["y"] == 1).all()
    slow.set_scheduling_params(timeout={"slow": None})
    assert (slow.run_async(X).result()["slow"]["y"] == 1).all()


def test_the_buffers_of_a_late_task_come_back_to_the_pool(save: Callable[..., str]) -> None:
    before = simulator_live.count()
    rt = HB_HBMRuntime(save(plus_one("m", 100)))
    futures = [rt.run_async(X, timeout=0.02) for _ in range(4)]
    for future in futures:
        with pytest.raises(HBMTimeoutError):
            future.result()
    assert (rt.run(X)["m"]["y"] == 1).all(), "the next call is right"
    wait_until_idle(rt)
    wait_until_memory_is_used(rt, 0)
    assert rt.stats().device_memory.idle > 0
    del rt, future, futures
    wait_until_nothing_is_held(before)


def test_a_stalled_core_does_not_keep_the_caller(save: Callable[..., str]) -> None:
    before = simulator_live.count()
    rt = HB_HBMRuntime(save(plus_one("m", 1)))
    with faults("run@1=delay:300"):
        future = rt.run_async(X, timeout=0.03)
        with pytest.raises(HBMTimeoutError):
            future.result()
        assert (rt.run_async(X, timeout=10).result()["m"]["y"] == 1).all()
    del rt, future
    wait_until_nothing_is_held(before)
