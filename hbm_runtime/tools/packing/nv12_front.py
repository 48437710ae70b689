# SPDX-License-Identifier: Apache-2.0
"""The NV12 front: a network's image input X becomes X_y and X_uv, converted inside the graph."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from hbm_runtime.tools.errors import ToolError
from hbm_runtime.tools.packing.graph import (
    dims_of,
    prepend_nodes,
    replace_input,
    unique_name,
    value_names,
)
from hbm_runtime.tools.packing.options import Nv12Options

OPSET = 11  # Resize as it still is, Clip with inputs

# BT.601: weights of red and blue in the luma.
_KR, _KB = 0.299, 0.114
_CHROMA_ZERO = 128.0
_LIMITED_BLACK, _LIMITED_LUMA_LEVELS, _LIMITED_CHROMA_LEVELS = 16.0, 219.0, 224.0

_ELEMENT_TYPES = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.UINT8)


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


class ImageInput(NamedTuple):
    """An image input of a network: height and width in pixels, and where its channels are."""

    height: int
    width: int
    channels_last: bool


def image_input(value: ValueInfoProto, options: Nv12Options) -> ImageInput:
    """Find height, width and channels of an input that is to become NV12.

    Raises:
        ToolError: the input is no image of one picture with even sides, or its layout is unclear.
    """
    name, dims = value.name, dims_of(value)
    if dims is None or len(dims) != 4 or -1 in dims:
        raise ToolError(f"--nv12 {name}: needs four fixed dimensions, the input has {dims}")
    if dims[0] != 1:
        raise ToolError(
            f"--nv12 {name}: an NV12 input holds one picture, but the batch is {dims[0]};"
            f" use --shape {name}=1,… (or export the model with a batch of 1)"
        )
    candidates = [layout for layout, axis in (("nchw", 1), ("nhwc", 3)) if dims[axis] == 3]
    layout = options.layout or (candidates[0] if len(candidates) == 1 else "")
    if not candidates or (layout and layout not in candidates):
        where = f"where {layout.upper()} has them " if layout else ""
        raise ToolError(f"--nv12 {name}: there are no three channels {where}in the shape {dims}")
    if not layout:
        raise ToolError(f"--nv12 {name}: the shape {dims} may be either; say --layout nchw or nhwc")
    height, width = (dims[2], dims[3]) if layout == "nchw" else (dims[1], dims[2])
    if height % 2 or width % 2:
        raise ToolError(
            f"--nv12 {name}: NV12 needs an even height and width, the input has"
            f" {height} rows and {width} columns"
        )
    if value.type.tensor_type.elem_type not in _ELEMENT_TYPES:
        raise ToolError(f"--nv12 {name}: the input's elements must be float32, float16 or uint8")
    is_normalized = any(options.mean) or any(number != 1 for number in options.scale)
    if value.type.tensor_type.elem_type == TensorProto.UINT8 and is_normalized:
        raise ToolError(
            f"--nv12 {name}: the input takes uint8 pixels; leave out --mean and --scale"
        )
    return ImageInput(height, width, layout == "nhwc")


def part_names(name: str) -> tuple[str, str]:
    """Names of the luma and the chroma part of an NV12 input."""
    return f"{name}_y", f"{name}_uv"


def add_nv12_front(model: ModelProto, name: str, options: Nv12Options) -> None:
    """Put the conversion before input `name` and its two parts in its place.

    The chroma is converted at half size and then repeated: the same result as the other way
    round, for a quarter of the work. QuantizeLinear rounds and clips to 0..255 at once.

    Raises:
        ToolError: the input cannot become NV12.
    """
    graph = model.graph
    value = next(value for value in graph.input if value.name == name)
    image = image_input(value, options)
    height, width = image.height, image.width
    luma_name, chroma_name = part_names(name)
    for part in (luma_name, chroma_name):
        if part in value_names(graph):
            raise ToolError(f"--nv12 {name}: the model already has a value named {part!r}")

    matrix = color_matrix(options.range)
    order = [0, 1, 2] if options.color == "rgb" else [2, 1, 0]
    front = _Front(model, name)

    luma = front.node("Cast", [luma_name], "luma", to=TensorProto.FLOAT)
    # Before the arithmetic: the engine is slow on a last dimension of 1.
    luma = front.reshape(luma, [1, 1, height, width], "luma_nchw")
    if matrix.luma_floor:
        floor = front.constant("floor", np.float32(matrix.luma_floor))
        luma = front.node("Clip", [luma, floor], "luma_floored")
    if matrix.luma_gain != 1.0:
        gain = front.constant("luma_gain", np.float32(matrix.luma_gain))
        luma = front.node("Mul", [luma, gain], "luma_scaled")

    chroma = front.node("Cast", [chroma_name], "chroma", to=TensorProto.FLOAT)
    chroma = front.reshape(chroma, [height * width // 4, 2], "chroma_rows")
    weight = front.constant("chroma_matrix", matrix.chroma[order].astype(np.float32))
    bias = front.constant("bias", matrix.bias[order].astype(np.float32).reshape(3, 1))
    chroma = front.node("Gemm", [weight, chroma, bias], "chroma_rgb", transB=1)
    chroma = front.reshape(chroma, [1, 3, height // 2, width // 2], "chroma_nchw")
    region = front.constant("region", np.empty(0, np.float32))  # opset 11 and 12 insist on one
    double = front.constant("double", np.array([1, 1, 2, 2], np.float32))
    chroma = front.node(
        "Resize",
        [chroma, region, double],
        "chroma_full_size",
        mode="nearest",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )

    levels = front.node("Add", [luma, chroma], "levels")
    one, zero = front.constant("one", np.float32(1)), front.constant("zero", np.uint8(0))
    pixels = front.node("QuantizeLinear", [levels, one, zero], "pixels")
    if image.channels_last:
        pixels = front.node("Transpose", [pixels], "pixels_nhwc", perm=[0, 2, 3, 1])
    result = front.normalize(pixels, options, image, value.type.tensor_type.elem_type)
    front.node_into("Identity", [result], name)

    prepend_nodes(graph, front.nodes)
    graph.initializer.extend(front.constants)
    luma_dims, chroma_dims = [1, height, width, 1], [1, height // 2, width // 2, 2]
    parts = ((luma_name, luma_dims), (chroma_name, chroma_dims))
    replace_input(
        graph,
        name,
        [helper.make_tensor_value_info(part, TensorProto.UINT8, dims) for part, dims in parts],
    )


class _Front:
    """Collects nodes and constants whose names say which input they serve."""

    def __init__(self, model: ModelProto, name: str) -> None:
        self._graph = model.graph
        self._prefix = f"{name}/nv12"
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []

    def constant(self, label: str, array: npt.ArrayLike) -> str:
        name = unique_name(self._graph, f"{self._prefix}/{label}")
        self.constants.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def node(self, operator: str, inputs: list[str], label: str, **attributes: Any) -> str:
        output = unique_name(self._graph, f"{self._prefix}/{label}")
        return self.node_into(operator, inputs, output, **attributes)

    def node_into(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        name = f"{self._prefix}/{operator}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [output], name=name, **attributes))
        return output

    def reshape(self, value: str, dims: list[int], label: str) -> str:
        shape = self.constant(f"{label}_shape", np.array(dims, np.int64))
        return self.node("Reshape", [value, shape], label)

    def normalize(
        self, pixels: str, options: Nv12Options, image: ImageInput, element_type: int
    ) -> str:
        if element_type == TensorProto.UINT8:
            return pixels
        result = self.node("Cast", [pixels], "pixels_float", to=TensorProto.FLOAT)
        per_channel = (1, 1, 1, -1) if image.channels_last else (1, -1, 1, 1)
        if any(options.mean):
            mean = self.constant("mean", np.array(options.mean, np.float32).reshape(per_channel))
            result = self.node("Sub", [result, mean], "centred")
        if any(number != 1 for number in options.scale):
            scale = self.constant("scale", np.array(options.scale, np.float32).reshape(per_channel))
            result = self.node("Mul", [result, scale], "scaled")
        if element_type == TensorProto.FLOAT16:
            result = self.node("Cast", [result], "half", to=TensorProto.FLOAT16)
        return result
