# SPDX-License-Identifier: Apache-2.0
"""Letterbox, stretch, crop, region: where a picture goes in an input, and the way back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from hbm_runtime.image.faults import ImageError, ImageFault, check_size

Points = npt.NDArray[np.float64]
ResizeMode = Literal["stretch", "letterbox", "center_crop", "roi"]


class Region(NamedTuple):
    """A rectangle of pixels.

    Attributes:
        left: First column.
        top: First row.
        width: Columns.
        height: Rows.

    Example:
        >>> left, top, width, height = Region(10, 20, 300, 200)
        >>> left + width
        310
    """

    left: int
    top: int
    width: int
    height: int


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

    Example:
        >>> transform = place(640, 480, 320, 320, "letterbox").transform
        >>> transform.to_source([[0, 40]]).tolist()
        [[0.0, 0.0]]
        >>> transform.to_model([[640, 480]]).tolist()
        [[320.0, 280.0]]
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
    """Which part of a source goes where in a model's input.

    Attributes:
        x: Left edge of the resized part, in model pixels.
        y: Upper edge.
        width: Width of the resized part.
        height: Height of the resized part.
        transform: Coordinates back to the source.
        region: The part, in source pixels.

    Example:
        >>> place(1920, 1080, 640, 640, "center_crop").region
        Region(left=420, top=0, width=1080, height=1080)
    """

    x: int
    y: int
    width: int
    height: int
    transform: ImageTransform
    region: Region


def place(
    source_width: int,
    source_height: int,
    model_width: int,
    model_height: int,
    mode: ResizeMode,
    roi: Sequence[int] | None = None,
    grid: tuple[int, int] = (1, 1),
) -> Placement:
    """Say which part of a source image goes where in a model's input.

    Letterboxing keeps the aspect ratio and centres the image. Its rectangle is kept on even
    coordinates, so that luma and chroma of NV12 stay together; the transform holds the exact scales
    that follow from that. So it does where a crop is rounded to whole pixels, or to the `grid`.

    Args:
        source_width: Pixels, > 0.
        source_height: Pixels, > 0.
        model_width: Pixels, > 0.
        model_height: Pixels, > 0.
        mode: "stretch" fills the input with the whole image, "letterbox" keeps the aspect ratio and
            pads, "center_crop" fills the input with the largest centred part of its aspect ratio,
            "roi" with the region of interest.
        roi: With mode "roi": left, top, width and height of the region in source pixels.
        grid: Pixels that share one chroma sample, horizontally and vertically: (2, 2) for NV12,
            (2, 1) for YUV 4:2:2. Edges of a part lie between such groups; a region of interest is
            enlarged to that.

    Returns:
        The rectangles and the transform.

    Raises:
        ImageError: If a size is 0 or the region of interest is not inside of the image.
        ValueError: If the mode is unknown or the region of interest is missing or empty.

    Example:
        >>> placement = place(1920, 1080, 640, 640, "letterbox")
        >>> placement.x, placement.y, placement.width, placement.height
        (0, 140, 640, 360)
    """
    check_size(source_width, source_height, "source image")
    check_size(model_width, model_height, "model input")
    region = Region(0, 0, source_width, source_height)
    x, y, width, height = 0, 0, model_width, model_height
    if mode == "letterbox":
        scale = min(model_width / source_width, model_height / source_height)
        width = min(model_width, max(2, round(source_width * scale / 2) * 2))
        height = min(model_height, max(2, round(source_height * scale / 2) * 2))
        x = (model_width - width) // 4 * 2
        y = (model_height - height) // 4 * 2
    elif mode == "center_crop":
        region = _centre(source_width, source_height, model_width, model_height, grid)
    elif mode == "roi":
        region = _inside(source_width, source_height, check_roi(roi), grid)
    elif mode != "stretch":
        raise ValueError(
            f"resize mode must be 'stretch', 'letterbox', 'center_crop' or 'roi', got {mode!r}"
        )
    scale_x, scale_y = region.width / width, region.height / height
    transform = ImageTransform(
        source_width=source_width,
        source_height=source_height,
        model_width=model_width,
        model_height=model_height,
        scale_x=scale_x,
        scale_y=scale_y,
        offset_x=region.left - x * scale_x,
        offset_y=region.top - y * scale_y,
    )
    return Placement(x, y, width, height, transform, region)


def check_roi(roi: Sequence[int] | None) -> Region:
    """Return the region of interest; raises ValueError if it is missing or empty."""
    if roi is None or len(roi) != 4 or min(roi) < 0 or min(roi[2:]) < 1:
        raise ValueError(
            "roi must be left, top, width and height in pixels, the latter two at least 1, "
            f"got {None if roi is None else list(roi)}"
        )
    return Region(*(int(value) for value in roi))


def _centre(
    source_width: int,
    source_height: int,
    model_width: int,
    model_height: int,
    grid: tuple[int, int],
) -> Region:
    """The largest centred part with the model's aspect ratio, on the grid."""
    width, height = source_width, source_height
    if source_width * model_height > source_height * model_width:
        width = _nearest(source_height * model_width / model_height, grid[0], source_width)
    else:
        height = _nearest(source_width * model_height / model_width, grid[1], source_height)
    left = (source_width - width) // 2 // grid[0] * grid[0]
    top = (source_height - height) // 2 // grid[1] * grid[1]
    return Region(left, top, width, height)


def _nearest(length: float, step: int, limit: int) -> int:
    return min(limit, max(step, round(length / step) * step))


def _inside(source_width: int, source_height: int, roi: Region, grid: tuple[int, int]) -> Region:
    """The region of interest, enlarged to the grid."""
    right, bottom = roi.left + roi.width, roi.top + roi.height
    if right > source_width or bottom > source_height:
        raise ImageError(
            ImageFault.OUTSIDE,
            f"roi {list(roi)} (left, top, width, height) reaches to column {right} and row "
            f"{bottom}, but the image has {source_width}x{source_height} pixels",
        )
    left, top = roi.left // grid[0] * grid[0], roi.top // grid[1] * grid[1]
    right = min(source_width, -(-right // grid[0]) * grid[0])
    bottom = min(source_height, -(-bottom // grid[1]) * grid[1])
    return Region(left, top, right - left, bottom - top)
