# SPDX-License-Identifier: Apache-2.0
"""`hbm inspect`: what a simulator model file holds, as tables or as JSON."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import Any

from hbm_runtime import model_file
from hbm_runtime._texts import shortened
from hbm_runtime.model_file import ModelFile, ModelSpec, TensorSpec
from hbm_runtime.tools.optional_packages import require


def add_command(commands: Any) -> None:
    """Add `inspect` to the subcommands of `hbm`."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "inspect",
        help="show what a simulator model file holds",
        description="Show the models, tensors, layouts and quantisation of a simulator model file.",
    )
    parser.add_argument("file", metavar="FILE.hbm")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Carry out `hbm inspect`.

    Raises:
        ModelFileError: the file cannot be read.
        ToolError: rich is not installed and tables were asked for.
    """
    content = model_file.read(arguments.file)
    if arguments.json:
        print(json.dumps(as_json(content), indent=2, ensure_ascii=False))
    else:
        print_tables(content, require("rich.console").Console())


def as_json(content: ModelFile) -> dict[str, Any]:
    """The content of a model file as plain JSON values; the graphs only by their size in bytes."""
    return {
        "description": content.description,
        "march": content.march,
        "models": [
            {
                "name": model.name,
                "description": model.description,
                "core_count": model.core_count,
                "max_time_per_fc_us": model.max_time_per_fc_us,
                "latency_us": model.latency_us,
                "graph_size": _graph_size(model),
                "calls": [
                    {"graph_size": len(call.graph), "latency_us": call.latency_us}
                    for call in model.calls
                ],
                "inputs": [_tensor_json(tensor) for tensor in model.inputs],
                "outputs": [_tensor_json(tensor) for tensor in model.outputs],
            }
            for model in content.models
        ],
    }


def print_tables(content: ModelFile, console: Any) -> None:
    """Print one table for each model."""
    for label, text in (("description", content.description), ("march", content.march)):
        if text:
            console.print(f"{label}: {_lines(text)}", markup=False, highlight=False)
    for model in content.models:
        print_model(model, console)


def print_model(model: ModelSpec, console: Any) -> None:
    """Print a line about one model, the table of its tensors, then the descriptions."""
    cores = f"{model.core_count} core{'s' if model.core_count > 1 else ''}"
    title = (
        f"{shortened(model.name)}: {_graph_size(model):,} bytes of graph, {cores}{_timing(model)}"
    )
    console.print(title, markup=False, highlight=False)
    console.print(_model_table(model))
    described = [("", model.description)]
    described += [
        (f"{shortened(t.name)}: ", t.description) for t in (*model.inputs, *model.outputs)
    ]
    for label, text in described:
        if text:
            console.print(f"{label}{_lines(text)}", markup=False, highlight=False)


def _lines(description: str) -> str:
    """A description as a terminal may see it: its lines, the rest escaped."""
    return "\n".join(shortened(line, 10 * len(line)) for line in description.splitlines())


def _model_table(model: ModelSpec) -> Any:
    escape = require("rich.markup").escape
    table = require("rich.table").Table()
    tensors = (*model.inputs, *model.outputs)
    headings = ["", "tensor", "type", "shape", "strides", "bytes"]
    if any(tensor.quanti_type != model_file.QUANTI_NONE for tensor in tensors):
        headings.append("quantisation")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for index, tensor in enumerate(tensors):
        row = [
            "in" if index < len(model.inputs) else "out",
            escape(shortened(tensor.name)),
            model_file.DATA_TYPE_NAMES[tensor.data_type],
            _numbers(tensor.shape),
            _numbers(tensor.strides),
            str(tensor.aligned_byte_size),
            _quantisation(tensor),
        ]
        table.add_row(*row[: len(headings)])
    return table


def _timing(model: ModelSpec) -> str:
    """Latency and function calls; a model without boundaries has no word of them."""
    parts = [f"at least {model.latency_us} µs"] if model.latency_us else []
    if model.max_time_per_fc_us:
        count = len(model.calls)
        graphs = sum(bool(call.graph) for call in model.calls)
        calls = f"{count} function call{'s' if count > 1 else ''}"
        calls += f" of at most {model.max_time_per_fc_us} µs"
        parts.append(f"{calls} ({graphs} with a graph)" if graphs != count else calls)
    return "".join(f", {part}" for part in parts)


def _graph_size(model: ModelSpec) -> int:
    return sum(len(call.graph) for call in model.calls)


def _tensor_json(tensor: TensorSpec) -> dict[str, Any]:
    return {
        "name": tensor.name,
        "description": tensor.description,
        "data_type": model_file.DATA_TYPE_NAMES[tensor.data_type],
        "shape": list(tensor.shape),
        "strides": list(tensor.strides),
        "aligned_byte_size": tensor.aligned_byte_size,
        "quanti_type": "SCALE" if tensor.quanti_type == model_file.QUANTI_SCALE else "NONE",
        "quantize_axis": tensor.quantize_axis,
        "scale": list(tensor.scale),
        "zero_point": list(tensor.zero_point),
    }


def _quantisation(tensor: TensorSpec) -> str:
    if tensor.quanti_type == model_file.QUANTI_NONE:
        return ""
    if tensor.quantize_axis == -1:
        offset = f", zero point {tensor.zero_point[0]}" if any(tensor.zero_point) else ""
        return f"scale {tensor.scale[0]:.6g}{offset}"
    low, high = min(tensor.scale), max(tensor.scale)
    return f"axis {tensor.quantize_axis}: {len(tensor.scale)} scales, {low:.6g}..{high:.6g}"


def _numbers(values: Sequence[int]) -> str:
    return ",".join(str(value) for value in values)
