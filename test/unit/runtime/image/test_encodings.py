# SPDX-License-Identifier: Apache-2.0
"""The encodings that are read here: pixels, padding, faults, no byte past the end."""

from __future__ import annotations

import numpy as np
import pytest

cv2 = pytest.importorskip("cv2", reason="needs OpenCV")

from hbm_runtime.image import ImageError, ImageFault, NV12Frame, YUV422Frame, encodings

WIDTH, HEIGHT = 8, 6
# Bytes per pixel in a row, and rows per row of pixels.
LAYOUTS = {
    "nv12": (1, 1.5),
    "nv21": (1, 1.5),
    "yuyv": (2, 1),
    "yuv422_yuy2": (2, 1),
    "uyvy": (2, 1),
    "yuv422": (2, 1),
    "bgr8": (3, 1),
    "rgb8": (3, 1),
    "bgra8": (4, 1),
    "rgba8": (4, 1),
    "mono8": (1, 1),
}


def rows_of(encoding: str, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    per_pixel, rows = LAYOUTS[encoding]
    shape = (int(height * rows), width * per_pixel)
    return np.random.default_rng(5).integers(0, 256, shape, dtype=np.uint8)


def padded(rows: np.ndarray, padding: int) -> bytes:
    """Each row but the last followed by bytes that are no picture."""
    wide = np.full((rows.shape[0], rows.shape[1] + padding), 77, np.uint8)
    wide[:, : rows.shape[1]] = rows
    return wide.tobytes()[: wide.size - padding]


def test_all_encodings_are_tested() -> None:
    assert set(LAYOUTS) == set(encodings.KNOWN)


@pytest.mark.parametrize("padding", [0, 5])
@pytest.mark.parametrize("encoding", LAYOUTS)
def test_the_pixels_of_each_encoding_are_found(encoding: str, padding: int) -> None:
    rows = rows_of(encoding)
    data = padded(rows, padding)
    frame = encodings.read(encoding, data, WIDTH, HEIGHT, rows.shape[1] + padding)
    pixels = rows.reshape(len(rows), WIDTH, -1)
    if encoding in ("nv12", "nv21"):
        assert isinstance(frame, NV12Frame)
        assert np.array_equal(frame.y, rows[:HEIGHT])
        chroma = rows[HEIGHT:].reshape(HEIGHT // 2, WIDTH // 2, 2)
        assert np.array_equal(frame.uv, chroma if encoding == "nv12" else chroma[..., ::-1])
    elif encoding in ("yuyv", "yuv422_yuy2", "uyvy", "yuv422"):
        assert isinstance(frame, YUV422Frame)
        assert frame.order == ("yuyv" if encoding in ("yuyv", "yuv422_yuy2") else "uyvy")
        assert np.array_equal(frame.packed, pixels)
    elif encoding == "mono8":
        assert np.array_equal(frame, rows)
    else:
        bgr = pixels[..., 2::-1] if encoding.startswith("rgb") else pixels[..., :3]
        assert np.array_equal(frame, bgr)


def test_opencv_sees_the_same_colours_in_yuv_422() -> None:
    """Which byte is U is easy to get wrong in both places at once."""
    from hbm_runtime.image import frame_to_bgr

    plain = np.tile(np.array([[90, 40, 90, 200]], np.uint8), (4, 2))  # Y U Y V: reddish
    for encoding, data, code in (
        ("yuyv", plain, cv2.COLOR_YUV2BGR_YUY2),
        ("uyvy", plain.reshape(-1, 2)[:, ::-1], cv2.COLOR_YUV2BGR_UYVY),
    ):
        frame = encodings.read(encoding, np.ascontiguousarray(data).tobytes(), 4, 4, 8)
        expected = cv2.cvtColor(frame.packed, code).astype(int)
        assert np.abs(frame_to_bgr(frame, "limited") - expected).max() <= 1


@pytest.mark.parametrize("encoding", ["nv12", "yuyv", "uyvy", "bgr8", "mono8"])
def test_what_needs_no_conversion_is_seen_in_place(encoding: str) -> None:
    rows = rows_of(encoding)
    frame = encodings.read(encoding, rows.reshape(-1), WIDTH, HEIGHT, rows.shape[1])
    parts = frame if isinstance(frame, NV12Frame) else [getattr(frame, "packed", frame)]
    for part in parts:
        assert np.shares_memory(part, rows)


@pytest.mark.parametrize("encoding", LAYOUTS)
def test_the_last_row_may_lack_its_padding_and_no_byte_more(encoding: str) -> None:
    rows = rows_of(encoding)
    data, step = padded(rows, 3), rows.shape[1] + 3
    assert encodings.read(encoding, data, WIDTH, HEIGHT, step) is not None
    with pytest.raises(ImageError, match=f"at least {len(data)} bytes.*got {len(data) - 1}") as no:
        encodings.read(encoding, data[:-1], WIDTH, HEIGHT, step)
    assert no.value.fault is ImageFault.SHORT_DATA


@pytest.mark.parametrize("encoding", LAYOUTS)
def test_a_step_below_a_row_is_refused(encoding: str) -> None:
    rows = rows_of(encoding)
    for step in (0, rows.shape[1] - 1):
        with pytest.raises(ImageError, match=f"{rows.shape[1]}, got {step}") as caught:
            encodings.read(encoding, bytes(9999), WIDTH, HEIGHT, step)
        assert caught.value.fault is ImageFault.BAD_STEP


@pytest.mark.parametrize("encoding", LAYOUTS)
@pytest.mark.parametrize("size", [(0, 6), (8, 0), (0, 0)])
def test_an_empty_size_is_refused(encoding: str, size: tuple[int, int]) -> None:
    for data in (b"", bytes(999)):
        with pytest.raises(ImageError, match=f"{size[0]}x{size[1]}") as caught:
            encodings.read(encoding, data, *size, 99)
        assert caught.value.fault is ImageFault.ZERO_SIZE


@pytest.mark.parametrize(
    ("encoding", "size", "accepted"),
    [
        ("nv12", (8, 5), False),
        ("nv12", (7, 6), False),
        ("nv21", (7, 6), False),
        ("yuyv", (7, 6), False),
        ("uyvy", (8, 5), True),
        ("bgr8", (7, 5), True),
        ("rgba8", (7, 5), True),
        ("mono8", (7, 5), True),
    ],
)
def test_odd_sizes_are_refused_where_chroma_is_shared(
    encoding: str, size: tuple[int, int], accepted: bool
) -> None:
    if accepted:
        assert encodings.read(encoding, bytes(999), *size, 40) is not None
        return
    with pytest.raises(ImageError, match="even") as caught:
        encodings.read(encoding, bytes(999), *size, 40)
    assert caught.value.fault is ImageFault.ODD_SIZE


@pytest.mark.parametrize("encoding", LAYOUTS)
def test_sizes_whose_product_overflows_32_and_64_bits_are_short_of_data(encoding: str) -> None:
    for width, height, step in (
        (1 << 16, 1 << 16, 1 << 18),
        ((1 << 32) - 2, (1 << 32) - 2, (1 << 34)),
        (2, (1 << 32) - 2, (1 << 32) - 1),
    ):
        with pytest.raises(ImageError) as caught:
            encodings.read(encoding, bytes(4096), width, height, step)
        assert caught.value.fault is ImageFault.SHORT_DATA


def test_what_is_not_known_here_is_left_to_others() -> None:
    for encoding in ("", "NV12", "mono16", "bayer_rggb8", "h264", "nv24"):
        assert encodings.read(encoding, bytes(99), 4, 4, 4) is None


def test_old_and_new_names_are_accepted_for_each_other() -> None:
    encodings.check_accepted("yuv422", ("uyvy",))
    encodings.check_accepted("yuyv", ("nv12", "yuv422_yuy2"))
    encodings.check_accepted("anything", ())
    with pytest.raises(
        ImageError, match=r"'yuv422' is not one of.*: nv12, yuyv.*'encodings'"
    ) as no:
        encodings.check_accepted("yuv422", ("nv12", "yuyv"))
    assert no.value.fault is ImageFault.ENCODING
