# SPDX-License-Identifier: Apache-2.0
"""Compressed pictures, JPEG and PNG: walked through with bounds first, decoded then."""

from __future__ import annotations

import re
import struct
import zlib
from typing import Any, NamedTuple

import numpy as np

from hbm_runtime._texts import said, shortened
from hbm_runtime.image._opencv import opencv
from hbm_runtime.image.encodings import COMPRESSED
from hbm_runtime.image.faults import ImageError, ImageFault
from hbm_runtime.image.frames import Frame

# Far beyond what encoders write, so that no file of many tiny pieces keeps a processor busy.
MAX_SEGMENTS = 4096
MAX_SCANS = 64
MAX_CHUNKS = 65536

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_JPEG_START = b"\xff\xd8\xff"
_MARKER = re.compile(rb"\xff+[^\x00\xff]")
# Neither a stuffed FF 00, nor a restart marker (D0..D7), nor a fill byte.
_END_OF_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_WORD = re.compile(r"[a-z0-9]+")
# compressed_image_transport: "rgb8; jpeg compressed rgb8" holds RGB in the order of BGR
_SWAPPED = re.compile(r"compressed rgb")


class Picture(NamedTuple):
    """What the header of a compressed picture says.

    Attributes:
        codec: "jpeg" or "png".
        width: Pixels.
        height: Pixels.
        grey: One channel, no palette.
        least_bytes: That so many pixels take in this coding, even of one colour; 0 if not known.
    """

    codec: str
    width: int
    height: int
    grey: bool
    least_bytes: int = 0


def codec(data: Any, format_: str) -> str:
    """Return "jpeg" or "png", by the first bytes of the data.

    Args:
        data: The compressed picture.
        format_: `CompressedImage.format`.

    Returns:
        One of `COMPRESSED`.

    Raises:
        ImageError: UNDECODABLE if the data are not what `format` says; ENCODING if that says
            something else.
    """
    start = bytes(data[: len(_PNG_SIGNATURE)])
    if start.startswith(_JPEG_START):
        return "jpeg"
    if start == _PNG_SIGNATURE:
        return "png"
    words = set(_WORD.findall(format_.lower()))
    if words & {"jpeg", "jpg", "png"} and "compresseddepth" not in words:
        raise ImageError(
            ImageFault.UNDECODABLE,
            f"{len(data)} bytes of format '{shortened(format_)}' begin with neither JPEG's nor "
            f"PNG's mark: {start.hex(' ')}",
        )
    raise ImageError(
        ImageFault.ENCODING,
        f"format '{shortened(format_)}' cannot be used; accepted are {', '.join(COMPRESSED)}",
    )


def inspect(data: Any, format_: str) -> Picture:
    """Walk through a compressed picture without decoding it.

    Args:
        data: The compressed picture.
        format_: `CompressedImage.format`.

    Returns:
        What its header says.

    Raises:
        ImageError: UNDECODABLE if it is damaged, cut off or of more pieces than any encoder makes;
            ENCODING as in `codec`.
    """
    octets = memoryview(data).cast("B")
    try:
        if codec(data, format_) == "jpeg":
            return _inspect_jpeg(octets)
        return _inspect_png(octets)
    except (IndexError, struct.error) as error:
        raise _undecodable(format_, data, "it is cut off") from error
    except _DamagedError as error:
        raise _undecodable(format_, data, str(error)) from error


