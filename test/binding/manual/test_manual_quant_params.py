# SPDX-License-Identifier: Apache-2.0
"""The manual's class QuantParams."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tiny_models
from manual_text import promises

from hbm_runtime import HB_HBMRuntime, QuantParams, hbDNNQuantiType
from hbm_runtime.tools.packing.options import OutputQuantization

SECTIONS = ("QuantParams 类",)


@pytest.fixture
def head(save: Callable[..., str]) -> HB_HBMRuntime:
    """Model "head": y [1, 4] int8, scale 0.5, zero point 3."""
    options = {"y": OutputQuantization("int8", scales=(0.5,), zero_point=3)}
    return HB_HBMRuntime(
        save(tiny_models.pack(tiny_models.add(), "head", output_quantization=options))
    )


@promises(
    "张量量化参数对象",
    "scale: numpy.ndarray,量化比例因子数组",
    "zero_point: numpy.ndarray,零点数组",
    "quant_type: hbDNNQuantiType 类型,表示量化模式",
)
def test_it_holds_the_quantisation_of_a_tensor(head: HB_HBMRuntime) -> None:
    params = head.output_quants["head"]["y"]
    assert isinstance(params, QuantParams)
    np.testing.assert_array_equal(params.scale, np.array([0.5], np.float32))
    np.testing.assert_array_equal(params.zero_point, np.array([3], np.int32))
    assert params.quant_type is hbDNNQuantiType.SCALE


@promises("axis: int,量化轴(若为 per-channel 量化)")
def test_the_axis_is_that_of_the_scales(save: Callable[..., str]) -> None:
    options = {"y": OutputQuantization("int8", axis=1, scales=(0.5, 0.25, 1.0, 2.0))}
    spec = tiny_models.pack(tiny_models.add(), "head", output_quantization=options)
    params = HB_HBMRuntime(save(spec)).output_quants["head"]["y"]
    assert params.axis == 1
    np.testing.assert_array_equal(params.scale, np.array([0.5, 0.25, 1, 2], np.float32))


def test_the_program_prints_its_attributes(
    head: HB_HBMRuntime, manual_block: Callable[[str], Any]
) -> None:
    program = manual_block("tensor_qparams = model.output_quants[model_name][output_name]")
    assert program.run(model=head, model_name="head", output_name="y").splitlines() == [
        "scale: [0.5]",
        "zero_point: [3]",
        "type: hbDNNQuantiType.SCALE",
        "axis: -1",
    ]
