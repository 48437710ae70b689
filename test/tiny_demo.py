# SPDX-License-Identifier: Apache-2.0
"""The demo's folder with tiny models that answer rightly on a picture of a white bar."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import tiny_models
from onnx import ModelProto, helper

UPRIGHT_BACKGROUND = (0, 0, 60)  # blue, green, red


def detector() -> ModelProto:
    """The mean of the channels as a map of probabilities: what is white is text."""
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["mean"], axes=[1], keepdims=1),
        helper.make_node("Div", ["mean", "white"], ["map"]),
    ]
    dims = (1, 3, 72, 128)
    outputs = [tiny_models.value("map", (1, 1, 72, 128))]
    constants = {"white": np.float32(255)}
    return tiny_models.model_of(nodes, [tiny_models.value("x", dims)], outputs, constants)


def orientation() -> ModelProto:
    """The mean of each channel: a reddish picture is upright."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["x"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["channels"]),
    ]
    inputs = [tiny_models.value("x", (1, 3, 32, 32))]
    return tiny_models.model_of(nodes, inputs, [tiny_models.value("channels", (1, 3))])


def photo(background: tuple[int, int, int]) -> np.ndarray:
    """A white bar on a background, BGR."""
    picture = np.full((720, 1280, 3), background, np.uint8)
    picture[300:400, 200:1000] = 255
    return picture


def make_folder(folder: Path) -> Path:
    """Fill a folder with models/detector.hbm, models/orientation.hbm and photo.png."""
    models = folder / "models"
    models.mkdir()
    for name, model in (("detector", detector()), ("orientation", orientation())):
        spec = tiny_models.pack(model, f"tiny_{name}", nv12_inputs=("x",))
        tiny_models.save(models / f"{name}.hbm", spec)
    cv2.imwrite(str(folder / "photo.png"), photo(UPRIGHT_BACKGROUND))
    return folder
