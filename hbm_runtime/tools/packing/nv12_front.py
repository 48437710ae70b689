# SPDX-License-Identifier: Apache-2.0
"""The NV12 front: a network's image input X becomes X_y and X_uv, converted inside the graph."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from onnx import ModelProto, TensorProto, helper

from hbm_runtime.tools.errors import ToolError
from hbm_runtime.tools.packing.graph import named, replace_input, value_names
from hbm_runtime.tools.packing.options import PictureOptions
from hbm_runtime.tools.packing.picture_front import Front, image_input

OPSET = 11  # Resize as it still is, Clip with inputs

# BT.601: weights of red and blue in the luma.
_KR, _KB = 0.299, 0.114
_CHROMA_ZERO = 128.0
_LIMITED_BLACK, _LIMITED_LUMA_LEVELS, _LIMITED_CHROMA_LEVELS = 16.0, 219.0, 224.0


class ColorMatrix(NamedTuple):
    """rgb = luma_gain * luma + chroma @ (u, v) + bias, in levels of 0..255.

    Attributes:
        luma_gain: factor of the luma (after a floor of `luma_floor`).
        luma_floor: darker luma counts as this level.
        chroma: float64 [3, 2], rows red, green, blue.
        bias: float64 [3].
    """

    luma_gain: float
    luma_floor: float
    chroma: npt.NDArray[np.float64]
    bias: npt.NDArray[np.float64]


def color_matrix(levels: str) -> ColorMatrix:
    """BT.601 for `levels` "full" or "limited"."""
    limited = levels == "limited"
    luma_gain = 255.0 / _LIMITED_LUMA_LEVELS if limited else 1.0
    chroma_gain = 255.0 / _LIMITED_CHROMA_LEVELS if limited else 1.0
    floor = _LIMITED_BLACK if limited else 0.0
    green = 1.0 - _KR - _KB
    chroma = chroma_gain * np.array(
        [
            [0.0, 2 * (1 - _KR)],
            [-2 * _KB * (1 - _KB) / green, -2 * _KR * (1 - _KR) / green],
            [2 * (1 - _KB), 0.0],
        ]
    )
    bias = -_CHROMA_ZERO * chroma.sum(axis=1) - floor * luma_gain
    return ColorMatrix(luma_gain, floor, chroma, bias)


def part_names(name: str) -> tuple[str, str]:
    """Names of the luma and the chroma part of an NV12 input."""
    return f"{name}_y", f"{name}_uv"


def add_nv12_front(model: ModelProto, name: str, options: PictureOptions) -> None:
    """Put the conversion before input `name` and its two parts in its place.

    The chroma is converted at half size and then repeated: the same result as the other way
    round, for a quarter of the work. QuantizeLinear rounds and clips to 0..255 at once.

    Raises:
        ToolError: the input cannot become NV12.
    """
    graph = model.graph
    value = named(graph.input, name)
    image = image_input(value, options)
    height, width = image.height, image.width
    luma_name, chroma_name = part_names(name)
    for part in (luma_name, chroma_name):
        if part in value_names(graph):
            raise ToolError(f"--nv12 {name}: the model already has a value named {part!r}")

    matrix = color_matrix(options.range)
    order = [0, 1, 2] if options.color == "rgb" else [2, 1, 0]
    front = Front(model, f"{name}/nv12")

    luma = front.node("Cast", [luma_name], "luma", to=TensorProto.FLOAT)
    # Before the arithmetic: the engine is slow on a last dimension of 1.
    luma = front.reshape(luma, [1, 1, height, width], "luma_nchw")
    if matrix.luma_floor:
        floor = front.constant(np.float32(matrix.luma_floor), "floor")
        luma = front.node("Clip", [luma, floor], "luma_floored")
    if matrix.luma_gain != 1.0:
        gain = front.constant(np.float32(matrix.luma_gain), "luma_gain")
        luma = front.node("Mul", [luma, gain], "luma_scaled")

    chroma = front.node("Cast", [chroma_name], "chroma", to=TensorProto.FLOAT)
    chroma = front.reshape(chroma, [height * width // 4, 2], "chroma_rows")
    weight = front.constant(matrix.chroma[order].astype(np.float32), "chroma_matrix")
    bias = front.constant(matrix.bias[order].astype(np.float32).reshape(3, 1), "bias")
    chroma = front.node("Gemm", [weight, chroma, bias], "chroma_rgb", transB=1)
    chroma = front.reshape(chroma, [1, 3, height // 2, width // 2], "chroma_nchw")
    region = front.constant(np.empty(0, np.float32), "region")  # opset 11 and 12 insist on one
    double = front.constant(np.array([1, 1, 2, 2], np.float32), "double")
    chroma = front.node(
        "Resize",
        [chroma, region, double],
        "chroma_full_size",
        mode="nearest",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )

    levels = front.node("Add", [luma, chroma], "levels")
    one, zero = front.constant(np.float32(1), "one"), front.constant(np.uint8(0), "zero")
    pixels = front.node("QuantizeLinear", [levels, one, zero], "pixels")
    if image.channels_last:
        pixels = front.node("Transpose", [pixels], "pixels_nhwc", perm=[0, 2, 3, 1])
    result = front.normalize(pixels, options, image, value.type.tensor_type.elem_type)
    front.node("Identity", [result], output=name)

    front.add_to_graph(in_front=True)
    luma_dims, chroma_dims = [1, height, width, 1], [1, height // 2, width // 2, 2]
    parts = ((luma_name, luma_dims), (chroma_name, chroma_dims))
    replace_input(
        graph,
        name,
        [helper.make_tensor_value_info(part, TensorProto.UINT8, dims) for part, dims in parts],
    )
