# SPDX-License-Identifier: Apache-2.0
"""The simulator's engine, ONNX Runtime, as far as packing needs it (it may be absent)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import ModelProto

from hbm_runtime.tools import extras
from hbm_runtime.tools.errors import ToolError

Array = npt.NDArray[Any]

_ERRORS_ONLY = 3  # ONNX Runtime's severity


class Engine:
    """A model loaded by ONNX Runtime, one thread, as in the simulator."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self.output_names: list[str] = [output.name for output in session.get_outputs()]

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Run the model.

        Raises:
            ToolError: the engine refuses the inputs or fails.
        """
        try:
            outputs = self._session.run(self.output_names, dict(inputs))
        except Exception as error:  # ONNX Runtime raises what it likes
            raise ToolError(f"onnxruntime cannot run the model: {_reason(error)}") from None
        return {
            name: np.asarray(output)
            for name, output in zip(self.output_names, outputs, strict=True)
        }

    def output_shapes(self) -> dict[str, list[int] | None]:
        """Dimensions of each output as the engine knows them, -1 for dynamic ones."""
        return {
            output.name: [dim if isinstance(dim, int) and dim > 0 else -1 for dim in output.shape]
            for output in self._session.get_outputs()
        }


def version() -> str | None:
    """Version of the installed engine, None when there is none."""
    package = extras.onnxruntime()
    return None if package is None else str(package.__version__)


def load(model: ModelProto, what: str) -> Engine | None:
    """Load a model; None when the engine is not installed.

    Raises:
        ToolError: the engine refuses the model (an operator, opset or IR version it lacks, …).
    """
    package = extras.onnxruntime()
    if package is None:
        return None
    options = package.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY
    try:
        session = package.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # ONNX Runtime raises what it likes
        raise ToolError(
            f"the simulator's engine (onnxruntime {package.__version__}) cannot load {what}:"
            f" {_reason(error)}"
        ) from None
    return Engine(session)


def output_shapes(model: ModelProto) -> dict[str, list[int] | None] | None:
    """Dimensions of each output as the engine infers them; None when it cannot tell."""
    try:
        engine = load(model, "the model")
    except ToolError:  # reported where the finished model is loaded
        return None
    return None if engine is None else engine.output_shapes()


def _reason(error: Exception) -> str:
    """The first line of an error of ONNX Runtime, without its code and its place in the source."""
    line = (str(error).strip() or type(error).__name__).splitlines()[0]
    line = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", line)
    return re.sub(r"/onnxruntime_src/\S+ .*?\) (?=[A-Z])", "", line)
