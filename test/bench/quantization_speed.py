# SPDX-License-Identifier: Apache-2.0
"""What quantize and dequantize cost beside numpy, on a detector's head of int32 [1, 84, 84, 255].

Rounds of five calls of each side run in turn in this process; the best of a round counts, and the
ratios are medians over all rounds, so that they hold on a noisy machine.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "binding"))
import quantization_reference as reference
from quantization_reference import by_scale
from rich.console import Console
from rich.table import Table

from hbm_runtime import QuantParams, dequantize, quantize

CALLS, ROUNDS = 5, 15
#: As a board returns it.
HEAD = np.zeros((1, 84, 84, 256), np.int32)[..., :255]
HEAD[...] = np.random.default_rng(0).integers(-(2**20), 2**20, HEAD.shape)
Call = Callable[[], object]


def best(call: Call) -> float:
    """The seconds of the fastest of a few calls."""
    times = []
    for _ in range(CALLS):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def compare(table: Table, name: str, ours: Call, exact: Call, narrow: Call) -> None:
    """Add one row."""
    calls = (ours, exact, narrow)
    times = [[best(call) for call in calls] for _ in range(ROUNDS)]
    row = [name]
    for index in range(len(calls)):
        row.append(f"{min(of_round[index] for of_round in times) * 1e3:.2f}")
        if index > 0:
            row.append(f"{statistics.median(t[index] / t[0] for t in times):.1f}")
    table.add_row(*row)


def compare_dequantize(table: Table, name: str, quant: QuantParams) -> None:
    """Compare with float64, as it is defined, and with float32."""
    out = np.empty(HEAD.shape, np.float32)
    zero_point = quant.zero_point.astype(np.float32)

    def narrow() -> object:
        values = HEAD.astype(np.float32)
        return (values - zero_point) * quant.scale if zero_point.size else values * quant.scale

    compare(
        table,
        f"dequantize, {name}",
        lambda: dequantize(HEAD, quant, out),
        lambda: reference.dequantize(HEAD, quant),
        narrow,
    )


def compare_quantize(table: Table, name: str, quant: QuantParams) -> None:
    """Compare with float64, as it is defined but for NaN, and with float32."""
    real, out = dequantize(HEAD, quant), np.empty(HEAD.shape, np.int32)

    def in_numpy(dtype: type) -> object:
        values = real.astype(dtype) / quant.scale.astype(dtype)
        if quant.zero_point.size:
            values = values + quant.zero_point.astype(dtype)
        # The highest that float32 has in the range.
        return np.clip(np.rint(values), dtype(-(2**31)), dtype(2**31 - 128)).astype(np.int32)

    compare(
        table,
        f"quantize, {name}",
        lambda: quantize(real, quant, np.int32, out),
        lambda: in_numpy(np.float64),
        lambda: in_numpy(np.float32),
    )


def main() -> None:
    """Measure all cases and print one table."""
    table = Table(title="int32 [1, 84, 84, 255], rows padded to 1024 bytes, one thread")
    for column in ("case", "ms", "numpy f64 ms", "ratio", "numpy f32 ms", "ratio"):
        table.add_column(column, justify="left" if column == "case" else "right")
    random = np.random.default_rng(1)
    scale = random.random(255) + 0.01
    quants = {
        "per channel": by_scale(scale, random.integers(-99, 99, 255), 3),
        "per channel, no zero points": by_scale(scale, axis=3),
        "per tensor": by_scale(0.037, 11),
        "per tensor, no zero point": by_scale(0.037),
    }
    for measure in (compare_dequantize, compare_quantize):
        for name, quant in quants.items():
            measure(table, name, quant)
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
