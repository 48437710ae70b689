# SPDX-License-Identifier: Apache-2.0
"""Encodings by the names of sensor_msgs/image_encodings: from the bytes of an image to a frame."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

import numpy as np

from hbm_runtime._texts import shortened
from hbm_runtime.image._opencv import opencv
from hbm_runtime.image.faults import ImageError, ImageFault
from hbm_runtime.image.frames import (
    Frame,
    NV12Frame,
    nv12_from_buffer,
    rows_from_buffer,
    yuv422_from_buffer,
)

if TYPE_CHECKING:
    from hbm_runtime.image.frames import YUV422Order

# Older names in sensor_msgs/image_encodings and the newer ones that mean the same.
ALIASES = {"yuv422_yuy2": "yuyv", "yuv422": "uyvy"}
# Of sensor_msgs/CompressedImage.
COMPRESSED = ("jpeg", "png")
_SPELLINGS = {**ALIASES, "jpg": "jpeg"}

Reader = Callable[[Any, int, int, int], Frame]


def canonical(encoding: str) -> str:
    """Return the newer of two names of an encoding."""
    return _SPELLINGS.get(encoding, encoding)


def check_accepted(encoding: str, accepted: Collection[str]) -> None:
    """Refuse an encoding that is not one of those that were asked for.

    Args:
        encoding: Of the image.
        accepted: Names, old or new; empty for all.

    Raises:
        ImageError: ENCODING, lists what is accepted.
    """
    if accepted and canonical(encoding) not in {canonical(name) for name in accepted}:
        raise ImageError(
            ImageFault.ENCODING,
            f"encoding '{shortened(encoding)}' is not one of the accepted ones: "
            f"{', '.join(accepted)} (parameter 'encodings')",
        )


def read(encoding: str, data: Any, width: int, height: int, step: int) -> Frame | None:
    """See or convert an image in one of the encodings known here.

    nv12, yuyv, uyvy, bgr8 and mono8 are seen in place; of nv21 the chroma is copied with U and V
    swapped; the others are copied to BGR.

    Args:
        encoding: Its name, old or new.
        data: Bytes that can be indexed and seen as a buffer.
        width: Pixels per row.
        height: Rows.
        step: Bytes from one row to the next.

    Returns:
        The picture, or None if the encoding is not known here.

    Raises:
        ImageError: If size, step and data contradict each other.
    """
    reader = _READERS.get(canonical(encoding))
    return None if reader is None else reader(data, width, height, step)


def _nv21(data: Any, width: int, height: int, step: int) -> NV12Frame:
    y, vu = nv12_from_buffer(data, width, height, step)
    # two bytes as one number, its bytes swapped; before 1.23 numpy wants dense rows for that
    pairs = np.ascontiguousarray(vu).view(np.uint16)
    return NV12Frame(y, pairs.byteswap().view(np.uint8))


def _packed(order: YUV422Order) -> Reader:
    def reader(data: Any, width: int, height: int, step: int) -> Frame:
        return yuv422_from_buffer(data, width, height, step, order)

    return reader


def _interleaved(encoding: str, channels: int, conversion: str = "") -> Reader:
    """Read pixels of 8 bits per channel; `conversion` is OpenCV's name of the way to BGR."""

    def reader(data: Any, width: int, height: int, step: int) -> Frame:
        pixels = rows_from_buffer(data, width, height, channels, step, encoding)
        if channels == 1:
            return pixels[:, :, 0]
        if not conversion:
            return pixels
        cv2 = opencv()
        return np.asarray(cv2.cvtColor(pixels, getattr(cv2, conversion)), dtype=np.uint8)

    return reader


_READERS: dict[str, Reader] = {
    "nv12": nv12_from_buffer,
    "nv21": _nv21,
    "yuyv": _packed("yuyv"),
    "uyvy": _packed("uyvy"),
    "bgr8": _interleaved("bgr8", 3),
    "rgb8": _interleaved("rgb8", 3, "COLOR_RGB2BGR"),
    "bgra8": _interleaved("bgra8", 4, "COLOR_BGRA2BGR"),
    "rgba8": _interleaved("rgba8", 4, "COLOR_RGBA2BGR"),
    "mono8": _interleaved("mono8", 1),
}
# All names known here, old and new.
KNOWN = (*_READERS, *ALIASES)
