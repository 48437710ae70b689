# SPDX-License-Identifier: Apache-2.0
"""Tiny ONNX models, and model files of them, for the tests of every storey."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from hbm_runtime import model_file
from hbm_runtime.model_file import ModelFile, ModelSpec
from hbm_runtime.tools.packing.build import pack_model
from hbm_runtime.tools.packing.options import PackOptions

OPSET = 13
IR_VERSION = 8
FOUR_BIT_OPSET, FOUR_BIT_IR_VERSION = 21, 10

# Every element type of a whole byte or more that the accelerator and ONNX have in common.
ELEMENT_TYPES = (
    TensorProto.INT8,
    TensorProto.UINT8,
    TensorProto.FLOAT16,
    TensorProto.INT16,
    TensorProto.UINT16,
    TensorProto.FLOAT,
    TensorProto.INT32,
    TensorProto.UINT32,
    TensorProto.DOUBLE,
    TensorProto.INT64,
    TensorProto.UINT64,
    TensorProto.BOOL,
)

Dims = Sequence[int | str]


def model_of(
    nodes: Sequence[NodeProto],
    inputs: Sequence[ValueInfoProto],
    outputs: Sequence[ValueInfoProto],
    constants: Mapping[str, Any] | None = None,
    *,
    opset: int = OPSET,
    ir_version: int = IR_VERSION,
) -> ModelProto:
    """A model of these nodes; `constants` are arrays by name, or tensors of that name."""
    initializers = [
        array
        if isinstance(array, TensorProto)
        else numpy_helper.from_array(np.asarray(array), name)
        for name, array in (constants or {}).items()
    ]
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, initializers)
    opsets = [helper.make_opsetid("", opset)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=ir_version)


def value(name: str, dims: Dims, element_type: int = TensorProto.FLOAT) -> ValueInfoProto:
    """An input or output; a dimension given as text is a symbol."""
    return helper.make_tensor_value_info(name, element_type, dims)


def identity(dims: Dims = (1, 4), element_type: int = TensorProto.FLOAT) -> ModelProto:
    """Pass x on as y."""
    node = helper.make_node("Identity", ["x"], ["y"])
    return model_of([node], [value("x", dims, element_type)], [value("y", dims, element_type)])


def add(dims: Dims = (1, 4), constant: float = 1.0) -> ModelProto:
    """Add a constant: y = x + constant, float32."""
    node = helper.make_node("Add", ["x", "constant"], ["y"])
    constants = {"constant": np.float32(constant)}
    return model_of([node], [value("x", dims)], [value("y", dims)], constants)


def all_types(dims: Dims = (1, 5)) -> ModelProto:
    """out_i = in_i for every type of `ELEMENT_TYPES`."""
    count = len(ELEMENT_TYPES)
    return model_of(
        [helper.make_node("Identity", [f"in_{i}"], [f"out_{i}"]) for i in range(count)],
        [value(f"in_{i}", dims, ELEMENT_TYPES[i]) for i in range(count)],
        [value(f"out_{i}", dims, ELEMENT_TYPES[i]) for i in range(count)],
    )


def dynamic() -> ModelProto:
    """Double x [N, 3, H, W]: y = 2 x, all but the channels dynamic."""
    dims = ("N", 3, "H", "W")
    node = helper.make_node("Mul", ["x", "two"], ["y"])
    return model_of([node], [value("x", dims)], [value("y", dims)], {"two": np.float32(2)})


def nonzero(dims: Dims = (1, 3)) -> ModelProto:
    """Where x is not zero: y int64 [rank of x, found], so that its values decide the shape."""
    node = helper.make_node("NonZero", ["x"], ["y"])
    outputs = [value("y", (len(dims), "found"), TensorProto.INT64)]
    return model_of([node], [value("x", dims)], outputs)


def converted(source: int, target: int, dims: Dims = (2, 6)) -> ModelProto:
    """Give out x as y of another element type; either may be 4-bit, not both.

    By way of float32: before 1.23 the engine knows 4-bit types only in (De)QuantizeLinear and
    Transpose. What a 4-bit y cannot hold is clipped.
    """
    four_bit = (TensorProto.INT4, TensorProto.UINT4)
    constants: dict[str, Any] = {"one": np.float32(1)}
    first = helper.make_node("Cast", ["x"], ["real"], to=TensorProto.FLOAT)
    last = helper.make_node("Cast", ["real"], ["y"], to=target)
    if source in four_bit:
        constants["zero"] = helper.make_tensor("zero", source, [], [0])
        first = helper.make_node("DequantizeLinear", ["x", "one", "zero"], ["real"])
    elif target in four_bit:
        constants["zero"] = helper.make_tensor("zero", target, [], [0])
        last = helper.make_node("QuantizeLinear", ["real", "one", "zero"], ["y"])
    return model_of(
        [first, last],
        [value("x", dims, source)],
        [value("y", dims, target)],
        constants,
        opset=FOUR_BIT_OPSET,
        ir_version=FOUR_BIT_IR_VERSION,
    )


def transposed(element_type: int, dims: Dims = (2, 6)) -> ModelProto:
    """Swap the axes of x, which may be 4-bit: y[j, i] = x[i, j]."""
    node = helper.make_node("Transpose", ["x"], ["y"], perm=[1, 0])
    return model_of(
        [node],
        [value("x", dims, element_type)],
        [value("y", dims[::-1], element_type)],
        opset=FOUR_BIT_OPSET,
        ir_version=FOUR_BIT_IR_VERSION,
    )


def two_inputs_three_outputs() -> ModelProto:
    """From a and b [2, 3]: total = a + b, difference = a - b, flat = total as one row."""
    nodes = [
        helper.make_node("Add", ["a", "b"], ["total"]),
        helper.make_node("Sub", ["a", "b"], ["difference"]),
        helper.make_node("Reshape", ["total", "row"], ["flat"]),
    ]
    inputs = [value("a", (2, 3)), value("b", (2, 3))]
    outputs = [value("total", (2, 3)), value("difference", (2, 3)), value("flat", (6,))]
    return model_of(nodes, inputs, outputs, {"row": np.array([6])})


def int32_255_channels(side: int = 21) -> ModelProto:
    """A detector's head like a board's: image [1, 3, side, side] to int32 [1, side, side, 255]."""
    weights = np.random.default_rng(0).standard_normal((255, 3, 1, 1)).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["image", "weights"], ["levels"]),
        helper.make_node("Transpose", ["levels"], ["channels_last"], perm=[0, 2, 3, 1]),
        helper.make_node("Mul", ["channels_last", "thousand"], ["large"]),
        helper.make_node("Cast", ["large"], ["head"], to=TensorProto.INT32),
    ]
    return model_of(
        nodes,
        [value("image", (1, 3, side, side))],
        [value("head", (1, side, side, 255), TensorProto.INT32)],
        {"weights": weights, "thousand": np.float32(1000)},
    )


def conv(height: int = 8, width: int = 12, *, channels_last: bool = False) -> ModelProto:
    """A network on an image: x [1, 3, height, width] (or NHWC) to y [1, 4, height, width]."""
    random = np.random.default_rng(1)
    dims = (1, height, width, 3) if channels_last else (1, 3, height, width)
    nodes = [helper.make_node("Conv", ["image", "weights", "bias"], ["y"], pads=[1, 1, 1, 1])]
    how = {"perm": [0, 3, 1, 2]} if channels_last else {"perm": [0, 1, 2, 3]}
    nodes.insert(0, helper.make_node("Transpose", ["x"], ["image"], **how))
    return model_of(
        nodes,
        [value("x", dims)],
        [value("y", (1, 4, height, width))],
        {
            "weights": random.standard_normal((4, 3, 3, 3)).astype(np.float32),
            "bias": random.standard_normal(4).astype(np.float32),
        },
    )


def scalar_output() -> ModelProto:
    """Sum up x [2, 3] into y of rank 0."""
    node = helper.make_node("ReduceSum", ["x"], ["y"], keepdims=0)
    return model_of([node], [value("x", (2, 3))], [value("y", ())])


def slow(multiplications: int = 100, size: int = 256) -> ModelProto:
    """Multiply x by the identity matrix, again and again: milliseconds of work, and y equals x."""
    names = ["x", *[f"v{i}" for i in range(multiplications - 1)], "y"]
    nodes = [
        helper.make_node("MatMul", [names[i], "one"], [names[i + 1]])
        for i in range(multiplications)
    ]
    dims = (size, size)
    one = {"one": np.eye(size, dtype=np.float32)}
    return model_of(nodes, [value("x", dims)], [value("y", dims)], one)


def pack(model: ModelProto, name: str = "tiny", **options: Any) -> ModelSpec:
    """The model as `hbm pack` packs it; `options` are those of PackOptions."""
    return pack_model(model, PackOptions(name, **options)).spec


def save(path: Path, *models: ModelSpec, description: str = "", march: str = "") -> Path:
    """Write a model file and return its path."""
    model_file.write(path, ModelFile(models, description, march))
    return path
