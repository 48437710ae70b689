# SPDX-License-Identifier: Apache-2.0
"""Packs and unpacks the elements of S4 and U4 tensors, which numpy has no type for."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from hbm_runtime.errors import HBMInputError
from hbm_runtime.types import hbDNNDataType

_RANGES = {hbDNNDataType.S4: (-8, 7), hbDNNDataType.U4: (0, 15)}


def pack_four_bit(values: npt.NDArray[Any], data_type: hbDNNDataType) -> npt.NDArray[np.uint8]:
    """Pack integers into the bytes of a 4-bit tensor.

    Two neighbours along the last axis share a byte, the first in its low half; a row of odd length
    ends with a half byte of 0.

    Args:
        values: Integers, -8 to 7 for S4 and 0 to 15 for U4, of shape [..., n].
        data_type: ``hbDNNDataType.S4`` or ``U4``.

    Returns:
        uint8 [..., (n + 1) // 2], as ``run`` takes it.

    Raises:
        HBMInputError: Another data type, no integers, or a value out of range.

    Examples:
        >>> import numpy as np
        >>> from hbm_runtime import hbDNNDataType, pack_four_bit
        >>> pack_four_bit(np.array([1, 2, 3]), hbDNNDataType.U4).tolist()  # 0x21, 0x03
        [33, 3]
    """
    low, high = _range_of(data_type)
    array = np.asarray(values)
    if array.dtype.kind not in "iu" or array.ndim == 0:
        raise HBMInputError(
            f"expected an array of integers of at least one axis, got {array.dtype} of shape "
            f"{list(array.shape)}"
        )
    if array.size and not (low <= array.min() and array.max() <= high):
        raise HBMInputError(
            f"{data_type.name} holds {low} to {high}, got {array.min()} to {array.max()}"
        )
    nibbles: npt.NDArray[np.uint8] = np.bitwise_and(array.astype(np.uint8), np.uint8(0x0F))
    if nibbles.shape[-1] % 2:
        nibbles = np.concatenate([nibbles, np.zeros_like(nibbles[..., :1])], axis=-1)
    packed: npt.NDArray[np.uint8] = nibbles[..., 0::2] | (nibbles[..., 1::2] << np.uint8(4))
    return packed


def unpack_four_bit(
    packed: npt.NDArray[np.uint8], data_type: hbDNNDataType, length: int | None = None
) -> npt.NDArray[Any]:
    """Unpack the bytes of a 4-bit tensor.

    Args:
        packed: uint8 [..., m], as ``run`` returns it.
        data_type: ``hbDNNDataType.S4`` or ``U4``.
        length: Elements of the last axis, 2 m or 2 m - 1; 2 m when not given.

    Returns:
        int8 (S4) or uint8 (U4) of shape [..., length].

    Raises:
        HBMInputError: Another data type, no bytes, or a length that does not fit.

    Examples:
        >>> import numpy as np
        >>> from hbm_runtime import hbDNNDataType, unpack_four_bit
        >>> unpack_four_bit(np.array([0x21, 0x0F], np.uint8), hbDNNDataType.S4, length=3).tolist()
        [1, 2, -1]
    """
    _range_of(data_type)
    array = np.asarray(packed)
    if array.dtype.itemsize != 1 or array.ndim == 0:
        raise HBMInputError(
            f"expected an array of bytes of at least one axis, got {array.dtype} of shape "
            f"{list(array.shape)}"
        )
    most = 2 * array.shape[-1]
    if length is None:
        length = most
    if not most - 1 <= length <= most or length < 0:
        raise HBMInputError(f"length: {array.shape[-1]} bytes hold {most - 1} or {most} elements")
    octets = array.view(np.uint8)
    nibbles = np.empty((*octets.shape[:-1], most), np.uint8)
    nibbles[..., 0::2] = octets & 0x0F
    nibbles[..., 1::2] = octets >> 4
    nibbles = nibbles[..., :length]
    if data_type == hbDNNDataType.U4:
        return nibbles
    # Shifting an int8 to the right extends its sign.
    signed: npt.NDArray[np.int8] = (nibbles << 4).view(np.int8) >> 4
    return signed


def _range_of(data_type: hbDNNDataType) -> tuple[int, int]:
    if data_type not in _RANGES:
        raise HBMInputError(f"expected the data type S4 or U4, got {data_type!r}")
    return _RANGES[data_type]
