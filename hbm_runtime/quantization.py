# SPDX-License-Identifier: Apache-2.0
"""Converts between the values that a tensor stores and the real values that they stand for."""

from __future__ import annotations

from typing import Any, TypeVar, overload

import numpy as np
import numpy.typing as npt

from hbm_runtime import _core
from hbm_runtime._data_types import FOUR_BIT, NUMPY_DTYPES, data_type_of, storage_shape
from hbm_runtime._texts import shown
from hbm_runtime.errors import HBMInputError
from hbm_runtime.types import QuantParams, hbDNNDataType, hbDNNQuantiType

Real = TypeVar("Real", np.float32, np.float64)

_REAL: dict[np.dtype[Any], hbDNNDataType] = {
    np.dtype(np.float32): hbDNNDataType.F32,
    np.dtype(np.float64): hbDNNDataType.F64,
}
_STORED = {
    dtype: data_type
    for data_type, dtype in NUMPY_DTYPES.items()
    if data_type not in FOUR_BIT and data_type is not hbDNNDataType.BOOL8
}
_FLOAT32, _INT32 = np.dtype(np.float32), np.dtype(np.int32)
_LOWEST, _HIGHEST = -(2**31), 2**31 - 1
_Parameters = tuple[int, int, npt.NDArray[np.float32], npt.NDArray[np.int32]]


@overload
def dequantize(
    array: npt.NDArray[Any],
    quant: QuantParams,
    out: None = None,
    *,
    dtype: hbDNNDataType | npt.DTypeLike | None = None,
    length: int | None = None,
) -> npt.NDArray[np.float32]: ...
@overload
def dequantize(
    array: npt.NDArray[Any],
    quant: QuantParams,
    out: npt.NDArray[Real],
    *,
    dtype: hbDNNDataType | npt.DTypeLike | None = None,
    length: int | None = None,
) -> npt.NDArray[Real]: ...
def dequantize(
    array: npt.NDArray[Any],
    quant: QuantParams,
    out: npt.NDArray[Any] | None = None,
    *,
    dtype: hbDNNDataType | npt.DTypeLike | None = None,
    length: int | None = None,
) -> npt.NDArray[Any]:
    """Return the real values of a quantised tensor: (stored - zero point) × scale.

    Computed as ``((array.astype(float64) - zero_point) * float64(scale)).astype(out.dtype)``, bit
    for bit, without the arrays in between. Without quantisation (``NONE``) the elements are the
    values. See ``doc/quantization.md``.

    Args:
        array: Stored values, as ``run`` returns them: any strides, padded rows included.
        quant: Quantisation of the tensor, e.g. of ``output_quants``.
        out: float32 or float64 array of the tensor's shape to fill, any strides; a new float32
            array when not given.
        dtype: Data type of the stored values; needed for ``S4`` and ``U4`` only, whose arrays look
            like uint8.
        length: Elements of the last axis of a 4-bit tensor, where neither ``out`` nor a scale for
            each tells; as many as the bytes hold when not given.

    Returns:
        ``out``, or a new array whose axes lie in memory in the order of the argument's.

    Raises:
        HBMInputError: Scales or zero points do not fit the array, or the data type is BOOL8 or
            none of the accelerator's.

    Examples:
        >>> import numpy as np
        >>> from hbm_runtime import QuantParams, dequantize, hbDNNQuantiType
        >>> scale, zero = np.array([0.5], np.float32), np.array([10], np.int32)
        >>> quant = QuantParams(scale, zero, hbDNNQuantiType.SCALE)
        >>> dequantize(np.array([10, 12], np.uint8), quant).tolist()
        [0.0, 1.0]
    """
    stored = _as_array(array)
    data_type = _stored_type(stored, dtype)
    shape = _element_shape(stored, data_type, quant, out, length)
    if out is None:
        if shape == stored.shape:
            out = np.empty_like(stored, _FLOAT32, subok=False)
        else:
            out = np.empty(shape, np.float32)
    else:
        _check_out(out, shape, tuple(_REAL))
    stored = _readable(stored, out)
    _core.dequantize(stored, data_type, out, _REAL[out.dtype], *_parameters(quant))
    return out


