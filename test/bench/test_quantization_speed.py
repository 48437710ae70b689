# SPDX-License-Identifier: Apache-2.0
"""Conversion of a detector's head is several times faster than numpy's, the same bits."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "binding"))
import quantization_reference as reference
from quantization_reference import HEAD, HEAD_QUANTS

from hbm_runtime import dequantize, hbDNNDataType, quantize


def ratio(slow: Callable[[], object], fast: Callable[[], object]) -> float:
    """How many times faster the second is: the median over pairs of rounds that run in turn."""

    def best(function: Callable[[], object]) -> float:
        times = []
        for _ in range(5):
            start = time.perf_counter()
            function()
            times.append(time.perf_counter() - start)
        return min(times)

    return statistics.median(best(slow) / best(fast) for _ in range(7))


@pytest.mark.parametrize("name", HEAD_QUANTS)
class TestSpeedOnADetectorsHead:
    """The aim is 5, see doc/quantization.md for what was measured; 4 leaves room for other load."""

    def test_dequantize_is_much_faster_than_the_reference(self, name: str) -> None:
        quant, out = HEAD_QUANTS[name], np.empty(HEAD.shape, np.float32)
        times = ratio(
            lambda: reference.dequantize(HEAD, quant), lambda: dequantize(HEAD, quant, out)
        )
        assert times > 4

    def test_quantize_is_much_faster_than_the_reference(self, name: str) -> None:
        quant, s32, out = HEAD_QUANTS[name], hbDNNDataType.S32, np.empty(HEAD.shape, np.int32)
        real = dequantize(HEAD, quant)
        times = ratio(
            lambda: reference.quantize(real, quant, s32), lambda: quantize(real, quant, s32, out)
        )
        assert times > 4
