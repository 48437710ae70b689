# SPDX-License-Identifier: Apache-2.0
"""The content of a model file as plain data, with the numbers that the format fixes."""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Union

from hbm_runtime import _core, _data_types
from hbm_runtime._data_types import FOUR_BIT, NUMPY_DTYPES
from hbm_runtime._texts import one_line
from hbm_runtime.types import hbDNNQuantiType

StrPath = Union[str, "os.PathLike[str]"]

MAGIC: bytes = _core.MODEL_FILE_MAGIC
FORMAT_VERSION: int = _core.MODEL_FILE_VERSION
MAX_METADATA_SIZE: int = _core.MODEL_FILE_MAX_METADATA_SIZE
MAX_NAME_SIZE: int = _core.MODEL_FILE_MAX_NAME_SIZE
MAX_DESCRIPTION_SIZE: int = _core.MODEL_FILE_MAX_DESCRIPTION_SIZE
MAX_CALLS: int = _core.MODEL_FILE_MAX_CALLS
MAX_LATENCY_US: int = _core.MODEL_FILE_MAX_LATENCY_US  # of a run, and of one function call

# hbDNNDataType 0..13.
DATA_TYPE_NAMES = tuple(data_type.name for data_type in NUMPY_DTYPES)
FOUR_BIT_TYPES = tuple(int(data_type) for data_type in FOUR_BIT)
# Bytes of a storage unit, which strides step over: one element, or two 4-bit elements.
ELEMENT_SIZES = tuple(dtype.itemsize for dtype in NUMPY_DTYPES.values())

QUANTI_NONE = int(hbDNNQuantiType.NONE)
QUANTI_SCALE = int(hbDNNQuantiType.SCALE)


class ModelFileError(ValueError):
    """A model file cannot be read, or its content cannot be written.

    Attributes:
        reason: "missing", "directory", "unreadable", "empty", "foreign", "truncated", "older",
            "newer" or "corrupt" from reading; "invalid" from writing.
        field: name of the offending field, e.g. `models[0].inputs[1].rank`; "" for a whole file.
        offset: its byte offset in the file, None when there is none.
    """

    def __init__(
        self, message: str, *, reason: str, field: str = "", offset: int | None = None
    ) -> None:
        super().__init__(one_line(message))
        self.reason = reason
        self.field = field
        self.offset = offset


@dataclass(frozen=True)
class TensorSpec:
    """One input or output of a model, as the accelerator reports it.

    Attributes:
        name: 1..255 bytes of UTF-8.
        data_type: hbDNNDataType, 0..13 (index of `DATA_TYPE_NAMES`).
        shape: 1..10 dimensions in elements; -1 is dynamic.
        strides: bytes to step each dimension of the storage shape; -1 is dynamic.
        aligned_byte_size: bytes of a buffer that holds the tensor, of a dynamic output at its
            largest; -1 for a dynamic input.
        description: free text.
        quanti_type: 0 none, 1 scale.
        quantize_axis: 0 without quantisation, -1 per tensor, otherwise the axis of the scales.
        scale: float32 values; real value = (stored - zero_point) * scale.
        zero_point: int32 values, as many as scales, or none (all zero).
    """

    name: str
    data_type: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    aligned_byte_size: int
    description: str = ""
    quanti_type: int = QUANTI_NONE
    quantize_axis: int = 0
    scale: tuple[float, ...] = ()
    zero_point: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for field in ("shape", "strides", "zero_point"):
            object.__setattr__(self, field, tuple(int(n) for n in getattr(self, field)))
        object.__setattr__(self, "scale", tuple(_float32(s) for s in self.scale))


@dataclass(frozen=True)
class CallSpec:
    """One function call of a model: what a core does without a chance to interrupt it.

    Attributes:
        graph: a serialised ONNX model without external data; b"" when the call only takes time.
            Its inputs are inputs of the model or outputs of earlier calls' graphs, by name.
        latency_us: microseconds that the call takes at least; 0 is as fast as the CPU computes.
    """

    graph: bytes = b""
    latency_us: int = 0


