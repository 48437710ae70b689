# SPDX-License-Identifier: Apache-2.0
"""Fits pictures into the inputs of models: stretched, letterboxed, or a part of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hbm_runtime.image._opencv import opencv
from hbm_runtime.image.color import (
    ColorMatrix,
    ColorRange,
    bgr_to_nv12,
    check_color,
    check_colors,
    check_out,
    frame_to_bgr,
    frame_to_grey,
    grey_to_nv12,
    luma_channel,
    luma_to_grey,
    planes_to_color,
)
from hbm_runtime.image.faults import check_even
from hbm_runtime.image.fit_geometry import ImageTransform, Placement, Region, ResizeMode, place
from hbm_runtime.image.frames import (
    CHROMA_GREY,
    Frame,
    NV12Frame,
    Plane,
    YUV422Frame,
    frame_size,
    new_nv12,
)


def fit_nv12(
    frame: Frame,
    width: int,
    height: int,
    mode: ResizeMode = "stretch",
    pad_value: int = 127,
    *,
    roi: Sequence[int] | None = None,
    color_range: ColorRange = "full",
    color_matrix: ColorMatrix = "bt601",
    out: NV12Frame | None = None,
    copy: bool = True,
) -> tuple[NV12Frame, ImageTransform]:
    """Make an NV12 image of a model's size from a picture of any kind.

    YUV stays YUV: planes are resized, bilinear, without any conversion; of YUV 4:2:2 the chroma of
    two rows is averaged. Where an NV12 source or the chosen part of it has the size already, it
    comes back as views without a copy, unless `out` asks for one. A grey picture becomes the luma
    (of the range asked for) with grey chroma.

    Args:
        frame: The source, of any kind.
        width: Pixels of the result, even.
        height: Pixels of the result, even.
        mode: How it is fitted, see ``place``.
        pad_value: Luma of the letterbox border, 0..255; its chroma is grey.
        roi: Left, top, width and height of the region of interest, with mode "roi".
        color_range: Range of the result, where the source is BGR or grey.
        color_matrix: Matrix of the result, where the source is BGR.
        out: Planes to write into, of the result's size; None for new ones where they are needed.
        copy: False leaves `out` alone where the source comes back as views.

    Returns:
        The result and the map back to the source's pixels.

    Raises:
        ImageError: If a size is zero or odd, or the region is not inside of the source.
        ValueError: If `out` has another size, or another argument is out of range.

    Example:
        >>> frame = nv12_from_buffer(bytes(640 * 480 * 3 // 2), 640, 480)
        >>> planes, transform = fit_nv12(frame, 320, 320, "letterbox")
        >>> planes.y.shape, planes.uv.shape
        ((320, 320), (160, 160, 2))
        >>> transform.to_source([[160, 160]]).tolist()
        [[320.0, 240.0]]
    """
    check_even(width, height)
    check_colors(color_range, color_matrix)
    placement = place(*frame_size(frame), width, height, mode, roi, _grid(frame))
    if isinstance(frame, NV12Frame):
        frame = _crop_nv12(frame, placement.region)
        fits = (frame.width, frame.height) == (width, height)
        if fits and (out is None or not copy):
            return frame, placement.transform
    out = new_nv12(width, height) if out is None else out
    check_out(out, width, height)
    target = _inner_nv12(out, placement, pad_value)
    if isinstance(frame, NV12Frame):
        _resize(frame.y, target.y)
        _resize(frame.uv, target.uv)
    elif isinstance(frame, YUV422Frame):
        _resize_422(_crop_422(frame, placement.region), target.y, target.uv)
    else:
        resized = _resized(_crop(frame, placement.region), target.width, target.height)
        if resized.ndim == 2:
            grey_to_nv12(resized, color_range, target)
        else:
            bgr_to_nv12(resized, color_range, target, color_matrix)
    return out, placement.transform


def fit_bgr(
    frame: Frame,
    width: int,
    height: int,
    mode: ResizeMode = "stretch",
    pad_value: int = 127,
    *,
    roi: Sequence[int] | None = None,
    color_range: ColorRange = "full",
    color_matrix: ColorMatrix = "bt601",
    out: Plane | None = None,
    copy: bool = True,
) -> tuple[Plane, ImageTransform]:
    """Make a BGR image of a model's size from a picture of any kind.

    YUV is resized first and converted then. Where a BGR source or the chosen part of it has the
    size already, it comes back as a view without a copy, unless `out` asks for one.

    Args:
        frame: The source, of any kind.
        width: Pixels of the result.
        height: Pixels of the result.
        mode: How it is fitted, see ``place``.
        pad_value: Value of all channels of the letterbox border, 0..255.
        roi: Left, top, width and height of the region of interest, with mode "roi".
        color_range: Range of a source in YUV.
        color_matrix: Matrix of a source in YUV.
        out: Array to write into, uint8 [height, width, 3]; None for a new one where it is needed.
        copy: False leaves `out` alone where the source comes back as views.

    Returns:
        The result and the map back to the source's pixels.

    Raises:
        ImageError: If a size is zero, or the region is not inside of the source.
        ValueError: If `out` has another size, or another argument is out of range.

    Example:
        >>> frame = nv12_from_buffer(bytes(640 * 480 * 3 // 2), 640, 480)
        >>> bgr, transform = fit_bgr(frame, 224, 224, "center_crop")
        >>> bgr.shape, transform.offset_x
        ((224, 224, 3), 80.0)
    """
    check_colors(color_range, color_matrix)
    placement = place(*frame_size(frame), width, height, mode, roi, _grid(frame))
    if isinstance(frame, (NV12Frame, YUV422Frame)):
        inner = _bgr_of_yuv(frame, placement, color_range, color_matrix)
    else:
        inner = _crop(frame, placement.region)
        if inner.ndim == 2:
            inner = frame_to_bgr(_resized(inner, placement.width, placement.height))
    return _framed(inner, placement, pad_value, out, (height, width, 3), copy), placement.transform


def fit_grey(
    frame: Frame,
    width: int,
    height: int,
    mode: ResizeMode = "stretch",
    pad_value: int = 127,
    *,
    roi: Sequence[int] | None = None,
    color_range: ColorRange = "full",
    color_matrix: ColorMatrix = "bt601",
    out: Plane | None = None,
    copy: bool = True,
) -> tuple[Plane, ImageTransform]:
    """Make a grey image of a model's size from a picture of any kind: its luma, in full range.

    Where the source's luma or the chosen part of it has size and range already, it comes back as a
    view without a copy, unless `out` asks for one.

    Args:
        frame: The source, of any kind.
        width: Pixels of the result.
        height: Pixels of the result.
        mode: How it is fitted, see ``place``.
        pad_value: Value of the letterbox border, 0..255.
        roi: Left, top, width and height of the region of interest, with mode "roi".
        color_range: Range of a source in YUV.
        color_matrix: Matrix that a source in BGR is weighed with.
        out: Array to write into, uint8 [height, width]; None for a new one where it is needed.
        copy: False leaves `out` alone where the source comes back as views.

    Returns:
        The result and the map back to the source's pixels.

    Raises:
        ImageError: If a size is zero, or the region is not inside of the source.
        ValueError: If `out` has another size, or another argument is out of range.

    Example:
        >>> frame = np.zeros((480, 640, 3), np.uint8)
        >>> grey, _ = fit_grey(frame, 100, 50, "roi", roi=(0, 0, 200, 100))
        >>> grey.shape
        (50, 100)
    """
    check_colors(color_range, color_matrix)
    # luma has no chroma to keep together with: any edge will do
    placement = place(*frame_size(frame), width, height, mode, roi)
    size = placement.width, placement.height
    if isinstance(frame, NV12Frame):
        inner = luma_to_grey(_resized(_crop(frame.y, placement.region), *size), color_range)
    elif isinstance(frame, YUV422Frame):
        packed = _resized(_crop(frame.packed, placement.region), *size)
        inner = frame_to_grey(YUV422Frame(packed, frame.order), color_range)
    else:
        resized = _resized(_crop(frame, placement.region), *size)
        inner = frame_to_grey(resized, color_range, color_matrix)
    return _framed(inner, placement, pad_value, out, (height, width), copy), placement.transform


def nv12_resize(
    frame: NV12Frame,
    width: int,
    height: int,
    mode: ResizeMode = "stretch",
    pad_value: int = 127,
    out: NV12Frame | None = None,
    roi: Sequence[int] | None = None,
) -> tuple[NV12Frame, ImageTransform]:
    """Resize an NV12 image plane by plane, bilinear, without leaving NV12; see ``fit_nv12``.

    An image that already has the size comes back as it is (the same views, no copy), unless `out`
    is given.

    Args:
        frame: The source.
        width: Pixels of the result, even.
        height: Pixels of the result, even.
        mode: How it is fitted, see ``place``.
        pad_value: Luma of the letterbox border, 0..255; its chroma is grey.
        out: Planes to write into, of the result's size; None for new ones where they are needed.
        roi: Left, top, width and height of the region of interest, with mode "roi".

    Returns:
        The result and the map back to the source's pixels.

    Raises:
        ImageError: If a size is zero or odd, or the region is not inside of the source.
        ValueError: If `out` has another size, or mode or pad value are out of range.

    Example:
        >>> frame = new_nv12(640, 480)
        >>> resized, _ = nv12_resize(frame, 320, 240)
        >>> resized.width, resized.height
        (320, 240)
    """
    return fit_nv12(frame, width, height, mode, pad_value, roi=roi, out=out)


def bgr_resize_to_nv12(
    image: Plane,
    width: int,
    height: int,
    mode: ResizeMode = "stretch",
    pad_value: int = 127,
    color_range: ColorRange = "full",
    out: NV12Frame | None = None,
    color_matrix: ColorMatrix = "bt601",
    roi: Sequence[int] | None = None,
) -> tuple[NV12Frame, ImageTransform]:
    """Resize a BGR image and convert it to NV12; see ``fit_nv12``.

    Args:
        image: uint8 [height, width, 3], channels blue, green, red.
        width: Pixels of the result, even.
        height: Pixels of the result, even.
        mode: How it is fitted, see ``place``.
        pad_value: Luma of the letterbox border, 0..255; its chroma is grey.
        color_range: Range of the result.
        out: Planes to write into, of the result's size; None for new ones.
        color_matrix: Matrix of the result.
        roi: Left, top, width and height of the region of interest, with mode "roi".

    Returns:
        The result and the map back to the source's pixels.

    Raises:
        ImageError: If a size is zero or odd, or the region is not inside of the source.
        ValueError: If `out` has another size, or another argument is out of range.

    Example:
        >>> planes, _ = bgr_resize_to_nv12(np.zeros((480, 640, 3), np.uint8), 320, 320)
        >>> planes.y.shape, planes.uv.shape
        ((320, 320), (160, 160, 2))
    """
    check_color(image)
    return fit_nv12(
        image,
        width,
        height,
        mode,
        pad_value,
        roi=roi,
        color_range=color_range,
        color_matrix=color_matrix,
        out=out,
    )


def bgr_resize(
    image: Plane,
    width: int,
    height: int,
    mode: ResizeMode = "stretch",
    pad_value: int = 127,
    out: Plane | None = None,
    roi: Sequence[int] | None = None,
) -> tuple[Plane, ImageTransform]:
    """Resize an image of three interleaved channels, bilinear; see ``fit_bgr``.

    Args:
        image: uint8 [height, width, 3], any order of channels.
        width: Pixels of the result.
        height: Pixels of the result.
        mode: How it is fitted, see ``place``.
        pad_value: Value of the letterbox border in all channels, 0..255.
        out: Array to write into, uint8 [height, width, 3]; None for a new one where it is needed.
        roi: Left, top, width and height of the region of interest, with mode "roi".

    Returns:
        The result and the map back to the source's pixels.

    Raises:
        ImageError: If a size is zero, or the region is not inside of the source.
        ValueError: If `out` has another size, or mode or pad value are out of range.

    Example:
        >>> image = np.zeros((480, 640, 3), np.uint8)
        >>> resized, transform = bgr_resize(image, 320, 320, "letterbox")
        >>> resized.shape, transform.scale_x
        ((320, 320, 3), 2.0)
    """
    check_color(image)
    return fit_bgr(image, width, height, mode, pad_value, roi=roi, out=out)


def _grid(frame: Frame) -> tuple[int, int]:
    """Pixels that share one chroma sample, horizontally and vertically."""
    if isinstance(frame, NV12Frame):
        return 2, 2
    return (2, 1) if isinstance(frame, YUV422Frame) else (1, 1)


def _crop(plane: Plane, region: Region) -> Plane:
    left, top, width, height = region
    if (height, width) == plane.shape[:2]:
        return plane
    return plane[top : top + height, left : left + width]


def _crop_nv12(frame: NV12Frame, region: Region) -> NV12Frame:
    if (region.width, region.height) == (frame.width, frame.height):
        return frame
    half = Region(*(value // 2 for value in region))
    return NV12Frame(_crop(frame.y, region), _crop(frame.uv, half))


def _crop_422(frame: YUV422Frame, region: Region) -> YUV422Frame:
    return YUV422Frame(_crop(frame.packed, region), frame.order)


def _bgr_of_yuv(
    frame: NV12Frame | YUV422Frame,
    placement: Placement,
    color_range: ColorRange,
    color_matrix: ColorMatrix,
) -> Plane:
    """Resize the chosen part to its size and convert it; where that is odd, convert it first."""
    width, height = placement.width, placement.height
    part: NV12Frame | YUV422Frame
    if isinstance(frame, NV12Frame):
        part = _crop_nv12(frame, placement.region)
        even = width % 2 == 0 and height % 2 == 0
    else:
        part = _crop_422(frame, placement.region)
        even = width % 2 == 0
    if not even or (part.width, part.height) == (width, height):
        return frame_to_bgr(part, color_range, color_matrix)
    luma = np.empty((height, width), np.uint8)
    if isinstance(part, NV12Frame):
        chroma = np.empty((height // 2, width // 2, 2), np.uint8)
        _resize(part.y, luma)
        _resize(part.uv, chroma)
    else:
        chroma = np.empty((height, width // 2, 2), np.uint8)
        _resize_422(part, luma, chroma)
    return planes_to_color(luma, chroma, color_range, color_matrix, "BGR")


def _resize_422(frame: YUV422Frame, luma: Plane, chroma: Plane) -> None:
    """Resize into planes; chroma of half the height is made of the means of two rows."""
    cv2 = opencv()
    first = luma_channel(frame.order)
    resized = _resized(frame.packed, luma.shape[1], luma.shape[0])
    np.copyto(luma, cv2.extractChannel(resized, first))
    # two neighbours as one pixel of four channels, two of them chroma
    quads: Plane = frame.packed.reshape(frame.height, frame.width // 2, 4)
    if chroma.shape[0] != luma.shape[0] and frame.height % 2 == 0:
        quads = cv2.addWeighted(quads[0::2], 0.5, quads[1::2], 0.5, 0)
    quads = _resized(quads, chroma.shape[1], chroma.shape[0])
    pair = np.empty(chroma.shape, np.uint8)
    cv2.mixChannels([quads], [pair], [1 - first, 0, 3 - first, 1])
    np.copyto(chroma, pair)


def _inner_nv12(out: NV12Frame, placement: Placement, pad_value: int) -> NV12Frame:
    """Fill what lies outside of the placement and return views of what lies inside."""
    inner = Region(placement.x, placement.y, placement.width, placement.height)
    half = Region(*(value // 2 for value in inner))
    _fill_border(out.y, inner, pad_value)
    _fill_border(out.uv, half, CHROMA_GREY)
    return NV12Frame(_crop(out.y, inner), _crop(out.uv, half))


def _framed(
    image: Plane,
    placement: Placement,
    pad_value: int,
    out: Plane | None,
    shape: tuple[int, ...],
    copy: bool,
) -> Plane:
    """Put a picture in its place, resized where it has not its size yet."""
    _check_pad_value(pad_value)
    if image.shape == shape and (out is None or not copy):
        return image
    if out is None:
        out = np.empty(shape, dtype=np.uint8)
    if out.shape != shape or out.dtype != np.uint8:
        raise ValueError(f"out must be uint8 {list(shape)}, got {out.dtype} {list(out.shape)}")
    inner = Region(placement.x, placement.y, placement.width, placement.height)
    _fill_border(out, inner, pad_value)
    _resize(image, _crop(out, inner))
    return out


def _fill_border(out: Plane, inner: Region, value: int) -> None:
    _check_pad_value(value)
    out[: inner.top] = value
    out[inner.top + inner.height :] = value
    rows = out[inner.top : inner.top + inner.height]
    rows[:, : inner.left] = value
    rows[:, inner.left + inner.width :] = value


def _check_pad_value(value: int) -> None:
    if not 0 <= value <= 255:
        raise ValueError(f"pad value must be 0..255, got {value}")


def _resized(source: Plane, width: int, height: int) -> Plane:
    """Return a resized copy, or the source where it has the size."""
    if source.shape[:2] == (height, width):
        return source
    result: Plane = opencv().resize(source, (width, height))
    return result


def _resize(source: Plane, target: Plane) -> None:
    """Resize into a given array, which may be a view with padded rows."""
    if source.shape == target.shape:
        np.copyto(target, source)
        return
    cv2 = opencv()
    size = (target.shape[1], target.shape[0])
    cv2.resize(source, size, dst=target, interpolation=cv2.INTER_LINEAR)
