# SPDX-License-Identifier: Apache-2.0
"""Cuts a graph into graphs that are computed one after the other."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

import onnx
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto

from hbm_runtime.tools.packing import engine
from hbm_runtime.tools.packing.graph import copy_of, subgraphs

# What may be handed from one graph to the next: the engine's own types except those of 4 bits.
_PASSED_TYPES = (
    TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.BOOL,
    TensorProto.INT8, TensorProto.INT16, TensorProto.INT32, TensorProto.INT64,
    TensorProto.UINT8, TensorProto.UINT16, TensorProto.UINT32, TensorProto.UINT64,
)  # fmt: skip
_RANDOM = ("RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Multinomial",
           "Bernoulli", "Dropout")  # fmt: skip
# The engine computes these together with the only node behind them, and then rounds differently.
_FUSING = ("Conv", "ConvTranspose", "Gemm", "MatMul", "BatchNormalization", "Add", "Mul", "Div",
           "Erf")  # fmt: skip
_FUSED_BEHIND = ("BatchNormalization", "Add", "Sub", "Mul", "Div", "Relu", "Clip", "Sigmoid",
                 "HardSigmoid", "HardSwish", "LeakyRelu", "Tanh", "Erf", "Elu")  # fmt: skip
_QUANTIZE, _DEQUANTIZE = "QuantizeLinear", "DequantizeLinear"


class Cutter:
    """A graph as a row of nodes that can be cut between two of them.

    Nodes that compute constants are no part of the row: each graph gets a copy of those it needs,
    so that the engine folds them as it does in the whole graph.

    Attributes:
        count: nodes in the row.
        is_quantized: activations are stored as integers inside.
        positions: where it may be cut, each a number of nodes before the cut: only where tensors
            of known types cross, not between nodes that the engine computes together, and of a
            quantised graph only what QuantizeLinear put out; so the engine rounds in each graph as
            it does in the whole.
    """

    def __init__(self, model: ModelProto) -> None:
        """Look at a model.

        Args:
            model: the graph, with its nodes in the order of execution; it is not changed.
        """
        self._model = model
        self._shell = _without_graph(model)
        graph = model.graph
        self._constants = {tensor.name: tensor for tensor in graph.initializer}
        self._sparse = {tensor.values.name: tensor for tensor in graph.sparse_initializer}
        self._inputs = [value.name for value in graph.input]
        self._outputs = [value.name for value in graph.output]
        self._static_maker: dict[str, int] = {}
        nodes = _needed(graph, self._outputs)
        self._nodes = list(graph.node)
        self._row = self._live(nodes)
        self._maker = {
            name: place
            for place, index in enumerate(self._row)
            for name in self._nodes[index].output
            if name
        }
        self._last_use: dict[str, int] = {}
        for place, index in enumerate(self._row):
            for name in _uses(self._nodes[index]):
                if name in self._maker:
                    self._last_use[name] = place
        # The others go to the first part: each input of the model belongs to a graph.
        self._used_inputs = {name for index in self._row for name in _uses(self._nodes[index])}
        self._types = self._value_types()
        self.count = len(self._row)
        self.is_quantized = self._has_stored_values()
        self.positions = self._find_positions()
        self._weights = [self._weight(self._nodes[index]) for index in self._row]

    def split(self, begin: int, end: int, parts: int) -> list[tuple[int, int]]:
        """Cut a part of the row into about so many parts of like work; one if it cannot be cut."""
        inside = [place for place in self.positions if begin < place < end]
        total = sum(self._weights[begin:end])
        sums, so_far = {}, 0.0
        for place in range(begin, end):
            sums[place] = so_far
            so_far += self._weights[place]
        cuts: list[int] = []
        for number in range(1, parts):
            if not inside:
                break
            target = total * number / parts
            nearest = min(inside, key=lambda place: abs(sums[place] - target))
            inside = [place for place in inside if place > nearest]
            cuts.append(nearest)
        borders = [begin, *cuts, end]
        return list(itertools.pairwise(borders))

    def node_name(self, place: int) -> str:
        """Name of a node of the row, its first output's if it has none."""
        node = self._nodes[self._row[place]]
        return str(node.name or node.output[0])

    def part(self, begin: int, end: int) -> ModelProto:
        """The graph of a part of the row.

        Its inputs are inputs of the model and outputs of earlier parts, its outputs what later
        parts need and the model puts out, all by their names.
        """
        row = self._row[begin:end]
        used = {name for index in row for name in _uses(self._nodes[index])}
        made = [name for index in row for name in self._nodes[index].output if name]
        outputs = [
            name for name in made if name in self._outputs or self._last_use.get(name, -1) >= end
        ]
        if end == self.count:  # what no node of the row makes
            extra = [name for name in self._outputs if name not in self._maker]
            outputs += extra
            used |= set(extra)
        static = self._static_nodes(used)
        for index in static:
            used |= set(_uses(self._nodes[index]))
        inputs = [
            name
            for name in self._inputs
            if name in used or (begin == 0 and name not in self._used_inputs)
        ]
        inputs += [name for name in self._maker if name in used and self._maker[name] < begin]

        part = copy_of(self._shell)
        graph = part.graph
        graph.name = f"{self._model.graph.name}/{begin}"
        graph.node.extend(self._nodes[index] for index in sorted({*static, *row}))
        graph.initializer.extend(t for name, t in self._constants.items() if name in used)
        graph.sparse_initializer.extend(t for name, t in self._sparse.items() if name in used)
        graph.input.extend(self._types[name] for name in inputs)
        graph.output.extend(self._types[name] for name in outputs)
        return part

    def _live(self, nodes: Iterable[int]) -> list[int]:
        """The nodes whose outputs are not the same at every run; remembers who makes the others."""
        constants = {*self._constants, *self._sparse}
        row: list[int] = []
        for index in nodes:
            node = self._nodes[index]
            has_graph = any(a.HasField("g") or a.graphs for a in node.attribute)
            is_static = node.op_type not in _RANDOM and not has_graph
            if is_static and all(name in constants for name in node.input if name):
                constants.update(node.output)
                self._static_maker.update({name: index for name in node.output if name})
            else:
                row.append(index)
        return row

    def _static_nodes(self, names: Iterable[str]) -> set[int]:
        found: set[int] = set()
        left = list(names)
        while left:
            index = self._static_maker.get(left.pop())
            if index is not None and index not in found:
                found.add(index)
                left.extend(self._nodes[index].input)
        return found

    def _value_types(self) -> dict[str, ValueInfoProto]:
        graph = self._model.graph
        types = {value.name: value for value in (*graph.input, *graph.output)}
        try:
            inferred = onnx.shape_inference.infer_shapes(self._model).graph
            for value in inferred.value_info:
                types.setdefault(value.name, value)
        except Exception:  # it raises what it likes; the engine knows then
            pass
        unknown = [
            name
            for name, last in self._last_use.items()
            if last > self._maker[name]
            and (name not in types or types[name].type.tensor_type.elem_type == 0)
        ]
        types.update(engine.value_types(self._model, unknown))
        return types

    def _find_positions(self) -> list[int]:
        users: dict[str, list[str]] = {}
        for index in self._row:
            for name in set(self._nodes[index].input):
                users.setdefault(name, []).append(self._nodes[index].op_type)
        barriers = [0] * (self.count + 1)  # changes of the number of values that must not cross
        for name, last in self._last_use.items():
            if not self._can_pass(name, users.get(name, [])):
                barriers[self._maker[name] + 1] += 1
                barriers[last + 1] -= 1
        counts = list(itertools.accumulate(barriers))
        return [place for place in range(1, self.count) if counts[place] == 0]

    def _can_pass(self, name: str, users: Sequence[str]) -> bool:
        value = self._types.get(name)
        if value is None or value.type.tensor_type.elem_type not in _PASSED_TYPES:
            return False
        maker = str(self._nodes[self._row[self._maker[name]]].op_type)
        if self.is_quantized:
            return maker == _QUANTIZE
        if len(users) != 1 or maker == "Pad":
            return maker != "Pad"
        return maker not in _FUSING or users[0] not in _FUSED_BEHIND

    def _has_stored_values(self) -> bool:
        for index in self._row:
            node = self._nodes[index]
            if node.op_type == _DEQUANTIZE and node.input[0] in self._maker:
                return True
        return False

    def _weight(self, node: NodeProto) -> float:
        """About the work of a node: multiplications, or elements written."""
        elements = float(sum(self._size(name) for name in node.output) or 1)
        if node.op_type in ("Conv", "ConvTranspose") and len(node.input) > 1:
            dims = self._dims(node.input[1])
            per_element = 1.0
            for dim in dims[1:]:
                per_element *= dim
            return elements * per_element
        if node.op_type in ("MatMul", "Gemm") and node.input:
            dims = self._dims(node.input[0])
            return elements * (dims[-1] if dims else 1)
        return elements * 4

    def _dims(self, name: str) -> Sequence[int]:
        while name in self._static_maker and self._nodes[self._static_maker[name]].input:
            name = self._nodes[self._static_maker[name]].input[0]  # e.g. a DequantizeLinear
        if name in self._constants:
            return list(self._constants[name].dims)
        value = self._types.get(name)
        if value is None:
            return []
        return [max(dim.dim_value, 1) for dim in value.type.tensor_type.shape.dim]

    def _size(self, name: str) -> int:
        size = 1
        for dim in self._dims(name):
            size *= dim
        return size


def _without_graph(model: ModelProto) -> ModelProto:
    """The versions and functions that every part needs, but no weights."""
    shell = ModelProto(ir_version=model.ir_version)
    shell.opset_import.extend(model.opset_import)
    shell.functions.extend(model.functions)
    return shell


def _needed(graph: GraphProto, outputs: Iterable[str]) -> list[int]:
    """The nodes that the outputs depend on, in their order."""
    wanted = set(outputs)
    kept: list[int] = []
    for index in range(len(graph.node) - 1, -1, -1):
        node = graph.node[index]
        if wanted.intersection(node.output):
            kept.append(index)
            wanted.update(_uses(node))
    return kept[::-1]


def _uses(node: NodeProto) -> list[str]:
    """The values that a node reads, those inside its branches and bodies included."""
    names = [name for name in node.input if name]
    for attribute in node.attribute:
        for inner in (attribute.g, *attribute.graphs):
            if not inner.node and not inner.output:
                continue
            for graph in subgraphs(inner):
                for inner_node in graph.node:
                    names.extend(name for name in inner_node.input if name)
                names.extend(value.name for value in graph.output)
    return names
