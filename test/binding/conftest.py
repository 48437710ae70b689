# SPDX-License-Identifier: Apache-2.0
"""What the binding tests share: packed tiny models, loaded on the simulator."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

for _module in ("onnx", "onnxruntime"):
    if importlib.util.find_spec(_module) is None:
        pytest.skip(
            f"the binding tests pack and run models, which needs {_module}: "
            "pip install 'hbm-runtime[simulator,tools]'",
            allow_module_level=True,
        )

sys.path.insert(0, str(Path(__file__).parents[1]))
import tiny_models

from hbm_runtime import HB_HBMRuntime
from hbm_runtime._loading import library


@pytest.fixture(autouse=True)
def simulator(monkeypatch: pytest.MonkeyPatch) -> None:
    """The simulator that belongs to the package under test, on a board as well."""
    monkeypatch.setenv(library.PATH_VARIABLE, str(library.SIMULATOR_FOLDER))


# Read once, at the first call into the simulator: a runtime that forgot to clean an input or to
# invalidate an output computes something wrong there.
os.environ.setdefault("HBM_SIM_STRICT", "1")


@pytest.fixture
def save(tmp_path: Path) -> Callable[..., str]:
    """Write packed models into one file: `save(spec, …, file="name.hbm")` returns its path."""

    def save_models(*models: Any, file: str = "model.hbm", description: str = "") -> str:
        return str(tiny_models.save(tmp_path / file, *models, description=description))

    return save_models


@pytest.fixture
def doubling(save: Callable[..., str]) -> HB_HBMRuntime:
    """Model "dynamic" packed to one size: x [1, 3, 4, 5] float32, y = 2 x."""
    spec = tiny_models.pack(tiny_models.dynamic(), "doubling", shapes={"x": (1, 3, 4, 5)})
    return HB_HBMRuntime(save(spec))


@pytest.fixture
def sums(save: Callable[..., str]) -> HB_HBMRuntime:
    """Model "sums": a, b [2, 3] float32; total, difference, flat."""
    return HB_HBMRuntime(save(tiny_models.pack(tiny_models.two_inputs_three_outputs(), "sums")))


@pytest.fixture
def pair(save: Callable[..., str]) -> HB_HBMRuntime:
    """Two models of two files: "plus" (y = x + 1) and "sums"."""
    return HB_HBMRuntime(
        [
            save(tiny_models.pack(tiny_models.add(), "plus"), file="plus.hbm"),
            save(tiny_models.pack(tiny_models.two_inputs_three_outputs(), "sums"), file="sums.hbm"),
        ]
    )


@pytest.fixture
def slow(save: Callable[..., str]) -> HB_HBMRuntime:
    """Model "slow": y = x + 1, a simulated core is busy for 0.3 s."""
    return HB_HBMRuntime(save(tiny_models.pack(tiny_models.add(), "slow", latency_us=300_000)))


@pytest.fixture
def run_python(tmp_path: Path) -> Callable[..., str]:
    """Run a script in a Python of its own and return what it printed; it must end well."""

    def run(script: str, *arguments: str, **environment: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(script), *arguments],
            env={**os.environ, **environment},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    return run
