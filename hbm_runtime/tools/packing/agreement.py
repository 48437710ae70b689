# SPDX-License-Identifier: Apache-2.0
"""Compares a packed graph with the network it came from, on the same input."""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from onnx import ModelProto

from hbm_runtime.model_file import QUANTI_SCALE, TensorSpec
from hbm_runtime.tools.errors import ToolError
from hbm_runtime.tools.packing import engine
from hbm_runtime.tools.packing.build import Packed, steps_of
from hbm_runtime.tools.packing.calls import check_calls, compared
from hbm_runtime.tools.packing.layout import dense_size
from hbm_runtime.tools.packing.options import PackOptions
from hbm_runtime.tools.packing.real_input import RealInput
from hbm_runtime.tools.packing.sample_input import Sample, sample_input

Array = npt.NDArray[Any]

_MOST_SAMPLES = 8


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
        cosine: similarity of the real values over all inputs, 1 of the same.
    """

    name: str
    is_exact: bool
    difference: float
    largest: float
    step: float
    cosine: float


class Comparison(NamedTuple):
    """How the packed model compares with its source.

    Attributes:
        outputs: in their order.
        inputs: what they were fed, in words.
        cut_difference: of the model cut into calls from the whole one, as a part of the largest
            value; None when it was not cut.
    """

    outputs: list[OutputAgreement]
    inputs: str
    cut_difference: float | None


def compare(source: ModelProto, packed: Packed, options: PackOptions) -> Comparison:
    """Run both graphs on the same input: real if the options have some, seeded otherwise.

    Args:
        source: the model as it was loaded.
        packed: what became of it.
        options: what it was packed with.

    Raises:
        NotComparedError: there is no engine, or the source refuses the input.
        ToolError: the engine refuses the packed graph, its outputs are not as described, or the
            calls do not compute what the whole graph does.
    """
    packed_engine = engine.load(packed.graph, "the packed graph")
    if packed_engine is None:
        raise NotComparedError("onnxruntime is not installed")
    text, samples = _samples(packed, options)
    merged: dict[str, OutputAgreement] = {}
    cosines: dict[str, _Cosine] = {}
    try:
        source_engine = engine.load(source, "the model")
    except ToolError as error:
        raise NotComparedError(str(error)) from None
    for sample in samples:
        try:
            expected = source_engine.run(sample.source) if source_engine else {}
        except ToolError as error:
            raise NotComparedError(str(error)) from None
        found = packed_engine.run(sample.packed)
        for spec, value in zip(packed.spec.outputs, source.graph.output, strict=True):
            _check_described(spec, found[spec.name])
            agreement = _agreement(
                spec,
                expected[value.name],
                found[spec.name],
                cosines.setdefault(spec.name, _Cosine()),
            )
            merged[spec.name] = _merged(merged.get(spec.name, agreement), agreement)
    cut_difference = None
    if packed.plan is not None and sum(bool(call.graph) for call in packed.spec.calls) > 1:
        steps = steps_of(packed.spec.outputs)
        fed = (sample.packed for sample in samples)
        cut_difference = check_calls(packed.graph, packed.plan, steps, fed)
    return Comparison(list(merged.values()), text, cut_difference)


def _samples(packed: Packed, options: PackOptions) -> tuple[str, list[Sample]]:
    """What both graphs are fed, in words and one by one."""
    for option, path in (
        ("--check", options.check),
        ("--quantize", options.quantize),
        ("--calibrate", options.calibration),
    ):
        if path is None:
            continue
        real = RealInput(path, option, packed.network_inputs, options)
        usable = (sample for sample in itertools.islice(real, _MOST_SAMPLES) if sample.packed)
        first = next(usable, None)
        if first is not None:
            count = min(len(real), _MOST_SAMPLES)
            return f"{count} of {path}", [first, *usable]
        if option == "--check":
            raise ToolError(
                f"--check {path}: these are the network's own values, from which no pixels can be"
                " told; give pictures"
            )
    return "seeded noise", [sample_input(packed.network_inputs, options)]


def _merged(one: OutputAgreement, other: OutputAgreement) -> OutputAgreement:
    return OutputAgreement(
        one.name,
        one.is_exact and other.is_exact,
        max(one.difference, other.difference),
        max(one.largest, other.largest),
        one.step,
        other.cosine,
    )


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


def _agreement(spec: TensorSpec, expected: Array, found: Array, cosine: _Cosine) -> OutputAgreement:
    expected = np.atleast_1d(expected)
    real: Array = found
    if spec.quanti_type == QUANTI_SCALE:
        along_axis = [1] * found.ndim
        if spec.quantize_axis >= 0:
            along_axis[spec.quantize_axis] = -1
        scale = np.array(spec.scale).reshape(along_axis)
        real = (found - np.array(spec.zero_point, np.float64).reshape(along_axis)) * scale
    is_same, difference = compared(expected, real)
    finite = np.abs(expected.astype(np.float64))
    return OutputAgreement(
        name=spec.name,
        is_exact=is_same and spec.quanti_type != QUANTI_SCALE,
        difference=difference,
        largest=float(np.where(np.isfinite(finite), finite, 0.0).max(initial=0.0)),
        step=max(spec.scale, default=0.0),
        cosine=cosine.add(real, expected, is_same=is_same),
    )


class _Cosine:
    """The cosine of two vectors that come in parts."""

    def __init__(self) -> None:
        self._product, self._squares, self._is_same = 0.0, np.zeros(2), True

    def add(self, real: Array, expected: Array, *, is_same: bool) -> float:
        """Add a part of both and return the cosine of all so far."""
        one, other = (np.nan_to_num(array.astype(np.float64)).ravel() for array in (real, expected))
        self._product += float(one @ other)
        self._squares += (one @ one, other @ other)
        self._is_same = self._is_same and is_same
        norms = float(np.sqrt(self._squares.prod()))
        return 1.0 if self._is_same else self._product / norms if norms > 0 else 0.0
