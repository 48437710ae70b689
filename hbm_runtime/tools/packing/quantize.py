# SPDX-License-Identifier: Apache-2.0
"""Integer inputs and outputs: the nodes that convert at the edge of the graph."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from onnx import ModelProto, TensorProto, ValueInfoProto

from hbm_runtime.tools.errors import ToolError
from hbm_runtime.tools.packing.graph import dims_of, named
from hbm_runtime.tools.packing.new_nodes import NewNodes
from hbm_runtime.tools.packing.options import (
    InputQuantization,
    OutputQuantization,
    integer_range,
)

OPSET = 11  # Round, and Clip with inputs

_FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16)
_INTEGERS = {
    "int8": TensorProto.INT8,
    "uint8": TensorProto.UINT8,
    "int16": TensorProto.INT16,
    "int32": TensorProto.INT32,
}
_LEAST_RANK_WITH_CHANNELS = 2
_ELEMENT_BY_ELEMENT = ("Identity", "Relu", "Sigmoid", "Clip", "LeakyRelu", "Tanh", "Cast",
                       "QuantizeLinear", "DequantizeLinear")  # fmt: skip
_LARGEST_FLOAT32_BELOW_2_31 = 2147483520.0


class QuantizationInfo(NamedTuple):
    """What the metadata says of an integer tensor: real = (stored - zero_point) * scale.

    Attributes:
        axis: axis of the scales, -1 for one scale.
        scale: float32 values.
        zero_point: as many as scales.
    """

    axis: int
    scale: tuple[float, ...]
    zero_point: tuple[int, ...]


def with_channel_axis(
    model: ModelProto, name: str, quantization: OutputQuantization
) -> OutputQuantization:
    """The same with the axis of the channels, where one scale per channel is wanted.

    That is axis 1, as a convolution has it, or the last one behind a transposition to channels
    last. A vector has one scale.
    """
    if not quantization.per_channel:
        return quantization
    value = named(model.graph.output, name)
    rank = len(dims_of(value) or [])
    axis = None if rank < _LEAST_RANK_WITH_CHANNELS else 1
    maker = {output: node for node in model.graph.node for output in node.output}
    while axis is not None and name in maker:
        node = maker[name]
        if node.op_type == "Transpose":
            order = next((list(a.ints) for a in node.attribute if a.name == "perm"), [])
            if order == [0, *range(2, rank), 1]:
                axis = rank - 1
            break
        if node.op_type not in _ELEMENT_BY_ELEMENT:
            break
        name = node.input[0]
    return replace(quantization, axis=axis, per_channel=False)


def checked_axis(value: ValueInfoProto, quantization: OutputQuantization) -> int | None:
    """The axis of the scales as 0..rank-1, None for one scale.

    Raises:
        ToolError: the output is not float, has no such axis, or the number of scales is wrong.
    """
    name, dims = value.name, dims_of(value) or []
    if value.type.tensor_type.elem_type not in _FLOATS:
        raise ToolError(f"--output-type {name}: the output is not float")
    if quantization.axis is None:
        return None
    axis = quantization.axis + len(dims) if quantization.axis < 0 else quantization.axis
    if not 0 <= axis < len(dims):
        raise ToolError(
            f"--output-type {name}: there is no axis {quantization.axis} in the shape {dims}"
        )
    if dims[axis] == -1:
        raise ToolError(f"--output-type {name}: axis {axis} is dynamic")
    if quantization.scales and len(quantization.scales) != dims[axis]:
        raise ToolError(
            f"--output-type {name}: {len(quantization.scales)} scales for the {dims[axis]}"
            f" entries of axis {axis}"
        )
    return axis


def quantize_output(
    model: ModelProto, name: str, quantization: OutputQuantization, scales: tuple[float, ...]
) -> QuantizationInfo:
    """Make output `name` an integer: stored = clip(round(real / scale) + zero_point).

    Args:
        model: changed in place.
        name: the output.
        quantization: its integer type, axis and zero point.
        scales: one, or one per entry of the axis.

    Raises:
        ToolError: see `checked_axis`.
    """
    value = named(model.graph.output, name)
    axis = checked_axis(value, quantization)
    dims = dims_of(value) or []
    edge = NewNodes(model, f"{name}/quantize")
    real = edge.move_aside(value, "real")
    if value.type.tensor_type.elem_type == TensorProto.FLOAT16:
        real = edge.node("Cast", [real], to=TensorProto.FLOAT)
    integer = _INTEGERS[quantization.data_type]
    scale = np.array(scales, np.float32)
    zero_point = quantization.zero_point
    if quantization.data_type == "int8" and axis is None:
        parameters = [edge.constant(scale[0]), edge.constant(np.int8(zero_point))]
        edge.node("QuantizeLinear", [real, *parameters], output=name)
    else:  # ONNX Runtime has no QuantizeLinear to int32, and to int16 only from opset 21 on
        per_axis = [-1 if index == axis else 1 for index in range(len(dims))]
        divisor = scale.reshape(per_axis) if axis is not None else scale[0]
        result = edge.node("Div", [real, edge.constant(divisor)])
        result = edge.node("Round", [result])
        if zero_point:
            result = edge.node("Add", [result, edge.constant(np.float32(zero_point))])
        low, high = integer_range(quantization.data_type)
        bounds = [np.float32(low), np.float32(min(high, _LARGEST_FLOAT32_BELOW_2_31))]
        result = edge.node("Clip", [result, *map(edge.constant, bounds)])
        edge.node("Cast", [result], output=name, to=integer)
    edge.add_to_graph(in_front=False)
    value.type.tensor_type.elem_type = integer
    return QuantizationInfo(
        -1 if axis is None else axis,
        tuple(float(number) for number in scale),
        (zero_point,) * len(scale),
    )


def quantize_input(
    model: ModelProto, name: str, quantization: InputQuantization
) -> QuantizationInfo:
    """Make input `name` an integer: real = (stored - zero_point) * scale.

    Raises:
        ToolError: the input is not float.
    """
    value = named(model.graph.input, name)
    element_type = value.type.tensor_type.elem_type
    if element_type not in _FLOATS:
        raise ToolError(f"--quantize-input {name}: the input is not float")
    edge = NewNodes(model, f"{name}/quantize")
    real = edge.move_aside(value, "real")
    integer = np.int8 if quantization.data_type == "int8" else np.uint8
    scale = np.float32(quantization.scale)
    parameters = [edge.constant(scale), edge.constant(integer(quantization.zero_point))]
    if element_type == TensorProto.FLOAT16:
        wide = edge.node("DequantizeLinear", [name, *parameters])
        edge.node("Cast", [wide], output=real, to=TensorProto.FLOAT16)
    else:
        edge.node("DequantizeLinear", [name, *parameters], output=real)
    edge.add_to_graph(in_front=True)
    value.type.tensor_type.elem_type = _INTEGERS[quantization.data_type]
    return QuantizationInfo(-1, (float(scale),), (quantization.zero_point,))
