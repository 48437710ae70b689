# SPDX-License-Identifier: Apache-2.0
"""The manual's run: its three forms, model_name, and what comes back."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from manual_text import promises

from hbm_runtime import HB_HBMRuntime, HBMInputError

SECTIONS = ("推理执行函数",)
PROMISES_NOTHING = {"示例:参考快速开始章节": "see test_manual_quick_start.py"}

A = np.arange(6, dtype=np.float32).reshape(2, 3)
X = np.arange(4, dtype=np.float32).reshape(1, 4)
BOTH = {"plus": {"x": X}, "sums": {"a": A, "b": A}}


def argument(signature: Any) -> str:
    """The name of the first argument."""
    return re.match(r"run\((\w+): ", signature.block.lines[0])[1]


@promises(
    "run(input_tensor, **kwargs)",
    "适用于单模型、单输入的推理",
    "输入为一个 NumPy 数组,对应模型的唯一输入张量,当只有一个模型被加载时输入的模型名称可省略",
)
def test_an_array(doubling: HB_HBMRuntime, manual_block: Callable[[str], Any]) -> None:
    name = argument(manual_block("run(input_tensor: "))
    x = np.ones((1, 3, 4, 5), np.float32)
    np.testing.assert_array_equal(doubling.run(**{name: x})["doubling"]["y"], 2 * x)


@promises("单输入张量,仅用于单模型且单输入的推理场景")
def test_an_array_needs_a_model_with_one_input(sums: HB_HBMRuntime) -> None:
    with pytest.raises(HBMInputError, match="exactly 1 input"):
        sums.run(A)


@promises("张量 shape 必须与模型对应输入一致")
@pytest.mark.parametrize("shape", [(1, 3, 5, 4), (3, 4, 5), (1, 1, 3, 4, 5), (1, 3, 4, 5, 1)])
def test_the_shape_must_be_the_inputs(doubling: HB_HBMRuntime, shape: tuple[int, ...]) -> None:
    with pytest.raises(HBMInputError, match=r"expected shape \[1, 3, 4, 5\]"):
        doubling.run(np.zeros(shape, np.float32))


@promises(
    "run(input_tensors: Dict[str, np.ndarray], **kwargs)",
    "适用于单模型、多输入的推理",
    "每个输入张量通过输入名指定,与模型定义保持一致,当只有一个模型被加载时输入的模型名称可省略",
    "多输入张量,仅用于单模型多输入的推理场景",
    "键为输入张量名称,值为对应的 NumPy 数组",
)
def test_a_dict_of_inputs(sums: HB_HBMRuntime, manual_block: Callable[[str], Any]) -> None:
    name = argument(manual_block("run(input_tensors: "))
    outputs = sums.run(**{name: {"b": A, "a": 3 * A}})["sums"]
    np.testing.assert_array_equal(outputs["difference"], 2 * A)


@promises(
    "run(multi_input_tensors: Dict[str, Dict[str, np.ndarray]], **kwargs)",
    "适用于多模型同时推理的场景,每个模型提供各自的多个输入张量",
    "外层键为模型名称,内层是输入名 → 张量的映射",
    "支持同时运行多个模型(每个模型可多输入)",
)
def test_a_dict_of_models(pair: HB_HBMRuntime, manual_block: Callable[[str], Any]) -> None:
    name = argument(manual_block("run(multi_input_tensors: "))
    results = pair.run(**{name: BOTH})
    np.testing.assert_array_equal(results["plus"]["y"], X + 1)
    np.testing.assert_array_equal(results["sums"]["total"], A + A)


@promises("不需要指定 model_name,模型名已在 key 中体现,若指定模型名称则只会推理指定的模型")
def test_a_dict_of_models_is_filtered_by_the_name(pair: HB_HBMRuntime) -> None:
    assert list(pair.run(BOTH)) == ["plus", "sums"]
    assert list(pair.run(BOTH, model_name="sums")) == ["sums"]


@promises(
    "外层字典键:模型名称",
    "内层字典键:输出张量名称",
    "值:对应的 NumPy 输出数组",
    "返回值 同上",
    "同上",
)
@pytest.mark.parametrize("form", [X, {"x": X}, {"plus": {"x": X}}], ids=["array", "dict", "models"])
def test_arrays_come_back_by_model_and_output(pair: HB_HBMRuntime, form: Any) -> None:
    results = pair.run(form, model_name="plus")
    assert type(results) is dict and list(results) == ["plus"]
    assert type(results["plus"]) is dict and list(results["plus"]) == pair.output_names["plus"]
    output = results["plus"]["y"]
    assert type(output) is np.ndarray
    assert list(output.shape) == pair.output_shapes["plus"]["y"] and output.dtype == np.float32


@promises(
    "kwargs可变关键字参数model_name (str): 指定模型名称(若为单个模型可省略,否则需指定)",
    "若加的模型只有一个,此参数可省略,若有多个模型,必须指定该参数",
)
@pytest.mark.parametrize("form", [X, {"x": X}], ids=["array", "dict"])
def test_several_models_need_a_name(pair: HB_HBMRuntime, form: Any) -> None:
    with pytest.raises(HBMInputError, match="model_name"):
        pair.run(form)
    np.testing.assert_array_equal(pair.run(form, model_name="plus")["plus"]["y"], X + 1)


@promises("类型:str模型字符串", "指定当前推理使用的模型,必须是当前加载的模型之一")
def test_the_name_is_that_of_a_loaded_model(pair: HB_HBMRuntime) -> None:
    for wrong in ("nobody", "", b"plus", 0, ["plus"]):
        with pytest.raises(HBMInputError, match="model_name"):
            pair.run(X, model_name=wrong)


@promises(
    "第三个run方法中还是可省略,省略后会推理multi_input_tensors中给出的所有模型,若指定,则只会推理指定的模型"
)
def test_without_a_name_all_given_models_run(pair: HB_HBMRuntime) -> None:
    assert list(pair.run({"sums": BOTH["sums"]})) == ["sums"]
    assert list(pair.run({"sums": BOTH["sums"], "plus": BOTH["plus"]})) == ["sums", "plus"]


def test_the_program_names_the_model(
    load: Callable[..., HB_HBMRuntime], manual_block: Callable[[str], Any]
) -> None:
    program = manual_block('outputs = model.run(input_tensor,model_name="resnet18")')
    program.run(model=load("model", "resnet18"), input_tensor=X)
    assert list(program.names["outputs"]) == ["resnet18"]


@promises("适用于多模型同时推理的场景")
def test_the_program_with_two_models(manual_block: Callable[[str], Any]) -> None:
    program = manual_block("results = model.run(multi_input_tensors)")
    printed = program.run("0" * 25 + "1122221" + "0" * 11 + "112")
    assert printed.splitlines() == [
        "Loaded models: ['lanenet256x512', 'yolov5x_672x672_nv12']",
        "",
        "Model: lanenet256x512",
        " Output: instance_seg_logits, shape=(1, 1, 256, 512), dtype=float32",
        " Output: binary_seg_pred, shape=(1, 1, 256, 512), dtype=int8",
        "",
        "Model: yolov5x_672x672_nv12",
        " Output: output, shape=(1, 84, 84, 255), dtype=int32",
        " Output: 1310, shape=(1, 42, 42, 255), dtype=int32",
        " Output: 1312, shape=(1, 21, 21, 255), dtype=int32",
    ]
