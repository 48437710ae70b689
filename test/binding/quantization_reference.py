# SPDX-License-Identifier: Apache-2.0
"""Quantisation as numpy computes it, step by step: what the C++ must equal bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np

from hbm_runtime import QuantParams, hbDNNDataType, hbDNNQuantiType, pack_four_bit, unpack_four_bit

FOUR_BIT = {hbDNNDataType.S4: (-8, 7), hbDNNDataType.U4: (0, 15)}
NUMPY = {
    hbDNNDataType.S8: np.int8,
    hbDNNDataType.U8: np.uint8,
    hbDNNDataType.F16: np.float16,
    hbDNNDataType.S16: np.int16,
    hbDNNDataType.U16: np.uint16,
    hbDNNDataType.F32: np.float32,
    hbDNNDataType.S32: np.int32,
    hbDNNDataType.U32: np.uint32,
    hbDNNDataType.F64: np.float64,
    hbDNNDataType.S64: np.int64,
    hbDNNDataType.U64: np.uint64,
}
DATA_TYPES = [*FOUR_BIT, *NUMPY]


def by_scale(scale: Any, zero_point: Any = (), axis: int = -1) -> QuantParams:
    """Parameters of quantisation by scales."""
    return QuantParams(
        np.atleast_1d(np.asarray(scale, np.float32)),
        np.atleast_1d(np.asarray(zero_point, np.int32)),
        hbDNNQuantiType.SCALE,
        axis,
    )


def parameters(quant: QuantParams, ndim: int) -> tuple[Any, Any]:
    """Scale and zero point in float64, shaped so that numpy broadcasts them along the axis."""
    if quant.quant_type == hbDNNQuantiType.NONE:
        return np.float64(1), np.float64(0)
    scale = quant.scale.astype(np.float64)
    zero_point = quant.zero_point.astype(np.float64) if quant.zero_point.size else np.zeros(1)
    if scale.size == 1:
        return scale[0], zero_point[0]
    shape = [1] * ndim
    shape[quant.axis] = -1
    return scale.reshape(shape), zero_point.reshape(shape if zero_point.size > 1 else 1)


def dequantize(stored: Any, quant: QuantParams, dtype: Any = np.float32) -> Any:
    """(stored - zero point) × scale of unpacked elements."""
    scale, zero_point = parameters(quant, stored.ndim)
    with np.errstate(all="ignore"):
        return ((stored.astype(np.float64) - zero_point) * scale).astype(dtype)


def quantize(real: Any, quant: QuantParams, data_type: hbDNNDataType) -> Any:
    """clip(round(real / scale + zero point)), as elements that are not packed."""
    scale, zero_point = parameters(quant, real.ndim)
    with np.errstate(all="ignore"):
        value = real.astype(np.float64) / scale
        if data_type in (hbDNNDataType.F16, hbDNNDataType.F32, hbDNNDataType.F64):
            return (value + zero_point).astype(NUMPY[data_type])
        value = np.where(np.isnan(value), 0.0, value) + zero_point
        if data_type in FOUR_BIT:
            dtype = np.int8 if data_type == hbDNNDataType.S4 else np.uint8
            return np.clip(np.rint(value), *FOUR_BIT[data_type]).astype(dtype)
        limits = np.iinfo(NUMPY[data_type])
        # The largest 64-bit integers are no float64: the next power of two stands for them.
        end = float(limits.max) if limits.bits < 64 else 2.0 ** (64 if limits.min == 0 else 63)
        inside = (value < end) & (value > limits.min)
        rounded = np.rint(np.where(inside, value, 0.0)).astype(limits.dtype)
        low, high = limits.dtype.type(limits.min), limits.dtype.type(limits.max)
        return np.where(inside, rounded, np.where(value > 0, high, low))


def stored_values(random: np.random.Generator, data_type: hbDNNDataType, shape: Any) -> Any:
    """Elements over the whole range of a data type, not packed."""
    if data_type in FOUR_BIT:
        low, high = FOUR_BIT[data_type]
        dtype = np.int8 if low else np.uint8
        return random.integers(low, high + 1, shape).astype(dtype)
    dtype = np.dtype(NUMPY[data_type])
    if dtype.kind == "f":
        values = np.asarray(random.standard_normal(shape) * 1000).astype(dtype)
        special = np.array([np.nan, np.inf, -np.inf, -0.0, np.finfo(dtype).tiny / 2], dtype)
        chosen = np.asarray(random.integers(0, 40, shape))
        return np.where(chosen < 5, special[np.minimum(chosen, 4)], values)
    limits = np.iinfo(dtype)
    return random.integers(limits.min, limits.max, shape, dtype, endpoint=True)


def packed(values: Any, data_type: hbDNNDataType) -> Any:
    """The elements as `run` takes and returns them."""
    return pack_four_bit(values, data_type) if data_type in FOUR_BIT else values


def unpacked(array: Any, data_type: hbDNNDataType, length: int) -> Any:
    """The elements of an array as `run` takes and returns them."""
    return unpack_four_bit(array, data_type, length) if data_type in FOUR_BIT else array


#: A detector's head as a board returns it: rows of 255 int32, padded to 1024 bytes.
_RANDOM = np.random.default_rng(0)
HEAD = np.zeros((1, 84, 84, 256), np.int32)[..., :255]
HEAD[...] = _RANDOM.integers(-(2**20), 2**20, HEAD.shape)
HEAD_QUANTS = {
    "per channel": by_scale(_RANDOM.random(255) + 0.01, _RANDOM.integers(-99, 99, 255), 3),
    "per channel, symmetric": by_scale(_RANDOM.random(255) + 0.01, axis=3),
    "per tensor": by_scale(0.037, 11),
    "per tensor, symmetric": by_scale(0.037),
}
