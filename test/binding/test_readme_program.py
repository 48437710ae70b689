# SPDX-License-Identifier: Apache-2.0
"""The README's first program runs as it stands there, but for the path of its model."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import tiny_models

README = Path(__file__).parents[2] / "README.md"
MODEL = "build/demo/models/detector.hbm"


def test_the_program_in_python(save: Callable[..., str], run_python: Callable[..., str]) -> None:
    program = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)[0]
    assert MODEL in program
    path = save(tiny_models.pack(tiny_models.conv(), "detector", nv12_inputs=("x",)))
    assert run_python(program.replace(MODEL, path)) == "y (1, 4, 8, 12) float32\n"
