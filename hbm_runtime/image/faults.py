# SPDX-License-Identifier: Apache-2.0
"""Why an image cannot be used."""

from __future__ import annotations

import enum
from typing import Any

from hbm_runtime.errors import HBMInputError


class ImageFault(str, enum.Enum):
    """Why an image cannot be used; the value is a short name for counters.

    Attributes:
        ZERO_SIZE: Width or height is 0.
        ODD_SIZE: Width or height of an NV12 image is odd, or the width of a YUV 4:2:2 image.
        BAD_STEP: The step is less than a row.
        SHORT_DATA: The buffer ends before the image does.
        TOO_LARGE: There are more bytes or pixels than allowed.
        ENCODING: The encoding is not one that can be used.
        UNDECODABLE: Compressed data are not a picture.
        OUTSIDE: The region of interest is not inside of the image.

    Example:
        >>> ImageFault.BAD_STEP.value
        'bad_step'
    """

    ZERO_SIZE = "zero_size"
    ODD_SIZE = "odd_size"
    BAD_STEP = "bad_step"
    SHORT_DATA = "short_data"
    TOO_LARGE = "too_large"
    ENCODING = "encoding"
    UNDECODABLE = "undecodable"
    OUTSIDE = "outside"


class ImageError(HBMInputError):
    """An image that cannot be used.

    Attributes:
        fault: The kind of fault, for counters.

    Example:
        >>> nv12_from_buffer(bytes(5), 4, 4)
        Traceback (most recent call last):
        hbm_runtime.image.faults.ImageError: NV12 data of a 4x4 image with step 4 must ...
    """

    def __init__(self, fault: ImageFault, message: str) -> None:
        super().__init__(message)
        self.fault = fault

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.fault, str(self))


def check_size(width: int, height: int, what: str) -> None:
    """Raise ImageError if a size is zero (or less)."""
    if width <= 0 or height <= 0:
        raise ImageError(ImageFault.ZERO_SIZE, f"size of the {what} is {width}x{height}")


def check_even(width: int, height: int) -> None:
    """Raise ImageError if a size cannot be NV12's."""
    check_size(width, height, "NV12 image")
    if width % 2 or height % 2:
        raise ImageError(
            ImageFault.ODD_SIZE, f"NV12 needs an even width and height, got {width}x{height}"
        )
