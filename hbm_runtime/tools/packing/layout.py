# SPDX-License-Identifier: Apache-2.0
"""How the accelerator lays tensors out in memory: data types, row pitch, buffer sizes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from onnx import TensorProto

from hbm_runtime.model_file import DATA_TYPE_NAMES, ELEMENT_SIZES
from hbm_runtime.tools.errors import ToolError

_ROW_ALIGNMENT = 32  # bytes, as on S100
_BUFFER_ALIGNMENT = 128  # bytes

_DATA_TYPES = {
    TensorProto.INT8: "S8",
    TensorProto.UINT8: "U8",
    TensorProto.FLOAT16: "F16",
    TensorProto.INT16: "S16",
    TensorProto.UINT16: "U16",
    TensorProto.FLOAT: "F32",
    TensorProto.INT32: "S32",
    TensorProto.UINT32: "U32",
    TensorProto.DOUBLE: "F64",
    TensorProto.INT64: "S64",
    TensorProto.UINT64: "U64",
    TensorProto.BOOL: "BOOL8",
}


class Layout(NamedTuple):
    """Strides in bytes and the bytes of a buffer, -1 where they are the caller's choice."""

    strides: tuple[int, ...]
    aligned_byte_size: int


def data_type_of(name: str, element_type: int) -> int:
    """The hbDNNDataType of an ONNX element type.

    Raises:
        ToolError: the accelerator has no such type.
    """
    if element_type not in _DATA_TYPES:
        known = {number: text for text, number in TensorProto.DataType.items()}
        raise ToolError(
            f"tensor {name!r} has elements of type {known.get(element_type, element_type)};"
            f" the accelerator has only {', '.join(_DATA_TYPES.values())}"
        )
    return DATA_TYPE_NAMES.index(_DATA_TYPES[element_type])


def layout_of(data_type: int, dims: Sequence[int], *, padding: bool) -> Layout:
    """Lay out a tensor: rows padded to 32 bytes as on a board, or dense; dynamic if a dim is -1."""
    element = ELEMENT_SIZES[data_type]
    if -1 in dims:
        return Layout((*[-1] * (len(dims) - 1), element), -1)
    strides = [element]
    for axis in range(len(dims) - 1, 0, -1):
        step = strides[0] * dims[axis]
        is_row = axis == len(dims) - 1
        strides.insert(0, round_up(step, _ROW_ALIGNMENT) if padding and is_row else step)
    return Layout(tuple(strides), round_up(strides[0] * dims[0], _BUFFER_ALIGNMENT))


def round_up(number: int, step: int) -> int:
    """The next multiple of a step."""
    return -(-number // step) * step
