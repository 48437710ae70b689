# SPDX-License-Identifier: Apache-2.0
"""The rules that the content of a model file keeps, for its reader and its writer alike."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from hbm_runtime.model_file.graph_bytes import graph_problem
from hbm_runtime.model_file.spec import (
    DATA_TYPE_NAMES,
    ELEMENT_SIZES,
    MAX_CALLS,
    MAX_CORES,
    MAX_DESCRIPTION_SIZE,
    MAX_GRAPH_SIZE,
    MAX_LATENCY_US,
    MAX_MODELS,
    MAX_NAME_SIZE,
    MAX_RANK,
    MAX_SCALES,
    MAX_TENSOR_SIZE,
    MAX_TENSORS,
    QUANTI_NONE,
    QUANTI_SCALE,
    CallSpec,
    ModelFile,
    ModelSpec,
    TensorSpec,
    rows_share_bytes,
    storage_shape,
)


class Problem(NamedTuple):
    """A broken rule: the field, e.g. `models[0].inputs[1].rank`, and what is wrong with it."""

    field: str
    text: str


def file_problem(content: ModelFile) -> Problem | None:
    """The first rule that the content breaks, or None."""
    problem = metadata_problem(content)
    for index, model in enumerate(content.models):
        for number, call in enumerate(model.calls):
            problem = problem or call_graph_problem(f"models[{index}].calls[{number}]", call)
    return problem


def call_graph_problem(field: str, call: CallSpec) -> Problem | None:
    """What is wrong with a call's graph, or None."""
    text = graph_problem(call.graph) if call.graph else None
    return None if text is None else Problem(f"{field}.graph", text)


def metadata_problem(content: ModelFile) -> Problem | None:
    """The first rule that the content breaks apart from what its graphs hold, or None."""
    if not 1 <= len(content.models) <= MAX_MODELS:
        return Problem("models", f"{len(content.models)} is outside 1..{MAX_MODELS}")
    problem = _text_problem("file_description", content.description, MAX_DESCRIPTION_SIZE)
    problem = problem or _text_problem("march", content.march, MAX_NAME_SIZE)
    problem = problem or _duplicate_problem("models", [model.name for model in content.models])
    for index, model in enumerate(content.models):
        problem = problem or _model_problem(f"models[{index}]", model)
    return problem


def _model_problem(field: str, model: ModelSpec) -> Problem | None:
    problem = _name_problem(f"{field}.name", model.name)
    problem = problem or _text_problem(
        f"{field}.description", model.description, MAX_DESCRIPTION_SIZE
    )
    problem = problem or _range_problem(f"{field}.core_count", model.core_count, 1, MAX_CORES)
    problem = problem or _calls_problem(field, model)
    for kind, tensors in (("inputs", model.inputs), ("outputs", model.outputs)):
        problem = problem or _range_problem(f"{field}.{kind}", len(tensors), 1, MAX_TENSORS)
        problem = problem or _duplicate_problem(f"{field}.{kind}", [t.name for t in tensors])
        for index, tensor in enumerate(tensors):
            problem = problem or _tensor_problem(f"{field}.{kind}[{index}]", tensor)
            problem = problem or _size_problem(
                f"{field}.{kind}[{index}].aligned_byte_size", tensor, is_input=kind == "inputs"
            )
            if kind == "outputs":
                problem = problem or _output_problem(f"{field}.{kind}[{index}]", tensor)
    return problem


def _calls_problem(field: str, model: ModelSpec) -> Problem | None:
    calls, most = model.calls, model.max_time_per_fc_us
    problem = _range_problem(f"{field}.max_time_per_fc_us", most, 0, MAX_LATENCY_US)
    problem = problem or _range_problem(f"{field}.call_count", len(calls), 1, MAX_CALLS)
    if problem is None and most == 0 and len(calls) > 1:
        text = f"{len(calls)} calls, but without max_time_per_fc_us there is one"
        return Problem(f"{field}.call_count", text)
    for index, call in enumerate(calls):
        call_field = f"{field}.calls[{index}]"
        problem = problem or _range_problem(
            f"{call_field}.size", len(call.graph), 0, MAX_GRAPH_SIZE
        )
        problem = problem or _range_problem(
            f"{call_field}.latency_us", call.latency_us, 0, MAX_LATENCY_US
        )
    problem = problem or _range_problem(f"{field}.latency_us", model.latency_us, 0, MAX_LATENCY_US)
    if problem is None and not any(call.graph for call in calls):
        return Problem(f"{field}.calls", "none of them has a graph")
    return problem


def _tensor_problem(field: str, tensor: TensorSpec) -> Problem | None:
    types = len(DATA_TYPE_NAMES)
    return (
        _name_problem(f"{field}.name", tensor.name)
        or _text_problem(f"{field}.description", tensor.description, MAX_DESCRIPTION_SIZE)
        or _range_problem(f"{field}.data_type", tensor.data_type, 0, types - 1)
        or _layout_problem(field, tensor)
        or _quantisation_problem(field, tensor)
    )


