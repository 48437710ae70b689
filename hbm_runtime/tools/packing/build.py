# SPDX-License-Identifier: Apache-2.0
"""The order of the packing steps, and the model that comes out of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import numpy as np
from onnx import ModelProto, ValueInfoProto, helper, numpy_helper

from hbm_runtime.model_file import QUANTI_NONE, QUANTI_SCALE, ModelSpec, TensorSpec
from hbm_runtime.tools.errors import ToolError
from hbm_runtime.tools.packing import four_bit, nv12_front, quantize
from hbm_runtime.tools.packing.calibrate import output_scales
from hbm_runtime.tools.packing.graph import (
    check,
    dims_of,
    opset_of,
    prepend_nodes,
    rename_value,
    set_dims,
    unique_name,
    value_names,
    with_opset,
)
from hbm_runtime.tools.packing.largest import largest_outputs
from hbm_runtime.tools.packing.layout import check_rows, data_type_of, layout_of
from hbm_runtime.tools.packing.nv12_front import add_nv12_front, part_names
from hbm_runtime.tools.packing.options import Nv12Options, PackOptions
from hbm_runtime.tools.packing.quantize import QuantizationInfo, quantize_input, quantize_output
from hbm_runtime.tools.packing.shapes import fix_inputs, settle_outputs


class Packed(NamedTuple):
    """A packed model and what it came from.

    Attributes:
        spec: the model for the model file.
        graph: the packed graph, the same as `spec.graph`.
        network_inputs: the network's own inputs with fixed shapes, before NV12 and the like.
    """

    spec: ModelSpec
    graph: ModelProto
    network_inputs: tuple[ValueInfoProto, ...]


def pack_model(
    source: ModelProto, options: PackOptions, progress: Callable[[str], None] = lambda _: None
) -> Packed:
    """Turn an ONNX model into a model of the simulator.

    Args:
        source: as `graph.load` returns it; it is not changed.
        options: what the user asks for.
        progress: called with the name of each step that may take long.

    Raises:
        ToolError: an option does not fit the model.
    """
    _check_names(source, options)
    model = ModelProto()
    model.CopyFrom(source)
    _require_four_bit_types(model)
    if options.nv12_inputs:
        model = with_opset(model, nv12_front.OPSET, "--nv12")
    if options.output_quantization or options.input_quantization:
        model = with_opset(model, quantize.OPSET, "quantisation")

    progress("fixing shapes")
    fix_inputs(model, options.shapes, dynamic=options.dynamic)
    settle_outputs(model, options.shapes, dynamic=options.dynamic)
    network_inputs = tuple(_copy(value) for value in model.graph.input)

    quantization: dict[str, QuantizationInfo] = {}
    if options.output_quantization:
        progress("quantising outputs")
        scales = output_scales(model, options)
        for name, wanted in options.output_quantization.items():
            quantization[f"out {name}"] = quantize_output(model, name, wanted, scales[name])
    for name, given in options.input_quantization.items():
        quantization[f"in {name}"] = quantize_input(model, name, given)
    for name in options.nv12_inputs:
        add_nv12_front(model, name, options.nv12)
    _give_scalars_a_dimension(model)
    largest = largest_outputs(model, options.max_shapes)

    descriptions = _descriptions(options)
    padding = {"in": options.input_padding, "out": options.output_padding}
    specs: dict[str, list[TensorSpec]] = {"in": [], "out": []}
    for direction, values in (("in", model.graph.input), ("out", model.graph.output)):
        for value in values:
            tensor = _tensor_spec(
                value,
                name=options.rename.get(value.name, value.name),
                description=descriptions.get(value.name, ""),
                padding=padding[direction],
                largest=largest.get(value.name) if direction == "out" else None,
                is_nv12=value.name in _nv12_parts(options),
                quantization=quantization.get(f"{direction} {value.name}"),
            )
            specs[direction].append(tensor)
    _rename(model, options.rename)

    progress("checking the packed graph")
    check(model, "the packed graph")
    spec = ModelSpec(
        name=options.name,
        graph=model.SerializeToString(),
        inputs=tuple(specs["in"]),
        outputs=tuple(specs["out"]),
        description=options.description,
        latency_us=options.latency_us,
    )
    return Packed(spec, model, network_inputs)


def _copy(value: ValueInfoProto) -> ValueInfoProto:
    copy = ValueInfoProto()
    copy.CopyFrom(value)
    return copy


def _check_names(source: ModelProto, options: PackOptions) -> None:
    inputs = [value.name for value in source.graph.input]
    outputs = [value.name for value in source.graph.output]
    if not inputs:
        raise ToolError("the model has no inputs")
    for value in (*source.graph.input, *source.graph.output):
        if not value.type.HasField("tensor_type"):
            raise ToolError(f"{value.name!r} is not a tensor, the accelerator knows only tensors")
    both = set(inputs) & set(outputs)
    if both:
        raise ToolError(f"{both.pop()!r} is an input and an output at once; put Identity between")
    parts = _nv12_parts(options)
    visible = [name for name in inputs if name not in options.nv12_inputs] + [*parts, *outputs]
    _require("--nv12", options.nv12_inputs, inputs, "inputs")
    _require("--quantize-input", options.input_quantization, inputs, "inputs")
    _require("--quantize-output", options.output_quantization, outputs, "outputs")
    _require("--tensor-description", options.tensor_descriptions, visible, "tensors")
    _require("--rename", options.rename, visible, "tensors")
    for name in options.nv12_inputs:
        if name in options.input_quantization:
            raise ToolError(f"input {name!r} cannot be --nv12 and --quantize-input at once")
    new_names = [options.rename.get(name, name) for name in visible]
    for name in new_names:
        if new_names.count(name) > 1:
            raise ToolError(f"--rename would leave two tensors named {name!r}")


def _require_four_bit_types(model: ModelProto) -> None:
    """Make sure that the model's ONNX has 4-bit types, if its inputs or outputs are such."""
    for value in (*model.graph.input, *model.graph.output):
        if value.type.tensor_type.elem_type not in four_bit.NAMES:
            continue
        if opset_of(model) < four_bit.OPSET:
            raise ToolError(
                f"tensor {value.name!r} has 4-bit elements, which need operators of opset"
                f" {four_bit.OPSET} or newer; the model uses {opset_of(model)}, export it anew"
            )
        model.ir_version = max(model.ir_version, four_bit.IR_VERSION)


