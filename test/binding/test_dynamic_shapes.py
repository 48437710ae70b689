# SPDX-License-Identifier: Apache-2.0
"""Dynamic dimensions: any size in, the size that was computed out."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import tiny_models

from hbm_runtime import HB_HBMRuntime, HBMInputError, HBMTaskError


@pytest.fixture
def dynamic(save: Callable[..., str]) -> HB_HBMRuntime:
    """Doubles x [N, 3, H, W] into y; there is room for [2, 3, 8, 16]."""
    spec = tiny_models.pack(
        tiny_models.dynamic(), "m", dynamic=True, max_shapes={"x": (2, 3, 8, 16)}
    )
    return HB_HBMRuntime(save(spec))


def test_dynamic_dimensions_are_told_as_minus_one(dynamic: HB_HBMRuntime) -> None:
    assert dynamic.input_shapes["m"]["x"] == [-1, 3, -1, -1]
    assert dynamic.input_strides["m"]["x"] == [-1, -1, -1, 4]
    assert dynamic.input_aligned_byte_sizes["m"]["x"] == -1
    assert dynamic.output_shapes["m"]["y"] == [-1, 3, -1, -1]
    assert dynamic.output_aligned_byte_sizes["m"]["y"] == 2 * 3 * 8 * 16 * 4


@pytest.mark.parametrize("shape", [(1, 3, 1, 1), (2, 3, 8, 16), (1, 3, 7, 5)])
def test_outputs_have_the_shape_that_was_computed(
    dynamic: HB_HBMRuntime, shape: tuple[int, ...]
) -> None:
    x = np.random.default_rng(0).random(shape, np.float32)
    y = dynamic.run(x)["m"]["y"]
    assert y.shape == shape
    np.testing.assert_array_equal(y, 2 * x)


def test_fixed_dimensions_stay_fixed(dynamic: HB_HBMRuntime) -> None:
    with pytest.raises(HBMInputError, match=r"expected shape \[-1, 3, -1, -1\] \(-1: any\), got"):
        dynamic.run(np.zeros((1, 4, 2, 2), np.float32))
    with pytest.raises(HBMInputError, match="expected shape"):
        dynamic.run(np.zeros((1, 3, 0, 2), np.float32))


def test_more_than_there_is_room_for_is_an_error(dynamic: HB_HBMRuntime) -> None:
    with pytest.raises(HBMTaskError):
        dynamic.run(np.zeros((4, 3, 64, 64), np.float32))
    assert dynamic.run(np.ones((1, 3, 1, 1), np.float32))["m"]["y"].sum() == 6


def test_an_output_may_be_empty(save: Callable[..., str]) -> None:
    model = tiny_models.nonzero((1, 8))
    names = [value.name for value in model.graph.output]
    spec = tiny_models.pack(model, "m", dynamic=True, max_shapes={names[0]: (2, 8)})
    rt = HB_HBMRuntime(save(spec))
    x = np.zeros((1, 8), np.float32)
    (found,) = rt.run(x)["m"].values()
    assert found.shape == (2, 0)
    x[0, 3] = x[0, 5] = 1
    (found,) = rt.run(x)["m"].values()
    assert found.tolist() == [[0, 0], [3, 5]]
