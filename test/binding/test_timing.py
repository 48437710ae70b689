# SPDX-License-Identifier: Apache-2.0
"""timing=True: how long each stage of a run took, in every way of running."""

from __future__ import annotations

import time
from collections.abc import Callable

from async_models import X, plus_one, wait_until_idle

from hbm_runtime import HB_HBMRuntime


def test_stages_add_up(save: Callable[..., str]) -> None:
    rt = HB_HBMRuntime(save(plus_one("m", 20)))
    for call in (
        lambda: rt.run(X, timing=True),
        lambda: rt.run_async(X, timing=True).result(),
        lambda: rt.run_many([X], timing=True)[0],
    ):
        start = time.monotonic_ns()
        results = call()
        took = time.monotonic_ns() - start
        times = results.timing["m"]  # type: ignore[attr-defined]
        stages = (times.queue_ns, times.copy_in_ns, times.execute_ns, times.copy_out_ns)
        assert all(stage >= 0 for stage in stages)
        assert sum(stages) == times.total_ns <= took
        assert times.execute_ns >= 20_000_000
        assert isinstance(results, dict) and (results["m"]["y"] == 1).all()
    assert not hasattr(rt.run(X), "timing")


def test_the_queue_is_the_wait_for_a_place(save: Callable[..., str]) -> None:
    """32 have a place before the call returns, 8 when the first, of a minute, is cancelled."""
    rt = HB_HBMRuntime(save(plus_one("m", 1), plus_one("first", 60_000)))
    first = rt.run_async(X, "first", bpu_cores=[0])
    calls = []
    for _ in range(39):
        begin = time.monotonic_ns()
        future = rt.run_async(X, "m", bpu_cores=[0], timing=True)
        calls.append((future, begin, time.monotonic_ns()))
    assert rt.stats().waiting == 8
    cancelled = time.monotonic_ns()
    assert first.cancel()
    for future, begin, end in calls[:31]:
        assert future.result().timing["m"].queue_ns <= end - begin
    for future, _, end in calls[31:]:
        assert future.result().timing["m"].queue_ns >= cancelled - end


def test_the_statistics_have_the_same_times(save: Callable[..., str]) -> None:
    rt = HB_HBMRuntime(save(plus_one("m", 2)))
    total = sum(rt.run(X, timing=True).timing["m"].total_ns for _ in range(20))  # type: ignore[attr-defined]
    summary = rt.stats().models["m"].stages["total"]
    assert summary.count == 20
    assert summary.sum_ns == total
    wait_until_idle(rt)
    assert rt.stats().device_memory.used == 0
