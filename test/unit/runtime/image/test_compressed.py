# SPDX-License-Identifier: Apache-2.0
"""JPEG and PNG: decoded as stored, refused when damaged, never larger than allowed."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest

cv2 = pytest.importorskip("cv2", reason="needs OpenCV")

from hypothesis import given, settings
from hypothesis import strategies as st

from hbm_runtime.image import ImageError, ImageFault, compressed

LIMIT = 1 << 24


def picture() -> np.ndarray:
    rng = np.random.default_rng(2)
    return cv2.resize(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8), (64, 48))


def encoded(image: np.ndarray, kind: str, *options: int) -> bytes:
    return cv2.imencode(f".{kind}", image, options)[1].tobytes()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, rows: bytes, color: int = 2, depth: int = 8) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows, 9))
        + chunk(b"IEND", b"")
    )


def fault_of(data: bytes, format_: str = "jpeg", limit: int = LIMIT) -> tuple[ImageFault, str]:
    with pytest.raises(ImageError) as caught:
        compressed.decode(data, format_, limit)
    return caught.value.fault, str(caught.value)


# --- decoding


def test_png_comes_back_bit_for_bit() -> None:
    image = picture()
    assert np.array_equal(compressed.decode(encoded(image, "png"), "png", LIMIT), image)


def test_jpeg_comes_back_nearly() -> None:
    image = picture()
    quality = (cv2.IMWRITE_JPEG_QUALITY, 98)
    back = compressed.decode(encoded(image, "jpg", *quality), "jpeg", LIMIT)
    assert np.abs(back.astype(int) - image).mean() < 3


@pytest.mark.parametrize("kind", ["jpg", "png"])
def test_a_grey_picture_stays_grey(kind: str) -> None:
    image = picture()[..., 0]
    back = compressed.decode(encoded(image, kind), "mono8; jpeg compressed ", LIMIT)
    assert back.shape == image.shape
    assert np.abs(back.astype(int) - image).mean() < 3


def test_progressive_jpeg_is_decoded() -> None:
    data = encoded(picture(), "jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
    assert compressed.decode(data, "jpeg", LIMIT).shape == (48, 64, 3)


def test_png_of_16_bits_or_with_alpha_becomes_bgr_of_8_bits() -> None:
    image = picture()
    deep = encoded(image.astype(np.uint16) * 257, "png")
    assert np.array_equal(compressed.decode(deep, "png", LIMIT), image)
    with_alpha = encoded(np.dstack([image, np.full((48, 64), 9, np.uint8)]), "png")
    assert np.array_equal(compressed.decode(with_alpha, "png", LIMIT), image)


def test_what_image_transport_stored_as_rgb_is_swapped_back() -> None:
    """Its publisher hands RGB to an encoder that expects BGR, and says so in the format."""
    image = picture()
    stored = encoded(np.ascontiguousarray(image[..., ::-1]), "png")
    for format_ in ("rgb8; png compressed rgb8", "bgr8; png compressed rgb8"):
        assert np.array_equal(compressed.decode(stored, format_, LIMIT), image)
    for format_ in ("rgb8; png compressed bgr8", "png", "rgb8; png compressed "):
        assert np.array_equal(compressed.decode(encoded(image, "png"), format_, LIMIT), image)


def test_an_orientation_in_exif_data_is_not_applied() -> None:
    """The pixels that a result's coordinates mean are those that are stored."""
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    plain = encoded(picture(), "jpg")
    turned = plain[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + plain[2:]
    assert cv2.imdecode(np.frombuffer(turned, np.uint8), cv2.IMREAD_COLOR).shape == (64, 48, 3)
    back = compressed.decode(turned, "jpeg", LIMIT)
    assert np.array_equal(back, compressed.decode(plain, "jpeg", LIMIT))


def test_what_follows_the_end_is_ignored() -> None:
    """Cameras pad their JPEGs with zeros."""
    data = encoded(picture(), "jpg")
    padded = compressed.decode(data + bytes(1000), "jpeg", LIMIT)
    assert np.array_equal(padded, compressed.decode(data, "jpeg", LIMIT))


@pytest.mark.parametrize("format_", ["", "jpeg", "png", "JPG", "rgb8; jpeg compressed bgr8", "x"])
def test_the_data_say_what_they_are(format_: str) -> None:
    assert compressed.decode(encoded(picture(), "png"), format_, LIMIT).shape == (48, 64, 3)


# --- sizes


def test_a_small_png_of_a_huge_picture_is_refused_before_it_is_decoded() -> None:
    """60 000 x 60 000 pixels are 10 GB, out of some kB."""
    bomb = png(60_000, 60_000, bytes(1 << 20))
    assert len(bomb) < 2000
    fault, text = fault_of(bomb, "png", 1 << 27)
    assert fault is ImageFault.TOO_LARGE
    assert "60000x60000 pixels makes 10800000000 bytes" in text
    assert "134217728" in text
    assert "max_image_bytes" in text


def test_a_small_jpeg_of_a_huge_picture_is_refused_before_it_is_decoded() -> None:
    data = bytearray(encoded(picture(), "jpg"))
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", 65500, 65500)
    assert fault_of(bytes(data))[0] is ImageFault.TOO_LARGE


@pytest.mark.parametrize("options", [(), (cv2.IMWRITE_JPEG_PROGRESSIVE, 1)])
def test_a_jpeg_with_too_little_data_for_its_size_is_refused_before_it_is_decoded(
    options: tuple[int, ...], capfd: pytest.CaptureFixture[str]
) -> None:
    data = bytearray(encoded(np.zeros((8, 8, 3), np.uint8), "jpeg", *options))
    at = data.index(b"\xff\xc2" if options else b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", 2300, 2300)
    fault, text = fault_of(bytes(data))
    assert fault is ImageFault.UNDECODABLE
    assert "the 2300x2300 pixels of its header take at least 2574 bytes" in text
    assert capfd.readouterr().err == ""  # libjpeg has not seen it


def test_a_png_with_too_little_data_for_its_size_is_refused_before_it_is_decoded() -> None:
    fault, text = fault_of(png(2300, 2300, bytes(10)), "png")
    assert fault is ImageFault.UNDECODABLE
    assert "take at least 640 bytes" in text


@pytest.mark.parametrize("kind", ["jpeg", "png"])
@pytest.mark.parametrize("grey", [False, True])
def test_a_large_picture_of_one_colour_has_data_enough(kind: str, grey: bool) -> None:
    image = np.full((2300, 2300) if grey else (2300, 2300, 3), 128, np.uint8)
    smallest = {
        "jpeg": (
            *(cv2.IMWRITE_JPEG_QUALITY, 1, cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
            *(cv2.IMWRITE_JPEG_OPTIMIZE, 1),
        ),
        "png": (cv2.IMWRITE_PNG_COMPRESSION, 9),
    }
    data = encoded(image, kind, *smallest[kind])
    assert compressed.decode(data, kind, LIMIT).shape == image.shape
    if kind == "png":  # the densest that PNG has: a bit per pixel
        rows = bytes((2304 // 8 + 1) * 2300)
        dense = png(2304, 2300, rows, color=0, depth=1)
        assert compressed.decode(dense, kind, LIMIT).shape == (2300, 2304)


def test_the_limit_is_that_of_the_decoded_bytes() -> None:
    data, grey = encoded(picture(), "png"), encoded(picture()[..., 0], "png")
    assert compressed.decode(data, "png", 64 * 48 * 3).shape == (48, 64, 3)
    assert fault_of(data, "png", 64 * 48 * 3 - 1)[0] is ImageFault.TOO_LARGE
    assert compressed.decode(grey, "png", 64 * 48).shape == (48, 64)


@pytest.mark.parametrize("size", [(0, 4), (4, 0)])
def test_a_header_without_pixels_is_no_picture(size: tuple[int, int]) -> None:
    assert fault_of(png(*size, b""), "png")[0] is ImageFault.UNDECODABLE


# --- damage


@pytest.mark.parametrize("kind", ["jpg", "png"])
def test_a_picture_that_is_cut_off_is_refused_wherever_it_is_cut(
    kind: str, capfd: pytest.CaptureFixture[str]
) -> None:
    data = encoded(picture(), kind)
    for length in [*range(8, 40), *range(40, len(data), 97), len(data) - 1]:
        fault, text = fault_of(data[:length], kind)
        assert fault is ImageFault.UNDECODABLE
        assert f"{length} bytes of format '{kind}'" in text
    assert capfd.readouterr().err == ""


def test_one_changed_byte_of_a_png_is_noticed(capfd: pytest.CaptureFixture[str]) -> None:
    """By us: the decoder would tell it to the terminal, once per image of a broken camera."""
    data = encoded(picture(), "png")
    for position in range(8, len(data), 53):
        damaged = bytearray(data)
        damaged[position] ^= 0x10
        assert fault_of(bytes(damaged), "png")[0] is ImageFault.UNDECODABLE
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("data", "format_", "fault", "says"),
    [
        (b"", "jpeg", ImageFault.UNDECODABLE, "0 bytes"),
        (b"hello", "jpeg", ImageFault.UNDECODABLE, "68 65 6c 6c 6f"),
        (b"hello", "bgr8; png compressed bgr8", ImageFault.UNDECODABLE, "neither"),
        (b"\0\0\0\1", "h264", ImageFault.ENCODING, "'h264'.*accepted are jpeg, png"),
        (b"", "", ImageFault.ENCODING, "accepted are jpeg, png"),
        (bytes(20), "16UC1; compressedDepth png", ImageFault.ENCODING, "compressedDepth"),
        (b"\xff\xd8\xff\xd9", "jpeg", ImageFault.UNDECODABLE, "before its first JPEG scan"),
        (b"\xff\xd8\xff\xd0", "jpeg", ImageFault.UNDECODABLE, "marker d0"),
        (b"\xff\xd8" + b"\xff" * 1_000_000, "jpeg", ImageFault.UNDECODABLE, "no JPEG marker"),
    ],
)
def test_what_is_no_picture_is_refused(
    data: bytes, format_: str, fault: ImageFault, says: str
) -> None:
    with pytest.raises(ImageError, match=says) as caught:
        compressed.decode(data, format_, LIMIT)
    assert caught.value.fault is fault


def test_a_picture_of_many_tiny_pieces_is_refused() -> None:
    jpeg = encoded(picture(), "jpg")
    comments = jpeg[:2] + b"\xff\xfe\x00\x02" * 100_000 + jpeg[2:]
    assert "segments" in fault_of(comments)[1]
    scan = jpeg[jpeg.index(b"\xff\xda") : -2]
    assert "scans" in fault_of(jpeg[:-2] + scan * 100 + jpeg[-2:])[1]
    plain = encoded(picture(), "png")
    chunks = plain[:33] + chunk(b"tEXt", b"") * 100_000 + plain[33:]
    assert "chunks" in fault_of(chunks, "png")[1]


def test_right_checksums_around_nonsense_are_left_to_the_decoder() -> None:
    assert fault_of(png(64, 48, b"short"), "png")[0] is ImageFault.UNDECODABLE


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_damaged_pictures_are_decoded_or_refused_and_nothing_else(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(["jpg", "png"]))
    damaged = bytearray(encoded(picture(), kind))
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(0, len(damaged) - 1))
        damaged[position : position + data.draw(st.integers(0, 3))] = data.draw(
            st.binary(max_size=4)
        )
        if not damaged:
            break
    try:
        decoded = compressed.decode(bytes(damaged), kind, LIMIT)
    except ImageError as error:
        fault = error.fault
    else:
        assert decoded.dtype == np.uint8
        assert decoded.size <= LIMIT
        return
    assert fault in (ImageFault.UNDECODABLE, ImageFault.TOO_LARGE)
