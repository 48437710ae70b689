# SPDX-License-Identifier: Apache-2.0
"""The same input twice: as a network takes it, and as the graph that was packed of it does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from onnx import TensorProto, ValueInfoProto, helper

from hbm_runtime.tools.packing import four_bit
from hbm_runtime.tools.packing.graph import dims_of
from hbm_runtime.tools.packing.nv12_front import ColorMatrix, color_matrix, part_names
from hbm_runtime.tools.packing.options import (
    InputQuantization,
    PackOptions,
    PictureOptions,
    integer_range,
)
from hbm_runtime.tools.packing.picture_front import ImageInput, image_input

Array = npt.NDArray[Any]

_SEED = 601


class Sample(NamedTuple):
    """One input of a network.

    Attributes:
        source: arrays by input, as the network takes them.
        packed: the same as the packed graph takes it; empty when it is not known.
    """

    source: dict[str, Array]
    packed: dict[str, Array]


def picture_from_nv12(luma: Array, chroma: Array, matrix: ColorMatrix) -> Array:
    """The RGB picture of an NV12 one, by the definition and in float64.

    Args:
        luma: uint8 [H, W].
        chroma: uint8 [H/2, W/2, 2], U before V; each pair belongs to four pixels.
        matrix: the conversion.

    Returns:
        uint8 [H, W, 3], red first.
    """
    full_size = chroma.astype(np.float64).repeat(2, axis=0).repeat(2, axis=1)
    level = np.maximum(luma.astype(np.float64), matrix.luma_floor) * matrix.luma_gain
    picture = level[..., np.newaxis] + full_size @ matrix.chroma.T + matrix.bias
    pixels: Array = np.clip(np.rint(picture), 0, 255).astype(np.uint8)
    return pixels


def sample_input(network_inputs: Sequence[ValueInfoProto], options: PackOptions) -> Sample:
    """A seeded, image-like input."""
    random = np.random.default_rng(_SEED)
    sample = Sample({}, {})
    for value in network_inputs:
        name = value.name
        if options.is_picture(name):
            how = options.picture_of(name)
            image = image_input(value, how)
            if how.fed == "nv12":
                luma, chroma = _random_nv12(random, image)
                add_nv12(sample, value, options, luma, chroma)
            else:
                shape = (image.batch, image.height, image.width)
                count = 1 if how.fed == "gray" else 3
                planes = [_picture_plane(random, (shape[0] * shape[1], shape[2])) for _ in range(3)]
                rgb = np.stack(planes[:count] * (3 // count), axis=-1).reshape(*shape, 3)
                add_pixels(sample, value, options, rgb)
        elif name in options.input_quantization:
            stored = _random_integers(random, value, options)
            source = real_of(stored, options.input_quantization[name])
            dtype = helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
            _add(sample, options, name, source.astype(dtype), {name: stored})
        else:
            array = _random_values(random, value, _run_shape(value, options))
            _add(sample, options, name, array, {name: array})
    return sample


def add_nv12(
    sample: Sample, value: ValueInfoProto, options: PackOptions, luma: Array, chroma: Array
) -> None:
    """Put an NV12 picture of the input's size into a sample.

    Args:
        sample: gets it.
        value: the network's input.
        options: how the picture becomes that input.
        luma: uint8 [H, W].
        chroma: uint8 [H/2, W/2, 2].
    """
    how = options.picture_of(value.name)
    rgb = picture_from_nv12(luma, chroma, color_matrix(how.range))[np.newaxis]
    parts = (luma[np.newaxis, ..., np.newaxis], chroma[np.newaxis])
    named = dict(zip(part_names(value.name), parts, strict=True))
    _add(sample, options, value.name, network_pixels(rgb, value, how), named)


def add_pixels(sample: Sample, value: ValueInfoProto, options: PackOptions, rgb: Array) -> None:
    """Put a picture of the input's size into a sample, for an input that is not NV12.

    Args:
        sample: gets it.
        value: the network's input.
        options: how the picture becomes that input.
        rgb: uint8 [N, H, W, 3]; grey levels three times where the input takes those.
    """
    name, how = value.name, options.picture_of(value.name)
    source = network_pixels(rgb, value, how)
    if how.fed == "featuremap":
        stored = source
        if name in options.input_quantization:
            stored = stored_of(source, options.input_quantization[name])
            source = real_of(stored, options.input_quantization[name]).astype(source.dtype)
        _add(sample, options, name, source, {name: stored})
        return
    pixels = rgb[..., :1] if how.fed == "gray" else rgb if how.fed == "rgb" else rgb[..., ::-1]
    if how.fed_layout == "nchw":
        pixels = pixels.transpose(0, 3, 1, 2)
    _add(sample, options, name, source, {name: np.ascontiguousarray(pixels)})


def network_pixels(rgb: Array, value: ValueInfoProto, how: PictureOptions) -> Array:
    """A picture uint8 [N, H, W, 3] as the network's own input takes it."""
    image = image_input(value, how)
    picture = rgb[..., :1] if image.channels == 1 else rgb if how.color == "rgb" else rgb[..., ::-1]
    dtype = helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
    pixels: Array = picture
    if dtype != np.uint8:
        mean, scale = (np.array(numbers, np.float32) for numbers in (how.mean, how.scale))
        pixels = ((picture.astype(np.float32) - mean) * scale).astype(dtype)
    if not image.channels_last:
        pixels = pixels.transpose(0, 3, 1, 2)
    return np.ascontiguousarray(pixels)


