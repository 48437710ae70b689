# SPDX-License-Identifier: Apache-2.0
"""NV12 and RGB images for models: views of buffers, resizing, colour conversion, coordinates.

An NV12 image is a plane of luma (Y) and one of interleaved chroma (U, V) at half the width and
height. Colours are BT.601, either *full* range (luma 0..255, what the vendor's compiler calls
``regular``) or *limited* range (luma 16..235, ``bt601_video``, what most video files and OpenCV's
I420 hold).

Everything here works on the CPU with OpenCV (``pip install opencv-python-headless``), except
``nv12_from_buffer``, ``place`` and ``ImageTransform``, which need numpy only.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from hbm_runtime.errors import HBMInputError

__all__ = [
    "CHROMA_GREY",
    "ColorMatrix",
    "ColorRange",
    "Frame",
    "ImageError",
    "ImageFault",
    "ImageTransform",
    "NV12Frame",
    "Placement",
    "Plane",
    "Points",
    "ResizeMode",
    "bgr_resize",
    "bgr_resize_to_nv12",
    "bgr_to_nv12",
    "new_nv12",
    "nv12_from_buffer",
    "nv12_resize",
    "nv12_to_bgr",
    "nv12_to_rgb",
    "place",
    "rgb_to_nv12",
]

Plane = npt.NDArray[np.uint8]
Points = npt.NDArray[np.float64]
ColorRange = Literal["full", "limited"]
ColorMatrix = Literal["bt601", "bt709"]
ResizeMode = Literal["stretch", "letterbox", "center_crop", "roi"]

CHROMA_GREY = 128


class ImageFault(str, enum.Enum):
    """Why an image cannot be used; the value is a short name for counters.

    Attributes:
        ZERO_SIZE: Width or height is 0.
        ODD_SIZE: Width or height of an NV12 image is odd.
        BAD_STEP: The step is less than a row.
        SHORT_DATA: The buffer ends before the image does.
        ENCODING: The encoding is not one that can be used.
    """

    ZERO_SIZE = "zero_size"
    ODD_SIZE = "odd_size"
    BAD_STEP = "bad_step"
    SHORT_DATA = "short_data"
    ENCODING = "encoding"


class ImageError(HBMInputError):
    """An image that cannot be used.

    Attributes:
        fault: The kind of fault, for counters.
    """

    def __init__(self, fault: ImageFault, message: str) -> None:
        super().__init__(message)
        self.fault = fault

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.fault, str(self))


class NV12Frame(NamedTuple):
    """The two planes of an NV12 image.

    Attributes:
        y: Luma, uint8 [height, width].
        uv: Chroma, uint8 [height / 2, width / 2, 2], U before V.
    """

    y: Plane
    uv: Plane

    @property
    def width(self) -> int:
        """Pixels per row."""
        return int(self.y.shape[1])

    @property
    def height(self) -> int:
        """Rows."""
        return int(self.y.shape[0])


# A picture is either NV12 or BGR, uint8 [height, width, 3].
Frame = NV12Frame | Plane


@dataclass(frozen=True)
class ImageTransform:
    """The map from pixels of a model's input to pixels of the image it was made from.

    ``source = model * scale + offset`` per axis. Coordinates are continuous: (0, 0) is the upper
    left corner of the upper left pixel, whose centre is (0.5, 0.5).

    Attributes:
        source_width: Width of the source image, pixels.
        source_height: Height of the source image, pixels.
        model_width: Width of the model's input, pixels.
        model_height: Height of the model's input, pixels.
        scale_x: Source pixels per model pixel.
        scale_y: Source pixels per model pixel.
        offset_x: Source x of the model's left edge, negative where the input is padded.
        offset_y: Source y of the model's upper edge, negative where the input is padded.
    """

    source_width: int
    source_height: int
    model_width: int
    model_height: int
    scale_x: float
    scale_y: float
    offset_x: float = 0.0
    offset_y: float = 0.0

    def to_source(self, points: Points | Sequence[Sequence[float]]) -> Points:
        """Map model coordinates to source coordinates.

        Args:
            points: Array [..., 2] of (x, y).

        Returns:
            Array of the same shape, float64.
        """
        scaled = np.asarray(points, dtype=np.float64) * (self.scale_x, self.scale_y)
        return np.asarray(scaled + np.array((self.offset_x, self.offset_y)), dtype=np.float64)

    def to_model(self, points: Points | Sequence[Sequence[float]]) -> Points:
        """Map source coordinates to model coordinates; the inverse of ``to_source``.

        Args:
            points: Array [..., 2] of (x, y).

        Returns:
            Array of the same shape, float64.
        """
        shifted = np.asarray(points, dtype=np.float64) - (self.offset_x, self.offset_y)
        return np.asarray(shifted / (self.scale_x, self.scale_y), dtype=np.float64)


@dataclass(frozen=True)
class Placement:
    """Where a resized source lies in a model's input: a rectangle in model pixels.

    Attributes:
        x: Left edge.
        y: Upper edge.
        width: Width of the resized source.
        height: Height of the resized source.
        transform: Coordinates back to the source.
    """

    x: int
    y: int
    width: int
    height: int
    transform: ImageTransform


def place(
    source_width: int, source_height: int, model_width: int, model_height: int, mode: ResizeMode
) -> Placement:
    """Say where a source image goes in a model's input.

    Letterboxing keeps the aspect ratio and centres the image. Its rectangle is kept on even
    coordinates, so that luma and chroma of NV12 stay together; the transform holds the exact scales
    that follow from that.

    Args:
        source_width: Pixels, > 0.
        source_height: Pixels, > 0.
        model_width: Pixels, > 0.
        model_height: Pixels, > 0.
        mode: "stretch" fills the input, "letterbox" keeps the aspect ratio.

    Returns:
        The rectangle and the transform.

    Raises:
        ImageError: If a size is 0.
        ValueError: If the mode is unknown.
    """
    _check_size(source_width, source_height, "source image")
    _check_size(model_width, model_height, "model input")
    if mode == "stretch":
        x, y, width, height = 0, 0, model_width, model_height
    elif mode == "letterbox":
        scale = min(model_width / source_width, model_height / source_height)
        width = min(model_width, max(2, round(source_width * scale / 2) * 2))
        height = min(model_height, max(2, round(source_height * scale / 2) * 2))
        x = (model_width - width) // 4 * 2
        y = (model_height - height) // 4 * 2
    else:
        raise ValueError(f"resize mode must be 'stretch' or 'letterbox', got {mode!r}")
    scale_x, scale_y = source_width / width, source_height / height
    transform = ImageTransform(
        source_width=source_width,
        source_height=source_height,
        model_width=model_width,
        model_height=model_height,
        scale_x=scale_x,
        scale_y=scale_y,
        # "0.0 -" keeps an offset of nothing from being printed as -0.0
        offset_x=0.0 - x * scale_x,
        offset_y=0.0 - y * scale_y,
    )
    return Placement(x, y, width, height, transform)


def nv12_from_buffer(buffer: Any, width: int, height: int, step: int | None = None) -> NV12Frame:
    """See the two planes of NV12 data without copying.

    Args:
        buffer: Contiguous bytes: `height` rows of luma, then `height / 2` rows of chroma. The last
            row may end with its last pixel instead of with its padding; anything after it is
            ignored.
        width: Pixels per row, even.
        height: Rows of luma, even.
        step: Bytes from one row to the next, in both planes; None for `width`.

    Returns:
        Views of the buffer.

    Raises:
        ImageError: If a size is zero or odd, `step` is less than `width`, or the buffer is too
            short.
    """
    _check_even(width, height)
    step = width if step is None else step
    if step < width:
        raise ImageError(
            ImageFault.BAD_STEP,
            f"step of an NV12 image must be at least its width {width}, got {step}",
        )
    rows = height + height // 2
    needed = step * (rows - 1) + width
    flat = np.frombuffer(buffer, dtype=np.uint8)
    if flat.size < needed:
        raise ImageError(
            ImageFault.SHORT_DATA,
            f"NV12 data of a {width}x{height} image with step {step} must hold at least "
            f"{needed} bytes (luma and chroma), got {flat.size}",
        )
    y: Plane = np.ndarray((height, width), np.uint8, flat, 0, (step, 1))
    uv: Plane = np.ndarray(
        (height // 2, width // 2, 2), np.uint8, flat, step * height, (step, 2, 1)
    )
    return NV12Frame(y, uv)


def new_nv12(width: int, height: int) -> NV12Frame:
    """Make an NV12 image with contiguous planes and undefined content.

    Args:
        width: Pixels, even.
        height: Pixels, even.

    Returns:
        The planes.

    Raises:
        ImageError: If a size is zero or odd.
    """
    _check_even(width, height)
    y = np.empty((height, width), dtype=np.uint8)
    uv = np.empty((height // 2, width // 2, 2), dtype=np.uint8)
    return NV12Frame(y, uv)


def nv12_resize(
    frame: NV12Frame,
    width: int,
    height: int,
    mode: ResizeMode = "stretch",
    pad_value: int = 127,
    out: NV12Frame | None = None,
) -> tuple[NV12Frame, ImageTransform]:
    """Resize an NV12 image plane by plane, bilinear, without leaving NV12.

    An image that already has the size comes back as it is (the same views, no copy), unless `out`
    is given.

    Args:
        frame: The source.
        width: Pixels of the result, even.
        height: Pixels of the result, even.
        mode: "stretch" fills the result, "letterbox" keeps the aspect ratio and pads.
        pad_value: Luma of the padding, 0..255; its chroma is grey.
        out: Planes to write into, of the result's size; None for new ones where they are needed.

    Returns:
        The result and the map back to the source's pixels.

    Raises:
        ImageError: If a size is zero or odd.
        ValueError: If `out` has another size, or mode or pad value are out of range.
    """
    _check_even(width, height)
    placement = place(frame.width, frame.height, width, height, mode)
    if out is None:
        if (frame.width, frame.height) == (width, height):
            return frame, placement.transform
        out = new_nv12(width, height)
    _check_out(out, width, height)
    y, uv = _inside(out, placement, pad_value)
    _resize(frame.y, y)
    _resize(frame.uv, uv)
    return out, placement.transform


def bgr_resize_to_nv12(
    image: Plane,
    width: int,
    height: int,
    mode: ResizeMode = "stretch",
    pad_value: int = 127,
    color_range: ColorRange = "full",
    out: NV12Frame | None = None,
) -> tuple[NV12Frame, ImageTransform]:
    """Resize a BGR image and convert it to NV12.

    Args:
        image: uint8 [height, width, 3], channels blue, green, red.
        width: Pixels of the result, even.
        height: Pixels of the result, even.
        mode: "stretch" fills the result, "letterbox" keeps the aspect ratio and pads.
        pad_value: Luma of the padding, 0..255; its chroma is grey.
        color_range: BT.601 range of the result.
        out: Planes to write into, of the result's size; None for new ones.

    Returns:
        The result and the map back to the source's pixels.

    Raises:
        ImageError: If a size is zero or odd.
        ValueError: If `out` has another size, or mode, pad value or range are out of range.
    """
    _check_even(width, height)
    _check_color(image)
    placement = place(image.shape[1], image.shape[0], width, height, mode)
    out = new_nv12(width, height) if out is None else out
    _check_out(out, width, height)
    resized = np.empty((placement.height, placement.width, 3), dtype=np.uint8)
    _resize(image, resized)
    bgr_to_nv12(resized, color_range, out=_inside(out, placement, pad_value))
    return out, placement.transform


def bgr_resize(
    image: Plane,
    width: int,
    height: int,
    mode: ResizeMode = "stretch",
    pad_value: int = 127,
    out: Plane | None = None,
) -> tuple[Plane, ImageTransform]:
    """Resize an image of three interleaved channels, bilinear.

    Args:
        image: uint8 [height, width, 3], any order of channels.
        width: Pixels of the result.
        height: Pixels of the result.
        mode: "stretch" fills the result, "letterbox" keeps the aspect ratio and pads.
        pad_value: Value of the padding in all channels, 0..255.
        out: Array to write into, uint8 [height, width, 3]; None for a new one where it is needed.

    Returns:
        The result and the map back to the source's pixels.

    Raises:
        ImageError: If a size is zero.
        ValueError: If `out` has another size, or mode or pad value are out of range.
    """
    _check_color(image)
    placement = place(image.shape[1], image.shape[0], width, height, mode)
    if out is None:
        if image.shape[:2] == (height, width):
            return image, placement.transform
        out = np.empty((height, width, 3), dtype=np.uint8)
    if out.shape != (height, width, 3):
        raise ValueError(f"out must have shape {(height, width, 3)}, got {out.shape}")
    _fill_border(out, placement, pad_value)
    y, x = placement.y, placement.x
    _resize(image, out[y : y + placement.height, x : x + placement.width])
    return out, placement.transform


def bgr_to_nv12(
    image: Plane, color_range: ColorRange = "full", out: NV12Frame | None = None
) -> NV12Frame:
    """Convert a BGR image to NV12.

    Full range takes the mean of each 2x2 block for chroma. Limited range is OpenCV's I420
    conversion with U and V interleaved, the same bytes as the usual ``cvtColor(image,
    COLOR_BGR2YUV_I420)`` recipe gives.

    Args:
        image: uint8 [height, width, 3], channels blue, green, red; even width and height.
        color_range: BT.601 range of the result.
        out: Planes to write into; None for new ones.

    Returns:
        The planes.

    Raises:
        ImageError: If a size is zero or odd.
        ValueError: If shape, range or `out` do not fit.
    """
    return _to_nv12(image, color_range, out, "BGR")


def rgb_to_nv12(
    image: Plane, color_range: ColorRange = "full", out: NV12Frame | None = None
) -> NV12Frame:
    """Convert an RGB image to NV12; like ``bgr_to_nv12`` with red first.

    Args:
        image: uint8 [height, width, 3], channels red, green, blue; even width and height.
        color_range: BT.601 range of the result.
        out: Planes to write into; None for new ones.

    Returns:
        The planes.

    Raises:
        ImageError: If a size is zero or odd.
        ValueError: If shape, range or `out` do not fit.
    """
    return _to_nv12(image, color_range, out, "RGB")


def nv12_to_rgb(frame: NV12Frame, color_range: ColorRange = "full") -> Plane:
    """Convert NV12 to RGB, each chroma sample used for its 2x2 block.

    Args:
        frame: The planes.
        color_range: BT.601 range of the source.

    Returns:
        uint8 [height, width, 3], channels red, green, blue.

    Raises:
        ValueError: If the range is unknown.
    """
    return _from_nv12(frame, color_range, "RGB")


def nv12_to_bgr(frame: NV12Frame, color_range: ColorRange = "full") -> Plane:
    """Convert NV12 to BGR; like ``nv12_to_rgb`` with blue first.

    Args:
        frame: The planes.
        color_range: BT.601 range of the source.

    Returns:
        uint8 [height, width, 3], channels blue, green, red.

    Raises:
        ValueError: If the range is unknown.
    """
    return _from_nv12(frame, color_range, "BGR")


def _to_nv12(
    image: Plane, color_range: ColorRange, out: NV12Frame | None, order: Literal["BGR", "RGB"]
) -> NV12Frame:
    cv2 = _opencv()
    _check_color(image)
    height, width = image.shape[:2]
    _check_even(width, height)
    out = new_nv12(width, height) if out is None else out
    _check_out(out, width, height)
    if color_range == "full":
        to_ycrcb = cv2.COLOR_BGR2YCrCb if order == "BGR" else cv2.COLOR_RGB2YCrCb
        to_luma = cv2.COLOR_BGR2GRAY if order == "BGR" else cv2.COLOR_RGB2GRAY
        np.copyto(out.y, cv2.cvtColor(image, to_luma))
        quarter = cv2.resize(image, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
        np.copyto(out.uv, cv2.cvtColor(quarter, to_ycrcb)[:, :, :0:-1])
    elif color_range == "limited":
        to_i420 = cv2.COLOR_BGR2YUV_I420 if order == "BGR" else cv2.COLOR_RGB2YUV_I420
        planar = cv2.cvtColor(image, to_i420).reshape(-1)
        luma, chroma = width * height, width * height // 4
        np.copyto(out.y, planar[:luma].reshape(height, width))
        np.copyto(out.uv[:, :, 0], planar[luma : luma + chroma].reshape(out.uv.shape[:2]))
        np.copyto(out.uv[:, :, 1], planar[luma + chroma :].reshape(out.uv.shape[:2]))
    else:
        raise _unknown_range(color_range)
    return out


def _from_nv12(frame: NV12Frame, color_range: ColorRange, order: Literal["BGR", "RGB"]) -> Plane:
    cv2 = _opencv()
    result: Plane
    if color_range == "full":
        # OpenCV's own NV12 conversion knows limited range only
        ycrcb = np.empty((frame.height, frame.width, 3), dtype=np.uint8)
        ycrcb[:, :, 0] = frame.y
        size = (frame.width, frame.height)
        ycrcb[:, :, :0:-1] = cv2.resize(frame.uv, size, interpolation=cv2.INTER_NEAREST)
        code = cv2.COLOR_YCrCb2RGB if order == "RGB" else cv2.COLOR_YCrCb2BGR
        result = cv2.cvtColor(ycrcb, code)
    elif color_range == "limited":
        code = cv2.COLOR_YUV2RGB_NV12 if order == "RGB" else cv2.COLOR_YUV2BGR_NV12
        result = cv2.cvtColorTwoPlane(frame.y, frame.uv, code)
    else:
        raise _unknown_range(color_range)
    return result


def _inside(out: NV12Frame, placement: Placement, pad_value: int) -> NV12Frame:
    """Fill what lies outside the placement and return views of what lies inside."""
    half = Placement(
        placement.x // 2,
        placement.y // 2,
        placement.width // 2,
        placement.height // 2,
        placement.transform,
    )
    _fill_border(out.y, placement, pad_value)
    _fill_border(out.uv, half, CHROMA_GREY)
    return NV12Frame(
        out.y[
            placement.y : placement.y + placement.height,
            placement.x : placement.x + placement.width,
        ],
        out.uv[half.y : half.y + half.height, half.x : half.x + half.width],
    )


def _fill_border(out: Plane, inner: Placement, value: int) -> None:
    if not 0 <= value <= 255:
        raise ValueError(f"pad value must be 0..255, got {value}")
    out[: inner.y] = value
    out[inner.y + inner.height :] = value
    rows = out[inner.y : inner.y + inner.height]
    rows[:, : inner.x] = value
    rows[:, inner.x + inner.width :] = value


def _resize(source: Plane, target: Plane) -> None:
    """Resize into a given array, which may be a view with padded rows."""
    if source.shape == target.shape:
        np.copyto(target, source)
        return
    cv2 = _opencv()
    size = (target.shape[1], target.shape[0])
    cv2.resize(source, size, dst=target, interpolation=cv2.INTER_LINEAR)


def _check_size(width: int, height: int, what: str) -> None:
    if width <= 0 or height <= 0:
        raise ImageError(ImageFault.ZERO_SIZE, f"size of the {what} is {width}x{height}")


def _check_even(width: int, height: int) -> None:
    _check_size(width, height, "NV12 image")
    if width % 2 or height % 2:
        raise ImageError(
            ImageFault.ODD_SIZE, f"NV12 needs an even width and height, got {width}x{height}"
        )


def _check_color(image: Plane) -> None:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(
            f"image must be uint8 [height, width, 3], got {image.dtype} {list(image.shape)}"
        )


def _check_out(out: NV12Frame, width: int, height: int) -> None:
    wanted = ((height, width), (height // 2, width // 2, 2))
    if (out.y.shape, out.uv.shape) != wanted or out.y.dtype != np.uint8 or out.uv.dtype != np.uint8:
        raise ValueError(
            f"out must be uint8 planes {wanted[0]} and {wanted[1]}, "
            f"got {out.y.dtype} {out.y.shape} and {out.uv.dtype} {out.uv.shape}"
        )


def _unknown_range(color_range: str) -> ValueError:
    return ValueError(f"color range must be 'full' or 'limited', got {color_range!r}")


def _opencv() -> Any:
    """Import OpenCV late: hbm_runtime itself needs numpy only."""
    try:
        import cv2
    except ImportError as error:
        raise ImportError(
            "resizing and colour conversion need OpenCV: pip install 'hbm-runtime[image]', "
            f"or apt install python3-opencv ({error})"
        ) from error
    return cv2
