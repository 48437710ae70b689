# SPDX-License-Identifier: Apache-2.0
"""Every fit of every kind of picture: the right pixels, and coordinates that say where from."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hbm_runtime.image import (
    Frame,
    ImageError,
    ImageFault,
    ImageTransform,
    NV12Frame,
    Region,
    YUV422Frame,
    bgr_to_nv12,
    bgr_to_yuv422,
    fit_bgr,
    fit_grey,
    fit_nv12,
    frame_to_bgr,
    new_nv12,
    nv12_to_bgr,
    place,
)

cv2 = pytest.importorskip("cv2", reason="needs OpenCV: pip install 'hbm-runtime[image]'")

MODES = ("stretch", "letterbox", "center_crop", "roi")
GRIDS = {"nv12": (2, 2), "yuyv": (2, 1), "uyvy": (2, 1), "bgr": (1, 1), "grey": (1, 1)}


def gradient(width: int, height: int) -> np.ndarray:
    """BGR whose blue says the column and whose red says the row, in 256ths of the size."""
    columns = (np.arange(width) + 0.5) * 256 / width - 0.5
    rows = (np.arange(height) + 0.5) * 256 / height - 0.5
    picture = np.empty((height, width, 3))
    picture[..., 0], picture[..., 1], picture[..., 2] = columns[None], 90, rows[:, None]
    return np.rint(picture).astype(np.uint8)


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(9).integers(0, 256, shape, dtype=np.uint8)


def frame_of(kind: str, bgr: np.ndarray) -> Frame:
    if kind == "nv12":
        return bgr_to_nv12(bgr)
    if kind in ("yuyv", "uyvy"):
        return bgr_to_yuv422(bgr, order=kind)
    return bgr if kind == "bgr" else np.ascontiguousarray(bgr[..., 0])


# --- placement

sizes = st.integers(1, 4000)
even_sizes = st.integers(1, 2000).map(lambda half: 2 * half)


@st.composite
def placements(draw: st.DrawFn) -> tuple[tuple, str, Region | None]:
    grid = draw(st.sampled_from(sorted(set(GRIDS.values()))))
    source = tuple(draw(even_sizes if step == 2 else sizes) for step in grid)
    model = draw(sizes), draw(sizes)
    left, top = draw(st.integers(0, source[0] - 1)), draw(st.integers(0, source[1] - 1))
    roi = Region(
        left, top, draw(st.integers(1, source[0] - left)), draw(st.integers(1, source[1] - top))
    )
    return (*source, *model, draw(st.sampled_from(MODES)), roi, grid)


@given(placements(), st.floats(-5000, 5000), st.floats(-5000, 5000))
def test_coordinates_map_there_and_back(arguments: tuple, x: float, y: float) -> None:
    transform = place(*arguments).transform
    for there, back in (
        (transform.to_source, transform.to_model),
        (transform.to_model, transform.to_source),
    ):
        assert np.allclose(back(there([[x, y]])), [[x, y]], rtol=1e-9, atol=1e-6)


@given(placements())
def test_corners_of_the_part_are_the_corners_of_its_place(arguments: tuple) -> None:
    placed = place(*arguments)
    region = placed.region
    corners = [[placed.x, placed.y], [placed.x + placed.width, placed.y + placed.height]]
    assert np.allclose(
        placed.transform.to_source(corners),
        [
            [region.left, region.top],
            [region.left + region.width, region.top + region.height],
        ],
    )


@given(placements())
def test_a_part_lies_inside_of_its_source_and_its_place_inside_of_the_input(
    arguments: tuple,
) -> None:
    source_width, source_height, model_width, model_height, mode, roi, grid = arguments
    placed = place(*arguments)
    left, top, width, height = placed.region
    assert left >= 0
    assert top >= 0
    assert 1 <= width <= source_width - left
    assert 1 <= height <= source_height - top
    assert 0 <= placed.x <= model_width - placed.width
    assert 0 <= placed.y <= model_height - placed.height
    assert all(value % step == 0 for value, step in zip(placed.region, grid * 2, strict=True))
    if mode != "letterbox":
        assert (placed.x, placed.y) == (0, 0)
        assert (placed.width, placed.height) == (model_width, model_height)
    if mode in ("stretch", "letterbox"):
        assert placed.region == (0, 0, source_width, source_height)
    if mode == "roi":  # enlarged to the grid, and by no more
        assert 0 <= roi.left - left < grid[0]
        assert 0 <= roi.top - top < grid[1]
        assert 0 <= left + width - (roi.left + roi.width) < grid[0]
        assert 0 <= top + height - (roi.top + roi.height) < grid[1]


@given(placements())
def test_a_centre_crop_is_the_largest_centred_part_of_the_inputs_shape(arguments: tuple) -> None:
    source_width, source_height, model_width, model_height, _, roi, grid = arguments
    left, top, width, height = place(*arguments[:4], "center_crop", roi, grid).region
    assert width == source_width or height == source_height
    assert abs(left - (source_width - width) / 2) <= grid[0]
    assert abs(top - (source_height - height) / 2) <= grid[1]
    ideal_width = min(source_width, source_height * model_width / model_height)
    ideal_height = min(source_height, source_width * model_height / model_width)
    assert abs(width - ideal_width) <= grid[0]
    assert abs(height - ideal_height) <= grid[1]


def test_a_centre_crop_of_a_wide_and_of_a_tall_image() -> None:
    assert place(1920, 1080, 672, 672, "center_crop").region == (420, 0, 1080, 1080)
    assert place(1080, 1920, 640, 320, "center_crop").region == (0, 690, 1080, 540)


def test_a_region_of_interest_is_enlarged_to_even_edges_for_yuv() -> None:
    roi = (3, 5, 101, 50)
    assert place(640, 480, 64, 64, "roi", roi).region == roi
    assert place(640, 480, 64, 64, "roi", roi, (2, 1)).region == (2, 5, 102, 50)
    placed = place(640, 480, 64, 64, "roi", roi, (2, 2))
    assert placed.region == (2, 4, 102, 52)
    assert placed.transform == ImageTransform(640, 480, 64, 64, 102 / 64, 52 / 64, 2, 4)


@pytest.mark.parametrize("roi", [(600, 0, 41, 10), (0, 400, 10, 81), (700, 0, 1, 1)])
def test_a_region_outside_of_the_image_is_a_fault_of_the_image(roi: tuple) -> None:
    with pytest.raises(ImageError, match="has 640x480 pixels") as caught:
        place(640, 480, 64, 64, "roi", roi)
    assert caught.value.fault is ImageFault.OUTSIDE
    assert str(list(roi)) in str(caught.value)


@pytest.mark.parametrize("roi", [None, (), (1, 2, 3), (0, 0, 0, 5), (0, 0, 5, 0), (-1, 0, 5, 5)])
def test_a_region_that_is_none_is_a_mistake_of_the_caller(roi: tuple | None) -> None:
    with pytest.raises(ValueError, match="left, top, width and height"):
        place(640, 480, 64, 64, "roi", roi)


# --- pixels


@pytest.mark.parametrize("kind", GRIDS)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("model", [(160, 160), (96, 192), (200, 64), (67, 51)])
def test_each_pixel_comes_from_where_the_transform_says(
    kind: str, mode: str, model: tuple[int, int]
) -> None:
    """A gradient's pixel names its own source coordinates; edges and the border stay out."""
    width, height = 320, 240
    frame = frame_of("bgr" if kind == "grey" else kind, gradient(width, height))
    roi = (33, 21, 191, 143)
    if kind == "grey":
        columns, transform = fit_grey(frame[..., 0], *model, mode, roi=roi)
        rows, second = fit_grey(np.ascontiguousarray(frame[..., 2]), *model, mode, roi=roi)
        assert transform == second
        assert columns.shape == rows.shape == (model[1], model[0])
    else:
        image, transform = fit_bgr(frame, *model, mode, roi=roi)
        assert image.shape == (model[1], model[0], 3)
        columns, rows = image[..., 0], image[..., 2]
    centres = np.stack(np.meshgrid(*(np.arange(size) + 0.5 for size in model)), -1)
    points = transform.to_source(centres)
    region = place(width, height, *model, mode, roi, GRIDS[kind]).region
    lower, upper = np.array(region[:2]) + 4, np.array(region[:2]) + region[2:] - 4
    inside = ((points > lower) & (points < upper)).all(axis=-1)
    assert inside.mean() > 0.3
    for plane, axis, size in ((columns, 0, width), (rows, 1, height)):
        expected = points[..., axis] * 256 / size - 0.5
        assert np.abs(plane - expected)[inside].max() < (2 if kind in ("bgr", "grey") else 6)


