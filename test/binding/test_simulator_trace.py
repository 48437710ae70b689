# SPDX-License-Identifier: Apache-2.0
"""HBM_SIM_TRACE: a trace that viewers read, with a track per core and per model."""

from __future__ import annotations

import itertools
import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tiny_models

PROGRAM = """
import sys, threading, numpy as np
from hbm_runtime import HB_HBMRuntime
rt = HB_HBMRuntime(sys.argv[1])
x = np.zeros((1, 4), np.float32)
threads = [threading.Thread(target=rt.run, args=(x,)) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def trace_of(
    run_python: Callable[..., str], save: Callable[..., str], folder: Path, **variables: str
) -> dict[str, Any]:
    path = save(tiny_models.pack(tiny_models.add(), 'na"me', latency_us=20000))
    run_python(PROGRAM, path, HBM_SIM_TRACE=str(folder / "trace.json"), **variables)
    assert [found.name for found in folder.iterdir() if "trace" in found.name] == ["trace.json"]
    trace: dict[str, Any] = json.loads((folder / "trace.json").read_text())
    return trace


def tracks(trace: dict[str, Any], kind: str) -> dict[tuple[int, int], str]:
    return {
        (event["pid"], event.get("tid", 0)): event["args"]["name"]
        for event in trace["traceEvents"]
        if event["ph"] == "M" and event["name"] == kind
    }


def test_there_is_a_track_for_each_core_and_each_model(
    run_python: Callable[..., str], save: Callable[..., str], tmp_path: Path
) -> None:
    trace = trace_of(run_python, save, tmp_path, HBM_SIM_CORES="2")
    groups = tracks(trace, "process_name")
    assert list(groups.values()) == ["simulated S600", 'model na"me']
    assert list(tracks(trace, "thread_name").values()) == ["BPU core 0", "BPU core 1"]
    assert trace["otherData"]["dropped_spans"] == 0


def test_calls_lie_on_their_core_and_queueing_on_its_model(
    run_python: Callable[..., str], save: Callable[..., str], tmp_path: Path
) -> None:
    trace = trace_of(run_python, save, tmp_path, HBM_SIM_CORES="1")
    calls = [event for event in trace["traceEvents"] if event["ph"] == "X"]
    assert [event["name"] for event in calls] == ['na"me'] * 3
    assert all(event["dur"] >= 20000 and event["tid"] == 0 for event in calls)
    ends = [
        (event["ts"], event["ts"] + event["dur"]) for event in sorted(calls, key=lambda e: e["ts"])
    ]
    assert all(end <= begin for (_, end), (begin, _) in itertools.pairwise(ends))
    stages: dict[tuple[int, str], float] = {}
    for event in trace["traceEvents"]:
        if event["ph"] in "be":
            sign = -1 if event["ph"] == "b" else 1
            key = (event["id"], event["name"])
            stages[key] = stages.get(key, 0) + sign * event["ts"]
    queued = sorted(time for (_, name), time in stages.items() if name == "queued")
    assert len(queued) == 3
    assert queued[-1] >= 20000, "the last of three had to wait for the one core"
    assert all(time >= 20000 for (_, name), time in stages.items() if name == "running")


def test_a_path_that_cannot_be_written_is_no_obstacle(
    run_python: Callable[..., str], save: Callable[..., str]
) -> None:
    path = save(tiny_models.pack(tiny_models.add(), "plus"))
    run_python(PROGRAM, path, HBM_SIM_TRACE="/nonexistent/folder/trace.json")


def make_link(path: Path) -> None:
    path.with_name("target").write_text("precious")
    path.symlink_to("target")


@pytest.mark.parametrize(
    ("make", "kind"),
    [(make_link, "a symbolic link"), (os.mkfifo, "a pipe"), (Path.mkdir, "a folder")],
)
def test_only_a_regular_file_is_replaced(
    run_python: Callable[..., str],
    save: Callable[..., str],
    tmp_path: Path,
    make: Callable[[Path], None],
    kind: str,
) -> None:
    path = tmp_path / "place" / "trace.json"
    path.parent.mkdir()
    make(path)
    before, names = path.lstat(), sorted(path.parent.iterdir())
    program = f"import os; os.dup2(1, 2)\n{PROGRAM}"  # the log goes where it can be read
    model = save(tiny_models.pack(tiny_models.add()))
    printed = run_python(program, model, HBM_SIM_TRACE=str(path))
    assert f"cannot be written (is {kind}, no regular file)" in printed
    assert os.path.samestat(before, path.lstat())
    assert sorted(path.parent.iterdir()) == names
    if path.is_symlink():
        assert path.read_text() == "precious"


def test_a_device_is_not_replaced(run_python: Callable[..., str], save: Callable[..., str]) -> None:
    program = f"import os; os.dup2(1, 2)\n{PROGRAM}"
    printed = run_python(
        program, save(tiny_models.pack(tiny_models.add())), HBM_SIM_TRACE="/dev/full"
    )
    assert "is a device" in printed
    assert stat.S_ISCHR(os.stat("/dev/full").st_mode)