def quantize(
    array: npt.NDArray[Any],
    quant: QuantParams,
    dtype: hbDNNDataType | npt.DTypeLike,
    out: npt.NDArray[Any] | None = None,
) -> npt.NDArray[Any]:
    """Return the stored values of real values: clip(round(real / scale + zero point)).

    Computed in float64. Rounds half to even and clips to the data type's range; infinities are
    clipped, too, and a NaN is stored as the zero point. The floating-point data types are neither
    rounded to integers nor clipped. See ``doc/quantization.md``.

    Args:
        array: Real values of the tensor's shape, any strides. Other data types than float32 and
            float64 are converted first, in a copy.
        quant: Quantisation of the tensor, e.g. of ``input_quants``.
        dtype: Data type of the stored values: the accelerator's or numpy's.
        out: Array of that data type to fill, any strides, e.g. a view of device memory; a new one
            when not given. For ``S4`` and ``U4`` uint8 [..., (n + 1) // 2].

    Returns:
        ``out``, or a new array whose axes lie in memory in the order of the argument's; as ``run``
        takes it.

    Raises:
        HBMInputError: Scales or zero points do not fit the array, or the data type is BOOL8 or
            none of the accelerator's.

    Examples:
        >>> import numpy as np
        >>> from hbm_runtime import QuantParams, hbDNNDataType, hbDNNQuantiType, quantize
        >>> quant = QuantParams(np.array([0.5], np.float32), quant_type=hbDNNQuantiType.SCALE)
        >>> quantize(np.array([1.0, 100.0]), quant, hbDNNDataType.S8).tolist()  # clipped at 127
        [2, 127]
    """
    data_type = _data_type(dtype)
    real = _as_array(array)
    if real.dtype not in _REAL and real.dtype.newbyteorder("=") not in _REAL:
        if real.dtype.kind not in "iuf" or real.dtype.itemsize > 8:
            raise HBMInputError(
                f"expected an array of real numbers of up to 64 bits, got {real.dtype}"
            )
        # Exact, but for integers beyond 2^53.
        real = real.astype(np.float32 if real.dtype.itemsize < 4 else np.float64)
    if data_type in FOUR_BIT and real.ndim == 0:
        raise HBMInputError(f"a tensor of {data_type.name} has at least one axis, got a scalar")
    shape = storage_shape(real.shape, data_type)
    if out is None:
        if shape == real.shape:
            out = np.empty_like(real, NUMPY_DTYPES[data_type], subok=False)
        else:
            out = np.empty(shape, NUMPY_DTYPES[data_type])
    else:
        _check_out(out, shape, (NUMPY_DTYPES[data_type],))
    real = _readable(real, out)
    _core.quantize(real, _REAL[real.dtype], out, data_type, *_parameters(quant))
    return out


def _as_array(array: object) -> npt.NDArray[Any]:
    if isinstance(array, np.ma.MaskedArray):
        raise HBMInputError(
            "a masked array would be read without its mask; fill it first with filled()"
        )
    return np.asarray(array)


def _data_type(dtype: Any) -> hbDNNDataType:
    """Return the accelerator's data type for its own or numpy's name of it."""
    data_type: hbDNNDataType | None
    try:
        if isinstance(dtype, int) and not isinstance(dtype, bool):
            data_type = hbDNNDataType(dtype)
        else:
            data_type = None if dtype is None else data_type_of(np.dtype(dtype))
    except (TypeError, ValueError):
        data_type = None
    if data_type is None or data_type is hbDNNDataType.MAX:
        raise HBMInputError(
            f"dtype: expected an hbDNNDataType or a numpy data type of it, got {shown(dtype)}"
        )
    if data_type is hbDNNDataType.BOOL8:
        raise HBMInputError("a tensor of BOOL8 holds truth values, which have no quantisation")
    return data_type


def _stored_type(stored: npt.NDArray[Any], dtype: Any) -> hbDNNDataType:
    if dtype is None:
        known = _STORED.get(stored.dtype)
        if known is not None:
            return known
        dtype = stored.dtype
    data_type = _data_type(dtype)
    wanted = NUMPY_DTYPES[data_type]
    four_bit = data_type in FOUR_BIT and stored.dtype.itemsize == 1
    if stored.dtype.newbyteorder("=") != wanted and not four_bit:
        raise HBMInputError(f"{data_type.name} is stored as {wanted}, got an array {stored.dtype}")
    return data_type


