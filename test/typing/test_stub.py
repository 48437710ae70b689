# SPDX-License-Identifier: Apache-2.0
"""The committed stub of the compiled core is the one that the built module gives."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hbm_runtime import _core


def test_the_stub_is_up_to_date(repository: Path, run_tool: Callable[..., Any]) -> None:
    for tool in ("pybind11_stubgen", "ruff"):
        pytest.importorskip(tool, reason=f"{tool} is one of the tools of requirements/lint.txt")
    stub = (repository / "hbm_runtime" / "_core.pyi").read_text(encoding="utf-8")
    made_with = re.search(r'^pybind11_version: str = "(.+)"$', stub, re.M)
    assert made_with, "the stub does not say with which pybind11 it was made"
    if made_with[1] != _core.pybind11_version:
        pytest.skip(
            f"the stub holds the signatures of pybind11 {made_with[1]}; this module was built with "
            f"{_core.pybind11_version}, which writes others"
        )
    tool = run_tool(str(repository / "scripts" / "generate_stub.py"), "--check")
    assert tool.returncode == 0, f"\n{tool.stdout}{tool.stderr}"
