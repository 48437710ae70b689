# SPDX-License-Identifier: Apache-2.0
"""The manual's three example programs run as they stand there, but for the models' folder.

The text is read from the manual itself, whose file the variable HBM_RUNTIME_MANUAL names; the web
page has lost the indentation of its loops, which is put back here line by line.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import manual_models
import pytest

MANUAL = os.environ.get("HBM_RUNTIME_MANUAL", "")
FOLDER = "/opt/hobot/model/s100/basic/"

pytestmark = pytest.mark.skipif(
    not MANUAL, reason="HBM_RUNTIME_MANUAL does not name the text of the vendor's manual"
)

# First words of the lines inside loops, and how deep they stand.
DEPTHS = {
    "two inputs": {
        "shape = ": 1, "np_dtype = ": 1, "input_tensors[name] = ": 1, 'print(f"Output': 1,
    },
    "two models": {
        "model_inputs = ": 1, "for input_name": 1, "multi_input_tensors[": 1,
        "shape = ": 2, "dtype_enum": 2, "np_dtype = ": 2, "model_inputs[": 2,
        'print(f"\\nModel': 1, "for output_name, output_tensor": 1, 'print(f" Output': 2,
    },
}  # fmt: skip


def examples() -> list[str]:
    """The blocks that begin with importing numpy, up to the next line of prose."""
    blocks: list[list[str]] = []
    inside = False
    for line in Path(MANUAL).read_text(encoding="utf-8").splitlines():
        stripped = line.strip()
        if stripped == "import numpy as np":
            blocks.append([])
            inside = True
        prose = re.search(r"[\u4e00-\u9fff]", stripped) and "#" not in stripped
        inside = inside and not prose
        if inside:
            blocks[-1].append(stripped)
    return ["\n".join(block) for block in blocks]


def indented(program: str, depths: dict[str, int]) -> str:
    lines = []
    for line in program.splitlines():
        depth = next((d for start, d in depths.items() if line.startswith(start)), 0)
        lines.append("    " * depth + line)
    return "\n".join(lines)


@pytest.fixture
def run_example(tmp_path: Path, run_python: Callable[..., str]) -> Callable[[int, str], str]:
    manual_models.save_all(tmp_path)

    def run(number: int, name: str = "") -> str:
        program = examples()[number]
        assert FOLDER in program
        program = program.replace(FOLDER, f"{tmp_path}/")
        return run_python(indented(program, DEPTHS.get(name, {})))

    return run


def test_there_are_three_examples() -> None:
    assert len(examples()) == 3


def test_one_model_with_one_input(run_example: Callable[..., str]) -> None:
    printed = run_example(0)
    assert printed.startswith("Output: {'instance_seg_logits': array(")
    assert "'binary_seg_pred': array(" in printed


def test_one_model_with_two_inputs(run_example: Callable[..., str]) -> None:
    assert run_example(1, "two inputs").splitlines() == [
        "Output: output, shape=(1, 84, 84, 255)",
        "Output: 1310, shape=(1, 42, 42, 255)",
        "Output: 1312, shape=(1, 21, 21, 255)",
    ]


def test_two_models_together(run_example: Callable[..., str]) -> None:
    lines = run_example(2, "two models").splitlines()
    assert lines[0] == "Loaded models: ['lanenet256x512', 'yolov5x_672x672_nv12']"
    assert " Output: binary_seg_pred, shape=(1, 1, 256, 512), dtype=int8" in lines
    assert " Output: 1312, shape=(1, 21, 21, 255), dtype=int32" in lines
