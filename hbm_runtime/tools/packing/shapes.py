# SPDX-License-Identifier: Apache-2.0
"""Shapes: fixes dynamic dimensions of inputs and finds the shapes of outputs that follow."""

from __future__ import annotations

from collections.abc import Mapping

import onnx
from onnx import GraphProto, ModelProto, ValueInfoProto

from hbm_runtime.tools.errors import ToolError
from hbm_runtime.tools.packing.engine import output_shapes
from hbm_runtime.tools.packing.graph import copy_of, dims_of, set_dims


def fix_inputs(model: ModelProto, shapes: Mapping[str, tuple[int, ...]], *, dynamic: bool) -> None:
    """Set the dimensions of the inputs; a symbol that gets one value gets it everywhere.

    Raises:
        ToolError: an unknown name, a contradiction, or a dimension that stays dynamic though
            `dynamic` is false.
    """
    graph = model.graph
    names = [value.name for value in (*graph.input, *graph.output)]
    for name in shapes:
        if name not in names:
            raise ToolError(
                f"--shape names {name!r}; the model's inputs and outputs are {', '.join(names)}"
            )
    symbols: dict[str, set[int]] = {}
    for value in graph.input:
        if value.name in shapes:
            _fix(value, shapes[value.name], symbols)
    for value in graph.input:
        _fill_symbols(value, symbols)
        _refuse_dynamic(value, "input", dynamic=dynamic)
    del graph.value_info[:]  # shapes of the old dimensions; the engine infers new ones


def settle_outputs(
    model: ModelProto, shapes: Mapping[str, tuple[int, ...]], *, dynamic: bool
) -> None:
    """Write the outputs' shapes into the graph, as they follow from the inputs.

    Raises:
        ToolError: a shape does not follow from the inputs and was not given either.
    """
    inferred = output_dims(model)
    for value in model.graph.output:
        dims = inferred.get(value.name)
        if value.name in shapes:
            dims = agreed(value.name, dims, list(shapes[value.name]), "--shape")
        if dims is None:
            raise ToolError(
                f"the rank of output {value.name!r} cannot be inferred; give --shape"
                f" {value.name}=… with the dimensions it has"
            )
        set_dims(value, dims)
        _refuse_dynamic(value, "output", dynamic=dynamic)


def output_dims(model: ModelProto) -> dict[str, list[int] | None]:
    """Dimensions of each output: what onnx infers, the engine where onnx cannot, or as declared."""
    declared = {value.name: dims_of(value) for value in model.graph.output}
    blank = copy_of(model)
    for value in blank.graph.output:
        value.type.tensor_type.ClearField("shape")
    found = {value.name: dims_of(value) for value in _infer_shapes(blank).output}
    if any(dims is None or -1 in dims for dims in found.values()):
        engine = output_shapes(model) or {}
        found = {name: _merged(dims, engine.get(name)) for name, dims in found.items()}
    return {name: _merged(dims, declared[name]) for name, dims in found.items()}


def _infer_shapes(model: ModelProto) -> GraphProto:
    for data_prop in (True, False):
        try:
            return onnx.shape_inference.infer_shapes(model, data_prop=data_prop).graph
        except Exception:  # it raises what it likes; less is inferred then
            continue
    return model.graph


def _merged(first: list[int] | None, second: list[int] | None) -> list[int] | None:
    if first is None or second is None or len(first) != len(second):
        return second if first is None else first
    return [other if dim == -1 else dim for dim, other in zip(first, second, strict=True)]


def agreed(name: str, inferred: list[int] | None, given: list[int], option: str) -> list[int]:
    """The dimensions that an option gives an output.

    Raises:
        ToolError: they contradict what was inferred.
    """
    if inferred is not None and (
        len(inferred) != len(given)
        or any(dim not in (-1, other) for dim, other in zip(inferred, given, strict=True))
    ):
        raise ToolError(f"output {name!r} has the shape {inferred}, {option} says {given}")
    return given


def check_fits(value: ValueInfoProto, shape: tuple[int, ...], option: str) -> None:
    """Check the dimensions that an option gives an input.

    Raises:
        ToolError: they contradict the model's.
    """
    dims = dims_of(value)
    if dims is not None and len(dims) != len(shape):
        raise ToolError(
            f"input {value.name!r} has {len(dims)} dimensions, {option} gives {len(shape)}"
        )
    for axis, (dim, given) in enumerate(zip(dims or [], shape, strict=False)):
        if dim not in (-1, given):
            raise ToolError(
                f"dimension {axis} of input {value.name!r} is {dim} in the model,"
                f" {option} says {given}"
            )


def _fix(value: ValueInfoProto, shape: tuple[int, ...], symbols: dict[str, set[int]]) -> None:
    check_fits(value, shape, "--shape")
    for axis, (dim, new) in enumerate(zip(dims_of(value) or [], shape, strict=False)):
        if dim == -1:
            symbol = value.type.tensor_type.shape.dim[axis].dim_param
            symbols.setdefault(symbol, set()).add(new)
    set_dims(value, list(shape))


def _fill_symbols(value: ValueInfoProto, symbols: Mapping[str, set[int]]) -> None:
    for dim in value.type.tensor_type.shape.dim:
        sizes = symbols.get(dim.dim_param, set()) if dim.dim_param else set()
        if dim.dim_value <= 0 and len(sizes) == 1:  # some exporters call every dimension "?"
            dim.dim_value = next(iter(sizes))


def _refuse_dynamic(value: ValueInfoProto, kind: str, *, dynamic: bool) -> None:
    dims = dims_of(value)
    if dims is None:
        raise ToolError(f"{kind} {value.name!r} has no shape; give --shape {value.name}=…")
    if -1 in dims and not dynamic:
        example = ",".join("N" if dim == -1 else str(dim) for dim in dims)
        raise ToolError(
            f"{kind} {value.name!r} has the shape {dims} with dynamic dimensions (-1); fix them"
            f" with --shape {value.name}={example}, or keep them with --dynamic and --max-shape"
        )
