# SPDX-License-Identifier: Apache-2.0
"""Loaded models and their tensors as typed, read-only objects, with JSON and hashes."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeVar, overload

import numpy as np
import numpy.typing as npt

from hbm_runtime import _core, quantization
from hbm_runtime._checks import or_a_loaded_model
from hbm_runtime._data_types import NUMPY_DTYPES, storage_shape
from hbm_runtime._source_file import SourceFile
from hbm_runtime._texts import did_you_mean, shown
from hbm_runtime.errors import HBMInputError, HBMModelError
from hbm_runtime.types import QuantParams, hbDNNDataType, hbDNNQuantiType

__all__ = ["SCHEMA_VERSION", "Model", "Models", "Tensor", "Tensors", "json_schema"]

#: Of the documents that ``to_dict`` and ``to_json`` give.
SCHEMA_VERSION = 1

_SCHEMA_FILE = Path(__file__).with_name("schema") / "model.schema.json"
# KServe has no 4-bit types: their bytes are what a client would send.
_KSERVE_TYPES = {
    hbDNNDataType.S4: "UINT8",
    hbDNNDataType.U4: "UINT8",
    hbDNNDataType.S8: "INT8",
    hbDNNDataType.U8: "UINT8",
    hbDNNDataType.F16: "FP16",
    hbDNNDataType.S16: "INT16",
    hbDNNDataType.U16: "UINT16",
    hbDNNDataType.F32: "FP32",
    hbDNNDataType.S32: "INT32",
    hbDNNDataType.U32: "UINT32",
    hbDNNDataType.F64: "FP64",
    hbDNNDataType.S64: "INT64",
    hbDNNDataType.U64: "UINT64",
    hbDNNDataType.BOOL8: "BOOL",
}

Real = TypeVar("Real", np.float32, np.float64)


class _NotThereError(HBMInputError, KeyError, IndexError):
    """An unknown name or index: what mappings and sequences raise, and this package, too."""

    __str__ = HBMInputError.__str__  # KeyError's shows the message in quotes


@dataclass(frozen=True)
class Tensor:
    """One input or output of a model; read-only.

    The accelerator tells no layout (NHWC, NCHW): shape, strides and quantisation are all there is.

    Attributes:
        name: Name in the model.
        description: The compiler's; '' without one.
        shape: Dimensions in elements; -1 where any size goes, or where it depends on the inputs.
        dtype: Data type of the elements.
        strides: Bytes per step of each dimension in device memory; -1 where ``run`` chooses them.
        aligned_byte_size: Bytes in device memory with all padding; -1 where dynamic, for a dynamic
            output the most that it may need.
    """

    name: str
    description: str
    shape: tuple[int, ...]
    dtype: hbDNNDataType
    strides: tuple[int, ...]
    aligned_byte_size: int
    _quant: QuantParams = field(repr=False)
    _model: str = field(repr=False)
    _side: Literal["input", "output"] = field(repr=False)

    def __hash__(self) -> int:
        return hash((self._model, self._side, self.name, self.dtype, self.shape))

    def __repr__(self) -> str:
        quant = self._quant
        text = "NONE"
        if quant.quant_type == hbDNNQuantiType.SCALE:
            count = quant.scale.size
            text = f"{count} scales along axis {quant.axis}" if count > 1 else "1 scale"
        return (
            f"Tensor({self.name!r}, {self.dtype.name}, shape={self.shape}, "
            f"strides={self.strides}, quant={text})"
        )

    @property
    def quant(self) -> QuantParams:
        """Quantisation; a copy."""
        quant = self._quant
        return QuantParams(
            quant.scale.copy(), quant.zero_point.copy(), quant.quant_type, quant.axis
        )

    @property
    def numpy_dtype(self) -> np.dtype[Any]:
        """Data type of the arrays that ``run`` takes and returns; uint8 for ``S4`` and ``U4``."""
        return NUMPY_DTYPES[self.dtype]

    @property
    def storage_shape(self) -> tuple[int, ...]:
        """Shape of the arrays that ``run`` takes and returns: two 4-bit elements make a byte."""
        return storage_shape(self.shape, self.dtype)

    @property
    def is_dynamic(self) -> bool:
        """Whether a dimension may have any size."""
        return -1 in self.shape

    @overload
    def dequantize(self, array: npt.NDArray[Any], out: None = None) -> npt.NDArray[np.float32]: ...
    @overload
    def dequantize(self, array: npt.NDArray[Any], out: npt.NDArray[Real]) -> npt.NDArray[Real]: ...
    def dequantize(
        self, array: npt.NDArray[Any], out: npt.NDArray[Any] | None = None
    ) -> npt.NDArray[Any]:
        """Return the real values of this tensor's stored ones; see ``hbm_runtime.dequantize``.

        Args:
            array: Stored values, as ``run`` returns them.
            out: float32 or float64 array of the tensor's shape to fill.

        Raises:
            HBMInputError: The array is not this tensor's, or the tensor holds truth values.
        """
        try:
            stored = np.asarray(array)
            self._check_shape(stored.shape, self.storage_shape)
            length = None
            if self.storage_shape != self.shape and self.shape[-1] >= 0:
                length = self.shape[-1]
            real: npt.NDArray[Any] = quantization.dequantize(
                array, self._quant, out, dtype=self.dtype, length=length
            )
        except HBMInputError as error:
            raise self._named(error) from None
        return real

    def quantize(
        self, array: npt.NDArray[Any], out: npt.NDArray[Any] | None = None
    ) -> npt.NDArray[Any]:
        """Return real values as this tensor stores them; see ``hbm_runtime.quantize``.

        Args:
            array: Real values of the tensor's shape.
            out: Array to fill, of ``numpy_dtype`` and ``storage_shape``.

        Raises:
            HBMInputError: The array is not this tensor's, or the tensor holds truth values.
        """
        try:
            self._check_shape(np.shape(array), self.shape)
            return quantization.quantize(array, self._quant, self.dtype, out)
        except HBMInputError as error:
            raise self._named(error) from None

    def to_dict(self) -> dict[str, Any]:
        """Return all of it in the types of JSON."""
        return {
            "name": self.name,
            "description": self.description,
            "dtype": self.dtype.name,
            "numpy_dtype": self.numpy_dtype.name,
            "shape": list(self.shape),
            "strides": list(self.strides),
            "aligned_byte_size": self.aligned_byte_size,
            "is_dynamic": self.is_dynamic,
            "quant": {
                "type": hbDNNQuantiType(self._quant.quant_type).name,
                "axis": int(self._quant.axis),
                "scale": [_json_number(value) for value in self._quant.scale.tolist()],
                "zero_point": self._quant.zero_point.tolist(),
            },
        }

    def _check_shape(self, got: tuple[int, ...], expected: tuple[int, ...]) -> None:
        fits = len(got) == len(expected) and all(
            a == b or b == -1 for a, b in zip(got, expected, strict=True)
        )
        if not fits:
            dynamic = " (-1: any)" if -1 in expected else ""
            raise HBMInputError(f"expected shape {list(expected)}{dynamic}, got {list(got)}")

    def _named(self, error: HBMInputError) -> HBMInputError:
        return HBMInputError(
            f"model {self._model!r}, {self._side} {self.name!r}: {error}",
            model=self._model,
            tensor=self.name,
        )


class Tensors(Mapping[str, Tensor]):
    """The inputs or the outputs of a model, by name and by index.

    A mapping from names to tensors in the model's order, that also takes an index:
    ``inputs["data_y"]``, ``inputs[0]``, ``outputs[-1]``.
    """

    def __init__(self, tensors: Iterable[Tensor], what: str = "tensors") -> None:
        self._tensors = tuple(tensors)
        self._by_name = {tensor.name: tensor for tensor in self._tensors}
        self._what = what

    def __getitem__(self, key: str | int) -> Tensor:
        if isinstance(key, str):
            if key in self._by_name:
                return self._by_name[key]
            raise _NotThereError(f"{self._what}: there is no {key!r}{did_you_mean(key, self)}")
        try:
            return self._tensors[key]
        except (IndexError, TypeError):
            raise _NotThereError(
                f"{self._what}: expected a name or an index below {len(self._tensors)}, got "
                f"{shown(key)}"
            ) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def __hash__(self) -> int:
        return hash(self._tensors)

    def __repr__(self) -> str:
        return f"Tensors({list(self._tensors)})"


@dataclass(frozen=True)
class Model:
    """One loaded model; read-only.

    It stays as it is when the model is unloaded or reloaded: ask the runtime for the new one.

    Attributes:
        name: Name in its file.
        description: The compiler's; '' without one.
        core_count: BPU cores that one run of it was compiled for, 1 to 4.
        inputs: By name and by index.
        outputs: By name and by index.
    """

    name: str
    description: str
    core_count: int
    inputs: Tensors
    outputs: Tensors
    _source: SourceFile | None = field(repr=False, compare=False)

    def __repr__(self) -> str:
        return (
            f"Model({self.name!r}, inputs={list(self.inputs)}, outputs={list(self.outputs)}, "
            f"core_count={self.core_count})"
        )

    @property
    def file(self) -> str | None:
        """Path of its file, as given; None if the accelerator does not tell which one it is."""
        return None if self._source is None else self._source.path

    @cached_property
    def metadata_hash(self) -> str:
        """SHA-256 of all that ``to_dict`` tells but file and hashes, in hexadecimal digits.

        Of the canonical JSON: keys sorted, no white space, ASCII. Models with equal hashes look
        alike from outside, whatever they compute.
        """
        text = json.dumps(self._metadata(), sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def content_hash(self) -> str:
        """SHA-256 of the file's SHA-256 (32 bytes) followed by the name in UTF-8, hexadecimal.

        Reads the whole file when first asked for, once for all models in it, while other threads
        run on.

        Raises:
            HBMModelError: The file is gone or was changed since it was loaded, or it is unknown
                which of several files holds the model.
        """
        if self._source is None:
            raise HBMModelError(
                f"model {self.name!r}: the accelerator does not tell which of the files loaded "
                f"together holds it; load them one by one for content hashes",
                model=self.name,
            )
        try:
            digest = self._source.digest
        except HBMModelError as error:
            raise HBMModelError(f"model {self.name!r}: {error}", model=self.name) from error
        return hashlib.sha256(digest + self.name.encode()).hexdigest()

    def to_dict(self, *, content_hash: bool = False) -> dict[str, Any]:
        """Return all of it in the types of JSON, as the schema describes it.

        Args:
            content_hash: Tell it, too, which may have to read the file.
        """
        return {
            **self._metadata(),
            "file": self.file,
            "metadata_hash": self.metadata_hash,
            **({"content_hash": self.content_hash} if content_hash else {}),
        }

    def to_json(self, *, content_hash: bool = False, indent: int | None = None) -> str:
        """Return ``to_dict`` as JSON text.

        Args:
            content_hash: Tell it, too, which may have to read the file.
            indent: Spaces per level; everything on one line when not given.
        """
        return _to_json(self.to_dict(content_hash=content_hash), indent)

    def to_kserve(self) -> dict[str, Any]:
        """Return the model metadata response of the KServe (Open Inference) protocol, version 2.

        Its shapes are those of the arrays that ``run`` takes and returns; 4-bit tensors, which the
        protocol does not have, are given as ``UINT8``.
        """

        def describe(tensors: Tensors) -> list[dict[str, Any]]:
            return [
                {
                    "name": tensor.name,
                    "datatype": _KSERVE_TYPES[tensor.dtype],
                    "shape": list(tensor.storage_shape),
                }
                for tensor in tensors.values()
            ]

        return {
            "name": self.name,
            "platform": "hbm_runtime",
            "inputs": describe(self.inputs),
            "outputs": describe(self.outputs),
        }

    def _metadata(self) -> dict[str, Any]:
        return {
            "schema_version": SCHEMA_VERSION,
            "name": self.name,
            "description": self.description,
            "core_count": self.core_count,
            "inputs": [tensor.to_dict() for tensor in self.inputs.values()],
            "outputs": [tensor.to_dict() for tensor in self.outputs.values()],
        }


class Models(Mapping[str, Model]):
    """The loaded models by name, in load order; read-only."""

    def __init__(self, models: Iterable[Model]) -> None:
        self._models = {model.name: model for model in models}

    def __getitem__(self, name: str) -> Model:
        if name in self._models:
            return self._models[name]
        raise _NotThereError(
            f"model {shown(name)} is not loaded{or_a_loaded_model(name, list(self))}",
            model=name if isinstance(name, str) else None,
        )

    def __iter__(self) -> Iterator[str]:
        return iter(self._models)

    def __len__(self) -> int:
        return len(self._models)

    def __contains__(self, name: object) -> bool:
        return name in self._models

    def __repr__(self) -> str:
        return f"Models({list(self._models.values())})"

    def to_dict(self, *, content_hash: bool = False) -> dict[str, Any]:
        """Return all models in the types of JSON, as the schema describes it.

        Args:
            content_hash: Tell those, too, which may have to read the files.
        """
        models = [model.to_dict(content_hash=content_hash) for model in self.values()]
        return {"schema_version": SCHEMA_VERSION, "models": models}

    def to_json(self, *, content_hash: bool = False, indent: int | None = None) -> str:
        """Return ``to_dict`` as JSON text.

        Args:
            content_hash: Tell those, too, which may have to read the files.
            indent: Spaces per level; everything on one line when not given.
        """
        return _to_json(self.to_dict(content_hash=content_hash), indent)


def json_schema() -> dict[str, Any]:
    """Return the JSON schema (2020-12) of ``to_dict``, of one model and of several."""
    schema: dict[str, Any] = json.loads(_SCHEMA_FILE.read_text(encoding="utf-8"))
    return schema


def models_of(
    core_models: Iterable[_core.LoadedModel], files_by_model: Mapping[str, SourceFile | str]
) -> Models:
    """Return the typed objects of what the core tells.

    Args:
        core_models: As ``_core.Runtime.models`` gives them.
        files_by_model: The file of each model; made as a SourceFile before it was loaded, so that
            a change in between is noticed. Models without one have no content hash.
    """
    sources: dict[str, SourceFile] = {}  # the models of one file share one

    def source_of(model: str) -> SourceFile | None:
        file = files_by_model.get(model)
        if isinstance(file, str):
            if file not in sources:
                sources[file] = SourceFile(file)
            return sources[file]
        return file

    return Models(
        Model(
            model.name,
            model.description,
            model.core_count,
            _tensors(model, "input"),
            _tensors(model, "output"),
            source_of(model.name),
        )
        for model in core_models
    )


def _tensors(model: _core.LoadedModel, side: Literal["input", "output"]) -> Tensors:
    return Tensors(
        (
            Tensor(
                info.name,
                info.description,
                tuple(info.shape),
                hbDNNDataType(info.data_type),
                tuple(info.strides),
                info.aligned_byte_size,
                QuantParams(
                    info.scale,
                    info.zero_point,
                    hbDNNQuantiType(info.quanti_type),
                    info.quantize_axis,
                ),
                model.name,
                side,
            )
            for info in (model.inputs if side == "input" else model.outputs)
        ),
        f"{side}s of model {model.name!r}",
    )


def _json_number(value: float) -> float | str:
    """Return what JSON can hold: it has no infinities and no NaN."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _to_json(document: dict[str, Any], indent: int | None) -> str:
    return json.dumps(document, ensure_ascii=False, allow_nan=False, indent=indent)
