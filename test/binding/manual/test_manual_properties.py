# SPDX-License-Identifier: Apache-2.0
"""The manual's properties: each one's type, nesting and documented output."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
import tiny_models
from manual_text import promises

from hbm_runtime import HB_HBMRuntime, QuantParams, SchedParam, hbDNNDataType, hbDNNQuantiType
from hbm_runtime.tools.packing.options import InputQuantization, OutputQuantization

SECTIONS = ("属性说明",)
PROMISES_NOTHING = {"stride的详细含义可参考OE文档": "a reference"}

YOLO = "yolov5x_672x672_nv12"
SCHEDULED = ("yolo12s_detect_nashe_640x640_nv12", "yolov5nu_detect_nashe_640x640_nv12")

Load = Callable[..., HB_HBMRuntime]
Block = Callable[[str], Any]


@pytest.fixture
def quantised(save: Callable[..., str]) -> HB_HBMRuntime:
    """Model "quantised": y [1, 4, 8, 12] int8, one scale per channel (axis 1)."""
    options = {"y": OutputQuantization("int8", axis=1, scales=(0.5, 0.25, 0.125, 1.0))}
    spec = tiny_models.pack(tiny_models.conv(), "quantised", output_quantization=options)
    return HB_HBMRuntime(save(spec))


@promises("以下所有属性均为只读")
@pytest.mark.parametrize(
    "name",
    [
        "version", "model_names", "model_count", "model_descs", "hbm_descs", "input_counts",
        "input_names", "input_descs", "input_shapes", "input_dtypes", "input_quants",
        "input_strides", "output_counts", "output_names", "output_descs", "output_shapes",
        "output_dtypes", "output_quants", "output_strides", "sched_params",
    ],
)  # fmt: skip
def test_all_properties_are_read_only(pair: HB_HBMRuntime, name: str) -> None:
    with pytest.raises(AttributeError):
        setattr(pair, name, getattr(pair, name))
    with pytest.raises(AttributeError):
        delattr(pair, name)


@promises("version: str", "获取库版本号", "str:版本号字符串")
def test_version(doubling: HB_HBMRuntime, manual_block: Block) -> None:
    assert type(HB_HBMRuntime.version).__mro__[1] is str
    assert HB_HBMRuntime.version == doubling.version == doubling.library.dnn_version
    program = manual_block('print("版本:", HB_HBMRuntime.version)')
    assert program.run(HB_HBMRuntime=HB_HBMRuntime) == f"版本: {HB_HBMRuntime.version}\n"


@promises("model_names: List[str]", "加载的模型名称列表", "List[str]: 模型名称列表")
def test_model_names(load: Load, manual_block: Block) -> None:
    program = manual_block("print(model.model_names)")
    assert program.run(model=load("model_1", "model_2")) == f"{program.documented}\n"


@promises("model_count: int", "加载的模型数量", "int :加载的模型数量")
def test_model_count(load: Load, manual_block: Block) -> None:
    program = manual_block("print(model.model_count)")
    assert program.run(model=load("model_1", "model_2")) == f"{program.documented}\n" == "2\n"


@promises(
    "model_descs: Dict[str, str]",
    "每个模型的描述信息(来自模型内嵌的备注)",
    "键为模型名称,值为模型的整体描述信息",
)
def test_model_descs(load: Load, manual_block: Block) -> None:
    program = manual_block("print(model.model_descs)")
    assert program.run(model=load(YOLO)) == f"{program.documented}\n"


@promises(
    "hbm_descs: Dict[str, str]",
    "每个 HBM 文件中的备注信息",
    '键为.hbm 文件名(例如 "resnet18"),值为HBM 文件中的注释或元信息字符串',
)
def test_hbm_descs(load: Load, manual_block: Block) -> None:
    """The prose disagrees with the heading and the example; boards do as the example."""
    program = manual_block("print(model.hbm_descs)")
    assert program.run(model=load(YOLO)) == f"{program.documented}\n"


@promises("input_counts: Dict[str, int]", "每个模型输入张量数量", "值为该模型的输入张量个数")
def test_input_counts(load: Load, manual_block: Block) -> None:
    program = manual_block("print(model.input_counts)")
    assert program.run(model=load(YOLO)) == f"{program.documented}\n"


@promises(
    "input_names: Dict[str, List[str]]",
    "每个模型的输入张量名称列表",
    "为该模型所有输入张量的名称列表",
)
def test_input_names(load: Load, manual_block: Block) -> None:
    program = manual_block("print(model.input_names)")
    assert program.run(model=load(YOLO)) == f"{program.documented}\n"


@promises(
    "input_descs: Dict[str, Dict[str, str]]", "每个输入张量的描述", "键为输入张量名称,值为描述信息"
)
def test_input_descs(load: Load, manual_block: Block) -> None:
    assert manual_block("print(model.input_descs)").shows_what_is_documented(model=load(YOLO))


@promises(
    "input_shapes: Dict[str, Dict[str, List[int]]]",
    "每个输入张量的 shape",
    "键为输入名,值为输入张量的维度(形状)",
)
def test_input_shapes(load: Load, manual_block: Block) -> None:
    assert manual_block("model.input_shapes").shows_what_is_documented(model=load(YOLO))


@promises(
    "input_dtypes: Dict[str, Dict[str, hbDNNDataType]]",
    "每个输入张量的数据类型",
    "键为输入张量名,值为数据类型(例如 F32、U8)",
)
def test_input_dtypes(load: Load, manual_block: Block) -> None:
    assert manual_block("print(model.input_dtypes)").shows_what_is_documented(model=load(YOLO))


@promises(
    "input_quants: Dict[str, Dict[str, QuantParams]]",
    "提供每个模型所有输入张量的量化参数信息",
    "键是输入张量名,值为 QuantParams 实例",
)
def test_input_quants(load: Load, manual_block: Block) -> None:
    printed = manual_block("quanti_info = model.input_quants").run("001122222", model=load(YOLO))
    assert [line.strip() for line in printed.splitlines()] == [
        f"{YOLO}:",
        *(
            "data_y:",
            "quant_type: NONE",
            "quantize_axis: 0",
            "scale_data: []",
            "zero_point_data: []",
        ),
        *(
            "data_uv:",
            "quant_type: NONE",
            "quantize_axis: 0",
            "scale_data: []",
            "zero_point_data: []",
        ),
    ]


@promises("用于支持量化模型的前处理计算,或者了解张量的量化方式")
def test_input_quants_serve_preprocessing(save: Callable[..., str]) -> None:
    options = {"x": InputQuantization("int8", 0.5, 10)}
    spec = tiny_models.pack(tiny_models.add(), "m", input_quantization=options)
    runtime = HB_HBMRuntime(save(spec))
    params = runtime.input_quants["m"]["x"]
    assert params == QuantParams([0.5], [10], hbDNNQuantiType.SCALE, params.axis)
    real = np.array([[0, 1, 2.5, -3]], np.float32)
    stored = np.round(real / params.scale + params.zero_point).astype(np.int8)
    np.testing.assert_array_equal(runtime.run(stored)["m"]["y"], real + 1)


@promises(
    "input_strides: Dict[str, Dict[str, List[int]]]",
    "每个输入张量的 stride 步长信息",
    "键为输入名,值为输入张量的stride信息",
)
def test_input_strides(load: Load, manual_block: Block) -> None:
    assert manual_block("print(model.input_strides)").shows_what_is_documented(model=load(YOLO))


@promises("output_counts: Dict[str, int]", "每个模型输出张量数量", "值为该模型的输出张量个数")
def test_output_counts(load: Load, manual_block: Block) -> None:
    program = manual_block("print(model.output_counts)")
    assert program.run(model=load(YOLO)) == f"{program.documented}\n"


@promises(
    "output_names: Dict[str, List[str]]",
    "每个模型的输出张量名称列表",
    "为该模型所有输出张量的名称列表",
)
def test_output_names(load: Load, manual_block: Block) -> None:
    program = manual_block("print(model.output_names)")
    assert program.run(model=load(YOLO)) == f"{program.documented}\n"


@promises(
    "output_descs: Dict[str, Dict[str, str]]", "每个输出张量的描述", "键为输出张量名称,值为描述信息"
)
def test_output_descs(load: Load, manual_block: Block) -> None:
    assert manual_block("print(model.output_descs)").shows_what_is_documented(model=load(YOLO))


@promises(
    "output_shapes: Dict[str, Dict[str, List[int]]]",
    "每个输出张量的 shape",
    "键为输出名,值为输出张量的维度(形状)",
)
def test_output_shapes(load: Load, manual_block: Block) -> None:
    assert manual_block("print(model.output_shapes)").shows_what_is_documented(model=load(YOLO))


@promises(
    "output_dtypes: Dict[str, Dict[str, List[int]]]",
    "每个输出张量的数据类型",
    "键为输出张量名,值为数据类型(例如 F32、U8)",
)
def test_output_dtypes(load: Load, manual_block: Block) -> None:
    """The heading disagrees with the prose and the example; boards do as the example."""
    assert manual_block("print(model.output_dtypes)").shows_what_is_documented(model=load(YOLO))


@promises(
    "output_quants: Dict[str, Dict[str, QuantParams]]",
    "提供每个模型所有输出张量的量化参数信息",
    "键是输出张量名,值为 QuantParams 实例",
)
def test_output_quants(quantised: HB_HBMRuntime, manual_block: Block) -> None:
    printed = manual_block("output_quanti = model.output_quants").run("001122222", model=quantised)
    assert [line.strip() for line in printed.splitlines()] == [
        "quantised:",
        "y:",
        "quant_type: SCALE",
        "quantize_axis: 1",
        "scale_data: [0.5   0.25  0.125 1.   ]",
        "zero_point_data: [0 0 0 0]",
    ]


@promises("用于支持量化模型的后处理计算(如将 int8 数据还原为 float32)")
def test_output_quants_serve_postprocessing(
    quantised: HB_HBMRuntime, save: Callable[..., str]
) -> None:
    plain = HB_HBMRuntime(save(tiny_models.pack(tiny_models.conv(), "plain"), file="plain.hbm"))
    image = np.random.default_rng(0).random((1, 3, 8, 12), np.float32)
    stored = quantised.run(image)["quantised"]["y"]
    assert stored.dtype == np.int8
    scale = quantised.output_quants["quantised"]["y"].scale.reshape(1, -1, 1, 1)
    error = np.abs(stored * scale - plain.run(image)["plain"]["y"])
    assert (error <= scale / 2 + 1e-6).all()


@promises(
    "scale: np.ndarray — 量化比例因子",
    "zero_point: np.ndarray — 零点",
    "quant_type: hbDNNQuantiType — 量化类型枚举值",
    "axis: int — 如果是通道量化",
)
def test_quantisations_have_four_attributes(quantised: HB_HBMRuntime) -> None:
    params = quantised.output_quants["quantised"]["y"]
    assert isinstance(params.scale, np.ndarray) and params.scale.dtype == np.float32
    assert isinstance(params.zero_point, np.ndarray) and params.zero_point.dtype == np.int32
    assert params.quant_type is hbDNNQuantiType.SCALE
    assert type(params.axis) is int and len(params.scale) == 4
    assert quantised.output_shapes["quantised"]["y"][params.axis] == 4


@promises(
    "output_strides: Dict[str, Dict[str, List[int]]]",
    "每个输出张量的 stride 步长信息",
    "键为输出名,值为输出张量的stride信息",
)
def test_output_strides(load: Load, manual_block: Block) -> None:
    assert manual_block("print(model.output_strides)").shows_what_is_documented(model=load(YOLO))


NESTED = {
    "names": None, "descs": str, "shapes": list, "dtypes": hbDNNDataType, "quants": QuantParams,
    "strides": list,
}  # fmt: skip


@promises(
    "外层 Dict[str, ...]:键为模型名称",
    "外层 Dict[str, ...]:模型名称",
    '键是模型名称(model name),例如 "resnet50"',
)
@pytest.mark.parametrize("side", ["input", "output"])
@pytest.mark.parametrize("what", NESTED)
def test_dicts_go_by_model_and_then_by_tensor(load: Load, side: str, what: str) -> None:
    """Inner dicts follow the order of the names; on boards it is a hash table's."""
    runtime = load(YOLO, "model")
    value = getattr(runtime, f"{side}_{what}")
    assert type(value) is dict and list(value) == runtime.model_names
    names = getattr(runtime, f"{side}_names")[YOLO]
    assert type(names) is list and [type(name) for name in names] == [str] * len(names)
    if what != "names":
        inner = value[YOLO]
        assert type(inner) is dict and list(inner) == names
        assert {type(item) for item in inner.values()} == {NESTED[what]}
        for item in inner.values():
            if isinstance(item, list):
                assert {type(number) for number in item} == {int}


