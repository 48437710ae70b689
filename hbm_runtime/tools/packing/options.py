# SPDX-License-Identifier: Apache-2.0
"""What the user asks `hbm pack` for, as data, and the texts it is parsed from."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

_NUMBERS_PER_COLOUR = (1, 3)


@dataclass(frozen=True)
class Nv12Options:
    """How a picture in NV12 becomes the network's input: (pixel - mean) * scale.

    Attributes:
        color: order of the channels that the network expects, "rgb" or "bgr".
        range: BT.601 levels of the picture, "full" or "limited".
        mean: pixel levels (0..255), one number or one per channel in the network's order.
        scale: factor after the mean is taken off, one number or one per channel.
        layout: "nchw", "nhwc", or "" to tell it from the dimension that is 3.
    """

    color: str = "rgb"
    range: str = "full"
    mean: tuple[float, ...] = (0.0,)
    scale: tuple[float, ...] = (1.0,)
    layout: str = ""


@dataclass(frozen=True)
class OutputQuantization:
    """An integer output: stored = clip(round(real / scale) + zero_point).

    Attributes:
        data_type: "int8", "int16" or "int32".
        axis: axis of the scales, None for one scale.
        scales: positive; empty when they come from calibration.
        zero_point: only without an axis.
    """

    data_type: str
    axis: int | None = None
    scales: tuple[float, ...] = ()
    zero_point: int = 0


@dataclass(frozen=True)
class InputQuantization:
    """An integer input: real = (stored - zero_point) * scale; data_type "int8" or "uint8"."""

    data_type: str
    scale: float
    zero_point: int = 0


@dataclass(frozen=True)
class PackOptions:
    """Everything `hbm pack` can be told; tensors are named as the ONNX model names them.

    Attributes:
        name: the model's name.
        description: the model's description.
        file_description: the file's description.
        tensor_descriptions: text for each tensor; the parts of an NV12 input X are X_y and X_uv.
        rename: new name for each tensor, X_y and X_uv included.
        shapes: dimensions for inputs, and for outputs whose shape cannot be inferred.
        dynamic: keep dynamic dimensions that `shapes` leaves.
        max_shapes: the largest dimensions of each input that stays dynamic, and of outputs whose
            shape does not follow from the inputs'.
        nv12_inputs: the inputs that become NV12.
        nv12: how they do.
        output_quantization: by output.
        input_quantization: by input.
        calibration: .npz of real inputs, for the scales that are not given.
        input_padding: rows of inputs are padded as on a board.
        output_padding: rows of outputs are padded as on a board.
        latency_us: microseconds that a run takes at least.
        march: the only march that may load the file; "" for any.
    """

    name: str
    description: str = ""
    file_description: str = ""
    tensor_descriptions: Mapping[str, str] = field(default_factory=dict)
    rename: Mapping[str, str] = field(default_factory=dict)
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    dynamic: bool = False
    max_shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    nv12_inputs: tuple[str, ...] = ()
    nv12: Nv12Options = field(default_factory=Nv12Options)
    output_quantization: Mapping[str, OutputQuantization] = field(default_factory=dict)
    input_quantization: Mapping[str, InputQuantization] = field(default_factory=dict)
    calibration: Path | None = None
    input_padding: bool = True
    output_padding: bool = True
    latency_us: int = 0
    march: str = ""


def model_name_of(path: Path) -> str:
    """A model name made from a file name: letters, digits and underscores, no digit first."""
    name = re.sub(r"[^A-Za-z0-9]+", "_", path.stem).strip("_")
    return f"model_{name}" if not name or name[0].isdigit() else name


def parse_pair(text: str) -> tuple[str, str]:
    """NAME=TEXT.

    Raises:
        ValueError: there is no name or no `=`.
    """
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise ValueError(f"{text!r} is not of the form NAME=VALUE")
    return name, value


def parse_shape(text: str) -> tuple[str, tuple[int, ...]]:
    """NAME=1,3,224,224 (a name may hold `=`).

    Raises:
        ValueError: the form is wrong or a dimension is not positive.
    """
    name, _, dims = text.rpartition("=")
    try:
        shape = tuple(int(dim) for dim in dims.split(","))
    except ValueError:
        shape = ()
    if not name or not shape or any(dim < 1 for dim in shape):
        raise ValueError(f"{text!r} is not of the form NAME=1,3,224,224 with positive numbers")
    return name, shape


def parse_numbers(text: str) -> tuple[float, ...]:
    """One number, or three for the channels, with commas between them.

    Raises:
        ValueError: another count, or not finite numbers.
    """
    numbers = _floats(text)
    if len(numbers) not in _NUMBERS_PER_COLOUR:
        raise ValueError(f"{text!r}: expected one number or three, e.g. 123.675,116.28,103.53")
    return numbers


def parse_output_quantization(text: str) -> tuple[str, OutputQuantization]:
    """NAME=int8|int16|int32[:SCALE[,ZERO_POINT]] or NAME=TYPE:axis=N[:SCALE,SCALE,…].

    Raises:
        ValueError: the form is wrong or a scale is not positive.
    """
    match = re.fullmatch(r"(.+)=(int8|int16|int32)(?::axis=(-?\d+))?(?::([^:=]+))?", text)
    if match is None:
        raise ValueError(
            f"{text!r} is not of the form NAME=int8|int16|int32[:SCALE[,ZERO_POINT]]"
            " or NAME=TYPE:axis=N[:SCALE,SCALE,...]"
        )
    name, data_type, axis_text, numbers_text = match.groups()
    if axis_text is not None:
        scales = _floats(numbers_text) if numbers_text else ()
        _check_scales(text, scales)
        return name, OutputQuantization(data_type, int(axis_text), scales)
    if numbers_text is None:
        return name, OutputQuantization(data_type)
    scale, zero_point = _scale_and_zero_point(text, numbers_text, data_type)
    return name, OutputQuantization(data_type, None, (scale,), zero_point)


def parse_input_quantization(text: str) -> tuple[str, InputQuantization]:
    """NAME=int8|uint8:SCALE[,ZERO_POINT].

    Raises:
        ValueError: the form is wrong or the scale is not positive.
    """
    match = re.fullmatch(r"(.+)=(int8|uint8):([^:=]+)", text)
    if match is None:
        raise ValueError(f"{text!r} is not of the form NAME=int8|uint8:SCALE[,ZERO_POINT]")
    name, data_type, numbers_text = match.groups()
    scale, zero_point = _scale_and_zero_point(text, numbers_text, data_type)
    return name, InputQuantization(data_type, scale, zero_point)


def integer_range(data_type: str) -> tuple[int, int]:
    """Lowest and highest value of an integer type: int4, uint4, int8, …, int32."""
    bits = int(data_type.lstrip("uint"))
    return (
        (0, 2**bits - 1) if data_type.startswith("u") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    )


def _scale_and_zero_point(text: str, numbers_text: str, data_type: str) -> tuple[float, int]:
    scale_text, _, zero_text = numbers_text.partition(",")
    scales = _floats(scale_text)
    _check_scales(text, scales)
    low, high = integer_range(data_type)
    try:
        zero_point = int(zero_text or "0")
    except ValueError:
        raise ValueError(f"{text!r}: the zero point {zero_text!r} is not a whole number") from None
    if not low <= zero_point <= high:
        raise ValueError(f"{text!r}: the zero point {zero_point} is outside {low}..{high}")
    return scales[0], zero_point


def _check_scales(text: str, scales: tuple[float, ...]) -> None:
    if any(scale <= 0 for scale in scales):
        raise ValueError(f"{text!r}: a scale must be above 0")


def _floats(text: str) -> tuple[float, ...]:
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        raise ValueError(f"{text!r} is not a list of numbers such as 0.5 or 1,2,3") from None
    if not all(math.isfinite(number) for number in numbers):
        raise ValueError(f"{text!r}: every number must be finite")
    return numbers


Value = TypeVar("Value")


def no_name_twice(option: str, pairs: list[tuple[str, Value]]) -> dict[str, Value]:
    """The pairs of a repeated option as a dict.

    Raises:
        ValueError: a name is there twice.
    """
    result: dict[str, Value] = {}
    for name, value in pairs:
        if name in result:
            raise ValueError(f"{option} names {name!r} twice")
        result[name] = value
    return result
