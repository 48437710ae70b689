# SPDX-License-Identifier: Apache-2.0
"""Between ROS messages and numpy arrays: images in, tensors out and back."""

from __future__ import annotations

import array
import functools
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from builtin_interfaces.msg import Time
from sensor_msgs.msg import CompressedImage, Image

from hbm_runtime import QuantParams, dequantize, hbDNNDataType, hbDNNQuantiType
from hbm_runtime._data_types import FOUR_BIT, NUMPY_DTYPES, data_type_of
from hbm_runtime._texts import one_line, said, shortened, shown
from hbm_runtime.image import Frame, ImageError, ImageFault, ImageTransform, compressed
from hbm_runtime.image.encodings import KNOWN, check_accepted, read
from hbm_runtime.image.faults import check_size
from hbm_runtime.image.frames import check_rows
from hbm_runtime_ros.msg import ImageTransform as ImageTransformMsg
from hbm_runtime_ros.msg import ModelInfo, Tensor, TensorInfo, TensorList
from hbm_runtime_ros.parameters.settings import NodeSettings

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Of a message's data, compressed or not.
MAX_IMAGE_BYTES = NodeSettings.max_image_bytes


def image_to_frame(
    msg: Image | CompressedImage,
    max_bytes: int = MAX_IMAGE_BYTES,
    encodings: Collection[str] = (),
) -> Frame:
    """See, convert or decode an image message.

    Args:
        msg: Encodings of `hbm_runtime.image.encodings.KNOWN` are read here, seen in place where
            that can be; every other is converted to BGR by cv_bridge. `step` is respected.
            Compressed images are JPEG or PNG.
        max_bytes: Of the data, and of the decoded picture.
        encodings: Accepted ones, `jpeg` and `png` for compressed images; empty for all.

    Returns:
        The picture. It may be a view of the message's data.

    Raises:
        ImageError: If the message contradicts itself, is too large or cannot be used.

    Example:
        >>> from sensor_msgs.msg import Image
        >>> msg = Image(width=2, height=1, step=6, encoding="bgr8", data=bytes(6))
        >>> image_to_frame(msg).shape
        (1, 2, 3)
    """
    check_encoding(msg, encodings)
    if len(msg.data) > max_bytes:
        raise ImageError(
            ImageFault.TOO_LARGE,
            f"image has {len(msg.data)} bytes of data, more than the {max_bytes} of parameter "
            "'max_image_bytes'",
        )
    if isinstance(msg, CompressedImage):
        return compressed.decode(msg.data, msg.format, max_bytes)
    frame = read(msg.encoding, msg.data, msg.width, msg.height, msg.step)
    return _bgr_through_cv_bridge(msg) if frame is None else frame


def check_encoding(msg: Image | CompressedImage, encodings: Collection[str]) -> None:
    """Refuse a message whose encoding is not one of those that are accepted.

    Args:
        msg: Of which nothing but the encoding, or the first bytes, are looked at.
        encodings: Accepted ones; empty for all.

    Raises:
        ImageError: ENCODING; UNDECODABLE if compressed data are nothing known.

    Example:
        >>> from sensor_msgs.msg import Image
        >>> check_encoding(Image(encoding="mono8"), ["bgr8", "nv12"])
        Traceback (most recent call last):
        hbm_runtime.image.faults.ImageError: encoding 'mono8' ...
    """
    if not encodings:
        return
    if isinstance(msg, CompressedImage):
        check_accepted(compressed.codec(msg.data, msg.format), encodings)
    else:
        check_accepted(msg.encoding, encodings)


