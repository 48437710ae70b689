# SPDX-License-Identifier: Apache-2.0
"""The program of doc/quantization.md runs as it stands there."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import tiny_models

from hbm_runtime.tools.packing.options import OutputQuantization

PAGE = Path(__file__).parents[2] / "doc" / "quantization.md"

pytestmark = pytest.mark.skipif(not PAGE.is_file(), reason="the tests are here without doc/")


@pytest.mark.parametrize(
    ("quantization", "line"),
    [
        (OutputQuantization("int8", 1, (0.5, 0.25, 2.0, 1.0)), "y S8 4 float32 (1, 4, 8, 12)"),
        (OutputQuantization("int32", scales=(0.5,)), "y S32 1 float32 (1, 4, 8, 12)"),
        (None, "y F32 0 float32 (1, 4, 8, 12)"),
    ],
    ids=["per channel", "per tensor", "none"],
)
def test_the_example(
    save: Callable[..., str],
    run_python: Callable[..., str],
    quantization: OutputQuantization | None,
    line: str,
) -> None:
    (program,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    options = {"output_quantization": {"y": quantization}} if quantization else {}
    path = save(tiny_models.pack(tiny_models.conv(), "net", nv12_inputs=("x",), **options))
    assert run_python(program, path) == f"{line}\n"
