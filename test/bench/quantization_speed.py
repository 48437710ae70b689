# SPDX-License-Identifier: Apache-2.0
"""Table 5: quantize and dequantize beside numpy, on a detector's largest output."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "binding"))
import quantization_reference as reference
from quantization_reference import by_scale

from bench.lines import Line, Section
from bench.timing import Effort, Function, p50_us, ratio, slow_in_turn
from hbm_runtime import QuantParams, dequantize, hbDNNDataType, quantize

SHAPE = (1, 84, 84, 255)
PADDED_ROW = 256  # elements, as a board returns it
AT_LEAST = 5.0  # times numpy's speed

EXACT = "numpy in float64, the same bits"
NARROW = "numpy in float32, less exact"


def line_name(function: str, per: str, numpy: str) -> str:
    """Name of a line."""
    return f"{function} per {per}: {numpy} / ours"


def measure(effort: Effort, folder: Path) -> Section:
    """Every line of the table."""
    random = np.random.default_rng(1)
    stored = np.zeros((*SHAPE[:-1], PADDED_ROW), np.int32)[..., : SHAPE[-1]]
    stored[...] = random.integers(-(2**20), 2**20, SHAPE)
    lines: list[Line] = []
    for per, quant in (
        ("tensor", by_scale(0.037, 11)),
        ("axis", by_scale(random.random(255) + 0.01, random.integers(-99, 99, 255), 3)),
    ):
        lines += _dequantize_lines(per, stored, quant, effort)
        lines += _quantize_lines(per, reference.dequantize(stored, quant), quant, effort)
    shape = "×".join(map(str, SHAPE))
    conditions = f"int32 {shape}, rows padded, one thread, out= given to ours; in turn"
    return Section("Quantisation", conditions, tuple(lines))


def _dequantize_lines(
    per: str, stored: Any, quant: QuantParams, effort: Effort
) -> tuple[Line, Line]:
    out = np.empty(SHAPE, np.float32)
    zero_point = quant.zero_point.astype(np.float32)

    def ours() -> object:
        return dequantize(stored, quant, out)

    def exact() -> Any:
        return reference.dequantize(stored, quant)

    def narrow() -> object:
        return (stored.astype(np.float32) - zero_point) * quant.scale

    np.testing.assert_array_equal(ours(), exact())
    return (
        _line(line_name("dequantize", per, EXACT), exact, ours, effort, AT_LEAST),
        _line(line_name("dequantize", per, NARROW), narrow, ours, effort),
    )


def _quantize_lines(per: str, real: Any, quant: QuantParams, effort: Effort) -> tuple[Line, Line]:
    out = np.empty(SHAPE, np.int32)
    zero_point = quant.zero_point.astype(np.float32)
    # The highest that float32 has in the range.
    lowest, highest = np.float32(-(2**31)), np.float32(2**31 - 128)

    def ours() -> object:
        return quantize(real, quant, hbDNNDataType.S32, out)

    def exact() -> Any:
        return reference.quantize(real, quant, hbDNNDataType.S32)

    def narrow() -> object:
        stored = np.rint(real / quant.scale + zero_point)
        return np.clip(stored, lowest, highest).astype(np.int32)

    np.testing.assert_array_equal(ours(), exact())
    return (
        _line(line_name("quantize", per, EXACT), exact, ours, effort, AT_LEAST),
        _line(line_name("quantize", per, NARROW), narrow, ours, effort),
    )


def _line(
    what: str, theirs: Function, ours: Function, effort: Effort, at_least: float | None = None
) -> Line:
    other, mine = slow_in_turn((theirs, ours), effort.slow_s)
    return Line(
        what,
        ratio(other, mine).median,
        at_least=at_least,
        detail=f"p50 {p50_us(other) / 1000:.2f} / {p50_us(mine) / 1000:.2f} ms",
    )