def array_to_tensor(name: str, tensor: NDArray[np.generic], data_type: int) -> Tensor:
    """Copy an array into a message, dense in C order.

    Padding of a strided view stays behind, so the message's strides are those of its data.

    Args:
        name: Of the tensor.
        tensor: Any shape and strides.
        data_type: Constant of Tensor.

    Returns:
        The message.

    Example:
        >>> import numpy as np
        >>> from hbm_runtime_ros.msg import Tensor
        >>> padded = np.zeros((2, 8), np.uint8)
        >>> msg = array_to_tensor("y", padded[:, :3], Tensor.U8)
        >>> list(msg.shape), list(msg.strides), len(msg.data)
        ([2, 3], [3, 1], 6)
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

    Example:
        >>> import numpy as np
        >>> from sensor_msgs.msg import Image
        >>> pixels = np.zeros((4, 6, 3), np.uint8)
        >>> msg = Image(width=6, height=4, step=18, encoding="bgr8", data=bytes_to_field(pixels))
        >>> len(msg.data)
        72
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

    Example:
        >>> from hbm_runtime_ros.msg import Tensor
        >>> msg = Tensor(data_type=Tensor.S8, shape=[2, 2], strides=[2, 1], data=[1, 2, 3, 255])
        >>> tensor_to_numpy(msg).tolist()
        [[1, 2], [3, -1]]
    """
    dtype = NUMPY_DTYPES.get(msg.data_type)
    if dtype is None:
        raise ValueError(f"tensor '{shortened(msg.name)}': data_type {msg.data_type} is unknown")
    shape, strides = tuple(msg.shape), tuple(msg.strides)
    try:
        # numpy looks for negative numbers, different lengths and the buffer's end
        view: NDArray[np.generic] = np.ndarray(shape, dtype, msg.data, 0, strides)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"tensor '{shortened(msg.name)}': {len(msg.data)} bytes of data do not hold "
            f"shape {shown(list(shape))} with strides {shown(list(strides))} of {dtype.name}; "
            "shape and strides must have equal lengths and no negative elements, and end within "
            f"the data: {said(error)}"
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

    Example:
        >>> from hbm_runtime_ros.msg import Tensor, TensorList
        >>> y = Tensor(name="y", data_type=Tensor.U8, shape=[3], strides=[1], data=[1, 2, 3])
        >>> tensors_to_numpy(TensorList(tensors=[y]))["y"].tolist()
        [1, 2, 3]
    """
    return {tensor.name: tensor_to_numpy(tensor) for tensor in msg.tensors}


def numpy_to_tensors(
    tensors: Mapping[str, NDArray[np.generic]], data_types: Mapping[str, int] | None = None
) -> list[Tensor]:
    """Copy arrays into tensor messages; the way back from `tensors_to_numpy`.

    Args:
        tensors: Array per name, of any strides.
        data_types: Constant of Tensor per name; needed only for S4 and U4,
            which look like U8.

    Returns:
        One message per array, in their order, for the field `tensors`.

    Raises:
        ValueError: If an array's type is none of Tensor's; names it.

    Example:
        >>> import numpy as np
        >>> from hbm_runtime_ros.msg import Tensor
        >>> (msg,) = numpy_to_tensors({"y": np.zeros((1, 10), np.float32)})
        >>> msg.name, msg.data_type == Tensor.F32, len(msg.data)
        ('y', True, 40)
    """
    return [
        array_to_tensor(
            name,
            tensor,
            data_types[name] if data_types and name in data_types else _data_type(name, tensor),
        )
        for name, tensor in tensors.items()
    ]


def dequantized(msg: TensorList, info: ModelInfo) -> dict[str, NDArray[np.float32]]:
    """Return the real values of all tensors of a result; see `hbm_runtime.dequantize`.

    Args:
        msg: As received from `~/<model>/tensors`.
        info: Of the same model, from `~/model_info`.

    Returns:
        float32 array per tensor name, in the message's order. 4-bit tensors come one element per
        number, truth values as 0 and 1.

    Raises:
        ValueError: If the information is of another model, or a tensor contradicts itself.

    Example:
        >>> from hbm_runtime_ros.msg import ModelInfo, Quantization, Tensor, TensorInfo, TensorList
        >>> half = Quantization(type=Quantization.SCALE, axis=-1, scale=[0.5])
        >>> info = ModelInfo(hash="1f", outputs=[TensorInfo(name="y", quantization=half)])
        >>> y = Tensor(name="y", data_type=Tensor.S8, shape=[2], strides=[1], data=[1, 255])
        >>> dequantized(TensorList(model_hash="1f", tensors=[y]), info)["y"].tolist()
        [0.5, -0.5]
    """
    if msg.model_hash != info.hash:
        raise ValueError(
            f"result of model '{shortened(msg.model)}' was computed by the model with hash "
            f"'{shortened(msg.model_hash)}', but the information is of "
            f"'{shortened(info.name)}' with hash '{shortened(info.hash)}': take the one from "
            "~/model_info with the result's hash"
        )
    outputs = {output.name: output for output in info.outputs}
    real = {}
    for tensor in msg.tensors:
        if tensor.name not in outputs:
            raise ValueError(
                f"tensor '{shortened(tensor.name)}' is none of the model's outputs "
                f"{one_line(', '.join(outputs))}"
            )
        real[tensor.name] = _dequantized(tensor, outputs[tensor.name])
    return real


def transform_to_msg(transform: ImageTransform) -> ImageTransformMsg:
    """Convert to the message.

    Args:
        transform: From pixels of a model's input to pixels of the source.

    Returns:
        The message, for example for the field `transform` of an InputImage.

    Example:
        >>> from hbm_runtime.image import place
        >>> transform_to_msg(place(1280, 720, 640, 640, "letterbox").transform).scale_x
        2.0
    """
    return ImageTransformMsg(**{name: getattr(transform, name) for name in _TRANSFORM_FIELDS})


def transform_from_msg(msg: ImageTransformMsg) -> ImageTransform:
    """Convert from the message, for `to_source()` on boxes.

    Args:
        msg: From a TensorList's `images`.

    Returns:
        From pixels of the model's input to pixels of the source.

    Example:
        >>> from hbm_runtime_ros.msg import ImageTransform
        >>> transform = transform_from_msg(ImageTransform(scale_x=2.0, scale_y=2.0))
        >>> transform.to_source([10.0, 20.0]).tolist()
        [20.0, 40.0]
    """
    return ImageTransform(**{name: getattr(msg, name) for name in _TRANSFORM_FIELDS})


def time_msg(nanoseconds: int) -> Time:
    """Convert a time to the message.

    Args:
        nanoseconds: Since the clock's epoch.

    Returns:
        The message.

    Example:
        >>> msg = time_msg(1_500_000_000)
        >>> msg.sec, msg.nanosec
        (1, 500000000)
    """
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return Time(sec=seconds, nanosec=rest)


_TRANSFORM_FIELDS = tuple(ImageTransform.__dataclass_fields__)


def _data_type(name: str, tensor: NDArray[np.generic]) -> int:
    data_type = data_type_of(tensor.dtype) if tensor.dtype.isnative else None
    if data_type is None:
        raise ValueError(
            f"tensor '{shortened(name)}': no data type of a Tensor message holds "
            f"elements of {tensor.dtype}"
        )
    return data_type


def _dequantized(tensor: Tensor, info: TensorInfo) -> NDArray[np.float32]:
    stored = tensor_to_numpy(tensor)
    data_type = hbDNNDataType(tensor.data_type)
    if data_type is hbDNNDataType.BOOL8:
        return stored.astype(np.float32)
    quant = info.quantization
    four_bit = data_type in FOUR_BIT
    return dequantize(
        stored,
        QuantParams(
            np.asarray(quant.scale, np.float32),
            np.asarray(quant.zero_point, np.int32),
            hbDNNQuantiType(quant.type),
            quant.axis,
        ),
        dtype=data_type,
        length=info.shape[-1] if four_bit and info.shape and info.shape[-1] > 0 else None,
    )


def _bgr_through_cv_bridge(msg: Image) -> NDArray[np.uint8]:
    bridge = _cv_bridge(msg.encoding)
    check_size(msg.width, msg.height, "image")
    try:
        dtype, channels = bridge.encoding_to_dtype_with_channels(msg.encoding)
        row = msg.width * channels * np.dtype(dtype).itemsize
    # its versions raise different things for what they do not know
    except Exception as error:
        raise _unknown_encoding(msg.encoding) from error
    check_rows(len(msg.data), row, msg.width, msg.height, msg.step, shortened(msg.encoding))
    if msg.step != row or len(msg.data) != row * msg.height:
        msg = _without_padding(msg, row)
    try:
        frame: NDArray[np.uint8] = bridge.imgmsg_to_cv2(msg, "bgr8")
    except Exception as error:
        raise _unknown_encoding(msg.encoding) from error
    if frame.dtype != np.uint8 or frame.shape != (msg.height, msg.width, 3):
        raise _unknown_encoding(msg.encoding)
    return frame


def _without_padding(msg: Image, row: int) -> Image:
    """Some versions of cv_bridge take every row for dense."""
    rows: NDArray[np.uint8] = np.ndarray((msg.height, row), np.uint8, msg.data, 0, (msg.step, 1))
    dense = Image()
    dense.header = msg.header
    dense.height, dense.width, dense.step = msg.height, msg.width, row
    dense.encoding, dense.is_bigendian = msg.encoding, msg.is_bigendian
    dense.data = bytes_to_field(np.ascontiguousarray(rows))
    return dense


def _unknown_encoding(encoding: str) -> ImageError:
    return ImageError(
        ImageFault.ENCODING,
        f"encoding '{shortened(encoding)}' cannot be used; accepted are {', '.join(KNOWN)} "
        "and whatever else the installed cv_bridge converts to bgr8",
    )


@functools.lru_cache(maxsize=1)
def _bridge() -> Any:
    from cv_bridge import CvBridge

    return CvBridge()


def _cv_bridge(encoding: str) -> Any:
    """Import cv_bridge late: what is read here needs none."""
    try:
        return _bridge()
    except ImportError as error:
        raise ImageError(
            ImageFault.ENCODING,
            f"encoding '{shortened(encoding)}' cannot be used without cv_bridge "
            f"(apt install ros-$ROS_DISTRO-cv-bridge: {said(error)}); accepted are "
            f"{', '.join(KNOWN)}",
        ) from error
