# SPDX-License-Identifier: Apache-2.0
"""Messages of the original that people search for: ours keep the phrase, and say more."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_models

from hbm_runtime import HB_HBMRuntime, HBMError

A = np.zeros((2, 3), np.float32)
X = np.zeros((1, 4), np.float32)


def message(call: Callable[[], object]) -> str:
    with pytest.raises(HBMError) as caught:
        call()
    return str(caught.value)


def test_a_missing_file() -> None:
    said = message(lambda: HB_HBMRuntime("nowhere.hbm"))
    assert said == "The input hbm model nowhere.hbm does not exist."


def test_another_extension(tmp_path: Path) -> None:
    (tmp_path / "model.bin").touch()
    said = message(lambda: HB_HBMRuntime(tmp_path / "model.bin"))
    assert said.startswith(
        f"Invalid model file extension: {tmp_path}/model.bin. Only .hbm supported."
    )


def test_no_files() -> None:
    assert message(lambda: HB_HBMRuntime([])) == "No input hbm model files provided."


PHRASES: list[tuple[str, dict[str, Any], str, str]] = [
    (
        "unknown input", {"input": {"a": A, "bb": A}, "model_name": "sums"},
        'Input name "bb" is invalid for model "sums"', "did you mean 'b'?",
    ),
    (
        "unknown model", {"input": X, "model_name": "pluss"},
        "Provided model_name 'pluss' is not in the loaded model list", "did you mean 'plus'?",
    ),
    (
        "no model named", {"input": X},
        "model_name", "multiple models are loaded ('plus', 'sums')",
    ),
    (
        "two inputs", {"input": A, "model_name": "sums"},
        "Single-input run() requires the model to have exactly 1 input, but model 'sums'",
        "'a', 'b'",
    ),
    (
        "filtered away", {"input": {"plus": {"x": X}}, "model_name": "sums"},
        'Only one model provided, but model_name argument "sums"', "for 'plus' only",
    ),
    (
        "priority", {"input": X, "model_name": "plus", "priority": 256},
        'Priority value for model "plus" is out of valid range [0, 255]: ', "256",
    ),
    (
        "core", {"input": X, "model_name": "plus", "bpu_cores": [7]},
        'Invalid BPU core ID for model "plus"', "this chip has the cores 0, 1, 2, 3",
    ),
    (
        "model of a setting", {"input": X, "model_name": "plus", "priority": {"pluss": 1}},
        "Invalid model name in priority setting: ", "did you mean 'plus'?",
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "phrase", "more"), [row[1:] for row in PHRASES], ids=[row[0] for row in PHRASES]
)
def test_a_bad_call(pair: HB_HBMRuntime, arguments: dict[str, Any], phrase: str, more: str) -> None:
    said = message(lambda: pair.run(**arguments))
    assert said.startswith(phrase) and more in said


def test_a_failed_call_names_function_code_and_name(
    save: Callable[..., str], run_python: Callable[..., str]
) -> None:
    path = save(tiny_models.pack(tiny_models.add(), "m"))
    printed = run_python(
        """
        import sys
        from hbm_runtime import HB_HBMRuntime, HBMError
        try:
            HB_HBMRuntime(sys.argv[1])
        except HBMError as error:
            print(error)
            print(error.call, error.status, error.status_name)
        """,
        path,
        HBM_SIM_FAULTS="hbDNNInitializeFromFiles=-600004",
    )
    said, details = printed.splitlines()
    assert said.startswith(f"failed to load {path}: hbDNNInitializeFromFiles returned -600004 (")
    assert details == "hbDNNInitializeFromFiles -600004 HB_UCP_MODEL_INCOMPATIBLE"