@pytest.mark.parametrize("kind", GRIDS)
@pytest.mark.parametrize("mode", MODES)
def test_nv12_of_any_picture_shows_the_same_as_its_bgr(kind: str, mode: str) -> None:
    frame = frame_of(kind, gradient(320, 240))
    nv12, transform = fit_nv12(frame, 160, 96, mode, roi=(32, 20, 192, 144))
    bgr, of_bgr = fit_bgr(frame, 160, 96, mode, roi=(32, 20, 192, 144))
    assert transform == of_bgr
    difference = np.abs(nv12_to_bgr(nv12).astype(int) - bgr)
    assert difference.max() <= 8
    assert difference.mean() < 2


@pytest.mark.parametrize("kind", GRIDS)
def test_the_border_of_a_letterbox_has_its_value(kind: str) -> None:
    frame = frame_of(kind, noise(60, 120, 3))
    for color_range in ("full", "limited"):
        nv12, _ = fit_nv12(frame, 64, 64, "letterbox", 200, color_range=color_range)
        bgr, _ = fit_bgr(frame, 64, 64, "letterbox", 200, color_range=color_range)
        grey, _ = fit_grey(frame, 64, 64, "letterbox", 200, color_range=color_range)
        for plane, value in ((nv12.y, 200), (nv12.uv, 128), (bgr, 200), (grey, 200)):
            rows = len(plane) // 4
            assert (plane[:rows] == value).all()
            assert (plane[-rows:] == value).all()
            assert (plane[rows] != value).any() or (kind == "grey" and plane is nv12.uv)


