# SPDX-License-Identifier: Apache-2.0
"""A trace of real runs on the simulator shows each run once, when and where it happened."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pytest
from perfetto_checks import read_trace

from hbm_runtime import HB_HBMRuntime, HBMInputError, HBMTimeoutError

X = np.zeros((1, 4), np.float32)
A = np.zeros((2, 3), np.float32)
MODELS = "hbm_runtime: models"
CORES = "hbm_runtime: BPU cores"


def test_runs_are_on_the_tracks_of_their_model_and_cores(
    pair: HB_HBMRuntime, tmp_path: Path
) -> None:
    pair.run(X, "plus")  # before: not in it
    begin = time.monotonic_ns()
    with pair.trace(tmp_path / "t.json") as trace:
        pair.run(X, "plus", priority=7, custom_id=41)
        pair.run({"sums": {"a": A, "b": A}}, bpu_cores=[0])
    end = time.monotonic_ns()
    pair.run(X, "plus")  # after: not in it
    assert (trace.runs, trace.dropped) == (2, 0)
    picture = read_trace(tmp_path / "t.json")
    (plus,) = picture.slices(MODELS, "plus")
    (sums,) = picture.slices(MODELS, "sums")
    assert [part.name for part in plus.parts] == ["queue", "copy_in", "execute", "copy_out"]
    assert (plus.arguments["priority"], plus.arguments["custom_id"]) == (7, 41)
    assert plus.arguments["outcome"] == sums.arguments["outcome"] == "ok"
    assert sums.arguments["cores"] == "core 0"
    assert [task.name for task in picture.processes[CORES]["core 0"]] == ["sums"]
    assert begin / 1000 - 0.001 <= plus.begin_us < plus.end_us <= sums.begin_us
    assert sums.end_us <= end / 1000 + 0.001
    # The stages follow each other: what is between them is small against the whole run.
    assert sum(part.end_us - part.begin_us for part in plus.parts) <= plus.end_us - plus.begin_us


def test_runs_of_many_threads_are_all_there(pair: HB_HBMRuntime, tmp_path: Path) -> None:
    def work(thread: int) -> None:
        for index in range(50):
            pair.run(X, "plus", custom_id=1000 * thread + index)

    with pair.trace(tmp_path / "t.json.gz") as trace:
        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    runs = read_trace(tmp_path / "t.json.gz").slices(MODELS, "plus")
    assert trace.runs == len(runs) == 200
    ids = {run.arguments["custom_id"] for run in runs}
    assert ids == {1000 * thread + index for thread in range(4) for index in range(50)}
    assert {run.arguments["run"] for run in runs} == set(range(200))


def test_a_run_that_met_its_deadline_says_so(slow: HB_HBMRuntime, tmp_path: Path) -> None:
    with slow.trace(tmp_path / "t.json"), pytest.raises(HBMTimeoutError):
        slow.run(X, timeout=0.05)
    (run,) = read_trace(tmp_path / "t.json").slices(MODELS, "slow")
    assert run.name == "run: timeout"
    assert run.parts[-1].name == "execute"
    assert run.end_us - run.begin_us >= 50_000


def test_what_does_not_fit_is_counted(pair: HB_HBMRuntime, tmp_path: Path) -> None:
    with pair.trace(tmp_path / "t.json", max_runs=3) as trace:
        for _ in range(5):
            pair.run(X, "plus")
    assert (trace.runs, trace.dropped) == (3, 2)
    assert len(read_trace(tmp_path / "t.json").slices(MODELS, "plus")) == 3


def test_one_trace_at_a_time_and_the_next_after_it(pair: HB_HBMRuntime, tmp_path: Path) -> None:
    with pair.trace(tmp_path / "first.json"):
        with pytest.raises(HBMInputError, match="already being recorded"):
            pair.trace(tmp_path / "second.json")
        pair.run(X, "plus")
    with pair.trace(tmp_path / "second.json"):
        pass
    assert len(read_trace(tmp_path / "first.json").slices(MODELS, "plus")) == 1
    assert read_trace(tmp_path / "second.json").about["runs"] == 0


def test_a_path_that_cannot_be_written_is_refused_at_once(
    pair: HB_HBMRuntime, tmp_path: Path
) -> None:
    with pytest.raises(HBMInputError, match="choose a file in a folder that exists"):
        pair.trace(tmp_path / "missing" / "t.json")
    pair.run(X, "plus")
