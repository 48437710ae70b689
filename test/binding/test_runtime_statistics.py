# SPDX-License-Identifier: Apache-2.0
"""What a runtime counts of real runs on the simulator: outcomes, times, copies, cores."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from hbm_runtime import HB_HBMRuntime, HBMInputError, HBMTimeoutError

X = np.zeros((1, 4), np.float32)
A = np.zeros((2, 3), np.float32)
SLOW_NS = 300_000_000  # a run of the model "slow" takes at least this long


def until(condition: Callable[[], bool]) -> None:
    """Wait for what another thread does."""
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.002)


def test_a_new_runtime_has_all_its_models_and_no_runs(pair: HB_HBMRuntime) -> None:
    statistics = pair.stats()
    assert list(statistics.models) == ["plus", "sums"]
    assert [model.runs for model in statistics.models.values()] == [0, 0]
    assert statistics.cores.count == pair.library.core_count
    assert (statistics.in_flight, statistics.waiting) == (0, 0)


def test_runs_are_counted_by_model_with_their_copies(pair: HB_HBMRuntime) -> None:
    pair.run(X, "plus")
    pair.run({"plus": {"x": X}, "sums": {"a": A, "b": A}})
    models = pair.stats().models
    assert (models["plus"].ok, models["sums"].ok) == (2, 1)
    assert (models["plus"].copies_in, models["sums"].copies_in) == (2, 2)
    assert models["plus"].bytes_in >= 2 * X.nbytes
    assert models["sums"].bytes_in >= 2 * A.nbytes
    assert all(summary.count == 2 for summary in models["plus"].stages.values())


def test_stages_have_their_times(slow: HB_HBMRuntime) -> None:
    begin = time.monotonic_ns()
    slow.run(X)
    elapsed = time.monotonic_ns() - begin
    stages = slow.stats().models["slow"].stages
    assert SLOW_NS <= stages["execute"].max_ns <= stages["total"].max_ns <= elapsed
    assert stages["total"].sum_ns == sum(
        stages[name].sum_ns for name in ("queue", "copy_in", "execute", "copy_out")
    )
    assert stages["copy_in"].max_ns > 0


def test_a_run_that_asks_gets_its_own_times(slow: HB_HBMRuntime) -> None:
    result: Any = slow.run(X, timing=True)  # type: ignore[call-arg]
    times = result.timing["slow"]
    assert times.execute_ns >= SLOW_NS
    stages = slow.stats().models["slow"].stages
    assert times.total_ns == stages["total"].sum_ns, "the stages are all of the run"
    assert times.execute_ns == stages["execute"].sum_ns


def test_runs_without_outputs_are_counted_by_their_reason(slow: HB_HBMRuntime) -> None:
    with pytest.raises(HBMTimeoutError):
        slow.run(X, timeout=0.05)
    with pytest.raises(HBMInputError):
        slow.run(X.astype(np.int8))
    model = slow.stats().models["slow"]
    assert (model.ok, model.timeout, model.rejected, model.failed) == (0, 1, 1, 0)
    assert model.stages["total"].count == 0, "they have no times"


def test_a_failure_of_the_accelerator_is_counted(
    slow: HB_HBMRuntime, run_python: Callable[..., str]
) -> None:
    (path,) = slow.hbm_descs
    printed = run_python(
        """
        import sys
        import numpy as np
        from hbm_runtime import HB_HBMRuntime, HBMError
        runtime = HB_HBMRuntime(sys.argv[1])
        for _ in range(2):
            try:
                runtime.run(np.zeros((1, 4), np.float32))
            except HBMError:
                pass
        model = runtime.stats().models["slow"]
        print(model.ok, model.failed, runtime.stats().in_flight)
        """,
        path,
        HBM_SIM_FAULTS="run@1=TASK_RUN_FAILED",
    )
    assert printed == "1 1 0\n"


def test_what_is_under_way_is_seen_from_another_thread(slow: HB_HBMRuntime) -> None:
    thread = threading.Thread(target=slow.run, args=(X,), kwargs={"bpu_cores": [0]})
    thread.start()
    until(lambda: slow.stats().in_flight == 1)
    during = slow.stats()
    assert during.cores.wanted == 1
    assert during.device_memory.used > 0
    thread.join()
    after = slow.stats()
    assert (after.in_flight, after.cores.wanted) == (0, 0)
    assert after.device_memory.idle > 0, "kept for the next run"
    assert after.cores.pinned_s[0] >= SLOW_NS / 1e9
    assert sum(after.cores.pinned_s[1:]) == 0
    assert after.cores.occupied_s >= SLOW_NS / 1e9
    assert 0 < after.cores.utilization < 1


def test_tasks_beyond_the_cores_do_not_occupy_more(slow: HB_HBMRuntime) -> None:
    threads = [
        threading.Thread(target=slow.run, args=(X,)) for _ in range(slow.library.core_count + 2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    statistics = slow.stats()
    assert statistics.models["slow"].ok == len(threads)
    assert statistics.cores.occupied_s <= statistics.cores.count * statistics.seconds


def test_many_threads_are_all_counted(pair: HB_HBMRuntime) -> None:
    def work() -> None:
        for _ in range(50):
            pair.run(X, "plus")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    plus = pair.stats().models["plus"]
    assert (plus.ok, plus.copies_in) == (200, 200)
    assert plus.stages["total"].count == 200


def test_reset_starts_afresh(pair: HB_HBMRuntime) -> None:
    pair.run(X, "plus")
    before = pair.stats().seconds
    assert before > 0
    pair.reset_stats()
    statistics = pair.stats()
    assert list(statistics.models) == ["plus", "sums"]
    assert statistics.models["plus"].runs == 0
    assert statistics.models["plus"].copies_in == 0
    assert statistics.cores.occupied_s == 0
    pair.run(X, "plus")
    assert pair.stats().models["plus"].ok == 1


def test_real_statistics_have_all_their_forms(pair: HB_HBMRuntime) -> None:
    pair.run(X, "plus")
    statistics = pair.stats()
    assert json.loads(statistics.to_json())["models"]["plus"]["ok"] == 1
    text = statistics.to_prometheus()
    assert 'hbm_runtime_runs_total{model="plus",outcome="ok"} 1\n' in text
    assert 'hbm_runtime_stage_seconds_count{model="plus",stage="execute"} 1\n' in text
