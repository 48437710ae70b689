# SPDX-License-Identifier: Apache-2.0
"""The manual's remarks on exceptions: what is refused, and what is copied instead."""

from __future__ import annotations

import numpy as np
import pytest
from manual_text import promises

from hbm_runtime import HB_HBMRuntime

SECTIONS = ("• 异常说明",)


@promises("若输入张量维度、类型与模型不匹配,会抛出 ValueError")
@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((1, 3, 4), np.float32),
        np.zeros((1, 3, 4, 6), np.float32),
        np.zeros((1, 3, 4, 5), np.float64),
        np.zeros((1, 3, 4, 5), np.int32),
    ],
    ids=["rank", "dimension", "float64", "int32"],
)
@pytest.mark.parametrize("builtin", [ValueError, RuntimeError])
def test_another_shape_or_type_is_a_value_error(
    doubling: HB_HBMRuntime, wrong: np.ndarray, builtin: type[Exception]
) -> None:
    """On boards it is a RuntimeError; the one that comes here is both."""
    with pytest.raises(builtin) as caught:
        doubling.run(wrong)
    assert caught.value.model == "doubling" and caught.value.tensor == "x"
    assert "doubling" in str(caught.value) and "expected" in str(caught.value)


@promises("若输入张量非连续(非 C-style),内部会自动 copy 一份连续张量")
def test_a_scattered_array_is_copied(doubling: HB_HBMRuntime) -> None:
    image = np.random.default_rng(0).random((1, 4, 5, 3), np.float32)
    channels_first = image.transpose(0, 3, 1, 2)
    assert not channels_first.flags.c_contiguous
    np.testing.assert_array_equal(doubling.run(channels_first)["doubling"]["y"], 2 * channels_first)


@promises("推理前需确保输入张量 shape 与 input_shapes 完全一致")
def test_the_shape_is_exactly_that_of_input_shapes(doubling: HB_HBMRuntime) -> None:
    shape = doubling.input_shapes["doubling"]["x"]
    assert doubling.run(np.zeros(shape, np.float32))["doubling"]["y"].shape == tuple(shape)
    with pytest.raises(ValueError, match="expected shape"):
        doubling.run(np.zeros(shape, np.float32).ravel())
