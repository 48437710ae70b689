# SPDX-License-Identifier: Apache-2.0
"""The README's consumer of tensors runs as it stands there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hbm_runtime_ros.msg import Tensor, TensorList

from hbm_runtime_ros.messages.conversions import array_to_tensor

README = Path(__file__).parents[2] / "README.md"


def test_the_consumer_prints_each_tensor(capsys: pytest.CaptureFixture[str]) -> None:
    program = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)[1]
    names: dict[str, Any] = {}
    exec(compile(program, str(README), "exec"), names)
    tensor = array_to_tensor("scores", np.zeros((1, 4), np.float32), Tensor.F32)
    names["on_tensors"](TensorList(tensors=[tensor]))
    assert capsys.readouterr().out.rstrip().endswith("scores (1, 4)")