def _layout_problem(field: str, tensor: TensorSpec) -> Problem | None:
    shape, strides = tensor.shape, tensor.strides
    if not 1 <= len(shape) <= MAX_RANK:
        return Problem(f"{field}.rank", f"{len(shape)} is outside 1..{MAX_RANK}")
    if any(dim != -1 and not 1 <= dim < 1 << 31 for dim in shape):
        return Problem(f"{field}.shape", f"{list(shape)}: each must be -1 or 1..2147483647")
    if rows_share_bytes(tensor.data_type, shape):
        text = "the last of a 4-bit tensor must be even unless all others are 1"
        return Problem(f"{field}.shape", f"{list(shape)}: {text}")
    if len(strides) != len(shape):
        return Problem(f"{field}.strides", f"{len(strides)} strides for {len(shape)} dimensions")
    if any(step != -1 and not 1 <= step <= MAX_TENSOR_SIZE for step in strides):
        return Problem(
            f"{field}.strides", f"{list(strides)}: each must be -1 or 1..{MAX_TENSOR_SIZE}"
        )
    element = ELEMENT_SIZES[tensor.data_type]
    if strides[-1] < element:
        return Problem(f"{field}.strides", f"the last is {strides[-1]}, below {element} bytes")
    units = storage_shape(tensor.data_type, shape)
    for axis in range(len(units) - 1):
        if -1 in (strides[axis], strides[axis + 1], units[axis + 1]):
            continue
        inner = units[axis + 1] * strides[axis + 1]
        if strides[axis] < inner:
            return Problem(
                f"{field}.strides",
                f"{list(strides)}: {strides[axis]} of axis {axis} is below the {inner} inside it",
            )
    return None


def _size_problem(field: str, tensor: TensorSpec, *, is_input: bool) -> Problem | None:
    """The caller knows how large a dynamic input is; of an output the file says the most."""
    size = tensor.aligned_byte_size
    dynamic = -1 in tensor.shape or -1 in tensor.strides
    if is_input and dynamic != (size == -1):
        return Problem(
            field, f"is {size}, but an input's must be -1 exactly when its shape or strides have -1"
        )
    if is_input and dynamic:
        return None
    units = storage_shape(tensor.data_type, tensor.shape)
    least = 1 if dynamic else units[0] * tensor.strides[0]
    return _range_problem(field, size, least, MAX_TENSOR_SIZE)


def _output_problem(field: str, tensor: TensorSpec) -> Problem | None:
    if -1 in tensor.strides and -1 not in tensor.shape:
        text = f"{list(tensor.strides)}: an output with a fixed shape has fixed strides"
        return Problem(f"{field}.strides", text)
    return None


def _quantisation_problem(field: str, tensor: TensorSpec) -> Problem | None:
    axis, scales, zero_points = tensor.quantize_axis, tensor.scale, tensor.zero_point
    if tensor.quanti_type == QUANTI_NONE:
        if axis != 0 or scales or zero_points:
            return Problem(
                f"{field}.quanti_type", "none, yet there is an axis, scale or zero point"
            )
        return None
    if tensor.quanti_type != QUANTI_SCALE:
        return Problem(f"{field}.quanti_type", f"{tensor.quanti_type} is outside 0..1")
    if not -1 <= axis < len(tensor.shape):
        return Problem(f"{field}.quantize_axis", f"{axis} is outside -1..{len(tensor.shape) - 1}")
    expected = 1 if axis == -1 else tensor.shape[axis]
    if len(scales) != expected or len(scales) > MAX_SCALES:
        return Problem(f"{field}.scale_count", f"{len(scales)}, expected {expected}")
    if not all(math.isfinite(scale) and scale > 0 for scale in scales):
        return Problem(f"{field}.scale", "each must be finite and above 0 as float32")
    if zero_points and len(zero_points) != expected:
        return Problem(f"{field}.zero_point_count", f"{len(zero_points)}, expected 0 or {expected}")
    if not all(-(1 << 31) <= zero_point < 1 << 31 for zero_point in zero_points):
        return Problem(f"{field}.zero_point", "each must fit int32")
    return None


def _name_problem(field: str, name: str) -> Problem | None:
    if not name or "\0" in name:
        return Problem(field, "must have at least one character and no NUL")
    return _text_problem(field, name, MAX_NAME_SIZE)


def _text_problem(field: str, text: str, limit: int) -> Problem | None:
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        return Problem(field, f"cannot be written as UTF-8 ({error.reason})")
    if size > limit:
        return Problem(field, f"{size} bytes of UTF-8 are more than {limit}")
    return None


def _range_problem(field: str, number: int, low: int, high: int) -> Problem | None:
    return None if low <= number <= high else Problem(field, f"{number} is outside {low}..{high}")


def _duplicate_problem(field: str, names: Sequence[str]) -> Problem | None:
    for index, name in enumerate(names):
        if name in names[:index]:
            return Problem(f"{field}[{index}].name", f"{name!r} is there twice")
    return None
