# SPDX-License-Identifier: Apache-2.0
"""The manual's enumerations: data types and kinds of quantisation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tiny_models
from manual_text import promises
from onnx import helper

from hbm_runtime import HB_HBMRuntime, hbDNNDataType, hbDNNQuantiType
from hbm_runtime.tools.packing.options import OutputQuantization

SECTIONS = ("枚举类型",)


def element_of(save: Callable[..., str], name: str) -> np.dtype[Any]:
    """Run a model with an output of each type and return the numpy type of one."""
    runtime = HB_HBMRuntime(save(tiny_models.pack(tiny_models.all_types(), "types")))
    names = {data_type.name: output for output, data_type in runtime.output_dtypes["types"].items()}
    outputs = runtime.run(
        {f"in_{i}": np.ones((1, 5), output_type(i)) for i in range(len(tiny_models.ELEMENT_TYPES))}
    )["types"]
    return outputs[names[name]].dtype


def output_type(index: int) -> np.dtype[Any]:
    return helper.tensor_dtype_to_np_dtype(tiny_models.ELEMENT_TYPES[index])


@promises("张量数据类型枚举")
def test_data_types_are_named_as_in_the_manual() -> None:
    assert [data_type.name for data_type in hbDNNDataType] == [
        "S4", "U4", "S8", "U8", "F16", "S16", "U16", "F32", "S32", "U32", "F64", "S64", "U64",
        "BOOL8", "MAX",
    ]  # fmt: skip


@promises("S4:4-bit signed", "U4:4-bit unsigned")
def test_the_four_bit_types_come_first() -> None:
    assert (hbDNNDataType.S4, hbDNNDataType.U4) == (0, 1)


@promises("S8:8-bit signed", "S16:16-bit signed", "S32:32-bit signed", "S64:64-bit signed")
@pytest.mark.parametrize(("name", "bytes_of_one"), [("S8", 1), ("S16", 2), ("S32", 4), ("S64", 8)])
def test_signed_integers(save: Callable[..., str], name: str, bytes_of_one: int) -> None:
    assert element_of(save, name) == np.dtype(f"i{bytes_of_one}")


@promises("U8:8-bit unsigned", "U16:16-bit unsigned", "U32:32-bit unsigned", "U64:64-bit unsigned")
@pytest.mark.parametrize(("name", "bytes_of_one"), [("U8", 1), ("U16", 2), ("U32", 4), ("U64", 8)])
def test_unsigned_integers(save: Callable[..., str], name: str, bytes_of_one: int) -> None:
    assert element_of(save, name) == np.dtype(f"u{bytes_of_one}")


@promises("F16:16-bit float", "F32:32-bit float", "F64:64-bit float")
@pytest.mark.parametrize(("name", "bytes_of_one"), [("F16", 2), ("F32", 4), ("F64", 8)])
def test_floating_point_numbers(save: Callable[..., str], name: str, bytes_of_one: int) -> None:
    assert element_of(save, name) == np.dtype(f"f{bytes_of_one}")


@promises("BOOL8:8-bit bool 类型")
def test_truth_values(save: Callable[..., str]) -> None:
    assert element_of(save, "BOOL8") == np.dtype(bool)


@promises("MAX:最大值(保留字段)")
def test_max_is_reserved() -> None:
    assert max(hbDNNDataType) is hbDNNDataType.MAX
    assert hbDNNDataType.MAX == hbDNNDataType.BOOL8 + 1


@promises("张量数据类型枚举")
@pytest.mark.parametrize("data_type", hbDNNDataType)
def test_a_data_type_is_its_integer_with_a_name(data_type: hbDNNDataType) -> None:
    number = int(data_type)
    assert data_type == number and hash(data_type) == hash(number)
    assert data_type.value == number and hbDNNDataType(number) is data_type
    assert str(data_type) == f"{data_type}" == f"hbDNNDataType.{data_type.name}"
    assert repr(data_type) == f"<hbDNNDataType.{data_type.name}: {number}>"


def test_the_program_prints_a_data_type(manual_block: Callable[[str], Any]) -> None:
    program = manual_block("print(hbDNNDataType.F32) # 输出: hbDNNDataType.F32")
    assert program.run() == f"{program.documented}\n" == "hbDNNDataType.F32\n"


@promises("张量量化类型枚举", "NONE:非量化类型")
def test_unquantised_tensors_say_so(doubling: HB_HBMRuntime) -> None:
    quant_type = doubling.output_quants["doubling"]["y"].quant_type
    assert quant_type is hbDNNQuantiType.NONE and quant_type == 0


@promises("SCALE:线性缩放量化(scale + zero_point)")
def test_scaled_tensors_say_so(save: Callable[..., str]) -> None:
    quantisation = {"y": OutputQuantization("int8", scales=(0.5,), zero_point=3)}
    spec = tiny_models.pack(tiny_models.add(), "m", output_quantization=quantisation)
    runtime = HB_HBMRuntime(save(spec))
    params = runtime.output_quants["m"]["y"]
    assert params.quant_type is hbDNNQuantiType.SCALE and params.quant_type == 1
    stored = runtime.run(np.array([[0, 1, 2, 5]], np.float32))["m"]["y"]
    real = (stored.astype(np.float32) - params.zero_point) * params.scale
    np.testing.assert_array_equal(real, [[1, 2, 3, 6]])


def test_the_program_prints_a_kind_of_quantisation(manual_block: Callable[[str], Any]) -> None:
    program = manual_block("print(hbDNNQuantiType.SCALE) # 输出: hbDNNQuantiType.SCALE")
    assert program.run() == f"{program.documented}\n" == "hbDNNQuantiType.SCALE\n"
