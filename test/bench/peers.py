# SPDX-License-Identifier: Apache-2.0
"""The calls of other runtimes that ours are measured beside: identity on 4 bytes, one thread."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import tiny_models

from bench.timing import Function


class Absent(Exception):
    """A peer is not there; the text says which and why."""


def identity() -> bytes:
    """The model: one float32 in, the same out."""
    return bytes(tiny_models.identity((1, 1)).SerializeToString())


def one_float() -> Any:
    """Its input."""
    return np.ones((1, 1), np.float32)


def session(graph: bytes) -> Any:
    """ONNX Runtime on one thread, which is the caller's."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(graph, options, ["CPUExecutionProvider"])


def onnxruntime_run() -> Function:
    """InferenceSession.run with one input and one output."""
    made, feed = session(identity()), {"x": one_float()}
    return lambda: made.run(None, feed)


def onnxruntime_bound_run() -> Function:
    """InferenceSession.run_with_iobinding, input and output allocated before."""
    made = session(identity())
    binding = made.io_binding()
    source = onnxruntime.OrtValue.ortvalue_from_numpy(one_float())
    target = onnxruntime.OrtValue.ortvalue_from_numpy(np.zeros((1, 1), np.float32))
    binding.bind_ortvalue_input("x", source)
    binding.bind_ortvalue_output("y", target)
    return lambda: made.run_with_iobinding(binding)


def openvino_start_and_wait() -> Function:
    """InferRequest.start_async and wait; its input is set before, the cheapest way there is.

    Passing the input with each call doubles its time.

    Raises:
        Absent: OpenVINO cannot be imported.
    """
    try:
        import openvino
    except ImportError as error:
        raise Absent(f"openvino is absent ({error}): `make bench` installs it") from None
    core = openvino.Core()
    settings = {"NUM_STREAMS": "1", "INFERENCE_NUM_THREADS": "1", "ENABLE_CPU_PINNING": False}
    compiled = core.compile_model(core.read_model(identity()), "CPU", settings)
    request = compiled.create_infer_request()
    request.set_input_tensor(openvino.Tensor(one_float(), shared_memory=True))

    def run() -> None:
        request.start_async()
        request.wait()

    run()
    assert request.get_output_tensor(0).data[0, 0] == 1
    return run
