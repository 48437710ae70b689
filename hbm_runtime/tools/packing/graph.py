# SPDX-License-Identifier: Apache-2.0
"""ONNX graphs: safe loading, and the few edits that every packing step shares."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

import onnx
from onnx import GraphProto, ModelProto, TensorProto, ValueInfoProto

from hbm_runtime.tools.errors import ToolError

Message = TypeVar("Message", ModelProto, ValueInfoProto)

_MAX_FILE_SIZE = (1 << 31) - 1  # a protobuf message holds no more
_OLDEST_IR_WITH_FREE_INITIALIZERS = 4
_CONVERTED_OPSET = 13


def load(path: Path) -> ModelProto:
    """Read an ONNX model that needs no other file, and drop initialisers from its inputs.

    Raises:
        ToolError: the file cannot be read, is no valid ONNX model, or keeps weights elsewhere.
    """
    try:
        if path.is_file() and path.stat().st_size > _MAX_FILE_SIZE:
            raise ToolError(f"{path} has more than 2 GiB, which an ONNX file cannot have")
        data = path.read_bytes()
    except OSError as error:
        raise ToolError(f"cannot read {path}: {error.strerror or error}") from None
    model = ModelProto()
    try:
        model.ParseFromString(data)
    except Exception:  # protobuf's DecodeError; its module differs between versions
        raise ToolError(f"{path} is not an ONNX model") from None
    if not model.graph.output:
        raise ToolError(f"{path} is not an ONNX model (it has no graph with outputs)")
    _refuse_external_data(path, model)
    _free_initializers(model)
    check(model, str(path))
    return model


def check(model: ModelProto, what: str) -> None:
    """Run ONNX's own checker.

    Raises:
        ToolError: with the checker's first line.
    """
    try:
        onnx.checker.check_model(model)
    except (onnx.checker.ValidationError, ValueError) as error:
        why = first_line(error, "no reason given")
        raise ToolError(
            f"{what} is not valid for the installed onnx {onnx.__version__}: {why}"
        ) from None


def subgraphs(graph: GraphProto) -> Iterator[GraphProto]:
    """The graph, and every graph inside its nodes (If, Loop, Scan)."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                if inner.node or inner.output:
                    yield from subgraphs(inner)


def rename_value(graph: GraphProto, old: str, new: str) -> None:
    """Give a value another name wherever it is made or used."""
    for inner in subgraphs(graph):
        for node in inner.node:
            _rename_in(node.input, old, new)
            _rename_in(node.output, old, new)
        for named in (*inner.input, *inner.output, *inner.value_info, *inner.initializer):
            if named.name == old:
                named.name = new


def unique_name(graph: GraphProto, wish: str) -> str:
    """The wish, or the wish with a number, whichever no value of the graph has yet."""
    taken = value_names(graph)
    name, number = wish, 2
    while name in taken:
        name, number = f"{wish}_{number}", number + 1
    return name


def value_names(graph: GraphProto) -> set[str]:
    """Every name of a value in the graph and the graphs inside it."""
    names: set[str] = set()
    for inner in subgraphs(graph):
        for node in inner.node:
            names.update(node.input)
            names.update(node.output)
        for named in (*inner.input, *inner.output, *inner.initializer):
            names.add(named.name)
    return names


def replace_input(graph: GraphProto, name: str, new: list[ValueInfoProto]) -> None:
    """Put other inputs in the place of one."""
    inputs = [value for old in graph.input for value in (new if old.name == name else [old])]
    del graph.input[:]
    graph.input.extend(inputs)


def named(values: Iterable[ValueInfoProto], name: str) -> ValueInfoProto:
    """The value with a name, which is among them."""
    return next(value for value in values if value.name == name)


def copy_of(message: Message) -> Message:
    """A copy of a protobuf message."""
    copy = type(message)()
    copy.CopyFrom(message)
    return copy


def first_line(error: Exception, otherwise: str = "") -> str:
    """The first line of an error's text; without one its class, or what is given."""
    return (str(error).strip() or otherwise or type(error).__name__).splitlines()[0]


def dims_of(value: ValueInfoProto) -> list[int] | None:
    """The dimensions of a value, -1 for dynamic ones; None when even the rank is unknown."""
    tensor = value.type.tensor_type
    if not tensor.HasField("shape"):
        return None
    return [dim.dim_value if dim.dim_value > 0 else -1 for dim in tensor.shape.dim]


def set_dims(value: ValueInfoProto, dims: list[int]) -> None:
    """Set the dimensions of a value; a dynamic one (-1) keeps its symbol, if it has one."""
    shape = value.type.tensor_type.shape
    shape.SetInParent()
    symbols = [dim.dim_param for dim in shape.dim]
    symbols = symbols if len(symbols) == len(dims) else [""] * len(dims)
    del shape.dim[:]
    for dim, symbol in zip(dims, symbols, strict=True):
        entry = shape.dim.add()
        if dim > 0:
            entry.dim_value = dim
        elif symbol:
            entry.dim_param = symbol


def opset_of(model: ModelProto) -> int:
    """Version of the standard operators that the model uses."""
    versions = [entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")]
    return max(versions, default=1)


def with_opset(model: ModelProto, least: int, what: str) -> ModelProto:
    """The model, converted when its operators are older than a packing step needs.

    Raises:
        ToolError: onnx cannot convert it.
    """
    if opset_of(model) >= least:
        return model
    try:
        return onnx.version_converter.convert_version(model, max(least, _CONVERTED_OPSET))
    except Exception as error:  # the converter raises what it likes
        raise ToolError(
            f"{what} needs operators of opset {least} or newer, the model uses {opset_of(model)}"
            f" and onnx cannot convert it ({first_line(error)}); export it with a newer opset"
        ) from None


def _rename_in(names: object, old: str, new: str) -> None:
    values: list[str] = names  # type: ignore[assignment]  # a protobuf container of strings
    for index, name in enumerate(values):
        if name == old:
            values[index] = new


def _refuse_external_data(path: Path, model: ModelProto) -> None:
    for tensor in _tensors(model):
        if tensor.data_location == TensorProto.EXTERNAL:
            raise ToolError(
                f"{path} keeps the data of {tensor.name!r} in another file; save the model as one"
                " file first: onnx.save_model(onnx.load(PATH), NEW, save_as_external_data=False)"
            )


def _tensors(model: ModelProto) -> Iterator[TensorProto]:
    nodes = [node for function in model.functions for node in function.node]
    for graph in subgraphs(model.graph):
        yield from graph.initializer
        for sparse in graph.sparse_initializer:
            yield from (sparse.values, sparse.indices)
        nodes.extend(graph.node)
    for node in nodes:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)


def _free_initializers(model: ModelProto) -> None:
    """Before IR 4 every initialiser was listed as an input; here inputs are what a caller fills."""
    constants = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in constants]
    if len(inputs) == len(model.graph.input):
        return
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    model.ir_version = max(model.ir_version, _OLDEST_IR_WITH_FREE_INITIALIZERS)
