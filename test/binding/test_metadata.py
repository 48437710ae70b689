# SPDX-License-Identifier: Apache-2.0
"""What a runtime tells about its models: the manual's properties, their nesting and types."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tiny_models

from hbm_runtime import HB_HBMRuntime, hbDNNDataType, hbDNNQuantiType


def test_names_and_counts_follow_the_order_of_the_files(pair: HB_HBMRuntime) -> None:
    assert pair.model_names == ["plus", "sums"]
    assert pair.model_count == 2
    assert pair.input_counts == {"plus": 1, "sums": 2}
    assert pair.output_counts == {"plus": 1, "sums": 3}
    assert pair.input_names == {"plus": ["x"], "sums": ["a", "b"]}
    assert pair.output_names["sums"] == ["total", "difference", "flat"]


def test_inner_dicts_follow_the_order_of_the_names(sums: HB_HBMRuntime) -> None:
    for name in ("shapes", "dtypes", "strides", "quants", "descs"):
        assert list(getattr(sums, f"output_{name}")["sums"]) == sums.output_names["sums"]
        assert list(getattr(sums, f"input_{name}")["sums"]) == sums.input_names["sums"]


def test_shapes_and_strides_are_plain_lists_of_int(doubling: HB_HBMRuntime) -> None:
    shape = doubling.input_shapes["doubling"]["x"]
    assert shape == [1, 3, 4, 5]
    assert [type(dim) for dim in shape] == [int] * 4
    assert doubling.input_aligned_byte_sizes == {"doubling": {"x": 384}}
    # 5 float32 make 20 bytes; rows are padded to 32, as a board's compiler does.
    assert doubling.input_strides["doubling"]["x"] == [384, 128, 32, 4]


def test_nv12_inputs_look_like_a_boards(save: Callable[..., str]) -> None:
    rt = HB_HBMRuntime(save(tiny_models.pack(tiny_models.conv(8, 12), "net", nv12_inputs=("x",))))
    assert rt.input_names == {"net": ["x_y", "x_uv"]}
    assert rt.input_shapes["net"] == {"x_y": [1, 8, 12, 1], "x_uv": [1, 4, 6, 2]}
    assert rt.input_strides["net"] == {"x_y": [-1, -1, 1, 1], "x_uv": [-1, -1, 2, 1]}
    assert rt.input_dtypes["net"]["x_y"] is hbDNNDataType.U8
    assert rt.input_quants["net"]["x_y"].quant_type is hbDNNQuantiType.NONE


def test_data_types_are_enums_that_equal_their_integers(doubling: HB_HBMRuntime) -> None:
    data_type = doubling.output_dtypes["doubling"]["y"]
    assert data_type is hbDNNDataType.F32
    assert data_type == 7
    assert data_type.name == "F32"
    assert str(data_type) == "hbDNNDataType.F32"
    assert repr(data_type) == "<hbDNNDataType.F32: 7>"


def test_every_data_type_is_told(save: Callable[..., str]) -> None:
    rt = HB_HBMRuntime(save(tiny_models.pack(tiny_models.all_types(), "types")))
    names = [data_type.name for data_type in rt.output_dtypes["types"].values()]
    assert names == [
        "S8",
        "U8",
        "F16",
        "S16",
        "U16",
        "F32",
        "S32",
        "U32",
        "F64",
        "S64",
        "U64",
        "BOOL8",
    ]


def test_unquantised_tensors_have_empty_parameters(doubling: HB_HBMRuntime) -> None:
    quant = doubling.output_quants["doubling"]["y"]
    assert quant.quant_type is hbDNNQuantiType.NONE
    assert quant.quant_type != 1
    assert quant.scale.dtype == np.float32 and quant.scale.size == 0
    assert quant.zero_point.dtype == np.int32 and quant.zero_point.size == 0


def test_descriptions_may_hold_nuls(save: Callable[..., str]) -> None:
    spec = tiny_models.pack(tiny_models.add(), "plus", description="a\0b")
    path = save(spec, description="the \0file")
    rt = HB_HBMRuntime(path)
    assert rt.model_descs == {"plus": "a\0b"}
    assert rt.hbm_descs == {path: "the \0file"}


def test_version_is_read_on_the_class_on_an_object_and_by_calling(doubling: HB_HBMRuntime) -> None:
    assert isinstance(HB_HBMRuntime.version, str)
    assert HB_HBMRuntime.version == doubling.version == doubling.version()
    with pytest.raises(AttributeError, match="read-only"):
        doubling.version = "2"  # type: ignore[misc]


@pytest.mark.parametrize(
    "name",
    [
        "model_names",
        "model_count",
        "model_descs",
        "hbm_descs",
        "compile_bpu_core_num",
        "input_counts",
        "input_names",
        "input_descs",
        "input_aligned_byte_sizes",
        "input_shapes",
        "input_dtypes",
        "input_quants",
        "input_strides",
        "output_counts",
        "output_names",
        "output_descs",
        "output_aligned_byte_sizes",
        "output_shapes",
        "output_dtypes",
        "output_quants",
        "output_strides",
        "sched_params",
    ],
)
def test_properties_are_read_only_and_give_copies(pair: HB_HBMRuntime, name: str) -> None:
    before: Any = getattr(pair, name)
    with pytest.raises(AttributeError):
        setattr(pair, name, before)
    if isinstance(before, (dict, list)):
        before.clear()
        assert getattr(pair, name)


def test_the_library_tells_what_it_is(doubling: HB_HBMRuntime) -> None:
    library = doubling.library
    assert library.is_simulator
    assert 1 <= library.core_count <= 4
    assert library.path.endswith("simulator")
    assert "simulator" in library.dnn_version
