# SPDX-License-Identifier: Apache-2.0
"""Makes a float network int8 inside, from what real inputs make its values be."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import onnx
from onnx import ModelProto, NodeProto, TensorProto

from hbm_runtime._texts import nearest
from hbm_runtime.tools.errors import ToolError
from hbm_runtime.tools.optional_packages import onnxruntime, require
from hbm_runtime.tools.packing import Progress, engine
from hbm_runtime.tools.packing.graph import copy_of
from hbm_runtime.tools.packing.real_input import RealInput

OPSET = 13  # scales per channel

# More operators than these break networks, detectors above all.
_CORE = ("Conv", "ConvTranspose", "Gemm", "MatMul", "Add", "Concat", "MaxPool")
_ACTIVATIONS = ("Relu", "LeakyRelu", "Clip", "Sigmoid")  # next to one of the above


def quantize_network(
    model: ModelProto, samples: RealInput, exclude: tuple[str, ...], progress: Progress
) -> ModelProto:
    """The network with QuantizeLinear and DequantizeLinear around its heavy operators.

    Activations become uint8 with one scale, weights int8 with one scale per channel.

    Args:
        model: a float network of opset 13 or newer with fixed shapes.
        samples: real inputs of the network.
        exclude: names of nodes, or operators, that stay float.
        progress: called with text, samples done and samples in all.

    Raises:
        ToolError: there is nothing to quantise, an excluded name is unknown, or the engine cannot.
    """
    package = onnxruntime()
    if package is None:
        raise ToolError("--quantize runs the model: pip install 'hbm-runtime[simulator]'")
    tools = require("onnxruntime.quantization")
    network = copy_of(model)
    if network.functions:
        raise ToolError("--quantize: the model has functions of its own; inline them first")
    with tempfile.TemporaryDirectory(prefix="hbm-pack-") as folder, _quiet():
        if any(node.op_type == "BatchNormalization" for node in network.graph.node):
            network = _folded(network, package, Path(folder))
        name_nodes(network)
        nodes = _nodes_to_quantize(network, exclude)
        named, target = Path(folder) / "named.onnx", Path(folder) / "quantized.onnx"
        onnx.save_model(network, str(named))  # ONNX Runtime 1.20 loses weights of models in memory
        try:
            tools.quantize_static(
                str(named),
                str(target),
                _Reader(samples, progress),
                quant_format=tools.QuantFormat.QDQ,
                op_types_to_quantize=sorted({node.op_type for node in nodes}),
                nodes_to_quantize=[node.name for node in nodes],
                per_channel=True,
                reduce_range=True,  # 7 bits: CPUs without VNNI saturate sums of two products of 8
                activation_type=tools.QuantType.QUInt8,
                weight_type=tools.QuantType.QInt8,
            )
            result = onnx.load_model(str(target))
        except ToolError:
            raise
        except Exception as error:  # it raises what it likes
            raise ToolError(
                f"--quantize: onnxruntime {package.__version__} cannot quantise the model:"
                f" {engine.reason(error)}"
            ) from None
    result.ir_version = max(result.ir_version, model.ir_version)
    return result


def name_nodes(model: ModelProto) -> None:
    """Give every node of the graph a name that no other has."""
    taken: set[str] = set()
    for index, node in enumerate(model.graph.node):
        if not node.name or node.name in taken:
            wish = f"{node.op_type}_{index}"
            while wish in taken:
                wish += "_"
            node.name = wish
        taken.add(node.name)


def _nodes_to_quantize(model: ModelProto, exclude: tuple[str, ...]) -> list[NodeProto]:
    nodes = list(model.graph.node)
    known = {node.name for node in nodes} | {node.op_type for node in nodes}
    for name in exclude:
        if name not in known:
            near = ", ".join(nearest(name, sorted(known), 3, 0.4))
            raise ToolError(
                f"--quantize-exclude names {name!r}, the model has no such node or operator"
                + (f"; near it: {near}" if near else "")
            )
    floats = _float_values(model)
    core = [n for n in nodes if n.op_type in _CORE and any(o in floats for o in n.output)]
    core = [n for n in core if not {n.name, n.op_type}.intersection(exclude)]
    beside = {name for node in core for name in (*node.input, *node.output)}
    chosen = {node.name for node in core}
    chosen |= {
        node.name
        for node in nodes
        if node.op_type in _ACTIVATIONS
        and not {node.name, node.op_type}.intersection(exclude)
        and beside.intersection((*node.input[:1], *node.output))
    }
    if not core:
        raise ToolError(
            f"--quantize: the model has no node to quantise ({', '.join(_CORE)})"
            + (", apart from those of --quantize-exclude" if exclude else "")
        )
    return [node for node in nodes if node.name in chosen]


def _float_values(model: ModelProto) -> set[str]:
    """Values of type float32; those of unknown type count as such."""
    try:
        graph = onnx.shape_inference.infer_shapes(model).graph
    except Exception:  # it raises what it likes
        graph = model.graph
    types = {
        value.name: value.type.tensor_type.elem_type
        for value in (*graph.input, *graph.output, *graph.value_info)
    }
    names = {name for node in graph.node for name in node.output}
    return {n for n in names if types.get(n, 0) in (TensorProto.FLOAT, TensorProto.UNDEFINED)}


def _folded(model: ModelProto, package: Any, folder: Path) -> ModelProto:
    """The model with batch normalisations folded into the convolutions before them."""
    source, target = folder / "source.onnx", folder / "folded.onnx"
    onnx.save_model(model, str(source))
    options = package.SessionOptions()
    options.graph_optimization_level = package.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(target)
    options.log_severity_level = 3
    try:
        package.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # it raises what it likes
        raise ToolError(
            f"the simulator's engine (onnxruntime {package.__version__}) cannot load the model:"
            f" {engine.reason(error)}"
        ) from None
    return onnx.load_model(str(target))


class _Reader:
    """The samples one by one, as ONNX Runtime's calibration asks for them."""

    def __init__(self, samples: RealInput, progress: Progress) -> None:
        self._left = iter(samples)
        self._done, self._count, self._progress = 0, len(samples), progress

    def get_next(self) -> dict[str, Any] | None:
        self._progress("calibrating int8", self._done, self._count)
        self._done += 1
        sample = next(self._left, None)
        return None if sample is None else sample.source

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.get_next, None)

    def __next__(self) -> dict[str, Any]:
        sample = self.get_next()
        if sample is None:
            raise StopIteration
        return sample

    def set_range(self, start_index: int, end_index: int) -> None:
        """Never called: the samples are read once, from the first to the last."""


@contextmanager
def _quiet() -> Iterator[None]:
    """ONNX Runtime's Python tools warn on the root logger of what is none of a user's business."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