def _require(option: str, names: Iterable[str], known: list[str], kind: str) -> None:
    for name in names:
        if name not in known:
            raise ToolError(f"{option} names {name!r}; the {kind} are {', '.join(known)}")


def _nv12_parts(options: PackOptions) -> list[str]:
    return [part for name in options.nv12_inputs for part in part_names(name)]


def _descriptions(options: PackOptions) -> dict[str, str]:
    """The user's texts; an NV12 part says first what it is, because its reader has to know."""
    descriptions = dict(options.tensor_descriptions)
    for name in options.nv12_inputs:
        for part, text in zip(part_names(name), nv12_descriptions(options.nv12), strict=True):
            user_text = descriptions.get(part, "")
            descriptions[part] = f"{text}; {user_text}" if user_text else text
    return descriptions


def nv12_descriptions(options: Nv12Options) -> tuple[str, str]:
    """Descriptions of the luma and the chroma part of an NV12 input."""
    standard = f"NV12, BT.601 {options.range} range"
    return f"luma, {standard}", f"chroma (U, V interleaved), {standard}"


def _tensor_spec(
    value: ValueInfoProto,
    *,
    name: str,
    description: str,
    padding: bool,
    largest: list[int] | None,
    is_nv12: bool,
    quantization: QuantizationInfo | None,
) -> TensorSpec:
    data_type = data_type_of(value.name, value.type.tensor_type.elem_type)
    dims = dims_of(value) or []
    check_rows(value.name, data_type, dims)
    layout = layout_of(data_type, dims, padding=padding, largest=largest)
    if is_nv12:  # as on a board: the caller chooses the row pitch
        layout = layout._replace(strides=(-1, -1, dims[3], 1), aligned_byte_size=-1)
    return TensorSpec(
        name=name,
        data_type=data_type,
        shape=tuple(dims),
        strides=layout.strides,
        aligned_byte_size=layout.aligned_byte_size,
        description=description,
        quanti_type=QUANTI_SCALE if quantization else QUANTI_NONE,
        quantize_axis=quantization.axis if quantization else 0,
        scale=quantization.scale if quantization else (),
        zero_point=quantization.zero_point if quantization else (),
    )


def _give_scalars_a_dimension(model: ModelProto) -> None:
    """The accelerator has no rank 0: a scalar input or output gets the shape [1]."""
    graph = model.graph
    for values, inner_dims in ((graph.input, []), (graph.output, [1])):
        for value in values:
            if dims_of(value) != []:
                continue
            name = value.name
            inner = unique_name(graph, f"{name}/scalar")
            rename_value(graph, name, inner)
            value.name = name
            set_dims(value, [1])
            shape = unique_name(graph, f"{name}/shape")
            dims = np.array(inner_dims, np.int64)
            graph.initializer.append(numpy_helper.from_array(dims, shape))
            if values is graph.input:
                prepend_nodes(graph, [helper.make_node("Reshape", [name, shape], [inner])])
            else:
                graph.node.append(helper.make_node("Reshape", [inner, shape], [name]))


def _rename(model: ModelProto, names: Mapping[str, str]) -> None:
    graph = model.graph
    # By way of free names, so that names may also be swapped.
    steps = [(old, unique_name(graph, f"{old}/renamed"), new) for old, new in names.items()]
    for old, between, _ in steps:
        rename_value(graph, old, between)
    for _, between, new in steps:
        if new in value_names(graph):  # a value inside the network gives way
            rename_value(graph, new, unique_name(graph, f"{new}/inner"))
        rename_value(graph, between, new)
