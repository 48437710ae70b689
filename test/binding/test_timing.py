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
    rt = HB_HBMRuntime(save(plus_one("m", 60)))
    futures = [rt.run_async(X, bpu_cores=[0], timing=True) for _ in range(40)]
    queues = [future.result().timing["m"].queue_ns for future in futures]
    assert max(queues[:32]) < min(queues[33:]), "32 tasks have a place at once"


def test_the_statistics_have_the_same_times(save: Callable[..., str]) -> None:
    rt = HB_HBMRuntime(save(plus_one("m", 2)))
    total = sum(rt.run(X, timing=True).timing["m"].total_ns for _ in range(20))  # type: ignore[attr-defined]
    summary = rt.stats().models["m"].stages["total"]
    assert summary.count == 20
    assert abs(summary.sum_ns - total) <= 0.02 * total
    wait_until_idle(rt)
    assert rt.stats().device_memory.used == 0
