# SPDX-License-Identifier: Apache-2.0
"""Compares a packed graph with the network it came from, on the same input."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from onnx import ModelProto

from hbm_runtime.model_file import QUANTI_SCALE, TensorSpec
from hbm_runtime.tools.errors import ToolError
from hbm_runtime.tools.packing import engine
from hbm_runtime.tools.packing.build import Packed
from hbm_runtime.tools.packing.layout import dense_size
from hbm_runtime.tools.packing.options import PackOptions
from hbm_runtime.tools.packing.sample_input import sample_input

Array = npt.NDArray[Any]


class NotComparedError(Exception):
    """The comparison could not be made; the sentence says why. The packed model may be good."""


class OutputAgreement(NamedTuple):
    """How one output of the packed graph compares with the network's.

    Attributes:
        name: the packed output's name.
        is_exact: bit for bit the same values.
        difference: largest absolute difference of the real values.
        largest: largest absolute real value of the network.
        step: the scale of an integer output (the largest of several), 0 otherwise.
    """

    name: str
    is_exact: bool
    difference: float
    largest: float
    step: float


def compare(source: ModelProto, packed: Packed, options: PackOptions) -> list[OutputAgreement]:
    """Run both graphs on the same seeded input.

    Args:
        source: the model as it was loaded.
        packed: what became of it.
        options: what it was packed with.

    Raises:
        NotComparedError: there is no engine, or the source refuses the input.
        ToolError: the engine refuses the packed graph, or its outputs are not as described.
    """
    packed_engine = engine.load(packed.graph, "the packed graph")
    if packed_engine is None:
        raise NotComparedError("onnxruntime is not installed")
    source_inputs, packed_inputs = sample_input(packed.network_inputs, options)
    try:
        source_engine = engine.load(source, "the model")
        expected = source_engine.run(source_inputs) if source_engine else {}
    except ToolError as error:
        raise NotComparedError(str(error)) from None
    found = packed_engine.run(packed_inputs)
    result: list[OutputAgreement] = []
    for spec, value in zip(packed.spec.outputs, source.graph.output, strict=True):
        _check_described(spec, found[spec.name])
        result.append(_agreement(spec, expected[value.name], found[spec.name]))
    return result


def _check_described(spec: TensorSpec, array: Array) -> None:
    if len(spec.shape) != array.ndim or any(
        dim not in (-1, size) for dim, size in zip(spec.shape, array.shape, strict=True)
    ):
        raise ToolError(
            f"output {spec.name!r} came out with the shape {list(array.shape)}, the model"
            f" declares {list(spec.shape)}; correct it with --shape"
        )
    size = dense_size(spec.data_type, array.shape)
    if size > spec.aligned_byte_size:
        raise ToolError(
            f"output {spec.name!r} came out with the shape {list(array.shape)}; its {size} bytes"
            f" are more than the {spec.aligned_byte_size} declared; correct it with --max-shape"
        )


def _agreement(spec: TensorSpec, expected: Array, found: Array) -> OutputAgreement:
    expected = np.atleast_1d(expected)
    real: Array = found
    if spec.quanti_type == QUANTI_SCALE:
        along_axis = [1] * found.ndim
        if spec.quantize_axis >= 0:
            along_axis[spec.quantize_axis] = -1
        scale = np.array(spec.scale).reshape(along_axis)
        real = (found - np.array(spec.zero_point, np.float64).reshape(along_axis)) * scale
    is_same = (real == expected) | ((real != real) & (expected != expected))  # NaN agrees with NaN
    with np.errstate(invalid="ignore"):
        gap = np.abs(real.astype(np.float64) - expected.astype(np.float64))
    difference = np.where(is_same, 0.0, np.where(np.isnan(gap), np.inf, gap)).max(initial=0.0)
    finite = np.abs(expected.astype(np.float64))
    return OutputAgreement(
        name=spec.name,
        is_exact=bool(is_same.all()) and spec.quanti_type != QUANTI_SCALE,
        difference=float(difference),
        largest=float(np.where(np.isfinite(finite), finite, 0.0).max(initial=0.0)),
        step=max(spec.scale, default=0.0),
    )
