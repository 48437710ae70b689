# SPDX-License-Identifier: Apache-2.0
"""Which image a model wants, and the tensors that a frame becomes."""

from __future__ import annotations

import numpy as np
import pytest

preprocessing = pytest.importorskip(
    "hbm_runtime_ros.preprocessing", reason="needs the ROS package hbm_runtime_ros to be built"
)
cv2 = pytest.importorskip("cv2", reason="needs OpenCV: pip install 'hbm-runtime[image]'")

from hbm_runtime.image import ImageError, bgr_to_nv12, nv12_from_buffer, nv12_resize, nv12_to_rgb

InputSpec = preprocessing.InputSpec
ResizeOptions = preprocessing.ResizeOptions
make_preprocessor = preprocessing.make_preprocessor

Y = InputSpec("images_y", (1, 32, 48, 1), "U8")
UV = InputSpec("images_uv", (1, 16, 24, 2), "U8")


@pytest.fixture
def picture() -> np.ndarray:
    rng = np.random.default_rng(3)
    return cv2.resize(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8), (96, 72))


@pytest.mark.parametrize("inputs", [(Y, UV), (UV, Y)])
def test_an_nv12_pair_is_found_in_either_order(inputs: tuple, picture: np.ndarray) -> None:
    made = make_preprocessor(inputs, ResizeOptions())(bgr_to_nv12(picture)).tensors
    expected, _ = nv12_resize(bgr_to_nv12(picture), 48, 32)
    assert {name: tensor.shape for name, tensor in made.items()} == {
        "images_y": (1, 32, 48, 1),
        "images_uv": (1, 16, 24, 2),
    }
    assert np.array_equal(made["images_y"][0, :, :, 0], expected.y)
    assert np.array_equal(made["images_uv"][0], expected.uv)


@pytest.mark.parametrize("step", [48, 64])
def test_nv12_of_the_right_size_goes_through_without_a_copy(step: int) -> None:
    buffer = np.random.default_rng(0).integers(0, 256, step * 48, dtype=np.uint8)
    made = make_preprocessor((Y, UV), ResizeOptions())(nv12_from_buffer(buffer, 48, 32, step))
    for tensor in made.tensors.values():
        assert np.shares_memory(tensor, buffer)


def test_letterbox_options_reach_the_pixels(picture: np.ndarray) -> None:
    options = ResizeOptions(mode="letterbox", pad_value=200)
    made = make_preprocessor((Y, UV), options)(bgr_to_nv12(picture))
    expected, transform = nv12_resize(bgr_to_nv12(picture), 48, 32, "letterbox", 200)
    assert np.array_equal(made.tensors["images_y"][0, :, :, 0], expected.y)
    assert made.transform == transform
    assert expected.y[0, 0] == 200


@pytest.mark.parametrize("color_range", ["full", "limited"])
def test_a_bgr_frame_is_converted_in_the_chosen_range(
    picture: np.ndarray, color_range: str
) -> None:
    made = make_preprocessor((Y, UV), ResizeOptions(color_range=color_range))(picture)
    expected = bgr_to_nv12(cv2.resize(picture, (48, 32)), color_range)
    assert np.array_equal(made.tensors["images_y"][0, :, :, 0], expected.y)
    assert np.array_equal(made.tensors["images_uv"][0], expected.uv)


@pytest.mark.parametrize(("data_type", "dtype"), [("U8", np.uint8), ("F32", np.float32)])
@pytest.mark.parametrize("channels_first", [True, False])
def test_an_rgb_input_gets_rgb_in_its_layout_and_type(
    picture: np.ndarray, channels_first: bool, data_type: str, dtype: type
) -> None:
    shape = (1, 3, 32, 48) if channels_first else (1, 32, 48, 3)
    make = make_preprocessor((InputSpec("x", shape, data_type),), ResizeOptions())
    tensor = make(picture).tensors["x"]
    rgb = cv2.resize(picture, (48, 32))[..., ::-1]
    assert (tensor.shape, tensor.dtype) == (shape, dtype)
    assert np.array_equal(tensor[0].transpose(1, 2, 0) if channels_first else tensor[0], rgb)


@pytest.mark.parametrize("color_range", ["full", "limited"])
def test_an_rgb_input_takes_nv12_frames(picture: np.ndarray, color_range: str) -> None:
    options = ResizeOptions(color_range=color_range)
    make = make_preprocessor((InputSpec("x", (1, 32, 48, 3), "U8"),), options)
    frame = bgr_to_nv12(picture)
    expected = nv12_to_rgb(nv12_resize(frame, 48, 32)[0], color_range)
    assert np.array_equal(make(frame).tensors["x"][0], expected)


def test_an_rgb_input_of_odd_size_takes_nv12_frames(picture: np.ndarray) -> None:
    make = make_preprocessor((InputSpec("x", (1, 3, 33, 47), "U8"),), ResizeOptions())
    expected = cv2.resize(nv12_to_rgb(bgr_to_nv12(picture)), (47, 33))
    tensor = make(bgr_to_nv12(picture)).tensors["x"][0].transpose(1, 2, 0)
    assert np.array_equal(tensor, expected)


def test_a_changed_frame_size_leaves_nothing_of_the_previous_one(picture: np.ndarray) -> None:
    options = ResizeOptions(mode="letterbox")
    used = make_preprocessor((Y, UV), options)
    used(np.full((100, 20, 3), 255, np.uint8))
    fresh = make_preprocessor((Y, UV), options)
    for name, tensor in used(picture).tensors.items():
        assert np.array_equal(tensor, fresh(picture).tensors[name])


@pytest.mark.parametrize(
    "inputs",
    [
        (),
        (Y,),
        (Y, InputSpec("uv", (1, 16, 23, 2), "U8")),
        (Y, InputSpec("uv", (1, 16, 24, 2), "F32")),
        (InputSpec("x", (1, 3, 32, 48), "S8"),),
        (InputSpec("x", (2, 3, 32, 48), "F32"),),
        (InputSpec("x", (1, 1000), "F32"),),
        (InputSpec("x", (1, 4, 32, 48), "F32"),),
    ],
)
def test_inputs_that_are_no_image_are_refused_by_name(inputs: tuple) -> None:
    with pytest.raises(preprocessing.UnsupportedInputsError, match="NV12 pair") as caught:
        make_preprocessor(inputs, ResizeOptions())
    for spec in inputs:
        assert f"{spec.name}: {spec.data_type} {list(spec.shape)}" in str(caught.value)


def test_dynamic_dimensions_are_refused() -> None:
    with pytest.raises(preprocessing.UnsupportedInputsError, match="dynamic dimensions"):
        make_preprocessor((InputSpec("x", (1, 3, -1, 48), "F32"),), ResizeOptions())


def test_a_frame_of_size_zero_is_an_image_error() -> None:
    make = make_preprocessor((Y, UV), ResizeOptions())
    with pytest.raises(ImageError, match="0x10"):
        make(np.empty((10, 0, 3), np.uint8))
