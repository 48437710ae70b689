# SPDX-License-Identifier: Apache-2.0
"""run_many(): many inputs at once, results in order, all cores busy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor

import numpy as np
import pytest
from async_models import X, plus_one, wait_until_idle, wait_until_idle_cores_are
from simulator_faults import faults

from hbm_runtime import HB_HBMRuntime, HBMInputError, HBMTaskError, HBMTimeoutError


def test_results_come_in_order(save: Callable[..., str]) -> None:
    rt = HB_HBMRuntime(save(plus_one("m", 0.5)), max_in_flight=8)
    inputs = (np.full((1, 4), number, np.float32) for number in range(50))  # any iterable
    results = rt.run_many(inputs)
    assert [result["m"]["y"][0, 0] for result in results] == list(range(1, 51))
    assert rt.run_many([]) == []


def test_all_cores_are_busy(save: Callable[..., str]) -> None:
    for chosen, idle in ((None, []), ([0], [1, 2, 3])):
        rt = HB_HBMRuntime(save(plus_one("m", 60_000), plus_one("quick")))
        assert rt.library.core_count == 4
        with ThreadPoolExecutor(1) as pool:
            runs = pool.submit(rt.run_many, [X] * 16, "m", bpu_cores=chosen)
            wait_until_idle_cores_are(rt, idle)
            rt.close(timeout=0.0)
            with pytest.raises(CancelledError):
                runs.result()


def test_an_error_cancels_the_others(save: Callable[..., str]) -> None:
    rt = HB_HBMRuntime(save(plus_one("m", 20)))
    with faults("run@2=TASK_RUN_FAILED"), pytest.raises(HBMTaskError):
        rt.run_many([X] * 30, bpu_cores=[0])
    wait_until_idle(rt)
    stats = rt.stats().models["m"]
    assert stats.failed == 1 and stats.cancelled > 0 and stats.runs == 30
    with pytest.raises(HBMInputError):
        rt.run_many([X, X[:, :2]])


def test_an_iterable_that_fails_leaves_nothing_under_way(save: Callable[..., str]) -> None:
    rt = HB_HBMRuntime(save(plus_one("m", 50)))

    def inputs() -> Iterator[np.ndarray]:
        yield X
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        rt.run_many(inputs())
    wait_until_idle(rt)
    assert rt.stats().models["m"].cancelled == 1


def test_the_time_out_is_for_all(save: Callable[..., str]) -> None:
    rt = HB_HBMRuntime(save(plus_one("m", 50)), max_in_flight=2)
    with pytest.raises(HBMTimeoutError):
        rt.run_many([X] * 100, timeout=0.12)
    assert rt.stats().models["m"].ok < 50, "it did not go on"
    assert (rt.run_many([X])[0]["m"]["y"] == 1).all()
