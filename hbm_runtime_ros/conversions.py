# SPDX-License-Identifier: Apache-2.0
"""Between ROS messages and numpy arrays: images in, tensors out and back."""

from __future__ import annotations

import array
import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from builtin_interfaces.msg import Time

from hbm_runtime.image import (
    Frame,
    ImageError,
    ImageFault,
    ImageTransform,
    nv12_from_buffer,
)
from hbm_runtime_ros.msg import ImageTransform as ImageTransformMsg
from hbm_runtime_ros.msg import Tensor, TensorList

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sensor_msgs.msg import Image

NV12 = "nv12"

# What cv_bridge makes bgr8 of, in all its versions; others are tried too. Named in error messages.
WELL_KNOWN_ENCODINGS = (NV12, "bgr8", "rgb8", "bgra8", "rgba8", "mono8", "bayer_rggb8")

_DTYPES: Mapping[int, np.dtype[np.generic]] = {
    Tensor.S4: np.dtype(np.uint8),  # bytes of two elements
    Tensor.U4: np.dtype(np.uint8),
    Tensor.S8: np.dtype(np.int8),
    Tensor.U8: np.dtype(np.uint8),
    Tensor.F16: np.dtype(np.float16),
    Tensor.S16: np.dtype(np.int16),
    Tensor.U16: np.dtype(np.uint16),
    Tensor.F32: np.dtype(np.float32),
    Tensor.S32: np.dtype(np.int32),
    Tensor.U32: np.dtype(np.uint32),
    Tensor.F64: np.dtype(np.float64),
    Tensor.S64: np.dtype(np.int64),
    Tensor.U64: np.dtype(np.uint64),
    Tensor.BOOL8: np.dtype(np.bool_),
}


def image_to_frame(msg: Image) -> Frame:
    """See or convert an image message.

    Args:
        msg: `nv12` is seen in place, respecting `step`; every other encoding is converted to BGR by
            cv_bridge.

    Returns:
        NV12 views of the message's data, or BGR uint8 [height, width, 3].

    Raises:
        ImageError: If the message contradicts itself or its encoding cannot be used.
    """
    if msg.encoding == NV12:
        return nv12_from_buffer(msg.data, msg.width, msg.height, msg.step)
    return _bgr_through_cv_bridge(msg)


def array_to_tensor(name: str, tensor: NDArray[np.generic], data_type: int) -> Tensor:
    """Copy an array into a message, dense in C order.

    Padding of a strided view stays behind, so the message's strides are those of its data.

    Args:
        name: Of the tensor.
        tensor: Any shape and strides.
        data_type: Constant of Tensor.

    Returns:
        The message.
    """
    dense = np.ascontiguousarray(tensor)
    msg = Tensor()
    msg.name = name
    msg.data_type = int(data_type)
    # ascontiguousarray makes a scalar one-dimensional
    msg.shape = array.array("q", tensor.shape)
    msg.strides = array.array("q", dense.strides[: tensor.ndim])
    msg.data = bytes_to_field(dense)
    return msg


def bytes_to_field(dense: NDArray[np.generic]) -> array.array[int]:
    """Copy a C-contiguous array into what a `uint8[]` field takes without looking at each byte.

    Assigning a numpy array, bytes or a list instead makes rclpy check every element: 140 ms for one
    1080p image.

    Args:
        dense: C-contiguous array.

    Returns:
        Its bytes.
    """
    data = array.array("B")
    data.frombytes(dense.reshape(-1).view(np.uint8).data)
    return data


def tensor_to_numpy(msg: Tensor) -> NDArray[np.generic]:
    """See a tensor message as an array; S4 and U4 as bytes for `hbm_runtime.unpack_four_bit`.

    Args:
        msg: As published by the node, or any other whose shape, strides and data agree.

    Returns:
        A view of the message's data, valid as long as it is held; writing to it changes the
        message.

    Raises:
        ValueError: If shape, strides and data contradict each other or the type is unknown.
    """
    dtype = _DTYPES.get(msg.data_type)
    if dtype is None:
        raise ValueError(f"tensor '{msg.name}': data_type {msg.data_type} is unknown")
    shape, strides = tuple(msg.shape), tuple(msg.strides)
    if len(shape) != len(strides) or min(shape + strides, default=0) < 0:
        raise ValueError(
            f"tensor '{msg.name}': shape {list(shape)} and strides {list(strides)} must have "
            "equal lengths and no negative elements"
        )
    try:
        view: NDArray[np.generic] = np.ndarray(shape, dtype, msg.data, 0, strides)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"tensor '{msg.name}': {len(msg.data)} bytes of data do not hold shape {list(shape)} "
            f"with strides {list(strides)} of {dtype.name}: {error}"
        ) from error
    return view


