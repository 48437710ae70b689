# SPDX-License-Identifier: Apache-2.0
"""What the tests with C programs share: a model file with a known answer."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Away from the source tree, where a child's Python would find the package without its core."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def add_one(tmp_path: Path) -> Path:
    """A model y = x + 1 on F32 [1, 4] that takes 50 ms, in a folder with a space in its name."""
    pytest.importorskip("onnx", reason="the model is made with it")
    pytest.importorskip("onnxruntime", reason="the simulator computes with it")
    import tiny_models

    folder = tmp_path / "my models"
    folder.mkdir()
    spec = tiny_models.pack(tiny_models.add((1, 4)), "add_one", latency_us=50_000)
    return tiny_models.save(folder / "add.hbm", spec)
