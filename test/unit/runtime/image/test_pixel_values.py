# SPDX-License-Identifier: Apache-2.0
"""Pixels become values: (pixel - mean) * scale, quantised as the input wants, in its layout."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("cv2", reason="needs OpenCV: pip install 'hbm-runtime[image]'")

from hbm_runtime import QuantParams, hbDNNQuantiType
from hbm_runtime.image import pixel_values
from hbm_runtime.image.picture_inputs import (
    PIXEL_TYPES,
    InputSpec,
    PixelInput,
    UnsupportedInputsError,
)
from hbm_runtime.image.settings import NormalizeSettings

DTYPES = {
    "U8": np.uint8,
    "S8": np.int8,
    "U16": np.uint16,
    "S16": np.int16,
    "F16": np.float16,
    "F32": np.float32,
    "S32": np.int32,
}
LAYOUTS = {1: (1, 3, 6, 8), 3: (1, 6, 8, 3)}


def quant(scale: list[float], zero_point: list[int], axis: int = 0) -> QuantParams:
    return QuantParams(
        np.array(scale, np.float32), np.array(zero_point, np.int32), hbDNNQuantiType.SCALE, axis
    )


def target(
    data_type: str, axis: int = 1, quantization: QuantParams | None = None, channels: int = 3
) -> PixelInput:
    shape = tuple(channels if size == 3 else size for size in LAYOUTS[axis])
    return PixelInput(InputSpec("x", shape, data_type, quantization), axis)


def written(where: PixelInput, settings: NormalizeSettings, pixels: np.ndarray) -> np.ndarray:
    writer = pixel_values.PixelWriter(where, settings)
    out = np.zeros(writer.shape, writer.dtype)
    writer.write(pixels, out)
    return out


def pixels_of(channels: int = 3) -> np.ndarray:
    noise = np.random.default_rng(8).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    noise[0, :2] = [[0, 128, 255], [255, 0, 127]]
    return noise if channels == 3 else noise[..., 0].copy()


def reference(pixels: np.ndarray, settings: NormalizeSettings) -> np.ndarray:
    """Values in the tensor's order of channels, channels last."""
    ordered = pixels if pixels.ndim == 2 or settings.channel_order == "bgr" else pixels[..., ::-1]
    ordered = ordered.reshape(6, 8, -1).astype(np.float64)
    return (ordered - np.array(settings.mean)) * np.array(settings.scale)


def channels_last(tensor: np.ndarray, axis: int) -> np.ndarray:
    return tensor[0].transpose(1, 2, 0) if axis == 1 else tensor[0]


IMAGENET = NormalizeSettings((123.675, 116.28, 103.53), (1 / 58.395, 1 / 57.12, 1 / 57.375))


def test_all_types_are_tested() -> None:
    assert set(DTYPES) == set(PIXEL_TYPES)


@pytest.mark.parametrize("axis", [1, 3])
@pytest.mark.parametrize("order", ["rgb", "bgr"])
@pytest.mark.parametrize("data_type", ["F32", "F16"])
def test_floating_point_tensors_hold_the_normalised_values(
    data_type: str, order: str, axis: int
) -> None:
    settings = NormalizeSettings(IMAGENET.mean, IMAGENET.scale, order)
    tensor = written(target(data_type, axis), settings, pixels_of())
    expected = reference(pixels_of(), settings).astype(DTYPES[data_type])
    assert np.array_equal(channels_last(tensor, axis), expected)


@pytest.mark.parametrize("axis", [1, 3])
@pytest.mark.parametrize("data_type", DTYPES)
def test_every_type_holds_what_lies_in_its_range(data_type: str, axis: int) -> None:
    settings = NormalizeSettings((128.0,), (0.75,) * 3)
    if data_type.startswith("U"):
        settings = NormalizeSettings((0.0,), (0.75, 0.5, 0.25))
    tensor = written(target(data_type, axis), settings, pixels_of())
    expected = reference(pixels_of(), settings)
    if data_type[0] != "F":
        expected = np.rint(expected)  # half to even
    assert tensor.dtype == DTYPES[data_type]
    assert np.array_equal(channels_last(tensor, axis), expected.astype(DTYPES[data_type]))


@pytest.mark.parametrize("axis", [1, 3])
@pytest.mark.parametrize("per_channel", [False, True])
def test_quantised_tensors_hold_stored_values(per_channel: bool, axis: int) -> None:
    params = quant([0.02], [3])
    if per_channel:
        params = quant([0.02, 0.025, 0.03], [3, -5, 0], axis - 4 if axis == 3 else axis)
    tensor = written(target("S8", axis, params), IMAGENET, pixels_of())
    stored = reference(pixels_of(), IMAGENET) / params.scale.astype(float) + params.zero_point
    assert np.array_equal(channels_last(tensor, axis), np.clip(np.rint(stored), -128, 127))


