# SPDX-License-Identifier: Apache-2.0
"""NV12 views, resizing, colour conversion and coordinates, against OpenCV and formulas."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from hbm_runtime.image import (
    ImageError,
    ImageFault,
    NV12Frame,
    bgr_resize,
    bgr_resize_to_nv12,
    bgr_to_nv12,
    new_nv12,
    nv12_from_buffer,
    nv12_resize,
    nv12_to_bgr,
    nv12_to_rgb,
    place,
    rgb_to_nv12,
)

cv2 = pytest.importorskip("cv2", reason="needs OpenCV: pip install 'hbm-runtime[image]'")

RANGES = ("full", "limited")


@pytest.fixture
def picture() -> np.ndarray:
    """Noise over a gradient, BGR: colours in every corner of the cube and in between."""
    rng = np.random.default_rng(7)
    noise = rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)
    noise[:24] = cv2.GaussianBlur(noise[:24], (9, 9), 0)
    return noise


def nv12_of(picture: np.ndarray) -> NV12Frame:
    return bgr_to_nv12(picture)


# --- views of a buffer


def test_planes_are_views_of_the_buffer() -> None:
    buffer = bytearray(range(24))  # 4x4: 16 bytes of luma, 8 of chroma
    frame = nv12_from_buffer(buffer, 4, 4)
    assert frame.y.tolist() == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11], [12, 13, 14, 15]]
    assert frame.uv.tolist() == [[[16, 17], [18, 19]], [[20, 21], [22, 23]]]
    buffer[0], buffer[16] = 99, 77
    assert frame.y[0, 0] == 99
    assert frame.uv[0, 0, 0] == 77


def test_step_skips_the_padding_of_each_row() -> None:
    buffer = np.full((6, 10), 255, dtype=np.uint8)
    buffer[:4, :4] = np.arange(16).reshape(4, 4)
    buffer[4:, :4] = np.arange(16, 24).reshape(2, 4)
    frame = nv12_from_buffer(buffer.tobytes(), 4, 4, step=10)
    assert frame.y.ravel().tolist() == list(range(16))
    assert frame.uv.ravel().tolist() == list(range(16, 24))


def test_last_row_may_lack_its_padding_and_no_byte_more() -> None:
    needed = 10 * 5 + 4
    assert nv12_from_buffer(bytes(needed), 4, 4, step=10).uv.shape == (2, 2, 2)
    with pytest.raises(ImageError, match=f"at least {needed} bytes.*got {needed - 1}") as caught:
        nv12_from_buffer(bytes(needed - 1), 4, 4, step=10)
    assert caught.value.fault is ImageFault.SHORT_DATA


@pytest.mark.parametrize(
    ("width", "height", "step", "fault"),
    [
        (0, 4, 4, ImageFault.ZERO_SIZE),
        (4, 0, 4, ImageFault.ZERO_SIZE),
        (5, 4, 8, ImageFault.ODD_SIZE),
        (4, 5, 4, ImageFault.ODD_SIZE),
        (4, 4, 3, ImageFault.BAD_STEP),
        (4, 4, 0, ImageFault.BAD_STEP),
        (1 << 31, 1 << 31, 1 << 31, ImageFault.SHORT_DATA),
    ],
)
def test_a_size_that_cannot_be_nv12_is_refused(
    width: int, height: int, step: int, fault: ImageFault
) -> None:
    with pytest.raises(ImageError) as caught:
        nv12_from_buffer(bytes(4096), width, height, step)
    assert caught.value.fault is fault


def test_an_image_error_survives_pickling() -> None:
    error = pickle.loads(pickle.dumps(ImageError(ImageFault.BAD_STEP, "text")))
    assert (error.fault, str(error)) == (ImageFault.BAD_STEP, "text")


# --- colour conversion


def reference_yuv(picture: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """BT.601 full range by its formula, in floating point."""
    b, g, r = (picture[..., i].astype(np.float64) for i in range(3))
    y = 0.299 * r + 0.587 * g + 0.114 * b
    return y, 128 + (b - y) * 0.5 / (1 - 0.114), 128 + (r - y) * 0.5 / (1 - 0.299)


def test_full_range_follows_the_formula(picture: np.ndarray) -> None:
    frame = bgr_to_nv12(picture)
    y, u, v = reference_yuv(picture)
    assert np.abs(frame.y - y).max() <= 0.51
    for plane, exact in ((0, u), (1, v)):
        mean = exact.reshape(24, 2, 32, 2).mean(axis=(1, 3))
        # rounded twice: the mean of the block, then the chroma
        assert np.abs(frame.uv[..., plane] - np.clip(mean, 0, 255)).max() <= 1.25


def test_full_range_is_opencvs_grey_and_ycrcb(picture: np.ndarray) -> None:
    frame = bgr_to_nv12(picture)
    half = cv2.cvtColor(
        cv2.resize(picture, (32, 24), interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2YCrCb
    )
    assert np.array_equal(frame.y, cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY))
    assert np.array_equal(frame.uv, half[..., [2, 1]])


def test_limited_range_is_opencvs_i420_interleaved(picture: np.ndarray) -> None:
    i420 = cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420)
    u, v = i420[48:].reshape(2, 24, 32)
    frame = bgr_to_nv12(picture, "limited")
    assert np.array_equal(frame.y, i420[:48])
    assert np.array_equal(frame.uv, np.stack([u, v], axis=-1))


@pytest.mark.parametrize("color_range", RANGES)
def test_rgb_is_bgr_with_the_channels_swapped(picture: np.ndarray, color_range: str) -> None:
    rgb = np.ascontiguousarray(picture[..., ::-1])
    of_bgr, of_rgb = bgr_to_nv12(picture, color_range), rgb_to_nv12(rgb, color_range)
    assert np.array_equal(of_bgr.y, of_rgb.y)
    assert np.array_equal(of_bgr.uv, of_rgb.uv)
    frame = nv12_of(picture)
    assert np.array_equal(
        nv12_to_rgb(frame, color_range), nv12_to_bgr(frame, color_range)[..., ::-1]
    )


def test_limited_range_back_to_rgb_is_opencvs(picture: np.ndarray) -> None:
    frame = bgr_to_nv12(picture, "limited")
    stacked = np.vstack([frame.y, frame.uv.reshape(24, 64)])
    expected = cv2.cvtColor(stacked, cv2.COLOR_YUV2RGB_NV12)
    assert np.array_equal(nv12_to_rgb(frame, "limited"), expected)


def test_full_range_back_to_rgb_follows_the_formula(picture: np.ndarray) -> None:
    frame = nv12_of(picture)
    u, v = (np.repeat(np.repeat(frame.uv[..., i], 2, 0), 2, 1).astype(float) - 128 for i in (0, 1))
    y = frame.y.astype(float)
    exact = np.stack([y + 1.402 * v, y - 0.344136 * u - 0.714136 * v, y + 1.772 * u], axis=-1)
    assert np.abs(nv12_to_rgb(frame) - np.clip(exact, 0, 255)).max() <= 1.01


@pytest.mark.parametrize("color_range", RANGES)
@pytest.mark.parametrize("color", [(0, 0, 0), (255, 255, 255), (128, 128, 128), (30, 200, 90)])
def test_a_plain_colour_survives_the_round_trip(
    color: tuple[int, int, int], color_range: str
) -> None:
    plain = np.full((4, 4, 3), color, dtype=np.uint8)
    back = nv12_to_bgr(bgr_to_nv12(plain, color_range), color_range)
    assert np.abs(back.astype(int) - plain).max() <= 2


def test_the_two_ranges_differ_where_they_should() -> None:
    white = np.full((2, 2, 3), 255, dtype=np.uint8)
    assert bgr_to_nv12(white, "full").y[0, 0] == 255
    assert bgr_to_nv12(white, "limited").y[0, 0] == 235


def test_conversion_works_on_padded_views(picture: np.ndarray) -> None:
    wide = np.zeros((48, 80, 3), dtype=np.uint8)
    wide[:, :64] = picture
    assert np.array_equal(bgr_to_nv12(wide[:, :64]).y, nv12_of(picture).y)
    frame = nv12_of(picture)
    padded = np.zeros((72, 100), dtype=np.uint8)
    padded[:48, :64] = frame.y
    padded[48:, :64] = frame.uv.reshape(24, 64)
    view = nv12_from_buffer(padded, 64, 48, step=100)
    for color_range in RANGES:
        assert np.array_equal(nv12_to_rgb(view, color_range), nv12_to_rgb(frame, color_range))


def test_unknown_range_is_refused(picture: np.ndarray) -> None:
    for call in (
        lambda: bgr_to_nv12(picture, "video"),
        lambda: nv12_to_rgb(nv12_of(picture), "tv"),
    ):
        with pytest.raises(ValueError, match="'full' or 'limited'"):
            call()


# --- resizing


def test_same_size_goes_through_without_a_copy(picture: np.ndarray) -> None:
    frame = nv12_of(picture)
    same, transform = nv12_resize(frame, 64, 48, "letterbox")
    assert same.y is frame.y
    assert same.uv is frame.uv
    assert transform.to_source([[3.5, 4.5]]).tolist() == [[3.5, 4.5]]


@pytest.mark.parametrize("size", [(32, 24), (96, 40), (64, 100)])
def test_stretching_resizes_each_plane_like_opencv(
    picture: np.ndarray, size: tuple[int, int]
) -> None:
    frame = nv12_of(picture)
    width, height = size
    resized, _ = nv12_resize(frame, width, height)
    assert np.array_equal(resized.y, cv2.resize(frame.y, size))
    assert np.array_equal(resized.uv, cv2.resize(frame.uv, (width // 2, height // 2)))


def test_letterbox_centres_and_pads(picture: np.ndarray) -> None:
    frame = nv12_of(picture)  # 64x48 into 40x40: 40x30, so five rows above and below, kept even
    boxed, transform = nv12_resize(frame, 40, 40, "letterbox", pad_value=114)
    assert np.array_equal(boxed.y[4:34], cv2.resize(frame.y, (40, 30)))
    assert np.array_equal(boxed.uv[2:17], cv2.resize(frame.uv, (20, 15)))
    assert (boxed.y[:4] == 114).all()
    assert (boxed.y[34:] == 114).all()
    assert (boxed.uv[:2] == 128).all()
    assert (boxed.uv[17:] == 128).all()
    assert (transform.scale_x, transform.scale_y) == (64 / 40, 48 / 30)
    assert (transform.offset_x, transform.offset_y) == (0, -4 * 48 / 30)


def test_caller_given_planes_are_written_in_full(picture: np.ndarray) -> None:
    frame = nv12_of(picture)
    dirty, clean = new_nv12(40, 64), new_nv12(40, 64)
    dirty.y[:], dirty.uv[:], clean.y[:], clean.uv[:] = 1, 1, 2, 2
    for out in (dirty, clean):
        result, _ = nv12_resize(frame, 40, 64, "letterbox", out=out)
        assert result.y is out.y
    assert np.array_equal(dirty.y, clean.y)
    assert np.array_equal(dirty.uv, clean.uv)


def test_planes_with_padded_rows_can_be_written(picture: np.ndarray) -> None:
    frame = nv12_of(picture)
    wide = NV12Frame(np.zeros((24, 50), np.uint8), np.zeros((12, 25, 2), np.uint8))
    out = NV12Frame(wide.y[:, :32], wide.uv[:, :16])
    nv12_resize(frame, 32, 24, out=out)
    assert np.array_equal(out.y, cv2.resize(frame.y, (32, 24)))
    assert np.array_equal(out.uv, cv2.resize(frame.uv, (16, 12)))
    assert not wide.y[:, 32:].any()


def test_bgr_is_resized_then_converted(picture: np.ndarray) -> None:
    planes, transform = bgr_resize_to_nv12(picture, 40, 40, "letterbox", 0, "limited")
    inner = bgr_to_nv12(cv2.resize(picture, (40, 30)), "limited")
    assert np.array_equal(planes.y[4:34], inner.y)
    assert np.array_equal(planes.uv[2:17], inner.uv)
    assert transform == nv12_resize(nv12_of(picture), 40, 40, "letterbox")[1]


def test_bgr_resize_is_opencvs_with_padding(picture: np.ndarray) -> None:
    boxed, _ = bgr_resize(picture, 40, 40, "letterbox", pad_value=9)
    assert np.array_equal(boxed[4:34], cv2.resize(picture, (40, 30)))
    assert (boxed[:4] == 9).all()
    assert bgr_resize(picture, 64, 48)[0] is picture


def test_bad_arguments_of_resizing_are_named(picture: np.ndarray) -> None:
    frame = nv12_of(picture)
    with pytest.raises(ImageError, match="even"):
        nv12_resize(frame, 31, 24)
    with pytest.raises(ValueError, match=r"pad value must be 0\.\.255, got 256"):
        nv12_resize(frame, 40, 40, "letterbox", pad_value=256)
    with pytest.raises(ValueError, match="'center_crop' or 'roi', got 'crop'"):
        nv12_resize(frame, 40, 40, "crop")
    with pytest.raises(ValueError, match="out must be uint8 planes"):
        nv12_resize(frame, 40, 40, out=new_nv12(40, 42))
    with pytest.raises(ValueError, match=r"uint8 \[height, width, 3\], got float32"):
        bgr_to_nv12(picture.astype(np.float32))


# --- coordinates


@pytest.mark.parametrize("mode", ["stretch", "letterbox"])
@pytest.mark.parametrize("model", [(224, 224), (640, 352), (96, 512), (33, 7)])
def test_coordinates_map_there_and_back(model: tuple[int, int], mode: str) -> None:
    transform = place(1280, 720, *model, mode).transform
    points = [[0, 0], [1280, 720], [640.5, 17.25]]
    assert np.allclose(transform.to_source(transform.to_model(points)), points)


@pytest.mark.parametrize("mode", ["stretch", "letterbox"])
def test_corners_of_the_placement_are_the_corners_of_the_source(mode: str) -> None:
    placed = place(1280, 720, 640, 640, mode)
    corners = [[placed.x, placed.y], [placed.x + placed.width, placed.y + placed.height]]
    assert np.allclose(placed.transform.to_source(corners), [[0, 0], [1280, 720]])


def test_a_bright_spot_is_found_where_it_was() -> None:
    """The map agrees with what resizing does to pixels, not only with itself."""
    source = np.zeros((720, 1280), np.uint8)
    source[300:340, 900:960] = 255  # centre (930, 320)
    frame = NV12Frame(source, np.full((360, 640, 2), 128, np.uint8))
    boxed, transform = nv12_resize(frame, 416, 416, "letterbox", pad_value=0)
    rows, columns = np.nonzero(boxed.y)
    weights = boxed.y[rows, columns].astype(float)
    centre = np.average(np.stack([columns, rows], 1) + 0.5, axis=0, weights=weights)
    assert np.abs(transform.to_source(centre[np.newaxis]) - (930, 320)).max() < 0.5


def test_an_extreme_aspect_ratio_keeps_a_strip() -> None:
    placed = place(4000, 2, 64, 64, "letterbox")
    assert (placed.width, placed.height) == (64, 2)
