# SPDX-License-Identifier: Apache-2.0
"""The manual's class HB_HBMRuntime: what it offers and how it is constructed."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from manual_text import promises

from hbm_runtime import HB_HBMRuntime

SECTIONS = ("模块/类/函数说明(API Reference)", "类说明", "构造函数")
PROMISES_NOTHING = {"通过 PyBind11 封装": "how it is made; see test_manual_overview.py"}

A = np.ones((2, 3), np.float32)
X = np.ones((1, 4), np.float32)


@promises(
    "模型加载、输入输出信息查询、推理执行等功能",
    "模型运行时类,加载一个或多个 HBM 模型文件,并提供推理执行接口",
)
def test_loading_querying_and_running_are_in_one_class(pair: HB_HBMRuntime) -> None:
    results = pair.run(
        {"plus": {"x": X}, "sums": {"a": A, "b": A}},
        model_name="sums", priority={"sums": 3}, bpu_cores={"sums": [1]},
    )  # fmt: skip
    assert list(results["sums"]) == pair.output_names["sums"]


@promises("model_filestrHBM 模型文件路径")
def test_one_path_is_a_model_file(manual_folder: Path) -> None:
    path = str(manual_folder / "model.hbm")
    assert HB_HBMRuntime(model_file=path).model_names == ["model"]


@promises("model_filesList[str]多个 HBM 模型文件路径(用于多模型)")
def test_a_list_of_paths_are_model_files(manual_folder: Path) -> None:
    paths = [str(manual_folder / "model1.hbm"), str(manual_folder / "model2.hbm")]
    assert HB_HBMRuntime(model_files=paths).model_names == ["model1", "model2"]


def test_the_arguments_are_named_as_in_the_signatures(manual_block: Callable[[str], Any]) -> None:
    signatures = manual_block("HB_HBMRuntime(model_file: str)").block.lines
    names = [re.fullmatch(r"HB_HBMRuntime\((\w+): .+\)", line)[1] for line in signatures]
    assert names == list(inspect.signature(HB_HBMRuntime).parameters)[:2]


@promises("类对象")
def test_the_program_loads_one_model_and_two(manual_block: Callable[[str], Any]) -> None:
    program = manual_block('model = HB_HBMRuntime("model.hbm")')
    program.run()
    assert isinstance(program.names["model"], HB_HBMRuntime)
    assert program.names["model"].model_names == ["model1", "model2"]