def stored_of(real: Array, quantization: InputQuantization) -> Array:
    """The integers that an integer input takes for these values."""
    low, high = integer_range(quantization.data_type)
    levels = np.rint(real.astype(np.float64) / quantization.scale) + quantization.zero_point
    stored: Array = np.clip(levels, low, high).astype(quantization.data_type)
    return stored


def real_of(stored: Array, quantization: InputQuantization) -> Array:
    """The float32 values that an integer input stands for."""
    scale = np.float32(quantization.scale)
    real: Array = (stored.astype(np.float32) - quantization.zero_point) * scale
    return real


def _add(
    sample: Sample, options: PackOptions, name: str, source: Array, parts: dict[str, Array]
) -> None:
    sample.source[name] = source
    for part, array in parts.items():
        sample.packed[options.rename.get(part, part)] = np.atleast_1d(array)


def _random_nv12(random: np.random.Generator, image: ImageInput) -> tuple[Array, Array]:
    luma = _picture_plane(random, (image.height, image.width))
    half = (image.height // 2, image.width // 2)
    return luma, np.stack([_picture_plane(random, half) for _ in range(2)], axis=-1)


def _picture_plane(random: np.random.Generator, size: tuple[int, int]) -> Array:
    """Patches of several sizes over each other, as in photographs: uint8, all levels."""
    plane = np.zeros(size)
    for side, contrast in ((64, 96), (16, 64), (4, 48), (1, 8)):
        grid = random.uniform(-contrast, contrast, [-(-length // side) for length in size])
        large = grid.repeat(side, axis=0).repeat(side, axis=1)
        plane += large[: size[0], : size[1]]
    pixels: Array = np.clip(plane + 128, 0, 255).astype(np.uint8)
    return pixels


def _random_integers(
    random: np.random.Generator, value: ValueInfoProto, options: PackOptions
) -> Array:
    data_type = options.input_quantization[value.name].data_type
    low, high = integer_range(data_type)
    return np.asarray(random.integers(low, high + 1, _run_shape(value, options))).astype(data_type)


def _random_values(
    random: np.random.Generator, value: ValueInfoProto, shape: tuple[int, ...]
) -> Array:
    element_type = value.type.tensor_type.elem_type
    if element_type in four_bit.NAMES:
        low, high = integer_range(four_bit.NAMES[element_type])
        return np.asarray(random.integers(low, high + 1, shape)).astype(
            four_bit.DTYPES[element_type]
        )
    dtype = helper.tensor_dtype_to_np_dtype(element_type)
    if np.issubdtype(dtype, np.floating):
        return np.asarray(random.standard_normal(shape)).astype(dtype)
    if element_type in (TensorProto.UINT8, TensorProto.BOOL):
        return np.asarray(random.integers(0, 256, shape)).astype(dtype)
    return np.zeros(shape, dtype)  # wider integers are mostly indices; 0 is always one


def _run_shape(value: ValueInfoProto, options: PackOptions) -> tuple[int, ...]:
    """The input's shape, or its largest one: there the outputs must fit what was computed."""
    dims = dims_of(value) or []
    return options.max_shapes[value.name] if -1 in dims else tuple(dims)
