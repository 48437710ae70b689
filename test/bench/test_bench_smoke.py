# SPDX-License-Identifier: Apache-2.0
"""`make bench` with a few calls of each: every line comes out, on the terminal and in the file.

No figure is judged here: a few calls on a busy machine say nothing about speed.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

for _module in ("cv2", "onnx", "onnxruntime", "rich"):
    pytest.importorskip(_module, reason=f"the bench needs {_module}")

from bench import call_overhead, copies, engine_cost, node_cost, quantization_speed, scheduling_cost
from bench.built import built

PROGRAM = Path(__file__).with_name("run.py")
PEER = "openvino"  # installed by `make bench` alone
ABSENT = (PEER, "rclpy")  # without them their lines have no figure

LINES = {
    "Call overhead": [
        call_overhead.RUN,
        call_overhead.BOUND,
        call_overhead.ASYNC,
        call_overhead.ASYNC_BOUND,
        call_overhead.ASYNC_HANDED_OVER,
        call_overhead.ASYNC_BOUND_HANDED_OVER,
        call_overhead.EARLIER,
        call_overhead.RUN_TAIL,
        call_overhead.BOUND_TAIL,
        call_overhead.STATISTICS,
    ],
    "Copies and allocations": [
        copies.PLAIN,
        copies.DEVICE_BUFFERS,
        copies.BOUND,
        copies.OUTPUTS,
        copies.ALLOCATIONS,
        copies.PYTHON_MEMORY,
    ],
    "Simulator beside its engine": [engine_cost.line_name(sample) for sample in engine_cost.MODELS],
    "Cores and queue of the simulator": [
        *[scheduling_cost.scaling(cores) for cores in (2, 3, 4)],
        scheduling_cost.RUN_MANY,
        scheduling_cost.BLOCKING,
        scheduling_cost.HANDOVER,
        scheduling_cost.URGENT,
        scheduling_cost.URGENT_HANDOVER,
    ],
    "Quantisation": [
        quantization_speed.line_name(function, per, reference)
        for per in ("tensor", "axis")
        for function, reference in (
            ("dequantize", quantization_speed.EXACT),
            ("dequantize", quantization_speed.NARROW),
            ("quantize", quantization_speed.EXACT),
            ("quantize", quantization_speed.NARROW),
        )
    ],
    "Inference node": list(node_cost.NAMES),
}


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> Any:
    try:
        built("null_backend")
    except FileNotFoundError as missing:
        pytest.skip(str(missing))
    file = tmp_path_factory.mktemp("bench") / "figures.json"
    done = subprocess.run(
        [sys.executable, PROGRAM, "--quick", "--no-install", "--markdown", "--json", file],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(file.read_text(encoding="utf-8")), done.stdout


@pytest.mark.timeout(400)
def test_every_line_comes_out(figures: Any) -> None:
    content, _ = figures
    found = {
        section["title"]: [line["what"] for line in section["lines"]]
        for section in content["sections"]
    }
    assert found == LINES


def test_every_line_has_a_figure_or_names_the_absent_package(figures: Any) -> None:
    content, _ = figures
    for section in content["sections"]:
        for line in section["lines"]:
            named = any(package in line["detail"] for package in ABSENT)
            assert line["value"] is not None or named, line


def test_the_node_loses_no_image_unseen(figures: Any) -> None:
    content, _ = figures
    (section,) = [part for part in content["sections"] if part["title"] == "Inference node"]
    by_name = {line["what"]: line for line in section["lines"]}
    if by_name[node_cost.ADDED]["value"] is None:
        pytest.skip(by_name[node_cost.ADDED]["detail"])
    for name in (node_cost.ADDED, node_cost.PAIR):
        lost, sent = map(int, by_name[name]["lost"].split(" of "))
        assert 0 <= lost < sent


def test_the_copies_are_as_promised(figures: Any) -> None:
    content, _ = figures
    (section,) = [part for part in content["sections"] if part["title"].startswith("Copies")]
    by_name = {line["what"]: line["value"] for line in section["lines"]}
    assert by_name[copies.PLAIN] == 1
    assert by_name[copies.DEVICE_BUFFERS] == by_name[copies.BOUND] == by_name[copies.OUTPUTS] == 0


def test_the_conditions_stand_below_the_tables(figures: Any) -> None:
    content, markdown = figures
    for name in ("processor", "load", "Python", "numpy", "onnxruntime", PEER):
        assert content["conditions"][name]
        assert f"{name}: {content['conditions'][name]}" in markdown
    for lines in LINES.values():
        for what in lines:
            assert f"| {what} |" in markdown
