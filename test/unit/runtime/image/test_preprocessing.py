# SPDX-License-Identifier: Apache-2.0
"""Which images a model wants, and the tensors that they become."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

cv2 = pytest.importorskip("cv2", reason="needs OpenCV: pip install 'hbm-runtime[image]'")

from hbm_runtime.image import (
    FitSettings,
    Frame,
    ImageError,
    ImageFault,
    InputSpec,
    NormalizeSettings,
    NV12Frame,
    PictureSettings,
    Preprocessor,
    UnsupportedInputsError,
    YUV422Frame,
    bgr_to_nv12,
    bgr_to_yuv422,
    fit_bgr,
    fit_grey,
    fit_nv12,
    nv12_from_buffer,
    nv12_resize,
    nv12_to_rgb,
)

Y = InputSpec("images_y", (1, 32, 48, 1), "U8")
UV = InputSpec("images_uv", (1, 16, 24, 2), "U8")


@pytest.fixture
def picture() -> np.ndarray:
    rng = np.random.default_rng(3)
    return cv2.resize(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8), (96, 72))


def one(inputs: tuple, shared: bool = False, **settings: object) -> Preprocessor:
    return Preprocessor(inputs, [PictureSettings(**settings)], shared=shared)


def made_of(preprocessor: Preprocessor, *frames: Frame) -> dict[str, np.ndarray]:
    return preprocessor(*frames).tensors


# --- NV12 models


@pytest.mark.parametrize("inputs", [(Y, UV), (UV, Y)])
def test_an_nv12_pair_is_found_in_either_order(inputs: tuple, picture: np.ndarray) -> None:
    made = made_of(one(inputs), bgr_to_nv12(picture))
    expected, _ = nv12_resize(bgr_to_nv12(picture), 48, 32)
    assert {name: tensor.shape for name, tensor in made.items()} == {
        "images_y": (1, 32, 48, 1),
        "images_uv": (1, 16, 24, 2),
    }
    assert np.array_equal(made["images_y"][0, :, :, 0], expected.y)
    assert np.array_equal(made["images_uv"][0], expected.uv)


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("step", [48, 64])
def test_nv12_of_the_right_size_goes_through_without_a_copy(step: int, shared: bool) -> None:
    buffer = np.random.default_rng(0).integers(0, 256, step * 48, dtype=np.uint8)
    for tensor in made_of(one((Y, UV), shared), nv12_from_buffer(buffer, 48, 32, step)).values():
        assert np.shares_memory(tensor, buffer)


def test_a_region_of_the_right_size_goes_through_without_a_copy() -> None:
    buffer = np.random.default_rng(0).integers(0, 256, 64 * 96, dtype=np.uint8)
    frame = nv12_from_buffer(buffer, 64, 64)
    fit = FitSettings(resize="roi", roi=(10, 20, 48, 32))
    tensors = made_of(one((Y, UV), fit=fit), frame)
    assert all(np.shares_memory(tensor, buffer) for tensor in tensors.values())
    assert np.array_equal(tensors["images_y"][0, :, :, 0], frame.y[20:52, 10:58])


@pytest.mark.parametrize("kind", ["nv12", "yuyv", "bgr", "grey"])
@pytest.mark.parametrize(
    "fit",
    [
        FitSettings(),
        FitSettings(resize="letterbox", pad_value=200),
        FitSettings(resize="center_crop", color_range="limited"),
        FitSettings(resize="roi", roi=(8, 6, 41, 33), color_matrix="bt709"),
    ],
    ids=lambda fit: fit.resize,
)
def test_the_fit_reaches_the_pixels_and_the_transform(
    fit: FitSettings, kind: str, picture: np.ndarray
) -> None:
    frame = {
        "nv12": lambda: bgr_to_nv12(picture),
        "yuyv": lambda: bgr_to_yuv422(picture),
        "bgr": lambda: picture,
        "grey": lambda: picture[..., 1].copy(),
    }[kind]()
    arguments = {
        "mode": fit.resize,
        "pad_value": fit.pad_value,
        "roi": fit.roi,
        "color_range": fit.color_range,
        "color_matrix": fit.color_matrix,
    }
    made = one((Y, UV), fit=fit)(frame)
    expected, transform = fit_nv12(frame, 48, 32, **arguments)
    assert np.array_equal(made.tensors["images_y"][0, :, :, 0], expected.y)
    assert np.array_equal(made.tensors["images_uv"][0], expected.uv)
    assert made.transforms == (transform,)
    x = InputSpec("x", (1, 3, 32, 48), "U8")
    bgr, transform = fit_bgr(frame, 48, 32, **arguments)
    made = one((x,), fit=fit)(frame)
    assert np.array_equal(made.tensors["x"][0], bgr.transpose(2, 0, 1)[::-1])
    assert made.transforms == (transform,)
    grey, transform = fit_grey(frame, 48, 32, **arguments)
    made = one((InputSpec("x", (1, 32, 48, 1), "U8"),), fit=fit)(frame)
    assert np.array_equal(made.tensors["x"][0, :, :, 0], grey)
    assert made.transforms == (transform,)


# --- models of one tensor


@pytest.mark.parametrize(("data_type", "dtype"), [("U8", np.uint8), ("F32", np.float32)])
@pytest.mark.parametrize("channels_first", [True, False])
@pytest.mark.parametrize("order", ["rgb", "bgr"])
def test_a_tensor_of_three_channels_gets_them_in_its_layout_order_and_type(
    picture: np.ndarray, order: str, channels_first: bool, data_type: str, dtype: type
) -> None:
    shape = (1, 3, 32, 48) if channels_first else (1, 32, 48, 3)
    normalize = NormalizeSettings(channel_order=order)
    preprocessor = one((InputSpec("x", shape, data_type),), normalize=normalize)
    tensor = made_of(preprocessor, picture)["x"]
    expected = cv2.resize(picture, (48, 32))[..., :: -1 if order == "rgb" else 1]
    assert (tensor.shape, tensor.dtype) == (shape, dtype)
    assert np.array_equal(tensor[0].transpose(1, 2, 0) if channels_first else tensor[0], expected)


@pytest.mark.parametrize("shape", [(1, 1, 32, 48), (1, 32, 48, 1)])
def test_a_tensor_of_one_channel_gets_grey(picture: np.ndarray, shape: tuple) -> None:
    tensor = made_of(one((InputSpec("x", shape, "U8"),)), picture)["x"]
    expected = cv2.cvtColor(cv2.resize(picture, (48, 32)), cv2.COLOR_BGR2GRAY)
    assert np.array_equal(tensor, expected.reshape(shape))


@pytest.mark.parametrize("color_range", ["full", "limited"])
def test_an_rgb_input_takes_nv12_frames(picture: np.ndarray, color_range: str) -> None:
    fit = FitSettings(color_range=color_range)
    preprocessor = one((InputSpec("x", (1, 32, 48, 3), "U8"),), fit=fit)
    frame = bgr_to_nv12(picture)
    expected = nv12_to_rgb(nv12_resize(frame, 48, 32)[0], color_range)
    assert np.array_equal(made_of(preprocessor, frame)["x"][0], expected)


def test_an_rgb_input_of_odd_size_takes_nv12_frames(picture: np.ndarray) -> None:
    preprocessor = one((InputSpec("x", (1, 3, 33, 47), "U8"),))
    expected = cv2.resize(nv12_to_rgb(bgr_to_nv12(picture)), (47, 33))
    tensor = made_of(preprocessor, bgr_to_nv12(picture))["x"][0].transpose(1, 2, 0)
    assert np.array_equal(tensor, expected)


def test_a_changed_frame_size_leaves_nothing_of_the_previous_one(picture: np.ndarray) -> None:
    letterbox = FitSettings(resize="letterbox")
    used, fresh = (one((Y, UV), fit=letterbox) for _ in range(2))
    made_of(used, np.full((100, 20, 3), 255, np.uint8))
    for name, tensor in made_of(used, picture).items():
        assert np.array_equal(tensor, made_of(fresh, picture)[name])


@pytest.mark.parametrize("inputs", [(Y, UV), (InputSpec("x", (1, 3, 32, 48), "F32"),)])
def test_buffers_are_used_again_and_shared_results_stay(inputs: tuple) -> None:
    dark, bright = np.full((40, 60, 3), 10, np.uint8), np.full((40, 60, 3), 200, np.uint8)
    own, shared = one(inputs), one(inputs, shared=True)
    for preprocessor, stays in ((own, False), (shared, True)):
        first = made_of(preprocessor, dark)
        before = {name: tensor.copy() for name, tensor in first.items()}
        second = made_of(preprocessor, bright)
        name = next(iter(first))
        assert np.shares_memory(first[name], second[name]) == (not stays)
        assert np.array_equal(first[name], before[name]) is stays


def test_a_model_with_shared_images_gets_arrays_that_cannot_be_written() -> None:
    made = made_of(one((Y, UV), shared=True), np.zeros((40, 60, 3), np.uint8))
    for tensor in made.values():
        with pytest.raises(ValueError, match="read-only"):
            tensor[0] = 1


# --- several images

LEFT = (InputSpec("left_y", (1, 32, 48, 1), "U8"), InputSpec("left_uv", (1, 16, 24, 2), "U8"))
RIGHT = (InputSpec("right_y", (1, 32, 48, 1), "U8"), InputSpec("right_uv", (1, 16, 24, 2), "U8"))
DEPTH = InputSpec("depth", (1, 1, 20, 30), "F32")


def fed_by(inputs: tuple, *images: PictureSettings) -> dict[str, tuple[str, ...]]:
    return {image.name: image.tensors for image in Preprocessor(inputs, images).images}


def test_images_and_inputs_go_together_in_their_order() -> None:
    left, right = PictureSettings(name="left"), PictureSettings(name="right")
    assert fed_by((*LEFT, *RIGHT), left, right) == {
        "left": ("left_y", "left_uv"),
        "right": ("right_y", "right_uv"),
    }
    assert fed_by((*LEFT[::-1], DEPTH), left, right) == {
        "left": ("left_y", "left_uv"),
        "right": ("depth",),
    }


def test_named_tensors_go_where_they_are_named_and_the_rest_in_order() -> None:
    right = PictureSettings(name="right", tensors=("right_uv", "right_y"))
    assert fed_by(
        (*RIGHT, DEPTH, *LEFT), PictureSettings(name="a"), right, PictureSettings("b")
    ) == {
        "a": ("depth",),
        "right": ("right_y", "right_uv"),
        "b": ("left_y", "left_uv"),
    }


def test_luma_and_chroma_apart_are_found_by_their_size() -> None:
    small = (InputSpec("s_y", (1, 8, 8, 1), "U8"), InputSpec("s_uv", (1, 4, 4, 2), "U8"))
    inputs = (LEFT[0], small[0], LEFT[1], small[1])
    assert fed_by(inputs, PictureSettings(name="a"), PictureSettings(name="b")) == {
        "a": ("left_y", "left_uv"),
        "b": ("s_y", "s_uv"),
    }


def test_each_image_has_its_own_frame_fit_and_transform(picture: np.ndarray) -> None:
    images = [
        PictureSettings(name="left", fit=FitSettings(resize="letterbox")),
        PictureSettings(name="depth", tensors=("depth",)),
    ]
    preprocessor = Preprocessor((DEPTH, *LEFT), images)
    assert [tuple(image) for image in preprocessor.images] == [
        ("left", ("left_y", "left_uv"), 48, 32),
        ("depth", ("depth",), 30, 20),
    ]
    grey = picture[:50, :70, 0].copy()
    made = preprocessor(picture, grey)
    assert np.array_equal(made.tensors["depth"][0, 0], cv2.resize(grey, (30, 20)))
    assert [transform.source_width for transform in made.transforms] == [96, 70]
    with pytest.raises(ValueError, match="expected 2 images, got 1"):
        preprocessor(picture)


@pytest.mark.parametrize(
    ("inputs", "images", "says"),
    [
        ((*LEFT, *RIGHT), ("",), "2 pictures for 1.*'tensors'.*left_y, left_uv; right_y, right_uv"),
        ((*LEFT,), ("a", "b"), "1 pictures for 2.*'a.tensors', 'b.tensors'"),
        ((LEFT[0], RIGHT[0], LEFT[1]), ("a", "b"), "not clear.*'tensors'"),
        ((LEFT[0], RIGHT[0], LEFT[1], RIGHT[1]), ("a", "b"), "not clear.*'tensors'"),
        ((*LEFT,), (), "parameter 'images'"),
    ],
)
def test_what_is_ambiguous_is_refused_with_the_choices(
    inputs: tuple, images: tuple, says: str
) -> None:
    with pytest.raises(UnsupportedInputsError, match=says):
        Preprocessor(inputs, [PictureSettings(name=name) for name in images])


@pytest.mark.parametrize(
    ("tensors", "says"),
    [
        ((("nothing",), ()), "'a.tensors' names 'nothing', but its inputs are left_y: U8"),
        ((("left_y", "right_uv"), ("left_y",)), "'left_y' is fed by.*'a.tensors'.*'b.tensors'"),
        ((("left_y", "left_y"), ()), "'a.tensors'.*cannot be fed by one image"),
        ((("left_uv",), ()), "'a.tensors': left_uv: U8 .*cannot be fed by one image"),
        ((("left_y", "left_uv", "right_y"), ()), "cannot be fed by one image"),
        ((("left_y", "left_uv"), ("right_y",)), "none feeds right_uv: U8"),
    ],
)
def test_named_tensors_that_cannot_be_are_refused(tensors: tuple, says: str) -> None:
    images = [PictureSettings(name=n, tensors=t) for n, t in zip("ab", tensors, strict=True)]
    with pytest.raises(UnsupportedInputsError, match=says):
        Preprocessor((*LEFT, *RIGHT), images)


# --- what cannot be fed


@pytest.mark.parametrize(
    "inputs",
    [
        (),
        (Y, InputSpec("uv", (1, 16, 23, 2), "U8")),
        (Y, InputSpec("uv", (1, 16, 24, 2), "F32")),
        (InputSpec("x", (2, 3, 32, 48), "F32"),),
        (InputSpec("x", (1, 1000), "F32"),),
        (InputSpec("x", (1, 4, 32, 48), "F32"),),
        (InputSpec("x", (1, 3, 32, 48), "U4"),),
        (InputSpec("x", (1, 3, 32, 48), "F32"), InputSpec("mean", (3,), "F32")),
    ],
)
def test_inputs_that_are_no_image_are_refused_by_name(inputs: tuple) -> None:
    with pytest.raises(UnsupportedInputsError) as caught:
        one(inputs)
    for spec in inputs:
        assert f"{spec.name}: {spec.data_type} {list(spec.shape)}" in str(caught.value)


def test_dynamic_dimensions_are_refused() -> None:
    with pytest.raises(UnsupportedInputsError, match="dynamic dimensions"):
        one((InputSpec("x", (1, 3, -1, 48), "F32"),))


def test_a_region_that_is_none_is_refused_at_once() -> None:
    with pytest.raises(UnsupportedInputsError, match=r"parameter 'roi'.*at least 1"):
        one((Y, UV), fit=FitSettings(resize="roi"))


# --- frames that cannot be used


@pytest.mark.parametrize("given", [None, b"bytes", [[1, 2]]])
@pytest.mark.parametrize("shared", [False, True])
def test_what_is_no_frame_is_refused_with_the_choices(given: object, shared: bool) -> None:
    with pytest.raises(TypeError, match=rf"NV12Frame, .*got {type(given).__name__}"):
        made_of(one((Y, UV), shared), given)


def test_an_array_that_is_no_picture_is_refused_with_its_shape() -> None:
    with pytest.raises(ValueError, match=r"got float32 \[4, 4, 3\]"):
        made_of(one((Y, UV)), np.zeros((4, 4, 3), np.float32))


def test_a_frame_of_size_zero_is_an_image_error() -> None:
    with pytest.raises(ImageError, match="0x10"):
        made_of(one((Y, UV)), np.empty((10, 0, 3), np.uint8))


def test_a_region_outside_of_the_frame_is_an_image_error(picture: np.ndarray) -> None:
    fit = FitSettings(resize="roi", roi=(60, 0, 40, 40))
    for inputs in ((Y, UV), (InputSpec("x", (1, 3, 32, 48), "F32"),)):
        for shared in (False, True):
            with pytest.raises(ImageError, match="96x72") as caught:
                made_of(one(inputs, shared, fit=fit), picture)
            assert caught.value.fault is ImageFault.OUTSIDE


Y64, UV32 = np.zeros((64, 64), np.uint8), np.zeros((32, 32, 2), np.uint8)


@pytest.mark.parametrize(
    ("frame", "text"),
    [
        (
            NV12Frame(Y64, UV32[:10, :10]),
            r"chroma of a 64x64 NV12 image must be uint8 \[32, 32, 2\]",
        ),
        (NV12Frame(Y64, UV32.astype(np.float32)), r"chroma .* got float32 \[32, 32, 2\]"),
        (
            NV12Frame(Y64.astype(np.float32), UV32),
            r"luma .* must be uint8 \[height, width\], got float",
        ),
        (NV12Frame(Y64[:, :, None], UV32), r"luma .* got uint8 \[64, 64, 1\]"),
        (NV12Frame(Y64[:63, :63], UV32), "even width and height, got 63x63"),
        (YUV422Frame(UV32[:, :, :1], "yuyv"), r"must be uint8 \[height, width, 2\]"),
        (YUV422Frame(UV32.tolist(), "yuyv"), "must be uint8 .* got <class 'list'>"),  # type: ignore[arg-type]
        (np.zeros((4, 4), np.float32), "must be uint8"),
    ],
)
def test_a_frame_that_was_put_together_wrongly_is_refused(frame: Any, text: str) -> None:
    y, uv = InputSpec("y", (1, 64, 64, 1), "U8"), InputSpec("uv", (1, 32, 32, 2), "U8")
    prepare = Preprocessor([y, uv])
    with pytest.raises(ValueError, match=text):
        prepare(frame)