@promises(
    "sched_params: Dict[str, SchedParam]",
    "sched_params是用于获取当前所有模型的调度参数",
    "优先级(priority)",
    "自定义 ID(customId)",
    "分配的 BPU 核心(bpu_cores)",
    "所属设备 ID(deviceId)",
)
def test_sched_params_prints_what_is_in_force(load: Load, manual_block: Block) -> None:
    runtime = load("scheduled")
    runtime.set_scheduling_params(
        priority=dict(zip(SCHEDULED, (10, 66), strict=True)), bpu_cores={SCHEDULED[0]: [0]}
    )
    program = manual_block("params = model.sched_params")
    depths = "00" + "1" * 5 + "0" * 11
    printed = program.run(depths, model=runtime)
    assert [line.strip() for line in printed.splitlines()] == program.documented.splitlines()


@promises("为SchedParam 类的实例,包含该模型的调度参数priority、customId、bpu_cores和deviceId")
def test_sched_params_have_four_attributes(load: Load, manual_block: Block) -> None:
    structure = manual_block('"模型名": SchedParam(').block.lines
    names = [found[1] for line in structure if (found := re.match(r"(\w+): ", line))]
    assert names == [field.name for field in fields(SchedParam)]
    params = load("model").sched_params["model"]
    assert isinstance(params, SchedParam)
    assert [type(getattr(params, name)) for name in names] == [int, int, list, int]


@promises("bpu_cores返回-1表示由调度器自动分配")
def test_minus_one_means_that_the_scheduler_chooses(load: Load) -> None:
    assert load("model").sched_params["model"].bpu_cores == [-1]
