# SPDX-License-Identifier: Apache-2.0
"""Models with the names, tensors and layouts that the vendor's manual shows, tiny inside."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tiny_models
from onnx import ModelProto, TensorProto, helper


def lanenet() -> ModelProto:
    """One float image in, two maps out."""
    nodes = [
        helper.make_node("ReduceMean", ["input"], ["instance_seg_logits"], axes=[1], keepdims=1),
        helper.make_node("Greater", ["instance_seg_logits", "half"], ["above"]),
        helper.make_node("Cast", ["above"], ["binary_seg_pred"], to=TensorProto.INT8),
    ]
    dims = (1, 1, 256, 512)
    outputs = [
        tiny_models.value("instance_seg_logits", dims),
        tiny_models.value("binary_seg_pred", dims, TensorProto.INT8),
    ]
    inputs = [tiny_models.value("input", (1, 3, 256, 512))]
    return tiny_models.model_of(nodes, inputs, outputs, {"half": np.float32(0.5)})


def yolov5x() -> ModelProto:
    """One image in, three int32 heads of 255 channels out, at strides 8, 16 and 32."""
    nodes, outputs = [], []
    constants = {"weights": np.full((255, 3, 1, 1), 2.0, np.float32)}
    for name, stride in (("output", 8), ("1310", 16), ("1312", 32)):
        side = 672 // stride
        nodes += [
            helper.make_node(
                "AveragePool", ["data"], [f"pooled_{name}"],
                kernel_shape=[stride, stride], strides=[stride, stride],
            ),
            helper.make_node("Conv", [f"pooled_{name}", "weights"], [f"levels_{name}"]),
            helper.make_node(
                "Transpose", [f"levels_{name}"], [f"last_{name}"], perm=[0, 2, 3, 1]
            ),
            helper.make_node("Cast", [f"last_{name}"], [name], to=TensorProto.INT32),
        ]  # fmt: skip
        outputs.append(tiny_models.value(name, (1, side, side, 255), TensorProto.INT32))
    return tiny_models.model_of(
        nodes, [tiny_models.value("data", (1, 3, 672, 672))], outputs, constants
    )


def save_all(folder: Path) -> None:
    """Write both model files under the manual's file names."""
    tiny_models.save(folder / "lanenet256x512.hbm", tiny_models.pack(lanenet(), "lanenet256x512"))
    name = "yolov5x_672x672_nv12"
    tiny_models.save(
        folder / f"{name}.hbm", tiny_models.pack(yolov5x(), name, nv12_inputs=("data",))
    )
