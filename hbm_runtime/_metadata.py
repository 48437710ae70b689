# SPDX-License-Identifier: Apache-2.0
"""The metadata of the manual: one property each, plain copies in the order of the models."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from hbm_runtime import _core
from hbm_runtime._loading.loaded_models import ModelLoader, Snapshot
from hbm_runtime._loading.scheduling import copy_of
from hbm_runtime.models import Models
from hbm_runtime.types import QuantParams, SchedParam, hbDNNDataType, hbDNNQuantiType

T = TypeVar("T")


class Metadata:
    """What the loaded models say about themselves."""

    _loader: ModelLoader

    @property
    def _snapshot(self) -> Snapshot:
        return self._loader.snapshot

    @property
    def models(self) -> Models:
        """The loaded models as typed objects: ``models["m"].inputs["x"].shape``."""
        return self._snapshot.models

    @property
    def model_names(self) -> list[str]:
        """Names of the loaded models, in load order."""
        return list(self._snapshot.entries)

    @property
    def model_count(self) -> int:
        """Number of loaded models."""
        return len(self._snapshot.entries)

    @property
    def model_descs(self) -> dict[str, str]:
        """``{model: description}`` as the compiler put it into the model; '' without one."""
        return dict(self._snapshot.descriptions)

    @property
    def hbm_descs(self) -> dict[str, str]:
        """``{path as given: description of the file}``; '' without one."""
        return dict(self._snapshot.file_descriptions)

    @property
    def compile_bpu_core_num(self) -> dict[str, int]:
        """``{model: number of BPU cores}`` that one run of it was compiled for, 1 to 4."""
        return {name: entry.model.core_count for name, entry in self._snapshot.entries.items()}

    @property
    def input_counts(self) -> dict[str, int]:
        """``{model: number of inputs}``."""
        return {name: len(names) for name, names in self._snapshot.input_names.items()}

    @property
    def input_names(self) -> dict[str, list[str]]:
        """``{model: [input, …]}`` in the order of the model."""
        return {name: list(names) for name, names in self._snapshot.input_names.items()}

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
        return {name: len(names) for name, names in self._snapshot.output_names.items()}

    @property
    def output_names(self) -> dict[str, list[str]]:
        """``{model: [output, …]}`` in the order of the model."""
        return {name: list(names) for name, names in self._snapshot.output_names.items()}

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
        return {
            name: copy_of(entry.scheduling.param) for name, entry in self._snapshot.entries.items()
        }

    def _of_inputs(self, read: Callable[[_core.TensorInfo], T]) -> dict[str, dict[str, T]]:
        return {
            name: {tensor.name: read(tensor) for tensor in entry.model.inputs}
            for name, entry in self._snapshot.entries.items()
        }

    def _of_outputs(self, read: Callable[[_core.TensorInfo], T]) -> dict[str, dict[str, T]]:
        return {
            name: {tensor.name: read(tensor) for tensor in entry.model.outputs}
            for name, entry in self._snapshot.entries.items()
        }


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
