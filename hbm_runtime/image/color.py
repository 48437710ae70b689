# SPDX-License-Identifier: Apache-2.0
"""Between YUV, RGB and grey, in each range and matrix; every value within 1 of the exact one."""

from __future__ import annotations

import functools
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from hbm_runtime.image._opencv import opencv
from hbm_runtime.image.faults import ImageError, ImageFault, check_even, check_size
from hbm_runtime.image.frames import (
    CHROMA_GREY,
    Frame,
    NV12Frame,
    Plane,
    YUV422Frame,
    YUV422Order,
    frame_size,
    new_nv12,
)

ColorRange = Literal["full", "limited"]
ColorMatrix = Literal["bt601", "bt709"]
_Order = Literal["BGR", "RGB"]
_Matrix = npt.NDArray[np.float64]

# Share of red and blue in luma: ITU-R BT.601 and BT.709.
_LUMA_SHARES = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722)}


def bgr_to_nv12(
    image: Plane,
    color_range: ColorRange = "full",
    out: NV12Frame | None = None,
    color_matrix: ColorMatrix = "bt601",
) -> NV12Frame:
    """Convert a BGR image to NV12.

    Chroma is that of the mean of each 2x2 block. Limited BT.601 alone is OpenCV's I420 conversion
    with U and V interleaved, the same bytes as the usual ``cvtColor(image, COLOR_BGR2YUV_I420)``
    recipe gives: chroma of each block's upper left pixel.

    Args:
        image: uint8 [height, width, 3], channels blue, green, red; even width and height.
        color_range: Range of the result.
        out: Planes to write into; None for new ones.
        color_matrix: Matrix of the result.

    Returns:
        The planes.

    Raises:
        ImageError: If a size is zero or odd.
        ValueError: If shape, range, matrix or `out` do not fit.

    Example:
        >>> white = np.full((2, 2, 3), 255, np.uint8)
        >>> y, uv = bgr_to_nv12(white)
        >>> y.tolist(), uv.tolist()
        ([[255, 255], [255, 255]], [[[128, 128]]])
    """
    return _to_nv12(image, color_range, out, color_matrix, "BGR")


def rgb_to_nv12(
    image: Plane,
    color_range: ColorRange = "full",
    out: NV12Frame | None = None,
    color_matrix: ColorMatrix = "bt601",
) -> NV12Frame:
    """Convert an RGB image to NV12; like ``bgr_to_nv12`` with red first.

    Args:
        image: uint8 [height, width, 3], channels red, green, blue; even width and height.
        color_range: Range of the result.
        out: Planes to write into; None for new ones.
        color_matrix: Matrix of the result.

    Returns:
        The planes.

    Raises:
        ImageError: If a size is zero or odd.
        ValueError: If shape, range, matrix or `out` do not fit.

    Example:
        >>> white = np.full((2, 2, 3), 255, np.uint8)
        >>> rgb_to_nv12(white, color_range="limited").y.tolist()
        [[235, 235], [235, 235]]
    """
    return _to_nv12(image, color_range, out, color_matrix, "RGB")


