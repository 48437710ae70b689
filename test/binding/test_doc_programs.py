# SPDX-License-Identifier: Apache-2.0
"""Each program of the pages on asynchronous runs and on copies prints what the page says."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tiny_models

DOC = Path(__file__).parents[2] / "doc"
PROGRAM = re.compile(r"```python\n(.*?)```\n\n```text\n(.*?)```", re.DOTALL)


def _programs() -> list[object]:
    """Every program with the text that follows it, by page and number."""
    found: list[object] = []
    for page in ("async.md", "zero_copy.md"):
        text = (DOC / page).read_text(encoding="utf-8")
        programs = PROGRAM.findall(text)
        assert len(programs) == text.count("```python"), f"{page}: a program without its output"
        found += [
            pytest.param(program, output, id=f"{page}-{number}")
            for number, (program, output) in enumerate(programs, start=1)
        ]
    return found


@pytest.mark.parametrize(("program", "output"), _programs())
def test_the_page_tells_what_its_program_prints(
    program: str, output: str, save: Callable[..., str], run_python: Callable[..., str]
) -> None:
    if "from_dlpack" in program and not hasattr(np, "from_dlpack"):
        pytest.skip("numpy before 1.22 has no DLPack")
    save(tiny_models.pack(tiny_models.add(), "detector"), file="detector.hbm")
    save(tiny_models.pack(tiny_models.add(), "slow", latency_us=300_000), file="slow.hbm")
    assert run_python(program) == output
