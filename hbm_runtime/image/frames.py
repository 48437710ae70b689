# SPDX-License-Identifier: Apache-2.0
"""Pictures as cameras give them: views of their bytes, never past their end."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from hbm_runtime.image.faults import ImageError, ImageFault, check_even, check_size

Plane = npt.NDArray[np.uint8]
YUV422Order = Literal["yuyv", "uyvy"]

CHROMA_GREY = 128


class NV12Frame(NamedTuple):
    """The two planes of an NV12 image.

    Attributes:
        y: Luma, uint8 [height, width].
        uv: Chroma, uint8 [height / 2, width / 2, 2], U before V.

    Example:
        >>> y, uv = nv12_from_buffer(bytes(24), 4, 4)
        >>> NV12Frame(y, uv).width
        4
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


class YUV422Frame(NamedTuple):
    """A YUV 4:2:2 image with luma and chroma interleaved: two pixels share U and V.

    Attributes:
        packed: uint8 [height, width, 2], of two neighbours in a row: Y U, Y V ("yuyv") or U Y, V Y
            ("uyvy").
        order: Which of them.

    Example:
        >>> frame = YUV422Frame(np.zeros((2, 4, 2), np.uint8), "uyvy")
        >>> frame.width, frame.height
        (4, 2)
    """

    packed: Plane
    order: YUV422Order

    @property
    def width(self) -> int:
        """Pixels per row."""
        return int(self.packed.shape[1])

    @property
    def height(self) -> int:
        """Rows."""
        return int(self.packed.shape[0])


# A plane is BGR, uint8 [height, width, 3], or grey, uint8 [height, width].
Frame = NV12Frame | YUV422Frame | Plane


def frame_size(frame: Frame) -> tuple[int, int]:
    """Return width and height in pixels.

    Args:
        frame: Of any kind.

    Returns:
        Width and height.

    Raises:
        ValueError: If it is an array, but neither a BGR nor a grey picture.

    Example:
        >>> frame_size(np.zeros((480, 640, 3), np.uint8))
        (640, 480)
    """
    if isinstance(frame, (NV12Frame, YUV422Frame)):
        return frame.width, frame.height
    if frame.dtype != np.uint8 or (frame.ndim != 2 and (frame.ndim != 3 or frame.shape[2] != 3)):
        raise ValueError(
            "image must be uint8 [height, width, 3] or [height, width], "
            f"got {frame.dtype} {list(frame.shape)}"
        )
    return int(frame.shape[1]), int(frame.shape[0])


