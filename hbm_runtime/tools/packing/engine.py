# SPDX-License-Identifier: Apache-2.0
"""The simulator's engine, ONNX Runtime, as far as packing needs it (it may be absent)."""

from __future__ import annotations

import ctypes
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import ModelProto, TensorProto, ValueInfoProto, helper

from hbm_runtime.four_bit import unpack_four_bit
from hbm_runtime.tools import optional_packages
from hbm_runtime.tools.errors import ToolError
from hbm_runtime.tools.packing import four_bit
from hbm_runtime.tools.packing.graph import copy_of, first_line

Array = npt.NDArray[Any]

_ERRORS_ONLY = 3  # ONNX Runtime's severity
_FOUR_BIT = {f"tensor({name})": element_type for element_type, name in four_bit.NAMES.items()}


class Engine:
    """A model loaded by ONNX Runtime, one thread, as in the simulator."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self.output_names: list[str] = [output.name for output in session.get_outputs()]
        border = (*session.get_inputs(), *session.get_outputs())
        self._has_four_bit = any(value.type in _FOUR_BIT for value in border)

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Run the model; 4-bit tensors are int8 or uint8 here, one element each.

        Raises:
            ToolError: the engine refuses the inputs or fails.
        """
        try:
            if self._has_four_bit:
                outputs = self._run_on_pointers(inputs)
            else:
                outputs = self._session.run(self.output_names, dict(inputs))
        except ToolError:
            raise
        except Exception as error:  # ONNX Runtime raises what it likes
            raise ToolError(f"onnxruntime cannot run the model: {reason(error)}") from None
        return {
            name: np.asarray(output)
            for name, output in zip(self.output_names, outputs, strict=True)
        }

    def _run_on_pointers(self, inputs: Mapping[str, Array]) -> list[Array]:
        """ONNX Runtime has no numpy array for 4-bit types, but takes and gives their addresses."""
        binding = self._session.io_binding()
        memory: list[Array] = []  # until the run is over
        for value in self._session.get_inputs():
            array = np.asarray(inputs[value.name], order="C")
            if value.type in _FOUR_BIT:
                element_type = _FOUR_BIT[value.type]
                memory.append(four_bit.packed_input(value.name, array, element_type))
                address = memory[-1].ctypes.data
                binding.bind_input(value.name, "cpu", 0, element_type, array.shape, address)
            else:
                binding.bind_cpu_input(value.name, array)
        for name in self.output_names:
            binding.bind_output(name)
        self._session.run_with_iobinding(binding)
        return [_array_of(value) for value in binding.get_outputs()]

    def types(self) -> dict[str, ValueInfoProto]:
        """Type and shape of each output that is a tensor of a type that ONNX knows."""
        found: dict[str, ValueInfoProto] = {}
        for output in self._session.get_outputs():
            element = re.fullmatch(r"tensor\((\w+)\)", output.type)
            element_type = dict(TensorProto.DataType.items()).get(
                element[1].upper() if element else ""
            )
            if element_type is not None:
                found[output.name] = helper.make_tensor_value_info(
                    output.name, element_type, output.shape
                )
        return found

    def output_shapes(self) -> dict[str, list[int] | None]:
        """Dimensions of each output as the engine knows them, -1 for dynamic ones."""
        return {
            output.name: [dim if isinstance(dim, int) and dim > 0 else -1 for dim in output.shape]
            for output in self._session.get_outputs()
        }


def version() -> str | None:
    """Version of the installed engine, None when there is none."""
    package = optional_packages.onnxruntime()
    return None if package is None else str(package.__version__)


def load(model: ModelProto, what: str) -> Engine | None:
    """Load a model; None when the engine is not installed.

    Raises:
        ToolError: the engine refuses the model (an operator, opset or IR version it lacks, …).
    """
    package = optional_packages.onnxruntime()
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
            f" {reason(error)}"
        ) from None
    return Engine(session)


def load_for(option: str, model: ModelProto, what: str) -> Engine:
    """As `load`, for an option that cannot do without the engine.

    Raises:
        ToolError: the engine is not installed, or refuses the model.
    """
    loaded = load(model, what)
    if loaded is None:
        raise ToolError(f"{option} runs the model: pip install 'hbm-runtime[simulator]'")
    return loaded


def output_shapes(model: ModelProto) -> dict[str, list[int] | None] | None:
    """Dimensions of each output as the engine infers them; None when it cannot tell."""
    try:
        engine = load(model, "the model")
    except ToolError:  # reported where the finished model is loaded
        return None
    return None if engine is None else engine.output_shapes()


def value_types(model: ModelProto, names: Sequence[str]) -> dict[str, ValueInfoProto]:
    """Types of values inside a graph as the engine knows them; without what is no tensor.

    Raises:
        ToolError: the engine refuses the model.
    """
    if not names:
        return {}
    watched = copy_of(model)
    present = {value.name for value in watched.graph.output}
    watched.graph.output.extend(ValueInfoProto(name=name) for name in names if name not in present)
    loaded = load(watched, "the model")
    return {} if loaded is None else {k: v for k, v in loaded.types().items() if k in set(names)}


def _array_of(value: Any) -> Array:
    element_type = _FOUR_BIT.get(value.data_type())
    if element_type is None:
        return np.asarray(value.numpy())
    size = math.prod(value.shape())
    stored = np.frombuffer(ctypes.string_at(value.data_ptr(), -(-size // 2)), np.uint8)
    values = unpack_four_bit(stored, four_bit.DATA_TYPES[element_type], size)
    shaped: Array = values.reshape(value.shape())
    return shaped


def reason(error: Exception) -> str:
    """The first line of an error of ONNX Runtime, without its code and its place in the source."""
    line = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", first_line(error))
    return re.sub(r"/onnxruntime_src/\S+ .*?\) (?=[A-Z])", "", line)
