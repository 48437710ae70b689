# SPDX-License-Identifier: Apache-2.0
"""Table 5: quantize and dequantize beside numpy, on a detector's largest output."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bench.lines import Line, Section
from bench.timing import Effort, Function, p50_us, ratio, slow_in_turn
from hbm_runtime import dequantize, quantize
from hbm_runtime.types import QuantParams, hbDNNDataType, hbDNNQuantiType

SHAPE = (1, 84, 84, 255)
AT_LEAST = 5.0  # times numpy's speed

EXACT = "numpy's expression that gives the same bits"
QUICKEST = "numpy in float32 with its arrays allocated before, rounding more"


def line_name(function: str, per: str, reference: str) -> str:
    """Name of a line."""
    return f"{function} per {per}: {reference} / ours"


def measure(effort: Effort, folder: Path) -> Section:
    """Every line of the table."""
    random = np.random.default_rng(0)
    stored = random.integers(-1000, 1000, SHAPE, np.int32)
    real = random.standard_normal(SHAPE).astype(np.float32)
    lines: list[Line] = []
    for per, axis, count in (("tensor", -1, 1), ("axis", 3, SHAPE[3])):
        scale = random.uniform(0.01, 0.1, count).astype(np.float32)
        zero_point = random.integers(-5, 5, count, np.int32)
        quant = QuantParams(
            scale=scale, zero_point=zero_point, quant_type=hbDNNQuantiType.SCALE, axis=axis
        )
        lines += _dequantize_lines(per, stored, quant, effort)
        lines.append(_quantize_line(per, real, quant, effort))
    shape = "×".join(map(str, SHAPE))
    conditions = f"int32 {shape}, one thread, out= given to ours; in turn in one process"
    return Section("Quantisation", conditions, tuple(lines))


def _dequantize_lines(
    per: str, stored: np.ndarray, quant: QuantParams, effort: Effort
) -> tuple[Line, Line]:
    out = np.empty(SHAPE, np.float32)
    shifted, quick = np.empty(SHAPE, np.int32), np.empty(SHAPE, np.float32)

    def ours() -> None:
        dequantize(stored, quant, out=out)

    def exact() -> np.ndarray:
        shifted = stored.astype(np.float64) - quant.zero_point
        return (shifted * quant.scale.astype(np.float64)).astype(np.float32)

    def quickest() -> None:
        np.subtract(stored, quant.zero_point, out=shifted)
        np.multiply(shifted, quant.scale, out=quick, dtype=np.float32, casting="unsafe")

    ours()
    np.testing.assert_array_equal(out, exact())
    name = "dequantize"
    return (
        _line(line_name(name, per, EXACT), exact, ours, effort, AT_LEAST),
        _line(line_name(name, per, QUICKEST), quickest, ours, effort, None),
    )


def _quantize_line(per: str, real: np.ndarray, quant: QuantParams, effort: Effort) -> Line:
    out = np.empty(SHAPE, np.int32)
    limits = np.iinfo(np.int32)

    def ours() -> None:
        quantize(real, quant, hbDNNDataType.S32, out=out)

    def exact() -> np.ndarray:
        scaled = real.astype(np.float64) / quant.scale.astype(np.float64) + quant.zero_point
        return np.clip(np.rint(scaled), limits.min, limits.max).astype(np.int32)

    ours()
    np.testing.assert_array_equal(out, exact())
    return _line(line_name("quantize", per, EXACT), exact, ours, effort, AT_LEAST)


def _line(
    what: str, theirs: Function, ours: Function, effort: Effort, at_least: float | None
) -> Line:
    other, mine = slow_in_turn((theirs, ours), effort.slow_s)
    return Line(
        what,
        ratio(other, mine).median,
        at_least=at_least,
        detail=f"p50 {p50_us(other) / 1000:.2f} / {p50_us(mine) / 1000:.2f} ms",
    )