@dataclass(frozen=True, init=False)
class ModelSpec:
    """One model: its function calls and what the accelerator says of it.

    Attributes:
        name: 1..255 bytes of UTF-8, unique in the file.
        inputs: 1..64 tensors.
        outputs: 1..64 tensors, each of them an output of exactly one call's graph.
        description: free text.
        core_count: accelerator cores that one run takes at the same time, 1..4.
        max_time_per_fc_us: microseconds that a function call was to take at most; 0 when the model
            was compiled without function-call boundaries, so that no other preempts it.
        calls: 1..4096, of which one at least has a graph; exactly one without boundaries.
    """

    name: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    description: str
    core_count: int
    max_time_per_fc_us: int
    calls: tuple[CallSpec, ...]

    def __init__(
        self,
        name: str,
        graph: bytes | None = None,
        inputs: Iterable[TensorSpec] = (),
        outputs: Iterable[TensorSpec] = (),
        description: str = "",
        core_count: int = 1,
        latency_us: int | None = None,
        *,
        max_time_per_fc_us: int = 0,
        calls: Iterable[CallSpec] = (),
    ) -> None:
        """Describe a model by its `calls`, or by `graph` and `latency_us` when it has just one.

        Raises:
            ValueError: several calls, and a graph or latency beside them.
        """
        settled = tuple(calls)
        if graph is not None or latency_us is not None or not settled:
            if len(settled) > 1:
                raise ValueError(f"model {name!r} has {len(settled)} calls: give graphs there")
            only = settled[0] if settled else CallSpec()
            settled = (
                CallSpec(
                    only.graph if graph is None else graph,
                    only.latency_us if latency_us is None else latency_us,
                ),
            )
        values = (
            name, tuple(inputs), tuple(outputs), description, core_count, max_time_per_fc_us,
            settled,
        )  # fmt: skip
        for field, value in zip(fields(self), values, strict=True):
            object.__setattr__(self, field.name, value)

    @property
    def graph(self) -> bytes:
        """The graph of a model that was not cut into several.

        Raises:
            ValueError: there are several graphs; they are in `calls`.
        """
        graphs = [call.graph for call in self.calls if call.graph]
        if len(graphs) > 1:
            raise ValueError(f"model {self.name!r} is cut into {len(graphs)} graphs: see calls")
        return graphs[0] if graphs else b""

    @property
    def latency_us(self) -> int:
        """Microseconds that a run takes at least: those of all its calls."""
        return sum(call.latency_us for call in self.calls)


@dataclass(frozen=True)
class ModelFile:
    """The content of a model file: 1..64 models, a description, the march ("" runs on any)."""

    models: tuple[ModelSpec, ...]
    description: str = ""
    march: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "models", tuple(self.models))


def storage_shape(data_type: int, shape: Sequence[int]) -> tuple[int, ...]:
    """The shape in storage units: two 4-bit elements of the last dimension make a byte.

    The first of the two has the low four bits.

    Args:
        data_type: hbDNNDataType, 0..13.
        shape: 1..10 dimensions in elements; -1 is dynamic and stays so.

    Returns:
        As many dimensions.
    """
    return _data_types.storage_shape(tuple(shape), data_type)


def rows_share_bytes(data_type: int, shape: Sequence[int]) -> bool:
    """True for a 4-bit tensor that has, or may have, several rows of an odd length.

    Args:
        data_type: hbDNNDataType, 0..13.
        shape: 1..10 dimensions in elements; -1 is dynamic.
    """
    is_odd_or_dynamic = shape[-1] % 2 != 0
    return data_type in FOUR_BIT_TYPES and is_odd_or_dynamic and any(dim != 1 for dim in shape[:-1])


def _float32(number: float) -> float:
    try:
        value: float = struct.unpack("<f", struct.pack("<f", number))[0]
    except OverflowError:
        return math.inf
    return value