def tensors_to_numpy(msg: TensorList) -> dict[str, NDArray[np.generic]]:
    """See all tensors of a result as arrays, without copies.

    Args:
        msg: As received from `~/<model>/tensors`.

    Returns:
        Array per tensor name, in the model's order; views of the message's data.

    Raises:
        ValueError: If a tensor contradicts itself; names it.
    """
    return {tensor.name: tensor_to_numpy(tensor) for tensor in msg.tensors}


def transform_to_msg(transform: ImageTransform) -> ImageTransformMsg:
    """Convert to the message."""
    return ImageTransformMsg(**{name: getattr(transform, name) for name in _TRANSFORM_FIELDS})


def transform_from_msg(msg: ImageTransformMsg) -> ImageTransform:
    """Convert from the message, for `to_source()` on boxes."""
    return ImageTransform(**{name: getattr(msg, name) for name in _TRANSFORM_FIELDS})


def time_msg(nanoseconds: int) -> Time:
    """Convert a time to the message.

    Args:
        nanoseconds: Since the clock's epoch.
    """
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return Time(sec=seconds, nanosec=rest)


_TRANSFORM_FIELDS = tuple(ImageTransform.__dataclass_fields__)


def _bgr_through_cv_bridge(msg: Image) -> NDArray[np.uint8]:
    bridge, bridge_errors = _cv_bridge()
    if msg.width == 0 or msg.height == 0:
        raise ImageError(ImageFault.ZERO_SIZE, f"size of the image is {msg.width}x{msg.height}")
    try:
        dtype, channels = bridge.encoding_to_dtype_with_channels(msg.encoding)
    except bridge_errors as error:
        raise _unknown_encoding(msg.encoding) from error
    row = msg.width * channels * np.dtype(dtype).itemsize
    if msg.step < row:
        raise ImageError(
            ImageFault.BAD_STEP,
            f"step of a {msg.encoding} image of width {msg.width} must be at least {row}, "
            f"got {msg.step}",
        )
    needed = msg.step * (msg.height - 1) + row
    if len(msg.data) < needed:
        raise ImageError(
            ImageFault.SHORT_DATA,
            f"data of a {msg.width}x{msg.height} {msg.encoding} image with step {msg.step} must "
            f"hold at least {needed} bytes, got {len(msg.data)}",
        )
    if msg.step != row or len(msg.data) != row * msg.height:
        msg = _without_padding(msg, row)
    try:
        frame: NDArray[np.uint8] = bridge.imgmsg_to_cv2(msg, "bgr8")
    except bridge_errors as error:
        raise _unknown_encoding(msg.encoding) from error
    return frame


def _without_padding(msg: Image, row: int) -> Image:
    """Some versions of cv_bridge take every row for dense."""
    rows: NDArray[np.uint8] = np.ndarray((msg.height, row), np.uint8, msg.data, 0, (msg.step, 1))
    dense = type(msg)()
    dense.header = msg.header
    dense.height, dense.width, dense.step = msg.height, msg.width, row
    dense.encoding, dense.is_bigendian = msg.encoding, msg.is_bigendian
    dense.data = bytes_to_field(np.ascontiguousarray(rows))
    return dense


def _unknown_encoding(encoding: str) -> ImageError:
    return ImageError(
        ImageFault.ENCODING,
        f"encoding '{encoding}' cannot be used; accepted are {', '.join(WELL_KNOWN_ENCODINGS)} "
        "and whatever else the installed cv_bridge converts to bgr8",
    )


@functools.lru_cache(maxsize=1)
def _cv_bridge() -> tuple[Any, tuple[type[Exception], ...]]:
    """Import cv_bridge late (NV12 needs none) and say what it raises for what it does not know."""
    try:
        import cv2
        from cv_bridge import CvBridge, CvBridgeError
    except ImportError as error:
        raise ImageError(
            ImageFault.ENCODING,
            "images that are not nv12 need cv_bridge and OpenCV: "
            f"apt install ros-$ROS_DISTRO-cv-bridge ({error})",
        ) from error
    # KeyError: the pure-Python cv_bridge of PyPI, for encodings missing in its tables
    return CvBridge(), (CvBridgeError, KeyError, cv2.error)
