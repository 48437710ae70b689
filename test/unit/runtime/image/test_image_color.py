# SPDX-License-Identifier: Apache-2.0
"""Every colour conversion against the formulas of ITU-R BT.601 and BT.709 in float64."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from hbm_runtime.image import (
    ImageError,
    ImageFault,
    NV12Frame,
    YUV422Frame,
    bgr_to_nv12,
    bgr_to_yuv422,
    fit_grey,
    frame_to_bgr,
    frame_to_grey,
    new_nv12,
    nv12_to_bgr,
    nv12_to_rgb,
    rgb_to_nv12,
)

cv2 = pytest.importorskip("cv2", reason="needs OpenCV: pip install 'hbm-runtime[image]'")

RANGES = ("full", "limited")
MATRICES = ("bt601", "bt709")
KINDS = tuple(itertools.product(RANGES, MATRICES))

every_kind = pytest.mark.parametrize(("color_range", "matrix"), KINDS)


# --- the reference: the recommendations' own formulas, channels red, green, blue


def luma(rgb: np.ndarray, matrix: str) -> np.ndarray:
    r, g, b = (rgb[..., i].astype(np.float64) for i in range(3))
    if matrix == "bt601":
        return 0.299 * r + 0.587 * g + 0.114 * b
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def exact_yuv(rgb: np.ndarray, color_range: str, matrix: str) -> np.ndarray:
    y = luma(rgb, matrix)
    divisors = (1.772, 1.402) if matrix == "bt601" else (1.8556, 1.5748)
    u = (rgb[..., 2] - y) / divisors[0]
    v = (rgb[..., 0] - y) / divisors[1]
    if color_range == "limited":
        return np.stack([16 + y * 219 / 255, 128 + u * 224 / 255, 128 + v * 224 / 255], -1)
    return np.stack([y, 128 + u, 128 + v], -1)


def exact_rgb(yuv: np.ndarray, color_range: str, matrix: str) -> np.ndarray:
    y, u, v = (yuv[..., i].astype(np.float64) for i in range(3))
    u, v = u - 128, v - 128
    if color_range == "limited":
        y, u, v = (y - 16) * 255 / 219, u * 255 / 224, v * 255 / 224
    red, green, blue = (0.299, 0.587, 0.114) if matrix == "bt601" else (0.2126, 0.7152, 0.0722)
    r = y + 2 * (1 - red) * v
    b = y + 2 * (1 - blue) * u
    return np.stack([r, (y - red * r - blue * b) / green, b], -1)


def differences(got: np.ndarray, exact: np.ndarray) -> np.ndarray:
    return np.abs(got.astype(int) - np.rint(np.clip(exact, 0, 255)).astype(int))


def colours() -> np.ndarray:
    """RGB noise of all contrasts: corners of the cube, plain areas, everything in between."""
    rng = np.random.default_rng(17)
    picture = rng.integers(0, 256, (96, 128, 3), dtype=np.uint8)
    picture[:24] = rng.choice(np.array([0, 255], np.uint8), (24, 128, 3))
    picture[24:48] = cv2.GaussianBlur(picture[24:48], (9, 9), 0)
    return picture


def bgr_of(rgb: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(rgb[..., ::-1])


# --- RGB to YUV


@every_kind
@pytest.mark.parametrize("order", ["bgr", "rgb"])
def test_nv12_of_a_picture_is_the_formulas(order: str, color_range: str, matrix: str) -> None:
    rgb = colours()
    if order == "bgr":
        frame = bgr_to_nv12(bgr_of(rgb), color_range, color_matrix=matrix)
    else:
        frame = rgb_to_nv12(rgb, color_range, color_matrix=matrix)
    exact = exact_yuv(rgb, color_range, matrix)
    assert differences(frame.y, exact[..., 0]).max() <= 1
    if (color_range, matrix) == ("limited", "bt601"):
        chroma = exact[::2, ::2, 1:]  # OpenCV's I420 takes each block's upper left pixel
    else:
        chroma = exact[..., 1:].reshape(48, 2, 64, 2, 2).mean(axis=(1, 3))
    assert differences(frame.uv, chroma).max() <= 1


@every_kind
@pytest.mark.parametrize("order", ["yuyv", "uyvy"])
def test_yuv422_of_a_picture_is_the_formulas(order: str, color_range: str, matrix: str) -> None:
    rgb = colours()[:95]  # an odd number of rows is fine
    packed, _ = frame = bgr_to_yuv422(bgr_of(rgb), color_range, matrix, order)
    first = 0 if order == "yuyv" else 1
    exact = exact_yuv(rgb, color_range, matrix)
    assert frame.order == order
    assert differences(packed[..., first], exact[..., 0]).max() <= 1
    chroma = exact[..., 1:].reshape(95, 64, 2, 2).mean(axis=2)
    assert differences(packed[..., 1 - first].reshape(95, 64, 2), chroma).max() <= 1


# --- YUV to RGB: all bytes, also those that no picture becomes


@every_kind
def test_nv12_to_a_picture_is_the_formulas(color_range: str, matrix: str) -> None:
    rng = np.random.default_rng(3)
    y = rng.integers(0, 256, (96, 128), dtype=np.uint8)
    uv = rng.integers(0, 256, (48, 64, 2), dtype=np.uint8)
    uv[:24] = rng.integers(112, 144, (24, 64, 2))  # near grey, where nothing is clipped
    frame = NV12Frame(y, uv)
    wide = np.repeat(np.repeat(uv, 2, axis=0), 2, axis=1)
    # OpenCV's conversion knows nothing blacker than black
    lowest = 16 if (color_range, matrix) == ("limited", "bt601") else 0
    exact = exact_rgb(np.dstack([np.maximum(y, lowest), wide]), color_range, matrix)
    assert differences(nv12_to_rgb(frame, color_range, matrix), exact).max() <= 1
    assert differences(nv12_to_bgr(frame, color_range, matrix), exact[..., ::-1]).max() <= 1
    assert np.array_equal(
        frame_to_bgr(frame, color_range, matrix), nv12_to_bgr(frame, color_range, matrix)
    )


@every_kind
@pytest.mark.parametrize("order", ["yuyv", "uyvy"])
def test_yuv422_to_a_picture_is_the_formulas(order: str, color_range: str, matrix: str) -> None:
    packed = np.random.default_rng(4).integers(0, 256, (95, 128, 2), dtype=np.uint8)
    first = 0 if order == "yuyv" else 1
    uv = packed[..., 1 - first].reshape(95, 64, 2)
    exact = exact_rgb(
        np.dstack([packed[..., first], np.repeat(uv, 2, axis=1)]), color_range, matrix
    )
    got = frame_to_bgr(YUV422Frame(packed, order), color_range, matrix)
    assert differences(got, exact[..., ::-1]).max() <= 1


# --- grey


@pytest.mark.parametrize("matrix", MATRICES)
def test_grey_of_a_picture_is_its_luma(matrix: str) -> None:
    rgb = colours()
    grey = frame_to_grey(bgr_of(rgb), color_matrix=matrix)
    assert differences(grey, luma(rgb, matrix)).max() <= 1


@pytest.mark.parametrize("color_range", RANGES)
def test_grey_of_yuv_is_luma_stretched_to_full_range(color_range: str) -> None:
    y = np.arange(256, dtype=np.uint8).reshape(16, 16)
    exact = exact_rgb(np.dstack([y, np.full((16, 16, 2), 128)]), color_range, "bt601")[..., 0]
    frame = new_nv12(16, 16)
    frame.y[:], frame.uv[:] = y, 7
    packed = np.dstack([y, np.full_like(y, 9)])
    for picture in (frame, YUV422Frame(packed, "yuyv")):
        got = frame_to_grey(picture, color_range)
        assert np.array_equal(got, np.rint(np.clip(exact, 0, 255)))
        assert np.array_equal(fit_grey(picture, 16, 16, color_range=color_range)[0], got)
    assert (frame_to_grey(frame) is y) is False
    assert frame_to_grey(frame) is frame.y


def test_a_grey_picture_has_equal_channels_in_bgr() -> None:
    grey = np.arange(64, dtype=np.uint8).reshape(8, 8)
    assert np.array_equal(frame_to_bgr(grey), np.dstack([grey] * 3))
    assert frame_to_grey(grey) is grey


# --- there and back


@every_kind
def test_a_plain_colour_survives_the_way_there_and_back(color_range: str, matrix: str) -> None:
    for colour in ((0, 0, 0), (255, 255, 255), (128, 128, 128), (30, 200, 90), (200, 40, 60)):
        plain = np.full((4, 6, 3), colour, np.uint8)
        for frame in (
            bgr_to_nv12(plain, color_range, color_matrix=matrix),
            bgr_to_yuv422(plain, color_range, matrix, "uyvy"),
        ):
            back = frame_to_bgr(frame, color_range, matrix)
            assert np.abs(back.astype(int) - plain).max() <= 3


def test_the_kinds_differ_where_they_should() -> None:
    green = np.full((2, 2, 3), (0, 255, 0), np.uint8)
    seen = {kind: bgr_to_nv12(green, kind[0], color_matrix=kind[1]).y[0, 0] for kind in KINDS}
    assert seen == {
        ("full", "bt601"): 150,
        ("full", "bt709"): 182,
        ("limited", "bt601"): 145,
        ("limited", "bt709"): 173,
    }


def test_views_with_padded_rows_give_the_same_as_dense_ones() -> None:
    wide = np.random.default_rng(6).integers(0, 256, (20, 40, 3), dtype=np.uint8)
    part = wide[2:18, 4:36]
    for color_range, matrix in KINDS:
        dense, padded = (
            bgr_to_nv12(picture, color_range, color_matrix=matrix)
            for picture in (part.copy(), part)
        )
        assert np.array_equal(dense.y, padded.y)
        assert np.array_equal(dense.uv, padded.uv)
        inside = new_nv12(64, 32)
        out = NV12Frame(inside.y[8:24, 16:48], inside.uv[4:12, 8:24])
        bgr_to_nv12(part, color_range, out, matrix)
        assert np.array_equal(out.y, dense.y)
        assert np.array_equal(out.uv, dense.uv)


def test_arguments_that_are_none_are_named() -> None:
    picture = np.zeros((4, 4, 3), np.uint8)
    frame = bgr_to_nv12(picture)
    with pytest.raises(ValueError, match="'full' or 'limited', got 'video'"):
        bgr_to_nv12(picture, "video")
    with pytest.raises(ValueError, match="'bt601' or 'bt709', got 'bt2020'"):
        nv12_to_bgr(frame, "full", "bt2020")
    with pytest.raises(ValueError, match="'yuyv' or 'uyvy', got 'vyuy'"):
        bgr_to_yuv422(picture, order="vyuy")
    with pytest.raises(ValueError, match=r"got uint8 \[4, 4, 4\]"):
        frame_to_bgr(np.zeros((4, 4, 4), np.uint8))
    with pytest.raises(ImageError, match="even width, got 3x4") as caught:
        bgr_to_yuv422(picture[:, :3])
    assert caught.value.fault is ImageFault.ODD_SIZE
    for empty in (picture[:0], picture[:, :0, 0]):
        for convert in (frame_to_bgr, frame_to_grey):
            with pytest.raises(ImageError, match="size of the source image"):
                convert(empty)