def test_chroma_of_yuv_422_is_the_mean_of_two_rows() -> None:
    packed = noise(48, 64, 2)
    nv12, _ = fit_nv12(YUV422Frame(packed, "yuyv"), 64, 48)
    chroma = packed[..., 1].reshape(24, 2, 32, 2).astype(float).mean(axis=1)
    assert np.array_equal(nv12.y, packed[..., 0])
    assert np.abs(nv12.uv - chroma).max() <= 0.5
    swapped = np.ascontiguousarray(packed[..., ::-1])
    same, _ = fit_nv12(YUV422Frame(swapped, "uyvy"), 64, 48)
    assert np.array_equal(same.y, nv12.y)
    assert np.array_equal(same.uv, nv12.uv)


@pytest.mark.parametrize("height", [1, 3, 47])
def test_yuv_422_of_odd_height_is_fitted(height: int) -> None:
    packed = np.full((height, 64, 2), 0, np.uint8)
    packed[..., 0], packed[:, 0::2, 1], packed[:, 1::2, 1] = 90, 30, 220
    nv12, _ = fit_nv12(YUV422Frame(packed, "yuyv"), 32, 24)
    assert (nv12.y == 90).all()
    assert (nv12.uv == (30, 220)).all()


@pytest.mark.parametrize("color_range", ["full", "limited"])
def test_a_grey_picture_becomes_luma_and_grey_chroma(color_range: str) -> None:
    grey = noise(24, 32)
    nv12, _ = fit_nv12(grey, 32, 24, color_range=color_range)
    assert (nv12.uv == 128).all()
    if color_range == "full":
        assert np.array_equal(nv12.y, grey)
    else:
        assert np.array_equal(nv12.y, np.rint(16 + grey * (219 / 255)))


@pytest.mark.parametrize("matrix", ["bt601", "bt709"])
@pytest.mark.parametrize("color_range", ["full", "limited"])
def test_range_and_matrix_reach_the_pixels(color_range: str, matrix: str) -> None:
    bgr = noise(24, 32, 3)
    kind = {"color_range": color_range, "color_matrix": matrix}
    expected = bgr_to_nv12(bgr, color_range, color_matrix=matrix)
    nv12, _ = fit_nv12(bgr, 32, 24, **kind)
    assert np.array_equal(nv12.y, expected.y)
    assert np.array_equal(nv12.uv, expected.uv)
    for frame in (expected, bgr_to_yuv422(bgr, color_range, matrix)):
        fitted, _ = fit_bgr(frame, 32, 24, **kind)
        assert np.array_equal(fitted, frame_to_bgr(frame, color_range, matrix))


# --- copies


