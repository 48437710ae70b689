# SPDX-License-Identifier: Apache-2.0
"""A seeded, image-like input for a packed graph and for the network it came from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import TensorProto, ValueInfoProto, helper

from hbm_runtime.tools.packing import four_bit
from hbm_runtime.tools.packing.graph import dims_of
from hbm_runtime.tools.packing.nv12_front import ColorMatrix, color_matrix, image_input, part_names
from hbm_runtime.tools.packing.options import (
    InputQuantization,
    Nv12Options,
    PackOptions,
    integer_range,
)

Array = npt.NDArray[Any]

_SEED = 601


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


def sample_input(
    network_inputs: Sequence[ValueInfoProto], options: PackOptions
) -> tuple[dict[str, Array], dict[str, Array]]:
    """The same seeded input twice: as the network takes it, and as the packed graph takes it."""
    random = np.random.default_rng(_SEED)
    source: dict[str, Array] = {}
    packed: dict[str, Array] = {}
    for value in network_inputs:
        name = value.name
        if name in options.nv12_inputs:
            luma, chroma, source[name] = _random_picture(random, value, options.nv12)
            parts = dict(zip(part_names(name), (luma, chroma), strict=True))
        elif name in options.input_quantization:
            shape = _run_shape(value, options)
            given = options.input_quantization[name]
            stored, source[name] = _random_integers(random, value, shape, given)
            parts = {name: stored}
        else:
            source[name] = _random_values(random, value, _run_shape(value, options))
            parts = {name: np.atleast_1d(source[name])}
        packed.update({options.rename.get(part, part): array for part, array in parts.items()})
    return source, packed


def _random_picture(
    random: np.random.Generator, value: ValueInfoProto, options: Nv12Options
) -> tuple[Array, Array, Array]:
    image = image_input(value, options)
    height, width = image.height, image.width
    luma = _picture_plane(random, (height, width))
    chroma = np.stack(
        [_picture_plane(random, (height // 2, width // 2)) for _ in range(2)], axis=-1
    )
    picture = picture_from_nv12(luma, chroma, color_matrix(options.range))
    if options.color == "bgr":
        picture = picture[..., ::-1]
    dtype = helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
    pixels: Array = picture
    if dtype != np.uint8:
        mean, scale = (np.array(n, np.float32) for n in (options.mean, options.scale))
        pixels = ((picture.astype(np.float32) - mean) * scale).astype(dtype)
    pixels = pixels[np.newaxis]
    if not image.channels_last:
        pixels = pixels.transpose(0, 3, 1, 2)
    return (
        luma[np.newaxis, ..., np.newaxis],
        chroma[np.newaxis],
        np.ascontiguousarray(pixels),
    )


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
    random: np.random.Generator,
    value: ValueInfoProto,
    shape: tuple[int, ...],
    quantization: InputQuantization,
) -> tuple[Array, Array]:
    low, high = integer_range(quantization.data_type)
    stored = random.integers(low, high + 1, shape).astype(quantization.data_type)
    dtype = helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
    real = (stored.astype(np.float32) - quantization.zero_point) * np.float32(quantization.scale)
    return np.atleast_1d(stored), real.astype(dtype)


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
