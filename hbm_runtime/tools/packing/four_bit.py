# SPDX-License-Identifier: Apache-2.0
"""Values of 4-bit tensors, int8 or uint8 in numpy, and their bytes of two, the first one low."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import TensorProto

from hbm_runtime.tools.errors import ToolError
from hbm_runtime.tools.packing.options import integer_range

Array = npt.NDArray[Any]

OPSET, IR_VERSION = 21, 10  # ONNX has 4-bit types from here on

NAMES = {TensorProto.INT4: "int4", TensorProto.UINT4: "uint4"}
DTYPES: dict[int, npt.DTypeLike] = {TensorProto.INT4: np.int8, TensorProto.UINT4: np.uint8}


def pack_four_bit(name: str, values: Array, element_type: int) -> Array:
    """The bytes of 4-bit values, uint8 [ceil(size / 2)].

    Args:
        name: of the input that they are for.
        values: any shape, int8 for INT4 and uint8 for UINT4.
        element_type: INT4 or UINT4.

    Raises:
        ToolError: another dtype, or a value outside of the range.
    """
    low, high = integer_range(NAMES[element_type])
    if values.dtype != DTYPES[element_type] or (
        values.size and not low <= values.min() <= values.max() <= high
    ):
        dtype = np.dtype(DTYPES[element_type])
        raise ToolError(
            f"input {name!r} has 4-bit elements: give them as {dtype} of {low}..{high}, not as"
            f" {values.dtype} of {values.min(initial=0)}..{values.max(initial=0)}"
        )
    halves = np.zeros(values.size + values.size % 2, np.uint8)
    halves[: values.size] = values.ravel().view(np.uint8) & 0x0F
    stored: Array = halves[0::2] | halves[1::2] << 4
    return stored


def unpack_four_bit(stored: Array, shape: Sequence[int], element_type: int) -> Array:
    """The values in the bytes, int8 or uint8 in the given shape."""
    halves = np.stack([stored & 0x0F, stored >> 4], axis=-1).ravel()[: np.prod(shape, dtype=int)]
    values: Array = halves.reshape(shape).astype(DTYPES[element_type])
    if element_type == TensorProto.INT4:
        values = np.where(values > 7, values - 16, values).astype(np.int8)
    return values
