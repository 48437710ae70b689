# SPDX-License-Identifier: Apache-2.0
"""The table of the accelerator's data types: the numpy type and storage of their elements."""

from __future__ import annotations

from typing import Any

import numpy as np

from hbm_runtime.types import hbDNNDataType

#: Of the arrays that ``run`` takes and returns; the 4-bit types come as bytes of two elements.
NUMPY_DTYPES: dict[hbDNNDataType, np.dtype[Any]] = {
    hbDNNDataType.S4: np.dtype(np.uint8),
    hbDNNDataType.U4: np.dtype(np.uint8),
    hbDNNDataType.S8: np.dtype(np.int8),
    hbDNNDataType.U8: np.dtype(np.uint8),
    hbDNNDataType.F16: np.dtype(np.float16),
    hbDNNDataType.S16: np.dtype(np.int16),
    hbDNNDataType.U16: np.dtype(np.uint16),
    hbDNNDataType.F32: np.dtype(np.float32),
    hbDNNDataType.S32: np.dtype(np.int32),
    hbDNNDataType.U32: np.dtype(np.uint32),
    hbDNNDataType.F64: np.dtype(np.float64),
    hbDNNDataType.S64: np.dtype(np.int64),
    hbDNNDataType.U64: np.dtype(np.uint64),
    hbDNNDataType.BOOL8: np.dtype(np.bool_),
}
FOUR_BIT = (hbDNNDataType.S4, hbDNNDataType.U4)

_BY_KIND = {
    (dtype.kind, dtype.itemsize): data_type
    for data_type, dtype in NUMPY_DTYPES.items()
    if data_type not in FOUR_BIT
}


def data_type_of(dtype: np.dtype[Any]) -> hbDNNDataType | None:
    """Return the accelerator's data type of a numpy one, in any byte order; None without one."""
    return _BY_KIND.get((dtype.kind, dtype.itemsize))


def storage_shape(shape: tuple[int, ...], data_type: int) -> tuple[int, ...]:
    """Return the shape of the array for a tensor's shape: two 4-bit elements make a byte."""
    if data_type in FOUR_BIT and shape and shape[-1] > 0:
        return (*shape[:-1], (shape[-1] + 1) // 2)
    return shape
