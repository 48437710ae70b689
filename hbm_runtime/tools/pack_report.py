# SPDX-License-Identifier: Apache-2.0
"""What `hbm pack` reports: tables, or JSON for programs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from hbm_runtime._texts import shortened
from hbm_runtime.model_file import ModelFile, ModelSpec
from hbm_runtime.tools import inspect
from hbm_runtime.tools.optional_packages import require
from hbm_runtime.tools.packing import engine
from hbm_runtime.tools.packing.agreement import Comparison, OutputAgreement
from hbm_runtime.tools.packing.calls import CallPlan


class PackedJob(NamedTuple):
    """A packed model and how it compares with its source.

    Attributes:
        source: the ONNX file.
        spec: for the model file.
        plan: of its function calls; None when there is one without a limit.
        comparison: None when none was made.
        why_not: the reason then.
    """

    source: Path
    spec: ModelSpec
    plan: CallPlan | None
    comparison: Comparison | None
    why_not: str


def print_report(output: Path, packed: Sequence[PackedJob], console: Any) -> None:
    """Print the tables of every model and what was written."""
    for job in packed:
        inspect.print_model(job.spec, console)
        if job.comparison is None:
            console.print(f"not compared with the ONNX model: {job.why_not}", markup=False)
        else:
            title = (
                f"agreement with {job.source.name} on onnxruntime {engine.version()},"
                f" fed with {job.comparison.inputs}"
            )
            console.print(title, markup=False, highlight=False)
            console.print(_agreement_table(job.comparison))
        for line in _calls_lines(job):
            console.print(line, markup=False, highlight=False)
    size = output.stat().st_size
    console.print(f"wrote {output} ({size:,} bytes)", markup=False, highlight=False, soft_wrap=True)


def as_json(output: Path, content: ModelFile, packed: Sequence[PackedJob]) -> dict[str, Any]:
    """The same as plain JSON values, with what `hbm inspect --json` says of the file."""
    report: dict[str, Any] = {"file": str(output), "bytes": output.stat().st_size}
    report.update(inspect.as_json(content))
    for model, job in zip(report["models"], packed, strict=True):
        model["source"] = str(job.source)
        model["agreement"] = None
        if job.comparison is not None:
            model["agreement"] = {
                "engine": f"onnxruntime {engine.version()}",
                "inputs": job.comparison.inputs,
                "outputs": [output._asdict() for output in job.comparison.outputs],
                "cut_difference": job.comparison.cut_difference,
            }
        model["measured"] = None
        if job.plan is not None:
            model["measured"] = {
                "whole_us": round(job.plan.whole_us, 1),
                "calls_us": [round(time, 1) for time in job.plan.measured_us],
            }
    return report


def _agreement_table(comparison: Comparison) -> Any:
    escape = require("rich.markup").escape
    table = require("rich.table").Table()
    for heading in ("output", "largest value", "largest difference", "cosine"):
        table.add_column(heading, overflow="fold")
    for output in comparison.outputs:
        table.add_row(
            escape(shortened(output.name)),
            f"{output.largest:.4g}",
            _difference(output),
            f"{output.cosine:.6f}",
        )
    return table


def _difference(output: OutputAgreement) -> str:
    step = f" (half a step is {output.step / 2:.3g})" if output.step else ""
    return "0, bit for bit" if output.is_exact else f"{output.difference:.3g}{step}"


def _calls_lines(job: PackedJob) -> list[str]:
    plan = job.plan
    if plan is None:
        return []
    graphs = [time for time in plan.measured_us if time > 0]
    most = job.spec.max_time_per_fc_us
    line = f"{_count(len(plan.calls))} of at most {most} µs"
    if len(graphs) > 1:
        line += (
            f", {len(graphs)} of them with a graph; here these take {sum(graphs):,.0f} µs together"
            f" and {max(graphs):,.0f} µs at most, the whole graph {plan.whole_us:,.0f} µs"
        )
    else:
        line += f"; here the graph takes {plan.whole_us:,.0f} µs"
    lines = [line]
    if job.comparison is not None and job.comparison.cut_difference is not None:
        gap = job.comparison.cut_difference
        same = "bit for bit" if gap == 0 else f"to {gap:.1g} of the largest value"
        lines.append(f"the calls compute what the whole graph does, {same}")
    if plan.longest_node:
        lines.append(
            f"warning: the call from node {plan.longest_node!r} on takes longer than {most} µs here"
            " and cannot be cut: a more urgent task may wait that long"
        )
    return lines


def _count(calls: int) -> str:
    return f"{calls} function call{'s' if calls > 1 else ''}"
