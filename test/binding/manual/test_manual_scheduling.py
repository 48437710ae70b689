# SPDX-License-Identifier: Apache-2.0
"""The manual's set_scheduling_params: its four parameters and what they bring about."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from manual_text import promises

from hbm_runtime import HB_HBMRuntime, HBMInputError

SECTIONS = ("配置函数",)


@promises("返回值 无(None)")
def test_the_parameters_are_those_of_the_signature(manual_block: Callable[[str], Any]) -> None:
    text = manual_block("def set_scheduling_params(").block.program()
    names: dict[str, Any] = dict(vars(typing))
    exec(text + ": ...", names)
    documented = inspect.signature(names["set_scheduling_params"]).parameters
    ours = dict(inspect.signature(HB_HBMRuntime.set_scheduling_params).parameters)
    del ours["self"]
    positional = {
        name: parameter
        for name, parameter in ours.items()
        if parameter.kind is not inspect.Parameter.KEYWORD_ONLY  # those go past the manual
    }
    assert [(name, parameter.default) for name, parameter in positional.items()] == [
        (name, parameter.default) for name, parameter in documented.items()
    ]


@promises("返回值 无(None)")
def test_nothing_comes_back(pair: HB_HBMRuntime) -> None:
    assert pair.set_scheduling_params(priority={"plus": 1}) is None  # type: ignore[func-returns-value]


@promises("设置每个模型的调度优先级,范围通常为 0~255,数值越高优先级越高")
def test_the_higher_priority_runs_first(finishing_order: Callable[..., list[str]]) -> None:
    priorities = {"a": 0, "b": 255, "c": 128}
    order = finishing_order(
        {name: {} for name in priorities},
        lambda runtime: runtime.set_scheduling_params(priority=priorities),
    )
    assert order == ["b", "c", "a"]


@promises("范围通常为 0~255")
@pytest.mark.parametrize("outside", [-1, 256])
def test_priorities_go_from_0_to_255(pair: HB_HBMRuntime, outside: int) -> None:
    for inside in (0, 255):
        pair.set_scheduling_params(priority={"plus": inside})
        assert pair.sched_params["plus"].priority == inside
    with pytest.raises(HBMInputError, match=r"valid range \[0, 255\]"):
        pair.set_scheduling_params(priority={"plus": outside})


@promises("指定模型绑定的 BPU 核心索引列表,默认表示自动分配,具体需看硬件支持情况")
def test_cores_are_a_list_of_indices_and_automatic_by_default(pair: HB_HBMRuntime) -> None:
    assert pair.sched_params["plus"].bpu_cores == [-1]
    pair.set_scheduling_params(bpu_cores={"plus": [0, 2]})
    assert pair.sched_params["plus"].bpu_cores == [0, 2]
    with pytest.raises(HBMInputError, match="this chip has the cores 0, 1, 2, 3"):
        pair.set_scheduling_params(bpu_cores={"plus": [4]})


@promises("自定义优先级,例如:时间戳、frame id等,数值越小优先级越高")
def test_the_smaller_custom_id_runs_first(finishing_order: Callable[..., list[str]]) -> None:
    stamps = {"a": 1_700_000_000_000_003, "b": 1_700_000_000_000_001, "c": -1}
    order = finishing_order(
        {name: {} for name in stamps},
        lambda runtime: runtime.set_scheduling_params(custom_id=stamps),
    )
    assert order == ["c", "b", "a"]


@promises("优先级:priority > customId")
def test_the_priority_goes_before_the_custom_id(finishing_order: Callable[..., list[str]]) -> None:
    ids = {"a": 1, "b": 2, "c": 3}
    priorities = {"a": 5, "b": 5, "c": 6}
    order = finishing_order(
        {name: {} for name in ids},
        lambda runtime: runtime.set_scheduling_params(custom_id=ids, priority=priorities),
    )
    assert order == ["c", "a", "b"]


@promises("指定模型运行在哪个设备上")
def test_the_device_is_a_number(pair: HB_HBMRuntime) -> None:
    pair.set_scheduling_params(device_id={"plus": 0})
    assert pair.sched_params["plus"].deviceId == 0
    assert (pair.run(np.zeros((1, 4), np.float32), model_name="plus")["plus"]["y"] == 1).all()


def test_the_program_sets_and_reads_back(
    load: Callable[..., HB_HBMRuntime], manual_block: Callable[[str], Any]
) -> None:
    program = manual_block("params = runtime.sched_params")
    runtime = load("model1", "model2")
    printed = program.run(model=runtime, runtime=runtime)
    assert printed == f"{program.documented}\n" == "200\n[0, 1]\n"
    assert runtime.sched_params["model2"].priority == 100
