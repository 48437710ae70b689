# SPDX-License-Identifier: Apache-2.0
"""The 4-bit types of ONNX: their values are int8 or uint8 in numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import TensorProto

from hbm_runtime.four_bit import pack_four_bit
from hbm_runtime.tools.errors import ToolError
from hbm_runtime.tools.packing.options import integer_range
from hbm_runtime.types import hbDNNDataType

Array = npt.NDArray[Any]

OPSET, IR_VERSION = 21, 10  # ONNX has 4-bit types from here on

DATA_TYPES = {TensorProto.INT4: hbDNNDataType.S4, TensorProto.UINT4: hbDNNDataType.U4}
NAMES = {TensorProto.INT4: "int4", TensorProto.UINT4: "uint4"}
DTYPES: dict[int, npt.DTypeLike] = {TensorProto.INT4: np.int8, TensorProto.UINT4: np.uint8}


def packed_input(name: str, values: Array, element_type: int) -> Array:
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
    return pack_four_bit(values.ravel(), DATA_TYPES[element_type])
