# SPDX-License-Identifier: Apache-2.0
"""What works with numpy alone, and what is said about the rest; run by `make test-pythons`."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

for _extra in ("onnxruntime", "onnx", "cv2", "rich", "yaml", "rclpy"):
    if importlib.util.find_spec(_extra) is not None:
        pytest.skip(f"shows what is without {_extra}, which is here", allow_module_level=True)

import numpy as np

from hbm_runtime import HB_HBMRuntime, HBMLibraryError, HBMModelError, image, model_file
from hbm_runtime._loading import library


@pytest.fixture(autouse=True)
def simulator(monkeypatch: pytest.MonkeyPatch) -> None:
    """The simulator that belongs to the package under test, on a board as well."""
    monkeypatch.setenv(library.PATH_VARIABLE, str(library.SIMULATOR_FOLDER))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model file; its graph is never looked at, because there is nothing to compute it."""
    tensor = model_file.TensorSpec("x", 7, (4,), (4,), 16)
    spec = model_file.ModelSpec("model", b"\x08\x08", (tensor,), (tensor,))
    path = tmp_path / "model.hbm"
    model_file.write(path, model_file.ModelFile((spec,)))
    return path


def test_a_model_file_can_be_written_and_read(model: Path) -> None:
    assert model_file.read(model).models[0].inputs[0].shape == (4,)


def test_loading_a_model_says_what_is_missing_and_how_to_get_it(model: Path) -> None:
    with pytest.raises(HBMLibraryError, match="install the Python package onnxruntime") as caught:
        HB_HBMRuntime(model)
    assert caught.value.call is not None
    assert isinstance(caught.value, ImportError)


def test_a_missing_model_file_is_said_first() -> None:
    with pytest.raises(HBMModelError, match="does not exist"):
        HB_HBMRuntime("nowhere.hbm")


def test_the_simulator_tells_its_version() -> None:
    assert "simulator" in str(HB_HBMRuntime.version)


def test_numpy_alone_is_enough_to_see_the_planes_of_an_image() -> None:
    assert image.nv12_from_buffer(bytes(24), 4, 4).uv.shape == (2, 2, 2)


def test_resizing_says_that_opencv_is_missing() -> None:
    with pytest.raises(ImportError, match=r"hbm-runtime\[image\]"):
        image.nv12_to_rgb(image.NV12Frame(*(np.zeros((2, 2), np.uint8),) * 2))


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--help"], 0, "COMMAND"),
        (["pack", "model.onnx", "-o", "model.hbm"], 2, "hbm-runtime[tools]"),
        (["check", "config.yaml"], 2, "hbm-runtime[check]"),
    ],
)
def test_the_command_line_works_or_says_which_extra_it_needs(
    tmp_path: Path, arguments: list[str], status: int, said: str
) -> None:
    (tmp_path / "model.onnx").write_bytes(b"")
    done = subprocess.run(
        [sys.executable, "-m", "hbm_runtime", *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == status, done.stderr
    assert said in done.stdout + done.stderr
