# SPDX-License-Identifier: Apache-2.0
"""The simulator computes what ONNX Runtime computes on one thread, bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime
import pytest
import tiny_models

from hbm_runtime import HB_HBMRuntime, hbDNNDataType

NUMPY_TYPES = {hbDNNDataType.U8: np.uint8, hbDNNDataType.F32: np.float32}


def assert_equals_engine(rt: HB_HBMRuntime, graph: bytes, model: str) -> None:
    """Run both on the same random inputs."""
    random = np.random.default_rng(7)
    inputs: dict[str, Any] = {}
    for name, shape in rt.input_shapes[model].items():
        data_type = NUMPY_TYPES[rt.input_dtypes[model][name]]
        inputs[name] = (random.random(shape) * 255).astype(data_type)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    expected = session.run(None, inputs)
    outputs = rt.run({model: inputs})[model]
    for output, reference in zip(outputs.values(), expected, strict=True):
        np.testing.assert_array_equal(output, reference)


@pytest.mark.parametrize(
    ("model", "options"),
    [
        (tiny_models.conv(24, 36), {}),
        (tiny_models.conv(24, 36), {"nv12_inputs": ("x",)}),
        (tiny_models.conv(18, 30, channels_last=True), {"nv12_inputs": ("x",)}),
        (tiny_models.slow(20, 64), {}),
        (tiny_models.two_inputs_three_outputs(), {}),
    ],
    ids=["image", "nv12", "nv12-channels-last", "matmul", "several"],
)
def test_tiny_models(save: Callable[..., str], model: Any, options: dict[str, Any]) -> None:
    spec = tiny_models.pack(model, "m", **options)
    assert_equals_engine(HB_HBMRuntime(save(spec)), spec.graph, "m")
