# SPDX-License-Identifier: Apache-2.0
"""The manual's overview: what the module is for and its key features."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable

import numpy as np
import pytest
import simulator_live
import tiny_models
from async_models import TOGETHER, plus_one
from manual_text import promises

from hbm_runtime import (
    HB_HBMRuntime,
    QuantParams,
    SchedParam,
    hbDNNDataType,
    hbDNNQuantiType,
)

SECTIONS = ("简介(Overview)",)
PROMISES_NOTHING = {
    "快速集成和调用": "a purpose",
    "机器人视觉、智能边缘计算": "a purpose",
    "提升运行效率": "speed is measured by make bench; the rest is tested below",
}

A = np.arange(6, dtype=np.float32).reshape(2, 3)
X = np.arange(4, dtype=np.float32).reshape(1, 4)
BOTH = {"plus": {"x": X}, "sums": {"a": A, "b": A}}


@promises("用于访问和操作libhbucp/libdnn C++ 库")
def test_it_gives_access_to_both_libraries(
    save: Callable[..., str], run_python: Callable[..., str]
) -> None:
    mapped = run_python(
        """
        import sys
        from hbm_runtime import HB_HBMRuntime
        runtime = HB_HBMRuntime(sys.argv[1])
        print(open("/proc/self/maps").read())
        """,
        save(tiny_models.pack(tiny_models.add(), "plus")),
    )
    assert "/libhbucp.so" in mapped and "/libdnn.so" in mapped


@promises("加载单个或多个神经网络模型,管理模型的输入输出信息,并灵活执行推理操作")
def test_one_model_or_several_are_loaded_described_and_run(
    doubling: HB_HBMRuntime, pair: HB_HBMRuntime
) -> None:
    assert doubling.model_names == ["doubling"] and pair.model_names == ["plus", "sums"]
    for runtime in (doubling, pair):
        for model in runtime.model_names:
            inputs = {
                name: np.ones(runtime.input_shapes[model][name], np.float32)
                for name in runtime.input_names[model]
            }
            outputs = runtime.run(inputs, model_name=model)[model]
            assert {name: list(array.shape) for name, array in outputs.items()} == (
                runtime.output_shapes[model]
            )


@promises(
    "通过智能转换保证输入数据连续存储", "所有输入均自动检查是否为 C 连续内存格式,必要时进行拷贝"
)
def test_inputs_are_made_contiguous(doubling: HB_HBMRuntime) -> None:
    dense = np.random.default_rng(0).random((1, 3, 4, 5), np.float32)
    scattered = np.asfortranarray(dense)
    assert not scattered.flags.c_contiguous
    before = scattered.copy()
    np.testing.assert_array_equal(doubling.run(scattered)["doubling"]["y"], 2 * dense)
    np.testing.assert_array_equal(scattered, before)


@promises("同时加载和管理多个模型,动态配置推理优先级及硬件资源分配")
def test_priorities_and_cores_change_between_runs(pair: HB_HBMRuntime) -> None:
    for priority, core in ((0, 0), (255, 3), (7, 1)):
        pair.set_scheduling_params(priority={"sums": priority}, bpu_cores={"sums": [core]})
        np.testing.assert_array_equal(pair.run(BOTH)["sums"]["total"], A + A)
        assert pair.sched_params["sums"] == SchedParam(priority, 0, [core], 0)


@promises("多模型支持", "每个模型均可独立获取输入输出元信息并进行推理")
def test_each_model_of_a_group_is_described_and_runs_on_its_own(pair: HB_HBMRuntime) -> None:
    assert pair.input_shapes["plus"] == {"x": [1, 4]}
    assert pair.input_shapes["sums"] == {"a": [2, 3], "b": [2, 3]}
    assert list(pair.run({"x": X}, model_name="plus")) == ["plus"]
    assert list(pair.run({"a": A, "b": A}, model_name="sums")) == ["sums"]


@promises("灵活输入格式", "支持单输入", "支持模型名映射的输入字典", "支持多模型多输入结构")
def test_the_input_has_three_forms(pair: HB_HBMRuntime) -> None:
    forms = (
        pair.run(X, model_name="plus"),
        pair.run({"x": X}, model_name="plus"),
        pair.run({"plus": {"x": X}, "sums": {"a": A, "b": A}}),
    )
    for results in forms:
        np.testing.assert_array_equal(results["plus"]["y"], X + 1)


@promises("指定推理优先级(priority)", "priority: Dict[str, int] 参数显式指定模型任务的调度优先级")
def test_the_priority_of_a_task_is_chosen_per_model(
    finishing_order: Callable[..., list[str]],
) -> None:
    runs = {name: {"priority": {name: value}} for name, value in (("a", 1), ("b", 9), ("c", 5))}
    assert finishing_order(runs) == ["b", "c", "a"]


@promises("指定推理 BPU 核心(bpu_cores)", "bpu_cores: Dict[str, List[int]] 显式指定")
@pytest.mark.parametrize(("cores", "first"), [((0, 0), "long"), ((0, 1), "short")])
def test_the_core_is_chosen_per_model(
    save: Callable[..., str], cores: tuple[int, int], first: str
) -> None:
    long = tiny_models.pack(tiny_models.add(), "long", latency_us=200_000)
    short = tiny_models.pack(tiny_models.add(), "short", latency_us=40_000)
    runtime = HB_HBMRuntime(save(long, short))
    ended: list[str] = []

    def run(name: str, core: int) -> None:
        runtime.run(X, model_name=name, bpu_cores={name: [core]})
        ended.append(name)

    other = threading.Thread(target=run, args=("long", cores[0]))
    other.start()
    simulator_live.wait_for_tasks(1)
    run("short", cores[1])
    other.join()
    assert ended[0] == first


@promises(
    "多模型并行推理",
    "并行执行每个模型的推理任务",
    "在多核 BPU 系统上可获得更高吞吐(单核BPU底层还是串行执行)",
)
def test_models_run_in_parallel_on_several_cores(
    save: Callable[..., str], run_python: Callable[..., str]
) -> None:
    path = save(*(plus_one(name, 60_000) for name in "abc"), plus_one("quick"))
    for cores, idle in (([0], [1, 2, 3]), ([0, 1, 2], [3])):
        chosen = dict.fromkeys("abc", cores)
        assert run_python(TOGETHER, path, json.dumps(chosen), json.dumps(idle)) == "as expected\n"


@promises("元信息访问接口", "输入输出数量、名称、数据类型(hbDNNDataType 枚举)")
def test_tensors_tell_number_name_and_type(pair: HB_HBMRuntime) -> None:
    assert pair.input_counts["sums"] == 2 and pair.output_counts["sums"] == 3
    assert pair.input_names["sums"] == ["a", "b"]
    assert pair.input_dtypes["sums"]["a"] is hbDNNDataType.F32


@promises("输入输出张量形状、内存 stride、量化参数(包括 scale、zero point、量化类型)")
def test_tensors_tell_shape_stride_and_quantisation(pair: HB_HBMRuntime) -> None:
    assert pair.output_shapes["sums"]["flat"] == [6]
    assert pair.output_strides["sums"]["flat"] == [4]
    assert pair.output_quants["sums"]["flat"] == QuantParams()


@promises("模型描述信息、HBM文件描述信息等")
def test_models_and_files_tell_their_descriptions(save: Callable[..., str]) -> None:
    path = save(tiny_models.pack(tiny_models.add(), "m", description="a"), description="b")
    runtime = HB_HBMRuntime(path)
    assert (runtime.model_descs, runtime.hbm_descs) == ({"m": "a"}, {path: "b"})


@promises("完整绑定的类型系统", "支持量化参数结构 QuantParams", "提供类型安全的属性访问")
def test_four_types_of_values_are_exported(doubling: HB_HBMRuntime) -> None:
    assert isinstance(doubling.input_quants["doubling"]["x"], QuantParams)
    assert isinstance(doubling.input_quants["doubling"]["x"].quant_type, hbDNNQuantiType)
    assert isinstance(doubling.input_dtypes["doubling"]["x"], hbDNNDataType)
    assert isinstance(doubling.sched_params["doubling"], SchedParam)
