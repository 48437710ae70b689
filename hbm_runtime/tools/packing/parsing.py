# SPDX-License-Identifier: Apache-2.0
"""The texts of `hbm pack`'s options, parsed into data."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import TypeVar

from hbm_runtime.tools.packing.options import (
    FED,
    InputQuantization,
    OutputQuantization,
    integer_range,
)

_NUMBERS_PER_COLOUR = (1, 3)

Parsed = TypeVar("Parsed")


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


def parse_fed(text: str) -> tuple[str, tuple[str, str]]:
    """NAME=nv12|rgb|bgr|gray|featuremap[:nhwc|nchw].

    Returns:
        The name, and what is fed with its layout.

    Raises:
        ValueError: the form is wrong.
    """
    match = re.fullmatch(rf"(.+)=({'|'.join(FED)})(?::(nhwc|nchw))?", text)
    if match is None or (match[3] and match[2] in ("nv12", "featuremap")):
        raise ValueError(
            f"{text!r} is not of the form NAME=nv12|featuremap or NAME=rgb|bgr|gray[:nhwc|:nchw]"
        )
    return match[1], (match[2], match[3] or "nhwc")


def parse_named_model(text: str) -> tuple[str, str]:
    """NAME=MODEL.onnx.

    Raises:
        ValueError: there is no name or no path.
    """
    name, _, path = text.partition("=")
    if not name or not path or "/" in name:
        raise ValueError(f"{text!r} is not of the form NAME=MODEL.onnx")
    return name, path


def of_one_input(parse: Callable[[str], Parsed]) -> Callable[[str], tuple[str, Parsed]]:
    """A parser of VALUE or INPUT=VALUE; the name is "" for all inputs."""

    def parse_one(text: str) -> tuple[str, Parsed]:
        name, equals, value = text.rpartition("=")
        if equals and not name:
            raise ValueError(f"{text!r} is not of the form INPUT=VALUE")
        return name, parse(value)

    return parse_one


def parse_deviations(text: str) -> tuple[float, ...]:
    """Standard deviations, one or three; as the scales that divide by them.

    Raises:
        ValueError: another count, or not positive.
    """
    deviations = parse_numbers(text)
    if any(number <= 0 for number in deviations):
        raise ValueError(f"{text!r}: a standard deviation must be above 0")
    return tuple(1.0 / number for number in deviations)


def choice(*words: str) -> Callable[[str], str]:
    """A parser of one of these words."""

    def parse_word(text: str) -> str:
        if text not in words:
            raise ValueError(f"{text!r} is not one of {', '.join(words)}")
        return text

    return parse_word


def parse_output_type(text: str) -> tuple[str, OutputQuantization | None]:
    """NAME=int8|int16|int32|float32[:SCALE[,ZERO_POINT]] or NAME=TYPE:axis=N[:SCALE,SCALE,…].

    int32 without more has one scale per channel, as a board's convolution puts it out.

    Raises:
        ValueError: the form is wrong or a scale is not positive.
    """
    match = re.fullmatch(r"(.+)=(int8|int16|int32)(?::axis=(-?\d+))?(?::([^:=]+))?", text)
    if match is None:
        if text.endswith("=float32") and text != "=float32":
            return text[: -len("=float32")], None
        raise ValueError(
            f"{text!r} is not of the form NAME=int8|int16|int32|float32[:SCALE[,ZERO_POINT]]"
            " or NAME=TYPE:axis=N[:SCALE,SCALE,...]"
        )
    name, data_type, axis_text, numbers_text = match.groups()
    if data_type == "int32" and axis_text is None and numbers_text is None:
        return name, OutputQuantization(data_type, per_channel=True)
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


def no_name_twice(option: str, pairs: list[tuple[str, Parsed]]) -> dict[str, Parsed]:
    """The pairs of a repeated option as a dict.

    Raises:
        ValueError: a name is there twice.
    """
    result: dict[str, Parsed] = {}
    for name, value in pairs:
        if name in result:
            raise ValueError(f"{option} {f'names {name!r}' if name else 'is given'} twice")
        result[name] = value
    return result
