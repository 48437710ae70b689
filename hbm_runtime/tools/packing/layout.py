# SPDX-License-Identifier: Apache-2.0
"""How the accelerator lays tensors out in memory: data types, row pitch, buffer sizes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from onnx import TensorProto, helper

from hbm_runtime._data_types import FOUR_BIT, NUMPY_DTYPES
from hbm_runtime.chips import CHIPS
from hbm_runtime.model_file import DATA_TYPE_NAMES, ELEMENT_SIZES, rows_share_bytes, storage_shape
from hbm_runtime.tools.errors import ToolError
from hbm_runtime.tools.packing import four_bit

_BUFFER_ALIGNMENT = 128  # bytes

_DATA_TYPES = four_bit.DATA_TYPES | {
    helper.np_dtype_to_tensor_dtype(dtype): data_type
    for data_type, dtype in NUMPY_DTYPES.items()
    if data_type not in FOUR_BIT
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
            f" the accelerator has only {', '.join(DATA_TYPE_NAMES)}"
        )
    return int(_DATA_TYPES[element_type])


def check_rows(name: str, data_type: int, dims: Sequence[int]) -> None:
    """Check that every row of a 4-bit tensor begins with a byte of its own.

    Raises:
        ToolError: it does not.
    """
    if rows_share_bytes(data_type, dims):
        raise ToolError(
            f"4-bit tensor {name!r} has the shape {list(dims)}; two elements share a byte, so"
            " the last dimension must be even (unless all others are 1): pad it in the model"
        )


def row_alignment(march: str) -> int:
    """Bytes that rows are padded to on the chip of a march; "" is any."""
    alignments = {chip.march: chip.row_alignment for chip in CHIPS.values()}
    return alignments.get(march, min(alignments.values()))


def layout_of(
    data_type: int,
    dims: Sequence[int],
    *,
    padding: int,
    largest: Sequence[int] | None = None,
    row_axes: int = 1,
) -> Layout:
    """Lay out a tensor: rows padded as on a board, or dense; dynamic if a dim is -1.

    Args:
        data_type: hbDNNDataType.
        dims: at least one; -1 is dynamic.
        padding: bytes that rows are padded to; 1 for dense ones.
        row_axes: the last dimensions that make a row: 2 of pixels with channels last.
        largest: the dimensions of a dynamic output at its largest, which come densely.
    """
    unit = ELEMENT_SIZES[data_type]
    if -1 in dims:
        dynamic = (*[-1] * (len(dims) - 1), unit)
        if largest is None:
            return Layout(dynamic, -1)
        return Layout(dynamic, round_up(dense_size(data_type, largest), _BUFFER_ALIGNMENT))
    units = storage_shape(data_type, dims)
    strides = [unit]
    for axis in range(len(units) - 1, 0, -1):
        step = strides[0] * units[axis]
        is_row = axis == len(units) - row_axes
        strides.insert(0, round_up(step, padding) if is_row else step)
    return Layout(tuple(strides), round_up(strides[0] * units[0], _BUFFER_ALIGNMENT))


def dense_size(data_type: int, dims: Sequence[int]) -> int:
    """Bytes of a tensor without padding."""
    return ELEMENT_SIZES[data_type] * math.prod(storage_shape(data_type, dims))


def round_up(number: int, step: int) -> int:
    """The next multiple of a step."""
    return -(-number // step) * step