def test_halves_are_rounded_to_even_and_the_ends_are_clipped() -> None:
    settings = NormalizeSettings((127.0,), (0.5,), "bgr")
    pixels = np.zeros((6, 8, 3), np.uint8)
    pixels[0, :5, 0] = [0, 126, 128, 130, 255]  # -63.5, -0.5, 0.5, 1.5, 64
    tensor = written(target("S8", 3), settings, pixels)
    assert tensor[0, 0, :5, 0].tolist() == [-64, 0, 0, 2, 64]
    squeezed = written(target("S8", 3, quant([0.45], [0])), settings, pixels)
    assert squeezed[0, 0, [0, 4], 0].tolist() == [-128, 127]


@pytest.mark.parametrize("axis", [1, 3])
def test_a_grey_tensor_has_one_mean_and_one_scale(axis: int) -> None:
    settings = NormalizeSettings((127.5,), (1 / 127.5,))
    tensor = written(target("F32", axis, channels=1), settings, pixels_of(1))
    expected = reference(pixels_of(1), settings).astype(np.float32)
    assert np.array_equal(channels_last(tensor, axis), expected)
    with pytest.raises(UnsupportedInputsError, match=r"'mean' must have 1 value, .*got \[123"):
        pixel_values.PixelWriter(target("F32", axis, channels=1), IMAGENET)


def test_as_many_means_as_channels_are_needed() -> None:
    with pytest.raises(UnsupportedInputsError, match="'scale' must have 1 value or 3"):
        pixel_values.PixelWriter(target("F32"), NormalizeSettings(scale=(1.0, 2.0)))


# --- without any change of values


@pytest.mark.parametrize("params", [None, QuantParams(), quant([1.0], [0])])
def test_pixels_that_stay_as_they_are_are_seen_in_place(params: QuantParams | None) -> None:
    bgr = NormalizeSettings(channel_order="bgr")
    pixels, grey = pixels_of(), pixels_of(1)
    for where, settings, seen in (
        (target("U8", 3, params), bgr, pixels),
        (target("U8", 3, params, 1), NormalizeSettings(), grey),
        (target("U8", 1, params, 1), NormalizeSettings(), grey),
    ):
        view = pixel_values.PixelWriter(where, settings).view(seen)
        assert np.shares_memory(view, seen)
        assert view.shape == where.spec.shape
        assert np.array_equal(view, written(where, settings, seen))


@pytest.mark.parametrize(
    ("where", "settings"),
    [
        (target("U8", 3), NormalizeSettings()),
        (target("U8", 1), NormalizeSettings(channel_order="bgr")),
        (target("F32", 3), NormalizeSettings(channel_order="bgr")),
        (target("U8", 3), NormalizeSettings(scale=(0.5,), channel_order="bgr")),
        (target("U8", 3, quant([0.5], [0])), NormalizeSettings(scale=(0.6,), channel_order="bgr")),
    ],
)
def test_anything_else_is_no_view(where: PixelInput, settings: NormalizeSettings) -> None:
    assert pixel_values.PixelWriter(where, settings).view(pixels_of()) is None


# --- mistakes


@pytest.mark.parametrize(
    ("where", "settings", "says"),
    [
        (target("S8"), NormalizeSettings(), "-128 to 127, but pixels .* 0 to 255, .* 50% .*'mean'"),
        (target("S8", 1, quant([1 / 127], [0])), NormalizeSettings(), "become 0 to 32385"),
        (target("U8"), IMAGENET, "0 to 255, but pixels of 0 to 255 would become -2"),
    ],
)
def test_settings_that_clip_many_pixels_are_refused(
    where: PixelInput, settings: NormalizeSettings, says: str
) -> None:
    with pytest.raises(UnsupportedInputsError, match=f"input 'x' .*{says}"):
        pixel_values.PixelWriter(where, settings)


def test_clipping_the_brightest_pixels_is_what_calibration_does() -> None:
    params = quant([2.2 / 127], [0])  # of values up to 2.64
    assert pixel_values.PixelWriter(target("S8", 1, params), IMAGENET).tables.max() == 127


@pytest.mark.parametrize(
    ("params", "says"),
    [
        (quant([1.0] * 6, [0] * 6, 2), "6 quantisation scales along axis 2.*axis 1"),
        (quant([1.0] * 2, [0] * 2, 1), "2 quantisation scales along axis 1"),
    ],
)
def test_scales_along_rows_or_columns_are_refused(params: QuantParams, says: str) -> None:
    with pytest.raises(UnsupportedInputsError, match=says):
        pixel_values.PixelWriter(target("U8", 1, params), NormalizeSettings())
