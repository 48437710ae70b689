# SPDX-License-Identifier: Apache-2.0
"""The order of the packing steps, and the model that comes out of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
from onnx import ModelProto, ValueInfoProto

from hbm_runtime.model_file import QUANTI_NONE, QUANTI_SCALE, CallSpec, ModelSpec, TensorSpec
from hbm_runtime.tools.errors import ToolError
from hbm_runtime.tools.packing import (
    Progress,
    four_bit,
    network_quantization,
    nv12_front,
    picture_front,
    quantize,
)
from hbm_runtime.tools.packing.calibrate import output_scales
from hbm_runtime.tools.packing.calls import CallPlan, check_calls, plan_calls
from hbm_runtime.tools.packing.dynamic_sizes import largest_outputs
from hbm_runtime.tools.packing.graph import (
    check,
    copy_of,
    dims_of,
    opset_of,
    rename_value,
    set_dims,
    unique_name,
    value_names,
    with_opset,
)
from hbm_runtime.tools.packing.layout import check_rows, data_type_of, layout_of, row_alignment
from hbm_runtime.tools.packing.new_nodes import NewNodes
from hbm_runtime.tools.packing.nv12_front import add_nv12_front, part_names
from hbm_runtime.tools.packing.options import PackOptions, PictureOptions
from hbm_runtime.tools.packing.picture_front import add_picture_front
from hbm_runtime.tools.packing.quantize import (
    QuantizationInfo,
    quantize_input,
    quantize_output,
    with_channel_axis,
)
from hbm_runtime.tools.packing.real_input import RealInput
from hbm_runtime.tools.packing.sample_input import sample_input
from hbm_runtime.tools.packing.shapes import fix_inputs, settle_outputs


class Packed(NamedTuple):
    """A packed model and what it came from.

    Attributes:
        spec: the model for the model file.
        graph: the whole packed graph, which `spec.calls` may have in parts.
        network_inputs: the network's own inputs with fixed shapes, before NV12 and the like.
        plan: how the function calls were found; None when there is one without a limit.
    """

    spec: ModelSpec
    graph: ModelProto
    network_inputs: tuple[ValueInfoProto, ...]
    plan: CallPlan | None = None


def pack_model(
    source: ModelProto, options: PackOptions, progress: Progress = lambda *_: None
) -> Packed:
    """Turn an ONNX model into a model of the simulator.

    Args:
        source: as `graph.load` returns it; it is not changed.
        options: what the user asks for.
        progress: called with the name of each step that may take long, and where it consists of
            such, with parts done and parts in all.

    Raises:
        ToolError: an option does not fit the model.
    """
    _check_names(source, options)
    model = _with_opsets(source, options)
    progress("fixing shapes", 0, 0)
    fix_inputs(model, options.shapes, dynamic=options.dynamic)
    settle_outputs(model, options.shapes, dynamic=options.dynamic)
    network_inputs = tuple(copy_of(value) for value in model.graph.input)

    if options.quantize is not None:
        samples = RealInput(options.quantize, "--quantize", network_inputs, options)
        model = network_quantization.quantize_network(
            model, samples, options.quantize_exclude, progress
        )
    quantization = _quantize_outputs(model, network_inputs, options, progress)
    for name, given in options.input_quantization.items():
        quantization[f"in {name}"] = quantize_input(model, name, given)
    for name in [value.name for value in network_inputs if options.is_picture(value.name)]:
        how = options.picture_of(name)
        (add_nv12_front if how.fed == "nv12" else add_picture_front)(model, name, how)
    _give_scalars_a_dimension(model)
    largest = largest_outputs(model, options.max_shapes)
    inputs, outputs = _tensors(model, options, quantization, largest)
    _rename(model, options.rename)

    progress("checking the packed graph", 0, 0)
    check(model, "the packed graph")
    plan = None
    calls: tuple[CallSpec, ...] = (CallSpec(model.SerializeToString(), options.latency_us),)
    if options.max_time_per_fc_us:
        typical = sample_input(network_inputs, options).packed
        plan = plan_calls(model, options.max_time_per_fc_us, options.latency_us, typical, progress)
        calls = plan.calls
        check_calls(model, plan, steps_of(outputs), [typical])
    spec = ModelSpec(
        options.name,
        inputs=inputs,
        outputs=outputs,
        description=options.description,
        core_count=options.core_count,
        max_time_per_fc_us=options.max_time_per_fc_us,
        calls=calls,
    )
    return Packed(spec, model, network_inputs, plan)


def steps_of(outputs: Iterable[TensorSpec]) -> dict[str, float]:
    """The largest scale of each quantised output."""
    return {tensor.name: max(tensor.scale) for tensor in outputs if tensor.scale}


def _with_opsets(source: ModelProto, options: PackOptions) -> ModelProto:
    """A copy of the model, converted where a packing step needs newer operators."""
    model = copy_of(source)
    _require_four_bit_types(model)
    if options.nv12_names():
        model = with_opset(model, nv12_front.OPSET, "--nv12")
    if any(how.fed not in ("nv12", "featuremap") for how in options.pictures.values()):
        model = with_opset(model, picture_front.OPSET, "--input")
    if options.output_quantization or options.input_quantization:
        model = with_opset(model, quantize.OPSET, "quantisation")
    if options.quantize is not None:
        model = with_opset(model, network_quantization.OPSET, "--quantize")
    return model


def _quantize_outputs(
    model: ModelProto,
    network_inputs: tuple[ValueInfoProto, ...],
    options: PackOptions,
    progress: Progress,
) -> dict[str, QuantizationInfo]:
    wanted = {
        name: with_channel_axis(model, name, quantization)
        for name, quantization in options.output_quantization.items()
    }
    samples = None
    if any(not quantization.scales for quantization in wanted.values()):
        if options.calibration is not None:
            samples = RealInput(options.calibration, "--calibrate", network_inputs, options)
        elif options.quantize is not None:
            samples = RealInput(options.quantize, "--quantize", network_inputs, options)
    scales = output_scales(model, wanted, samples, progress)
    return {
        f"out {name}": quantize_output(model, name, quantization, scales[name])
        for name, quantization in wanted.items()
    }


def _tensors(
    model: ModelProto,
    options: PackOptions,
    quantization: Mapping[str, QuantizationInfo],
    largest: Mapping[str, list[int]],
) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    descriptions = _descriptions(options)
    alignment = row_alignment(options.march)
    padding = {
        "in": alignment if options.input_padding else 1,
        "out": alignment if options.output_padding else 1,
    }
    nv12 = _nv12_parts(options)
    specs: dict[str, list[TensorSpec]] = {"in": [], "out": []}
    for direction, values in (("in", model.graph.input), ("out", model.graph.output)):
        for value in values:
            how = options.picture_of(value.name)
            is_pixels = how.fed not in ("nv12", "featuremap") and how.fed_layout == "nhwc"
            tensor = _tensor_spec(
                value,
                name=options.rename.get(value.name, value.name),
                description=descriptions.get(value.name, ""),
                padding=padding[direction],
                largest=largest.get(value.name) if direction == "out" else None,
                is_nv12=value.name in nv12,
                row_axes=2 if direction == "in" and is_pixels else 1,
                quantization=quantization.get(f"{direction} {value.name}"),
            )
            specs[direction].append(tensor)
    return tuple(specs["in"]), tuple(specs["out"])


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
    visible = [name for name in inputs if name not in options.nv12_names()] + [*parts, *outputs]
    _require("--nv12", options.nv12_inputs, inputs, "inputs")
    _require("--input", options.pictures, inputs, "inputs")
    _require("--quantize-input", options.input_quantization, inputs, "inputs")
    _require("--output-type", options.output_quantization, outputs, "outputs")
    _require("--output-type", options.float_outputs, outputs, "outputs")
    _require("--tensor-description", options.tensor_descriptions, visible, "tensors")
    _require("--rename", options.rename, visible, "tensors")
    for name in options.input_quantization:
        if options.is_picture(name):
            fed = options.picture_of(name).fed
            option = "--nv12" if fed == "nv12" else f"--input {name}={fed}"
            raise ToolError(f"input {name!r} cannot be {option} and --quantize-input at once")
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
                f" {four_bit.OPSET} or newer; the model uses {opset_of(model)}, export it again"
            )
        model.ir_version = max(model.ir_version, four_bit.IR_VERSION)


def _require(option: str, names: Iterable[str], known: list[str], kind: str) -> None:
    for name in names:
        if name not in known:
            raise ToolError(f"{option} names {name!r}; the {kind} are {', '.join(known)}")


def _nv12_parts(options: PackOptions) -> list[str]:
    return [part for name in options.nv12_names() for part in part_names(name)]


def _descriptions(options: PackOptions) -> dict[str, str]:
    """The user's texts; a picture's input says first what it is, because its reader has to know."""
    automatic: dict[str, str] = {}
    for name in dict.fromkeys((*options.nv12_inputs, *options.pictures)):
        how = options.picture_of(name)
        if how.fed == "nv12":
            automatic.update(zip(part_names(name), nv12_descriptions(how), strict=True))
        elif how.fed != "featuremap":
            automatic[name] = f"{how.fed} pixels, {how.fed_layout.upper()}, levels of 0..255"
    descriptions = dict(options.tensor_descriptions)
    for name, text in automatic.items():
        user_text = descriptions.get(name, "")
        descriptions[name] = f"{text}; {user_text}" if user_text else text
    return descriptions


def nv12_descriptions(options: PictureOptions) -> tuple[str, str]:
    """Descriptions of the luma and the chroma part of an NV12 input."""
    standard = f"NV12, BT.601 {options.range} range"
    return f"luma, {standard}", f"chroma (U, V interleaved), {standard}"


def _tensor_spec(
    value: ValueInfoProto,
    *,
    name: str,
    description: str,
    padding: int,
    largest: list[int] | None,
    is_nv12: bool,
    row_axes: int,
    quantization: QuantizationInfo | None,
) -> TensorSpec:
    data_type = data_type_of(value.name, value.type.tensor_type.elem_type)
    dims = dims_of(value) or []
    check_rows(value.name, data_type, dims)
    layout = layout_of(data_type, dims, padding=padding, largest=largest, row_axes=row_axes)
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
            nodes = NewNodes(model, value.name)
            inner = nodes.move_aside(value, "scalar")
            set_dims(value, [1])
            shape = nodes.constant(np.array(inner_dims, np.int64), "shape")
            ends = [value.name, inner] if values is graph.input else [inner, value.name]
            nodes.node("Reshape", [ends[0], shape], output=ends[1])
            nodes.add_to_graph(in_front=values is graph.input)


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
