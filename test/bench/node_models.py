# SPDX-License-Identifier: Apache-2.0
"""The models that the bench of the node runs: NV12 in, hardly any arithmetic, a fixed latency."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from onnx import ModelProto, helper

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import tiny_models

SIDE = 672  # pixels of the model's square input
STRIDE = 8  # input pixels per output cell
CHANNELS = 16  # of the output
OUTPUT_BYTES = (SIDE // STRIDE) ** 2 * CHANNELS * 4


def network(side: int) -> ModelProto:
    """Every eighth pixel of a picture [1, 3, side, side] to float32 [1, 16, side / 8, side / 8]."""
    cells = side // STRIDE
    nodes = [
        helper.make_node("Slice", ["x", "start", "end", "axes", "step"], ["pixels"]),
        helper.make_node("Conv", ["pixels", "weights"], ["cells"]),
    ]
    constants = {
        "start": np.array([0, 0]),
        "end": np.array([side, side]),
        "axes": np.array([2, 3]),
        "step": np.array([STRIDE, STRIDE]),
        "weights": np.full((CHANNELS, 3, 1, 1), 1 / 255, np.float32),
    }
    inputs = [tiny_models.value("x", (1, 3, side, side))]
    outputs = [tiny_models.value("cells", (1, CHANNELS, cells, cells))]
    return tiny_models.model_of(nodes, inputs, outputs, constants)


def save_model(path: Path, side: int, latency_us: int) -> Path:
    """A file with one such model, one function call that keeps its core busy for so long."""
    spec = tiny_models.pack(network(side), path.stem, nv12_inputs=("x",), latency_us=latency_us)
    return tiny_models.save(path, spec)
