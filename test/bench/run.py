# SPDX-License-Identifier: Apache-2.0
"""`make bench`: what a run through hbm_runtime and the simulator costs beside ONNX Runtime alone.

Both compute the same graph on one thread in this process, in turn, so that the ratios hold on a
noisy machine; absolute times are for orientation only.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnxruntime
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1]))
import tiny_models

from hbm_runtime import HB_HBMRuntime


class Case(NamedTuple):
    """One graph, as the simulator and the engine see it."""

    name: str
    model: Any
    options: dict[str, Any]
    runs: int


CASES = (
    Case("add, 16 B", tiny_models.add(), {}, 3000),
    Case("2 inputs, 3 outputs", tiny_models.two_inputs_three_outputs(), {}, 3000),
    Case("convolution on NV12 640x360", tiny_models.conv(360, 640), {"nv12_inputs": ("x",)}, 100),
    Case("100 matrix products", tiny_models.slow(), {}, 30),
)


def paired(first: Callable[[], object], second: Callable[[], object], runs: int) -> Any:
    """Time both in turn; return the seconds of each run of each."""
    times: tuple[list[float], list[float]] = ([], [])
    for run in range(runs + runs // 10 + 1):
        for function, kept in zip((first, second), times, strict=True):
            start = time.perf_counter()
            function()
            elapsed = time.perf_counter() - start
            if run > runs // 10:  # the first tenth warms up
                kept.append(elapsed)
    return times


def percentile(values: list[float], part: float) -> float:
    """The value below which that part of the values lies."""
    return sorted(values)[min(int(part * len(values)), len(values) - 1)]


def measure(case: Case, folder: Path, table: Table) -> None:
    """Add one row for a case."""
    spec = tiny_models.pack(case.model, "model", **case.options)
    rt = HB_HBMRuntime(tiny_models.save(folder / "model.hbm", spec))
    random = np.random.default_rng(0)
    inputs = {
        tensor.name: (random.random(tensor.shape) * 255).astype(
            np.uint8 if tensor.data_type == 3 else np.float32
        )
        for tensor in spec.inputs
    }
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(spec.graph, options, ["CPUExecutionProvider"])
    ours, engine = paired(lambda: rt.run(inputs), lambda: session.run(None, inputs), case.runs)
    ratios = [a / b for a, b in zip(ours, engine, strict=True)]
    table.add_row(
        case.name,
        f"{statistics.median(ours) * 1e6:.0f}",
        f"{percentile(ours, 0.99) * 1e6:.0f}",
        f"{statistics.median(engine) * 1e6:.0f}",
        f"{(statistics.median(ours) - statistics.median(engine)) * 1e6:.0f}",
        f"{statistics.median(ratios):.2f}",
    )


def main() -> None:
    """Measure all cases and print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", help="measure the cases whose name holds this text")
    only = parser.parse_args().only
    table = Table(title="HB_HBMRuntime.run on the simulator / onnxruntime.InferenceSession.run")
    for column in ("case", "ours p50 µs", "ours p99 µs", "engine p50 µs", "added µs", "ratio p50"):
        table.add_column(column, justify="left" if column == "case" else "right")
    with tempfile.TemporaryDirectory() as folder:
        for case in CASES:
            if not only or only in case.name:
                measure(case, Path(folder), table)
    console = Console()
    if not console.is_terminal:
        console = Console(width=100)  # a log has no width of its own
    console.print(table)
    console.print(
        f"same graph, one thread, in turn in one process; onnxruntime {onnxruntime.__version__}, "
        f"Python {platform.python_version()}, {platform.machine()}; copies per run: one per plain "
        "input (into device memory), none per output"
    )


if __name__ == "__main__":
    main()
