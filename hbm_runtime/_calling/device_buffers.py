# SPDX-License-Identifier: Apache-2.0
"""Device memory for the inputs and outputs of a model, as numpy views."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy.typing as npt

from hbm_runtime import _core
from hbm_runtime._checks import MOST_COUNT
from hbm_runtime._texts import did_you_mean, shown
from hbm_runtime.errors import HBMInputError

Array = npt.NDArray[Any]


def input_buffers(
    runtime: _core.Runtime,
    model: _core.LoadedModel,
    shapes: Mapping[str, Sequence[int]] | None = None,
    given: Mapping[str, Array] | None = None,
) -> dict[str, Array]:
    """Return ``{input: array}`` in the order of the model.

    Args:
        runtime: Whose device memory.
        model: The model.
        shapes: Dimensions in elements of dynamic inputs.
        given: Arrays to take as they are.

    Raises:
        HBMInputError: A name is unknown, or a shape missing or wrong.
    """
    names = [tensor.name for tensor in model.inputs]
    for name in [*(shapes or {}), *(given or {})]:
        if name not in names:
            raise HBMInputError(
                f"model {model.name!r} has no input {shown(name)}{did_you_mean(name, names)}",
                model=model.name,
            )
    return {
        tensor.name: given[tensor.name]
        if given is not None and tensor.name in given
        else _core.input_buffer(runtime, model, index, _shape(model, tensor, shapes))
        for index, tensor in enumerate(model.inputs)
    }


def output_buffers(runtime: _core.Runtime, model: _core.LoadedModel) -> dict[str, Array]:
    """Return ``{output: array}`` in the order of the model."""
    return {
        tensor.name: _core.output_buffer(runtime, model, index)
        for index, tensor in enumerate(model.outputs)
    }


def _shape(
    model: _core.LoadedModel, tensor: _core.TensorInfo, shapes: Mapping[str, Sequence[int]] | None
) -> list[int]:
    if shapes is not None and tensor.name in shapes:
        with contextlib.suppress(TypeError, ValueError, OverflowError):
            dims = [int(dim) for dim in shapes[tensor.name]]
            if all(abs(dim) <= MOST_COUNT for dim in dims):
                return dims
        raise HBMInputError(
            f"model {model.name!r}, input {tensor.name!r}: expected a list of dimensions, each at "
            f"most {MOST_COUNT}, got {shown(shapes[tensor.name])}",
            model=model.name,
            tensor=tensor.name,
        )
    if -1 in tensor.shape:
        raise HBMInputError(
            f"model {model.name!r}, input {tensor.name!r}: its shape {tensor.shape} is dynamic; "
            f"give it with shapes={{{tensor.name!r}: [...]}}",
            model=model.name,
            tensor=tensor.name,
        )
    return tensor.shape