def check_planes(frame: Frame) -> None:
    """Check a frame that somebody put together: its planes, their types and their sizes.

    Args:
        frame: Of any kind.

    Raises:
        ImageError: If a size is 0, or odd where it must be even.
        ValueError: If a plane has another type or shape than its frame needs.
    """
    if isinstance(frame, NV12Frame):
        _check_plane("luma of an NV12 image", frame.y, ("height", "width"))
        check_even(frame.width, frame.height)
        half = (frame.height // 2, frame.width // 2, 2)
        _check_plane(f"chroma of a {frame.width}x{frame.height} NV12 image", frame.uv, half)
    elif isinstance(frame, YUV422Frame):
        _check_plane("YUV 4:2:2 image", frame.packed, ("height", "width", 2))
        check_size(frame.width, frame.height, "YUV 4:2:2 image")
    else:
        frame_size(frame)


def _check_plane(what: str, plane: Plane, wanted: tuple[int | str, ...]) -> None:
    shape = np.shape(plane)
    fits = len(shape) == len(wanted) and all(
        isinstance(size, str) or size == got for size, got in zip(wanted, shape, strict=True)
    )
    if not isinstance(plane, np.ndarray) or plane.dtype != np.uint8 or not fits:
        got = f"{plane.dtype} {list(shape)}" if isinstance(plane, np.ndarray) else type(plane)
        raise ValueError(f"{what} must be uint8 [{', '.join(map(str, wanted))}], got {got}")


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

    Example:
        >>> frame = nv12_from_buffer(bytes(64 * 6), 48, 4, step=64)
        >>> frame.y.shape, frame.uv.shape
        ((4, 48), (2, 24, 2))
    """
    check_even(width, height)
    step = width if step is None else step
    if step < width:
        raise ImageError(
            ImageFault.BAD_STEP,
            f"step of an NV12 image must be at least its width {width}, got {step}",
        )
    rows = height + height // 2
    needed = step * (rows - 1) + width
    flat = _flat(buffer)
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


def yuv422_from_buffer(
    buffer: Any, width: int, height: int, step: int | None = None, order: YUV422Order = "yuyv"
) -> YUV422Frame:
    """See YUV 4:2:2 data without copying.

    Args:
        buffer: Contiguous bytes, `height` rows of `2 * width`. The last row may lack its padding;
            anything after it is ignored.
        width: Pixels per row, even.
        height: Rows.
        step: Bytes from one row to the next; None for `2 * width`.
        order: Of luma and chroma.

    Returns:
        A view of the buffer.

    Raises:
        ImageError: If a size is zero, the width is odd, `step` is less than a row, or the buffer is
            too short.

    Example:
        >>> yuv422_from_buffer(bytes(4 * 2 * 2), 4, 2, order="uyvy").packed.shape
        (2, 4, 2)
    """
    check_size(width, height, "YUV 4:2:2 image")
    if width % 2:
        raise ImageError(
            ImageFault.ODD_SIZE, f"YUV 4:2:2 needs an even width, got {width}x{height}"
        )
    step = 2 * width if step is None else step
    return YUV422Frame(rows_from_buffer(buffer, width, height, 2, step, "YUV 4:2:2"), order)


def rows_from_buffer(
    buffer: Any, width: int, height: int, channels: int, step: int, what: str
) -> Plane:
    """See interleaved pixels of 8 bits without copying.

    Args:
        buffer: Contiguous bytes.
        width: Pixels per row.
        height: Rows.
        channels: Bytes per pixel.
        step: Bytes from one row to the next.
        what: Of the image, for messages.

    Returns:
        uint8 [height, width, channels], a view of the buffer.

    Raises:
        ImageError: If a size is zero, `step` is less than a row, or the buffer is too short.
    """
    check_size(width, height, f"{what} image")
    flat = _flat(buffer)
    check_rows(flat.size, width * channels, width, height, step, what)
    rows: Plane = np.ndarray((height, width, channels), np.uint8, flat, 0, (step, channels, 1))
    return rows


def check_rows(held: int, row: int, width: int, height: int, step: int, what: str) -> None:
    """Raise ImageError if rows do not fit their step or their buffer.

    Args:
        held: Bytes of the buffer.
        row: Bytes per row without padding.
        width: Pixels, for messages.
        height: Rows, > 0.
        step: Bytes from one row to the next.
        what: Of the image, for messages.

    Raises:
        ImageError: BAD_STEP or SHORT_DATA.
    """
    if step < row:
        raise ImageError(
            ImageFault.BAD_STEP,
            f"step of a {what} image of width {width} must be at least {row}, got {step}",
        )
    needed = step * (height - 1) + row
    if held < needed:
        raise ImageError(
            ImageFault.SHORT_DATA,
            f"data of a {width}x{height} {what} image with step {step} must hold at least "
            f"{needed} bytes, got {held}",
        )


def new_nv12(width: int, height: int) -> NV12Frame:
    """Make an NV12 image with contiguous planes and undefined content.

    Args:
        width: Pixels, even.
        height: Pixels, even.

    Returns:
        The planes.

    Raises:
        ImageError: If a size is zero or odd.

    Example:
        >>> frame = new_nv12(640, 480)
        >>> frame.y.shape, frame.uv.shape
        ((480, 640), (240, 320, 2))
    """
    check_even(width, height)
    y = np.empty((height, width), dtype=np.uint8)
    uv = np.empty((height // 2, width // 2, 2), dtype=np.uint8)
    return NV12Frame(y, uv)


def _flat(buffer: Any) -> Plane:
    # np.frombuffer takes no empty buffers
    flat: Plane = np.frombuffer(buffer, np.uint8) if len(buffer) else np.empty(0, np.uint8)
    return flat
