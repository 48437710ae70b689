# SPDX-License-Identifier: Apache-2.0
"""S4 and U4 tensors: packed by two into bytes, in and out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tiny_models
from onnx import TensorProto

from hbm_runtime import (
    HB_HBMRuntime,
    HBMInputError,
    hbDNNDataType,
    pack_four_bit,
    unpack_four_bit,
)

S4, U4 = hbDNNDataType.S4, hbDNNDataType.U4
VALUES = {S4: np.arange(-8, 8, dtype=np.int8), U4: np.arange(16, dtype=np.uint8)}
WIDE = {S4: TensorProto.INT8, U4: TensorProto.UINT8}
NARROW = {S4: TensorProto.INT4, U4: TensorProto.UINT4}


@pytest.mark.parametrize("data_type", [S4, U4])
@pytest.mark.parametrize("length", [1, 2, 7, 16])
def test_unpacking_gives_back_what_was_packed(data_type: hbDNNDataType, length: int) -> None:
    values = np.resize(VALUES[data_type], (3, length))
    packed = pack_four_bit(values, data_type)
    assert packed.dtype == np.uint8 and packed.shape == (3, (length + 1) // 2)
    unpacked = unpack_four_bit(packed, data_type, length)
    assert unpacked.dtype == values.dtype
    np.testing.assert_array_equal(unpacked, values)


def test_the_first_element_is_in_the_low_half() -> None:
    assert pack_four_bit(np.array([1, 2]), U4).tolist() == [0x21]
    assert pack_four_bit(np.array([-1, 3]), S4).tolist() == [0x3F]
    assert pack_four_bit(np.array([5]), U4).tolist() == [0x05]


@pytest.mark.parametrize(
    ("values", "data_type", "said"),
    [
        (np.array([8]), S4, "S4 holds -8 to 7, got 8 to 8"),
        (np.array([-1]), U4, "U4 holds 0 to 15"),
        (np.array([0.5]), U4, "integers"),
        (np.array(3), U4, "at least one axis"),
        (np.array([1]), hbDNNDataType.S8, "S4 or U4"),
    ],
)
def test_what_cannot_be_packed_is_refused(values: Any, data_type: Any, said: str) -> None:
    with pytest.raises(HBMInputError, match=said):
        pack_four_bit(values, data_type)


@pytest.mark.parametrize("length", [1, 4, 6, -1])
def test_a_length_that_does_not_fit_is_refused(length: int) -> None:
    with pytest.raises(HBMInputError, match="2 bytes hold 3 or 4"):
        unpack_four_bit(np.zeros(2, np.uint8), U4, length if length != 4 else 5)


@pytest.mark.parametrize("data_type", [S4, U4])
def test_four_bit_inputs_are_read(save: Callable[..., str], data_type: hbDNNDataType) -> None:
    model = tiny_models.converted(NARROW[data_type], WIDE[data_type], (2, 16))
    rt = HB_HBMRuntime(save(tiny_models.pack(model, "m")))
    (name,) = rt.input_names["m"]
    assert rt.input_dtypes["m"][name] is data_type
    assert rt.input_shapes["m"][name] == [2, 16]
    values = np.stack([VALUES[data_type], VALUES[data_type][::-1]])
    (output,) = rt.run(pack_four_bit(values, data_type))["m"].values()
    np.testing.assert_array_equal(output, values)


@pytest.mark.parametrize("data_type", [S4, U4])
def test_four_bit_outputs_are_written(save: Callable[..., str], data_type: hbDNNDataType) -> None:
    model = tiny_models.converted(WIDE[data_type], NARROW[data_type], (2, 16))
    rt = HB_HBMRuntime(save(tiny_models.pack(model, "m")))
    (name,) = rt.output_names["m"]
    assert rt.output_dtypes["m"][name] is data_type
    values = np.stack([VALUES[data_type], VALUES[data_type][::-1]])
    (output,) = rt.run(values)["m"].values()
    assert output.shape == (2, 8) and output.dtype == np.uint8
    np.testing.assert_array_equal(unpack_four_bit(output, data_type), values)


def test_unpacked_values_are_refused_with_the_packed_shape(save: Callable[..., str]) -> None:
    model = tiny_models.converted(TensorProto.INT4, TensorProto.INT8, (2, 16))
    rt = HB_HBMRuntime(save(tiny_models.pack(model, "m")))
    with pytest.raises(HBMInputError, match=r"expected shape \[2, 8\], got \[2, 16\]"):
        rt.run(np.zeros((2, 16), np.int8))