def bgr_to_yuv422(
    image: Plane,
    color_range: ColorRange = "full",
    color_matrix: ColorMatrix = "bt601",
    order: YUV422Order = "yuyv",
) -> YUV422Frame:
    """Convert a BGR image to YUV 4:2:2; chroma is that of the mean of two neighbours.

    Args:
        image: uint8 [height, width, 3], channels blue, green, red; even width.
        color_range: Range of the result.
        color_matrix: Matrix of the result.
        order: Of luma and chroma.

    Returns:
        The picture, contiguous.

    Raises:
        ImageError: If a size is zero or the width is odd.
        ValueError: If shape, range, matrix or order do not fit.

    Example:
        >>> black = np.zeros((1, 2, 3), np.uint8)
        >>> bgr_to_yuv422(black).packed.tolist()
        [[[0, 128], [0, 128]]]
    """
    cv2 = opencv()
    check_color(image)
    height, width = image.shape[:2]
    check_size(width, height, "YUV 4:2:2 image")
    if width % 2:
        raise ImageError(
            ImageFault.ODD_SIZE, f"YUV 4:2:2 needs an even width, got {width}x{height}"
        )
    to_yuv, _ = _matrices(color_range, color_matrix, "BGR")
    half = cv2.resize(image, (width // 2, height), interpolation=cv2.INTER_AREA)
    packed: Plane = np.empty((height, width, 2), np.uint8)
    luma = luma_channel(order)
    packed[:, :, luma] = cv2.transform(image, to_yuv)[:, :, 0]
    packed[:, :, 1 - luma] = cv2.transform(half, to_yuv)[:, :, 1:].reshape(height, width)
    return YUV422Frame(packed, order)


def nv12_to_rgb(
    frame: NV12Frame, color_range: ColorRange = "full", color_matrix: ColorMatrix = "bt601"
) -> Plane:
    """Convert NV12 to RGB, each chroma sample used for its 2x2 block.

    Limited BT.601 alone is OpenCV's ``COLOR_YUV2RGB_NV12``, to which luma below 16 is 16.

    Args:
        frame: The planes.
        color_range: Range of the source.
        color_matrix: Matrix of the source.

    Returns:
        uint8 [height, width, 3], channels red, green, blue.

    Raises:
        ValueError: If range or matrix are unknown.

    Example:
        >>> grey = NV12Frame(np.full((2, 2), 9, np.uint8), np.full((1, 1, 2), 128, np.uint8))
        >>> nv12_to_rgb(grey)[0, 0].tolist()
        [9, 9, 9]
    """
    return planes_to_color(frame.y, frame.uv, color_range, color_matrix, "RGB")


def nv12_to_bgr(
    frame: NV12Frame, color_range: ColorRange = "full", color_matrix: ColorMatrix = "bt601"
) -> Plane:
    """Convert NV12 to BGR; like ``nv12_to_rgb`` with blue first.

    Args:
        frame: The planes.
        color_range: Range of the source.
        color_matrix: Matrix of the source.

    Returns:
        uint8 [height, width, 3], channels blue, green, red.

    Raises:
        ValueError: If range or matrix are unknown.

    Example:
        >>> frame = bgr_to_nv12(np.full((4, 6, 3), 77, np.uint8))
        >>> nv12_to_bgr(frame).shape
        (4, 6, 3)
    """
    return planes_to_color(frame.y, frame.uv, color_range, color_matrix, "BGR")


def frame_to_bgr(
    frame: Frame, color_range: ColorRange = "full", color_matrix: ColorMatrix = "bt601"
) -> Plane:
    """Convert a picture of any kind to BGR, each chroma sample used for all of its pixels.

    Args:
        frame: Of any kind; BGR comes back as it is.
        color_range: Range of a source in YUV.
        color_matrix: Matrix of a source in YUV.

    Returns:
        uint8 [height, width, 3], channels blue, green, red.

    Raises:
        ImageError: If a size is zero.
        ValueError: If the frame, range or matrix are none.

    Example:
        >>> grey = np.array([[7]], np.uint8)
        >>> frame_to_bgr(grey).tolist()
        [[[7, 7, 7]]]
    """
    check_size(*frame_size(frame), "source image")
    if isinstance(frame, NV12Frame):
        return nv12_to_bgr(frame, color_range, color_matrix)
    if isinstance(frame, YUV422Frame):
        return planes_to_color(*split_422(frame), color_range, color_matrix, "BGR")
    if frame.ndim == 3:
        return frame
    cv2 = opencv()
    result: Plane = cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR)
    return result


def frame_to_grey(
    frame: Frame, color_range: ColorRange = "full", color_matrix: ColorMatrix = "bt601"
) -> Plane:
    """Return the luma of a picture of any kind, in full range.

    Args:
        frame: Of any kind; grey comes back as it is, luma in full range as a view where it is a
            plane of its own.
        color_range: Range of a source in YUV.
        color_matrix: Matrix that a source in BGR is weighed with.

    Returns:
        uint8 [height, width].

    Raises:
        ImageError: If a size is zero.
        ValueError: If the frame, range or matrix are none.

    Example:
        >>> frame = bgr_to_nv12(np.full((2, 2, 3), 255, np.uint8), color_range="limited")
        >>> frame_to_grey(frame, color_range="limited").tolist()
        [[255, 255], [255, 255]]
    """
    check_size(*frame_size(frame), "source image")
    check_colors(color_range, color_matrix)
    if isinstance(frame, NV12Frame):
        return luma_to_grey(frame.y, color_range)
    cv2 = opencv()
    if isinstance(frame, YUV422Frame):
        luma: Plane = cv2.extractChannel(frame.packed, luma_channel(frame.order))
        return luma_to_grey(luma, color_range)
    if frame.ndim == 2:
        return frame
    result: Plane
    if color_matrix == "bt601":
        result = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
    else:
        to_yuv, _ = _matrices("full", color_matrix, "BGR")
        result = cv2.extractChannel(cv2.transform(frame, to_yuv), 0)
    return result


def luma_to_grey(luma: Plane, color_range: ColorRange) -> Plane:
    """Stretch luma of limited range to 0..255; luma of full range comes back as it is."""
    if color_range == "full":
        return luma
    result: Plane = opencv().LUT(luma, _grey_tables()[0])
    return result


def grey_to_nv12(grey: Plane, color_range: ColorRange, out: NV12Frame) -> NV12Frame:
    """Write a grey picture into the luma, and grey into the chroma."""
    if color_range == "full":
        np.copyto(out.y, grey)
    else:
        np.copyto(out.y, opencv().LUT(grey, _grey_tables()[1]))
    out.uv[:] = CHROMA_GREY
    return out


def split_422(frame: YUV422Frame) -> tuple[Plane, Plane]:
    """Copy luma [height, width] and chroma [height, width / 2, 2], U before V."""
    cv2 = opencv()
    luma = luma_channel(frame.order)
    chroma = cv2.extractChannel(frame.packed, 1 - luma)
    shape = frame.height, frame.width // 2, 2
    return cv2.extractChannel(frame.packed, luma), chroma.reshape(shape)


def luma_channel(order: str) -> int:
    """Return which byte of a pixel of YUV 4:2:2 is luma; raises ValueError."""
    if order not in ("yuyv", "uyvy"):
        raise ValueError(f"order of YUV 4:2:2 must be 'yuyv' or 'uyvy', got {order!r}")
    return 0 if order == "yuyv" else 1


def planes_to_color(
    luma: Plane, chroma: Plane, color_range: ColorRange, color_matrix: ColorMatrix, order: _Order
) -> Plane:
    """Convert luma and chroma planes, each chroma sample used for all of its pixels.

    Args:
        luma: [height, width].
        chroma: [height / n, width / m, 2], U before V.
        color_range: Of the planes.
        color_matrix: Of the planes.
        order: Of the result.

    Returns:
        uint8 [height, width, 3].

    Raises:
        ValueError: If range or matrix are unknown.
    """
    cv2 = opencv()
    check_colors(color_range, color_matrix)
    height, width = luma.shape
    result: Plane
    if color_range == "limited" and color_matrix == "bt601" and 2 * chroma.shape[0] == height:
        code = cv2.COLOR_YUV2RGB_NV12 if order == "RGB" else cv2.COLOR_YUV2BGR_NV12
        result = cv2.cvtColorTwoPlane(luma, chroma, code)
        return result
    wide = cv2.resize(chroma, (width, height), interpolation=cv2.INTER_NEAREST)
    if color_range == "full" and color_matrix == "bt601":
        # OpenCV's own NV12 conversion knows limited range only
        ycrcb = np.empty((height, width, 3), dtype=np.uint8)
        cv2.mixChannels([luma, wide], [ycrcb], [0, 0, 1, 2, 2, 1])
        code = cv2.COLOR_YCrCb2RGB if order == "RGB" else cv2.COLOR_YCrCb2BGR
        result = cv2.cvtColor(ycrcb, code)
    else:
        _, from_yuv = _matrices(color_range, color_matrix, order)
        result = cv2.transform(cv2.merge([luma, wide]), from_yuv)
    return result


def _to_nv12(
    image: Plane,
    color_range: ColorRange,
    out: NV12Frame | None,
    color_matrix: ColorMatrix,
    order: _Order,
) -> NV12Frame:
    cv2 = opencv()
    check_color(image)
    check_colors(color_range, color_matrix)
    height, width = image.shape[:2]
    check_even(width, height)
    out = new_nv12(width, height) if out is None else out
    check_out(out, width, height)
    if color_range == "limited" and color_matrix == "bt601":
        to_i420 = cv2.COLOR_BGR2YUV_I420 if order == "BGR" else cv2.COLOR_RGB2YUV_I420
        planar = cv2.cvtColor(image, to_i420).reshape(-1)
        luma, chroma = width * height, width * height // 4
        np.copyto(out.y, planar[:luma].reshape(height, width))
        np.copyto(out.uv[:, :, 0], planar[luma : luma + chroma].reshape(out.uv.shape[:2]))
        np.copyto(out.uv[:, :, 1], planar[luma + chroma :].reshape(out.uv.shape[:2]))
        return out
    quarter = cv2.resize(image, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    if color_range == "full" and color_matrix == "bt601":
        to_ycrcb = cv2.COLOR_BGR2YCrCb if order == "BGR" else cv2.COLOR_RGB2YCrCb
        to_luma = cv2.COLOR_BGR2GRAY if order == "BGR" else cv2.COLOR_RGB2GRAY
        np.copyto(out.y, cv2.cvtColor(image, to_luma))
        np.copyto(out.uv, _pair(cv2.cvtColor(quarter, to_ycrcb), 2, 1))
    else:
        to_yuv, _ = _matrices(color_range, color_matrix, order)
        np.copyto(out.y, cv2.extractChannel(cv2.transform(image, to_yuv), 0))
        np.copyto(out.uv, _pair(cv2.transform(quarter, to_yuv), 1, 2))
    return out


def _pair(image: Plane, first: int, second: int) -> Plane:
    """Copy two channels; numpy takes several times as long."""
    pair = np.empty((*image.shape[:2], 2), np.uint8)
    opencv().mixChannels([image], [pair], [first, 0, second, 1])
    return pair


@functools.cache
def _matrices(
    color_range: ColorRange, color_matrix: ColorMatrix, order: _Order
) -> tuple[_Matrix, _Matrix]:
    """Return the 3x4 matrices from RGB (or BGR) to YUV and back, the last column an offset."""
    check_colors(color_range, color_matrix)
    red, blue = _LUMA_SHARES[color_matrix]
    luma = np.array([red, 1 - red - blue, blue])
    u = (np.array([0.0, 0.0, 1.0]) - luma) / (2 * (1 - blue))
    v = (np.array([1.0, 0.0, 0.0]) - luma) / (2 * (1 - red))
    to_yuv = np.stack([luma, u, v])
    offset = np.array([0.0, CHROMA_GREY, CHROMA_GREY])
    if color_range == "limited":
        to_yuv *= np.array([[219.0], [224.0], [224.0]]) / 255
        offset[0] = 16
    from_yuv = np.linalg.inv(to_yuv)
    if order == "BGR":
        to_yuv, from_yuv = to_yuv[:, ::-1], from_yuv[::-1]
    return np.column_stack([to_yuv, offset]), np.column_stack([from_yuv, -from_yuv @ offset])


@functools.lru_cache(maxsize=1)
def _grey_tables() -> tuple[Plane, Plane]:
    """Tables of 256 from luma of limited range to grey, and back."""
    every = np.arange(256, dtype=np.float64)
    to_grey = np.clip(np.rint((every - 16) * (255 / 219)), 0, 255)
    return to_grey.astype(np.uint8), np.rint(16 + every * (219 / 255)).astype(np.uint8)


def check_colors(color_range: str, color_matrix: str) -> None:
    """Raise ValueError if range or matrix are unknown."""
    if color_range not in ("full", "limited"):
        raise ValueError(f"color range must be 'full' or 'limited', got {color_range!r}")
    if color_matrix not in _LUMA_SHARES:
        raise ValueError(f"color matrix must be 'bt601' or 'bt709', got {color_matrix!r}")


def check_color(image: Any) -> None:
    """Raise ValueError unless an image has three interleaved channels of 8 bits."""
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(
            f"image must be uint8 [height, width, 3], got {image.dtype} {list(image.shape)}"
        )


def check_out(out: NV12Frame, width: int, height: int) -> None:
    """Raise ValueError unless planes have this size."""
    wanted = ((height, width), (height // 2, width // 2, 2))
    if (out.y.shape, out.uv.shape) != wanted or out.y.dtype != np.uint8 or out.uv.dtype != np.uint8:
        raise ValueError(
            f"out must be uint8 planes {wanted[0]} and {wanted[1]}, "
            f"got {out.y.dtype} {out.y.shape} and {out.uv.dtype} {out.uv.shape}"
        )