def _element_shape(
    stored: npt.NDArray[Any],
    data_type: hbDNNDataType,
    quant: QuantParams,
    out: npt.NDArray[Any] | None,
    length: int | None,
) -> tuple[int, ...]:
    """Return the shape in elements of a tensor that is stored like this."""
    if data_type not in FOUR_BIT:
        if length is not None:
            raise HBMInputError(f"length is for S4 and U4 only, got one for {data_type.name}")
        return stored.shape
    if stored.ndim == 0:
        raise HBMInputError(f"a tensor of {data_type.name} has at least one axis, got a scalar")
    octets = stored.shape[-1]
    if length is None:
        length = 2 * octets
        if isinstance(out, np.ndarray) and out.ndim == stored.ndim:
            length = out.shape[-1]
        elif _is_per_axis(quant, stored.ndim - 1):
            length = np.size(quant.scale)
    if not isinstance(length, (int, np.integer)) or (length + 1) // 2 != octets:
        raise HBMInputError(
            f"length: {octets} bytes hold {max(2 * octets - 1, 0)} or {2 * octets} elements of "
            f"{data_type.name}, got {shown(length)}"
        )
    return (*stored.shape[:-1], int(length))


def _is_per_axis(quant: object, axis: int) -> bool:
    return (
        isinstance(quant, QuantParams)
        and quant.quant_type == hbDNNQuantiType.SCALE
        and quant.axis == axis
        and np.size(quant.scale) > 1
    )


def _check_out(out: Any, shape: tuple[int, ...], dtypes: tuple[np.dtype[Any], ...]) -> None:
    if not isinstance(out, np.ndarray):
        names = " or ".join(map(str, dtypes))
        raise HBMInputError(f"out: expected an array of {names}, got {type(out).__name__}")
    if out.shape != shape or out.dtype not in dtypes:
        names = " or ".join(map(str, dtypes))
        raise HBMInputError(
            f"out: expected {names} of shape {list(shape)}, got {out.dtype} of shape "
            f"{list(out.shape)}"
        )
    if not out.flags.writeable:
        raise HBMInputError("out: expected a writable array, got a read-only one")


def _readable(array: npt.NDArray[Any], out: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the array in the machine's byte order, and apart from the one to be filled."""
    if not array.dtype.isnative:
        return array.astype(array.dtype.newbyteorder("="))
    return array.copy() if np.may_share_memory(array, out) else array


def _parameters(quant: object) -> _Parameters:
    """Return checked parameters in the types that the core takes."""
    if not isinstance(quant, QuantParams):
        raise HBMInputError(f"quant: expected QuantParams, got {type(quant).__name__}")
    try:
        quant_type = hbDNNQuantiType(quant.quant_type)
    except ValueError:
        raise HBMInputError(
            f"quant.quant_type: expected an hbDNNQuantiType, got {shown(quant.quant_type)}"
        ) from None
    if quant_type is hbDNNQuantiType.NONE:
        return quant_type, 0, np.empty(0, np.float32), np.empty(0, np.int32)
    scale = _vector(quant.scale, "scale", "iuf").astype(np.float32, copy=False)
    zero_point = _vector(quant.zero_point, "zero_point", "iu")
    if zero_point.dtype != _INT32:
        if zero_point.size and not (_LOWEST <= zero_point.min() <= zero_point.max() <= _HIGHEST):
            raise HBMInputError("quant.zero_point: expected integers of 32 bits")
        zero_point = zero_point.astype(np.int32)
    axis: object = quant.axis
    if not isinstance(axis, (int, np.integer)) or not _LOWEST <= axis <= _HIGHEST:
        raise HBMInputError(f"quant.axis: expected the number of an axis, got {shown(axis)}")
    return quant_type, int(axis), scale, zero_point


def _vector(values: Any, field: str, kinds: str) -> npt.NDArray[Any]:
    array = np.asarray(values)
    if array.ndim == 1 and (array.dtype == _FLOAT32 if "f" in kinds else array.dtype == _INT32):
        return array
    if array.size == 0:
        return array.reshape(0).astype(np.int32)
    if array.ndim > 1 or array.dtype.kind not in kinds:
        what = "real numbers" if "f" in kinds else "integers"
        raise HBMInputError(
            f"quant.{field}: expected an array of {what} with one axis, got {array.dtype} of shape "
            f"{list(array.shape)}"
        )
    return np.ascontiguousarray(array).reshape(-1)
