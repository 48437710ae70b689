# SPDX-License-Identifier: Apache-2.0
"""The manual's class SchedParam, filled with dicts as in its program."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from manual_text import promises

from hbm_runtime import HB_HBMRuntime, HBMInputError, SchedParam

SECTIONS = ("SchedParam 类",)


def apply(runtime: HB_HBMRuntime, sched: SchedParam) -> SchedParam:
    """Set it as the manual's program does; return what is in force for modelA."""
    runtime.set_scheduling_params(
        priority=sched.priority or None,
        custom_id=sched.customId or None,
        bpu_cores=None if sched.bpu_cores == [-1] else sched.bpu_cores,
        device_id=sched.deviceId or None,
    )
    return runtime.sched_params["modelA"]


@pytest.fixture
def runtime(load: Callable[..., HB_HBMRuntime]) -> HB_HBMRuntime:
    return load("modelA")


@promises("模型调度参数对象,用于配置模型在硬件上的运行调度策略(优先级、核心绑定等)")
def test_it_configures_how_models_run(
    runtime: HB_HBMRuntime, manual_block: Callable[[str], Any]
) -> None:
    manual_block("sched = SchedParam()").run(model=runtime)
    assert runtime.sched_params == {"modelA": SchedParam(8, 1001, [0, 1], 0)}


@promises(
    "priority: Dict[str, int] 每个模型的优先级设置",
    "键为模型名,值为优先级整数(数值越大,优先级越高,取值范围为 0~255)",
)
def test_priority_is_a_number_per_model(runtime: HB_HBMRuntime) -> None:
    sched = SchedParam()
    sched.priority = {"modelA": 255}
    assert apply(runtime, sched).priority == 255
    sched.priority = {"modelA": 256}
    with pytest.raises(HBMInputError, match=r"\[0, 255\]"):
        apply(runtime, sched)


@promises("customId: Dict[str, int] 自定义优先级,例如:时间戳、frame id等")
def test_custom_id_is_a_number_per_model(runtime: HB_HBMRuntime) -> None:
    sched = SchedParam()
    sched.customId = {"modelA": 1_700_000_000_123_456_789}
    assert apply(runtime, sched).customId == 1_700_000_000_123_456_789


@promises("数值越小优先级越高", "优先级:priority > customId")
def test_smaller_custom_ids_go_first_among_equal_priorities(
    finishing_order: Callable[..., list[str]],
) -> None:
    sched = SchedParam()
    sched.customId = {"modelA": 9, "modelB": 1, "modelC": 5}
    sched.priority = {"modelA": 1, "modelB": 0, "modelC": 0}
    order = finishing_order(
        {name: {} for name in sched.customId},
        lambda runtime: runtime.set_scheduling_params(
            priority=sched.priority, custom_id=sched.customId
        ),
    )
    assert order == ["modelA", "modelB", "modelC"]


@promises(
    "bpu_cores: Dict[str, List[int]] 模型绑定的 BPU 核心编号列表",
    "值为一个整数列表,例如 [0], [0, 1] 表示绑定一个或多个核心",
)
@pytest.mark.parametrize("cores", [[0], [0, 1]])
def test_bpu_cores_is_a_list_per_model(runtime: HB_HBMRuntime, cores: list[int]) -> None:
    sched = SchedParam()
    sched.bpu_cores = {"modelA": cores}
    assert apply(runtime, sched).bpu_cores == cores


@promises("deviceId: Dict[str, int] 指定模型部署的设备 ID", "键为模型名,值为设备编号")
def test_device_id_is_a_number_per_model(runtime: HB_HBMRuntime) -> None:
    sched = SchedParam()
    sched.deviceId = {"modelA": 0}
    assert apply(runtime, sched).deviceId == 0
