# SPDX-License-Identifier: Apache-2.0
"""Nodes and constants that a packing step adds at the edge of a graph."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from hbm_runtime.tools.packing.graph import rename_value, unique_name


class NewNodes:
    """Collects nodes and constants whose names say which input or output they serve."""

    def __init__(self, model: ModelProto, prefix: str) -> None:
        self._graph = model.graph
        self._prefix = prefix
        self._nodes: list[NodeProto] = []
        self._constants: list[TensorProto] = []

    def move_aside(self, value: ValueInfoProto, label: str) -> str:
        """Rename the network's own value, so that the input or output keeps its name."""
        name = value.name
        inner = unique_name(self._graph, f"{self._prefix}/{label}")
        rename_value(self._graph, name, inner)
        value.name = name
        return inner

    def constant(self, array: npt.ArrayLike, label: str = "") -> str:
        """Add a constant and return its name."""
        wish = f"{self._prefix}/{label or f'constant_{len(self._constants)}'}"
        name = unique_name(self._graph, wish)
        self._constants.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def node(
        self, operator: str, inputs: list[str], label: str = "", *, output: str = "", **attrs: Any
    ) -> str:
        """Add a node and return the name of its output: that given, or one with the label."""
        name = f"{self._prefix}/{operator}_{len(self._nodes)}"
        if not output:
            wish = f"{self._prefix}/{label}" if label else f"{name}_result"
            output = unique_name(self._graph, wish)
        self._nodes.append(helper.make_node(operator, inputs, [output], name=name, **attrs))
        return output

    def reshape(self, value: str, dims: list[int], label: str) -> str:
        """Add a Reshape and return its output."""
        shape = self.constant(np.array(dims, np.int64), f"{label}_shape")
        return self.node("Reshape", [value, shape], label)

    def add_to_graph(self, *, in_front: bool) -> None:
        """Put all into the graph: the nodes before all others, or behind them."""
        others = [] if not in_front else list(self._graph.node)
        if in_front:  # ONNX wants nodes in the order of their execution
            del self._graph.node[:]
        self._graph.node.extend([*self._nodes, *others])
        self._graph.initializer.extend(self._constants)