def test_what_fits_already_comes_back_without_a_copy() -> None:
    frame = bgr_to_nv12(noise(48, 64, 3))
    bgr, grey = noise(48, 64, 3), noise(48, 64)
    assert fit_nv12(frame, 64, 48, "letterbox")[0].y is frame.y
    assert fit_bgr(bgr, 64, 48, "center_crop")[0] is bgr
    assert fit_grey(grey, 64, 48)[0] is grey
    assert fit_grey(frame, 64, 48)[0] is frame.y


@pytest.mark.parametrize("mode", ["center_crop", "roi"])
def test_a_part_that_fits_already_is_seen_in_place(mode: str) -> None:
    frame = bgr_to_nv12(noise(48, 64, 3))
    bgr, roi = noise(48, 64, 3), (8, 0, 48, 48)
    nv12, _ = fit_nv12(frame, 48, 48, mode, roi=roi)
    assert np.shares_memory(nv12.y, frame.y)
    assert np.shares_memory(nv12.uv, frame.uv)
    assert np.array_equal(nv12.y, frame.y[:, 8:56])
    assert np.array_equal(nv12.uv, frame.uv[:, 4:28])
    assert np.shares_memory(fit_bgr(bgr, 48, 48, mode, roi=roi)[0], bgr)
    assert np.shares_memory(fit_grey(frame, 48, 48, mode, roi=roi)[0], frame.y)


def test_given_arrays_are_written_unless_a_view_will_do() -> None:
    frame, bgr, grey = bgr_to_nv12(noise(48, 64, 3)), noise(48, 64, 3), noise(48, 64)
    out, out_bgr, out_grey = new_nv12(64, 48), np.zeros_like(bgr), np.zeros_like(grey)
    for fit, source, target in (
        (fit_nv12, frame, out),
        (fit_bgr, bgr, out_bgr),
        (fit_grey, grey, out_grey),
    ):
        assert fit(source, 64, 48, out=target)[0] is target
        assert fit(source, 64, 48, out=target, copy=False)[0] is not target
        smaller = source if fit is fit_nv12 else source[:40]
        assert fit(smaller, 64, 48, "stretch", out=target)[0] is target
    assert np.array_equal(out.uv, frame.uv)


@pytest.mark.parametrize("kind", GRIDS)
@pytest.mark.parametrize("mode", MODES)
def test_the_source_is_never_written_to(kind: str, mode: str) -> None:
    frame = frame_of(kind, noise(48, 64, 3))
    for part in frame if isinstance(frame, NV12Frame) else [getattr(frame, "packed", frame)]:
        part.flags.writeable = False
    for size in ((64, 48), (32, 32), (80, 20)):
        for fit in (fit_nv12, fit_bgr, fit_grey):
            for color_range in ("full", "limited"):
                fit(frame, *size, mode, roi=(2, 2, 32, 32), color_range=color_range)


@pytest.mark.parametrize("size", [(2, 2), (100_000, 2), (2, 100_000)])
@pytest.mark.parametrize("kind", GRIDS)
def test_extreme_shapes_are_fitted(kind: str, size: tuple[int, int]) -> None:
    """OpenCV has limits of its own near 32 768 pixels, in other functions than these."""
    bgr = np.full((size[1], size[0], 3), 99, np.uint8)
    frame = frame_of(kind, bgr)
    for mode in MODES:
        for fit in (fit_nv12, fit_bgr, fit_grey):
            fitted, _ = fit(frame, 64, 32, mode, 99, roi=(1, 1, 1, 1))
            plane = fitted.y if isinstance(fitted, NV12Frame) else fitted
            assert np.abs(plane.astype(int) - 99).max() <= 1


def test_arrays_that_do_not_fit_are_named() -> None:
    bgr = noise(48, 64, 3)
    with pytest.raises(ValueError, match=r"out must be uint8 \[4, 6, 3\], got uint8 \[4, 6\]"):
        fit_bgr(bgr, 6, 4, out=np.empty((4, 6), np.uint8))
    with pytest.raises(ValueError, match=r"out must be uint8 \[4, 6\], got float32"):
        fit_grey(bgr, 6, 4, out=np.empty((4, 6), np.float32))
    with pytest.raises(ValueError, match=r"pad value must be 0\.\.255, got -1"):
        fit_bgr(bgr, 64, 48, pad_value=-1)
    with pytest.raises(ValueError, match="'bt601' or 'bt709'"):
        fit_nv12(bgr, 6, 4, color_matrix="bt2020")
    with pytest.raises(ImageError, match="even width and height, got 5x4"):
        fit_nv12(bgr, 5, 4)
