# SPDX-License-Identifier: Apache-2.0
"""The manual's quick start: its two programs and its frequent questions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tiny_models
from manual_text import promises

from hbm_runtime import HB_HBMRuntime, hbDNNDataType

SECTIONS = ("快速开始(Quick Start)",)
PROMISES_NOTHING = {
    "本节介绍如何使用": "says what follows",
    "请确保已正确安装": "an advice",
    "请参考API部分": "a reference",
}


@promises(
    "单模型单输入推理",
    "适用于模型只有一个输入张量的情况",
    "只需几行代码,即可运行模型并获取输出结果",
)
def test_one_model_with_one_input(manual_block: Callable[[str], Any]) -> None:
    program = manual_block("outputs = model.run(input_tensor)")
    printed = program.run()
    assert printed.startswith("Output: {'instance_seg_logits': array(")
    assert "'binary_seg_pred': array(" in printed
    logits = program.names["output_array"]["instance_seg_logits"]
    assert logits.shape == (1, 1, 256, 512) and (logits == 1).all()


@promises("单模型多输入推理", "适用于模型有多个输入张量的情况")
def test_one_model_with_several_inputs(manual_block: Callable[[str], Any]) -> None:
    program = manual_block("results = model.run(input_tensors)")
    printed = program.run("0" * 24 + "111" + "0" * 11 + "1")
    assert printed.splitlines() == [
        "Output: output, shape=(1, 84, 84, 255)",
        "Output: 1310, shape=(1, 42, 42, 255)",
        "Output: 1312, shape=(1, 21, 21, 255)",
    ]
    model = program.names["model"]
    assert model.sched_params["yolov5x_672x672_nv12"].priority == 5
    assert model.sched_params["yolov5x_672x672_nv12"].bpu_cores == [0]


@promises("模型名称如何获取?可通过 model.model_names 查看加载的模型名列表")
def test_model_names_tell_the_names(pair: HB_HBMRuntime) -> None:
    assert pair.model_names == ["plus", "sums"]


@promises("输入维度/类型如何确认?使用 model.input_shapes")
def test_shapes_and_types_tell_what_to_pass(pair: HB_HBMRuntime) -> None:
    assert pair.input_dtypes["plus"]["x"] == hbDNNDataType.F32
    x = np.ones(pair.input_shapes["plus"]["x"], np.float32)
    np.testing.assert_array_equal(pair.run(x, model_name="plus")["plus"]["y"], x + 1)


@promises("使用 bpu_cores 参数指定 [0, 1, 2, 3],具体需看硬件的支持情况")
@pytest.mark.parametrize(("cores", "said"), [("4", "ok"), ("1", "this chip has the core 0,")])
def test_which_cores_there_are_is_up_to_the_chip(
    save: Callable[..., str], run_python: Callable[..., str], cores: str, said: str
) -> None:
    printed = run_python(
        """
        import sys
        from hbm_runtime import HB_HBMRuntime
        runtime = HB_HBMRuntime(sys.argv[1])
        try:
            runtime.set_scheduling_params(bpu_cores={"plus": [0, 1, 2, 3]})
            print("ok")
        except ValueError as error:
            print(error)
        """,
        save(tiny_models.pack(tiny_models.add(), "plus")),
        HBM_SIM_CORES=cores,
    )
    assert said in printed