def decode(data: Any, format_: str, max_bytes: int) -> Frame:
    """Decode a compressed picture, as stored: an orientation in its EXIF data is not applied.

    Args:
        data: The compressed picture.
        format_: `CompressedImage.format`.
        max_bytes: Of the decoded picture.

    Returns:
        BGR uint8 [height, width, 3] or grey uint8 [height, width], fresh.

    Raises:
        ImageError: TOO_LARGE before anything is decoded; ENCODING, UNDECODABLE.
    """
    picture = inspect(data, format_)
    channels = 1 if picture.grey else 3
    needed = picture.width * picture.height * channels
    if needed > max_bytes:
        raise ImageError(
            ImageFault.TOO_LARGE,
            f"{picture.codec} of {picture.width}x{picture.height} pixels makes {needed} bytes, "
            f"more than the {max_bytes} of parameter 'max_image_bytes'",
        )
    if len(data) < picture.least_bytes:
        raise _undecodable(
            format_,
            data,
            f"the {picture.width}x{picture.height} pixels of its header take at least "
            f"{picture.least_bytes} bytes",
        )
    cv2 = opencv()
    kind = cv2.IMREAD_GRAYSCALE if picture.grey else cv2.IMREAD_COLOR
    try:
        decoded = cv2.imdecode(np.frombuffer(data, np.uint8), kind | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error as error:
        raise _undecodable(format_, data, said(error)) from error
    if decoded is None:
        raise _undecodable(format_, data, "OpenCV cannot decode it")
    if decoded.shape[:2] != (picture.height, picture.width):
        raise _undecodable(format_, data, "it has another size than its header says")
    if not picture.grey and _SWAPPED.search(format_):
        decoded = cv2.cvtColor(decoded, cv2.COLOR_RGB2BGR)
    return np.asarray(decoded, dtype=np.uint8)


class _DamagedError(Exception):
    pass


def _undecodable(format_: str, data: Any, why: str) -> ImageError:
    return ImageError(
        ImageFault.UNDECODABLE,
        f"{len(data)} bytes of format '{shortened(format_)}' are not a picture: {why}",
    )


def _inspect_jpeg(data: memoryview) -> Picture:
    """ITU-T T.81: segments of a marker and a length, scans of data up to the next marker."""
    picture = None
    scans, position = 0, 2
    for _ in range(MAX_SEGMENTS):
        found = _MARKER.match(data, position)
        if found is None:
            raise _DamagedError(f"no JPEG marker at byte {position}")
        position = found.end() - 1
        marker = data[position]
        if marker == 0xD9:
            break
        if marker == 0x01 or 0xD0 <= marker <= 0xD8:
            raise _DamagedError(f"JPEG marker {marker:02x} at byte {position} is out of place")
        (length,) = struct.unpack_from(">H", data, position + 1)
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            if picture is not None:
                raise _DamagedError("it has several JPEG frames")
            _, height, width, components = struct.unpack_from(">BHHB", data, position + 3)
            # a Huffman code has a bit at least for each block of 8x8, of which subsampling may
            # leave a quarter in each component; arithmetic codes have no such bound
            least = (width // 8) * (height // 8) // 4 // 8 if marker < 0xC8 else 0
            picture = _picture("jpeg", width, height, components == 1, least)
        position += 1 + max(2, length)
        if marker == 0xDA:
            scans += 1
            end = _END_OF_SCAN.search(data, position)
            if end is None or scans > MAX_SCANS:
                raise _DamagedError(
                    "it is cut off" if end is None else f"it has more than {MAX_SCANS} scans"
                )
            position = end.start()
    else:
        raise _DamagedError(f"it has more than {MAX_SEGMENTS} JPEG segments")
    if picture is None or scans == 0:
        raise _DamagedError("it ends before its first JPEG scan")
    return picture


def _inspect_png(data: memoryview) -> Picture:
    """Chunks of length, type, data and checksum, from IHDR to IEND."""
    position = len(_PNG_SIGNATURE)
    picture = None
    for _ in range(MAX_CHUNKS):
        length, kind = struct.unpack_from(">I4s", data, position)
        (checksum,) = struct.unpack_from(">I", data, position + 8 + length)
        if zlib.crc32(data[position + 4 : position + 8 + length]) != checksum:
            raise _DamagedError(f"the checksum of the PNG chunk at byte {position} is wrong")
        if (kind == b"IHDR") != (picture is None):
            raise _DamagedError("it has no PNG header, or several")
        if picture is None:
            width, height, _, color = struct.unpack_from(">IIBB", data, position + 8)
            # deflate makes at most 258 bytes of two bits, and a pixel has a bit at least
            picture = _picture("png", width, height, color in (0, 4), height * width // 8 // 1032)
        position += 12 + length
        if kind == b"IEND":
            return picture
    raise _DamagedError(f"it has more than {MAX_CHUNKS} PNG chunks")


def _picture(codec_: str, width: int, height: int, grey: bool, least_bytes: int) -> Picture:
    if width == 0 or height == 0:
        raise _DamagedError(f"its header says {width}x{height} pixels")
    return Picture(codec_, width, height, grey, least_bytes)
