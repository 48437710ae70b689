# SPDX-License-Identifier: Apache-2.0
"""HB_HBMRuntime: loads models and runs them, as the vendor's manual describes it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, Union

import numpy as np
import numpy.typing as npt

from hbm_runtime import _core
from hbm_runtime import model_file as simulator_file
from hbm_runtime._inputs import arrange, check_model_name, check_timeout, shown
from hbm_runtime._library import open_library
from hbm_runtime._log import forward_log_lines
from hbm_runtime._model_paths import check_origin, check_paths
from hbm_runtime._scheduling import Schedule
from hbm_runtime._source_file import SourceFile
from hbm_runtime._version import VersionProperty
from hbm_runtime.errors import HBMInputError
from hbm_runtime.models import Models, models_of
from hbm_runtime.types import QuantParams, SchedParam, hbDNNDataType, hbDNNQuantiType

Array = npt.NDArray[Any]
Inputs = Array | Mapping[str, Array | Mapping[str, Array]]
PathLike = Union[str, "os.PathLike[str]"]
T = TypeVar("T")

_INPUT_KEYWORDS = ("input_tensor", "input_tensors", "multi_input_tensors")
_NOT_GIVEN: Any = object()


class HB_HBMRuntime:
    """One or more models, loaded from ``.hbm`` files and ready to run.

    Any number of threads may call ``run`` on one object. All properties are read-only; what they
    return are copies in plain types, in the order of ``model_names``, ``input_names`` and
    ``output_names``.

    Args:
        model_file: Path of a model file (str or PathLike), or a list or tuple of paths.
        model_files: The same under the manual's second name.
        library: Folder with ``libhbucp.so`` and ``libdnn.so``; see ``doc/configuration.md`` for
            what is used when it is not given.

    Raises:
        HBMInputError: The argument is no path and no list of paths, or the list is empty.
        HBMModelError: A file is missing, damaged or made for another accelerator.
        HBMLibraryError: The accelerator's libraries, or the simulator's engine, are missing.
        HBMMemoryError: The accelerator has no room for the models.
    """

    version: VersionProperty = VersionProperty()
    """Version of the accelerator's library ``libdnn.so``, a str that may also be called.

    On an object it is that of its own libraries, on the class that of those found by default;
    there it raises HBMLibraryError if there are none.
    """

    def __init__(
        self,
        model_file: PathLike | Sequence[PathLike] | None = None,
        model_files: PathLike | Sequence[PathLike] | None = None,
        *,
        library: PathLike | None = None,
    ) -> None:
        if (model_file is None) == (model_files is None):
            raise HBMInputError("pass either model_file or model_files")
        paths = check_paths(model_files if model_file is None else model_file)
        self._library = open_library(library)
        check_origin(paths, self._library.is_simulator)
        sources = [SourceFile(path) for path in paths]
        try:
            self._runtime = _core.Runtime(self._library, paths)
        finally:
            forward_log_lines()
        self._models = {model.name: model for model in self._runtime.models}
        self._indices = {name: index for index, name in enumerate(self._models)}
        self._input_names = {
            name: [tensor.name for tensor in model.inputs] for name, model in self._models.items()
        }
        self._output_names = {
            name: [tensor.name for tensor in model.outputs] for name, model in self._models.items()
        }
        self._hbm_descs = dict(zip(paths, self._runtime.file_descriptions, strict=True))
        self._files = _files_by_model(sources, list(self._models), self._library)
        self._typed_models: Models | None = None
        self._schedule = Schedule(list(self._models), self._library.core_count)

    @property
    def library(self) -> _core.Library:
        """The accelerator's libraries in use.

        Its read-only attributes: ``path`` (str; the folder, '' if the loader found it),
        ``is_simulator`` (bool), ``soc_name`` (str), ``core_count`` (int; BPU cores),
        ``ucp_version`` and ``dnn_version`` (str).
        """
        return self._library

    @property
    def models(self) -> Models:
        """The loaded models as typed objects: ``models["m"].inputs["x"].shape``."""
        if self._typed_models is None:
            self._typed_models = models_of(self._models.values(), self._files)
        return self._typed_models

    @property
    def model_names(self) -> list[str]:
        """Names of the loaded models, in load order."""
        return list(self._models)

    @property
    def model_count(self) -> int:
        """Number of loaded models."""
        return len(self._models)

    @property
    def model_descs(self) -> dict[str, str]:
        """``{model: description}`` as the compiler put it into the model; '' without one."""
        return {name: model.description for name, model in self._models.items()}

    @property
    def hbm_descs(self) -> dict[str, str]:
        """``{path as given: description of the file}``; '' without one."""
        return dict(self._hbm_descs)

    @property
    def compile_bpu_core_num(self) -> dict[str, int]:
        """``{model: number of BPU cores}`` that one run of it was compiled for, 1 to 4."""
        return {name: model.core_count for name, model in self._models.items()}

    @property
    def input_counts(self) -> dict[str, int]:
        """``{model: number of inputs}``."""
        return {name: len(names) for name, names in self._input_names.items()}

    @property
    def input_names(self) -> dict[str, list[str]]:
        """``{model: [input, …]}`` in the order of the model."""
        return {name: list(names) for name, names in self._input_names.items()}

    @property
    def input_descs(self) -> dict[str, dict[str, str]]:
        """``{model: {input: description}}``; '' without one."""
        return self._of_inputs(_description)

    @property
    def input_shapes(self) -> dict[str, dict[str, list[int]]]:
        """``{model: {input: dimensions}}`` in elements; -1 where any size goes."""
        return self._of_inputs(_shape)

    @property
    def input_dtypes(self) -> dict[str, dict[str, hbDNNDataType]]:
        """``{model: {input: data type}}``; ``run`` takes arrays of exactly this type."""
        return self._of_inputs(_data_type)

    @property
    def input_quants(self) -> dict[str, dict[str, QuantParams]]:
        """``{model: {input: quantisation}}``."""
        return self._of_inputs(_quantization)

    @property
    def input_strides(self) -> dict[str, dict[str, list[int]]]:
        """``{model: {input: bytes per step of each dimension}}`` in device memory.

        Rows may be padded; -1 where ``run`` fills them in. The arrays given to ``run`` need not
        have these strides.
        """
        return self._of_inputs(_strides)

    @property
    def input_aligned_byte_sizes(self) -> dict[str, dict[str, int]]:
        """``{model: {input: bytes}}`` in device memory, padding included; -1 where dynamic."""
        return self._of_inputs(_aligned_byte_size)

    @property
    def output_counts(self) -> dict[str, int]:
        """``{model: number of outputs}``."""
        return {name: len(names) for name, names in self._output_names.items()}

    @property
    def output_names(self) -> dict[str, list[str]]:
        """``{model: [output, …]}`` in the order of the model."""
        return {name: list(names) for name, names in self._output_names.items()}

    @property
    def output_descs(self) -> dict[str, dict[str, str]]:
        """``{model: {output: description}}``; '' without one."""
        return self._of_outputs(_description)

    @property
    def output_shapes(self) -> dict[str, dict[str, list[int]]]:
        """``{model: {output: dimensions}}`` in elements; -1 where they depend on the inputs."""
        return self._of_outputs(_shape)

    @property
    def output_dtypes(self) -> dict[str, dict[str, hbDNNDataType]]:
        """``{model: {output: data type}}``."""
        return self._of_outputs(_data_type)

    @property
    def output_quants(self) -> dict[str, dict[str, QuantParams]]:
        """``{model: {output: quantisation}}``; ``run`` returns the stored values."""
        return self._of_outputs(_quantization)

    @property
    def output_strides(self) -> dict[str, dict[str, list[int]]]:
        """``{model: {output: bytes per step of each dimension}}``; rows may be padded."""
        return self._of_outputs(_strides)

    @property
    def output_aligned_byte_sizes(self) -> dict[str, dict[str, int]]:
        """``{model: {output: bytes}}`` in device memory; the most a dynamic output may need."""
        return self._of_outputs(_aligned_byte_size)

    @property
    def sched_params(self) -> dict[str, SchedParam]:
        """``{model: scheduling parameters}``; copies, so that changing them changes nothing."""
        return self._schedule.as_dict()

    def set_scheduling_params(
        self,
        priority: Mapping[str, int] | None = None,
        bpu_cores: Mapping[str, Sequence[int]] | None = None,
        custom_id: Mapping[str, int] | None = None,
        device_id: Mapping[str, int] | None = None,
    ) -> None:
        """Set the scheduling parameters of models from the next run on; all or nothing.

        Args:
            priority: ``{model: 0 to 255}``, higher first.
            bpu_cores: ``{model: core numbers}``; ``[]`` or ``[-1]`` leaves the choice to the
                scheduler.
            custom_id: ``{model: number}``, 64 bits; among equal priorities the smaller runs first.
            device_id: ``{model: device}``; reserved, 0.

        Raises:
            HBMInputError: A model is unknown, a priority out of range or a core not on the chip;
                nothing was changed.
        """
        self._schedule.update(priority, bpu_cores, custom_id, device_id)

    def run(
        self,
        input: Inputs = _NOT_GIVEN,
        model_name: str | None = None,
        priority: Mapping[str, int] | int | None = None,
        bpu_cores: Mapping[str, Sequence[int]] | Sequence[int] | None = None,
        custom_id: Mapping[str, int] | int | None = None,
        device_id: Mapping[str, int] | int | None = None,
        *,
        timeout: float | None = None,
        dense: bool = False,
        **named: Inputs,
    ) -> dict[str, dict[str, Array]]:
        """Run one or more models and wait for their outputs.

        Args:
            input: An array for a model with one input, ``{input: array}``, or
                ``{model: {input: array}}``. Data type and shape must be the model's; any
                strides will do.
            model_name: The model, where several are loaded; filters the third form.
            priority: For this call only, ``{model: value}`` or one value for all.
            bpu_cores: For this call only, likewise.
            custom_id: For this call only, likewise.
            device_id: For this call only, likewise.
            timeout: Seconds until the outputs must be there; None waits as long as it takes.
            dense: Return C-contiguous arrays: outputs with padded rows are copied together.
            **named: The input under a name of the manual's: ``input_tensor``,
                ``input_tensors`` or ``multi_input_tensors``.

        Returns:
            Outputs by model and by name, in the order of the models. The arrays are writable views
            of device memory, padded where the model pads; they stay valid for as long as they are
            held.

        Raises:
            HBMInputError: A name, data type, shape or parameter does not fit the model.
            HBMTimeoutError: The time is over; the task was cancelled.
            HBMTaskError: The accelerator failed.
            HBMMemoryError: The accelerator has no memory left.
        """
        given = _the_input(input, named)
        if model_name is not None:
            check_model_name(model_name, list(self._models), "model_name")
        if not isinstance(dense, (bool, np.bool_)):
            raise HBMInputError(f"dense: expected True or False, got {shown(dense)}")
        arranged = arrange(given, model_name, self._input_names)
        schedule = self._schedule.for_call(
            list(arranged), priority, bpu_cores, custom_id, device_id
        )
        requests = [
            (self._indices[name], arrays, schedule[name]) for name, arrays in arranged.items()
        ]
        try:
            outputs = self._runtime.run(requests, check_timeout(timeout))
        finally:
            forward_log_lines()
        if dense:
            outputs = [[np.ascontiguousarray(array) for array in arrays] for arrays in outputs]
        return {
            name: dict(zip(self._output_names[name], arrays, strict=True))
            for name, arrays in zip(arranged, outputs, strict=True)
        }

    def _of_inputs(self, read: Callable[[_core.TensorInfo], T]) -> dict[str, dict[str, T]]:
        return {
            name: {tensor.name: read(tensor) for tensor in model.inputs}
            for name, model in self._models.items()
        }

    def _of_outputs(self, read: Callable[[_core.TensorInfo], T]) -> dict[str, dict[str, T]]:
        return {
            name: {tensor.name: read(tensor) for tensor in model.outputs}
            for name, model in self._models.items()
        }


def _files_by_model(
    sources: Sequence[SourceFile], names: Sequence[str], library: _core.Library
) -> dict[str, SourceFile]:
    """Return which file each model is from, as far as it can be told."""
    if len(sources) == 1:
        return dict.fromkeys(names, sources[0])
    if not library.is_simulator:
        return {}
    return {
        model.name: source
        for source in sources
        for model in simulator_file.read(source.path).models
    }


def _the_input(input: Any, named: dict[str, Any]) -> Any:
    """Return run's one input, which may have any of the manual's names."""
    unknown = [name for name in named if name not in _INPUT_KEYWORDS]
    if unknown:
        raise HBMInputError(
            f"run() got an unknown argument {unknown[0]!r}; it takes {', '.join(_INPUT_KEYWORDS)}, "
            f"model_name, priority, bpu_cores, custom_id, device_id, timeout and dense"
        )
    given = [*([] if input is _NOT_GIVEN else [input]), *named.values()]
    if len(given) != 1:
        raise HBMInputError(f"run() takes exactly one input argument, got {len(given)}")
    return given[0]


def _description(tensor: _core.TensorInfo) -> str:
    return tensor.description


def _shape(tensor: _core.TensorInfo) -> list[int]:
    return tensor.shape


def _strides(tensor: _core.TensorInfo) -> list[int]:
    return tensor.strides


def _aligned_byte_size(tensor: _core.TensorInfo) -> int:
    return tensor.aligned_byte_size


def _data_type(tensor: _core.TensorInfo) -> hbDNNDataType:
    return hbDNNDataType(tensor.data_type)


def _quantization(tensor: _core.TensorInfo) -> QuantParams:
    return QuantParams(
        scale=tensor.scale,
        zero_point=tensor.zero_point,
        quant_type=hbDNNQuantiType(tensor.quanti_type),
        axis=tensor.quantize_axis,
    )
