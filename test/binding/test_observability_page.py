# SPDX-License-Identifier: Apache-2.0
"""The programs of doc/observability.md run as they stand there, but for the path of the model."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import tiny_models
from perfetto_checks import read_trace

PAGE = Path(__file__).parents[2] / "doc" / "observability.md"


@pytest.fixture
def run_program(save: Callable[..., str], run_python: Callable[..., str]) -> Callable[[str], str]:
    """Run the page's program that follows a heading and return what it printed."""
    if not PAGE.is_file():
        pytest.skip(f"{PAGE} belongs to the source tree")
    model = tiny_models.pack(tiny_models.dynamic(), "doubling", shapes={"x": (1, 3, 4, 5)})
    path = save(model)

    def run(heading: str, **environment: str) -> str:
        section = PAGE.read_text(encoding="utf-8").split(f"## {heading}\n", 1)[1]
        match = re.search(r"```python\n(.*?)```", section, re.DOTALL)
        assert match
        return run_python(match[1].replace('"model.hbm"', repr(path)), **environment)

    return run


def test_the_statistics(run_program: Callable[..., str]) -> None:
    printed = run_program("Statistics").splitlines()
    assert printed[0] == "doubling: 100 runs, 100 copies in"
    assert re.fullmatch(r"execute: p50 \d+\.\d{3} ms, p99 \d+\.\d{3} ms", printed[1])
    assert re.fullmatch(r"cores in use: \d+% of \d", printed[2])


def test_the_metrics(run_program: Callable[..., str]) -> None:
    printed = run_program("Prometheus").splitlines()
    assert len(printed) == 5
    assert printed[0] == 'hbm_runtime_runs_total{robot="7",model="doubling",outcome="ok"} 1'


def test_the_trace(run_program: Callable[..., str], tmp_path: Path) -> None:
    printed = run_program("Trace").splitlines()
    stages = ["copy_in", "copy_out", "doubling", "execute", "queue", "run"]
    assert printed == ["3 runs, 0 dropped", repr(stages)]
    picture = read_trace(tmp_path / "trace.json")
    runs = picture.slices("hbm_runtime: models", "doubling")
    assert [one.arguments["custom_id"] for one in runs] == [0, 1, 2]


def test_the_log(run_program: Callable[..., str]) -> None:
    assert run_program("Log") == ""


def test_both_traces_in_one_picture(
    run_program: Callable[..., str], run_python: Callable[..., str], tmp_path: Path
) -> None:
    run_program("Trace", HBM_SIM_TRACE=str(tmp_path / "sim.json"))
    command = re.search(r"python -c '(import json.*?)'\n", PAGE.read_text("utf-8"), re.DOTALL)
    assert command
    run_python(command[1].replace("\\\n    ", ""))
    events = json.loads((tmp_path / "both.json").read_bytes())["traceEvents"]
    tracks = {e["pid"]: e["args"]["name"] for e in events if e.get("name") == "process_name"}
    names = [e["args"]["name"] for e in events if e.get("name") == "process_name"]
    assert len(tracks) == len(names), "the same number for two processes"
    tasks = [e for e in events if e["ph"] == "B" and tracks[e["pid"]] == "hbm_runtime: BPU cores"]
    ends = [e for e in events if e["ph"] == "E" and tracks[e["pid"]] == "hbm_runtime: BPU cores"]
    on_core = [e for e in events if e["ph"] == "X"]
    assert len(tasks) == len(ends) == len(on_core) == 3
    for task, end, real in zip(tasks, ends, on_core, strict=True):
        assert task["args"]["custom_id"] == real["args"]["custom_id"]
        assert real["ts"] + real["dur"] <= end["ts"] + 0.001, "what ran ended in `execute`"
        assert real["ts"] >= task["ts"] - 0.001, "and began in it"
