# SPDX-License-Identifier: Apache-2.0
"""The compiled core of hbm_runtime; use the package's own classes instead."""

from __future__ import annotations

import collections.abc
import typing

import numpy
import numpy.typing

__all__: list[str] = [
    "DeviceMemory",
    "Histogram",
    "Library",
    "Model",
    "Plan",
    "Runtime",
    "Scheduling",
    "TensorInfo",
    "Trace",
    "dequantize",
    "has_log_lines",
    "load",
    "pybind11_version",
    "quantize",
    "take_log_lines",
]

class Library:
    """The accelerator's libhbucp.so and libdnn.so."""
    @staticmethod
    def open(folder: str) -> Library:
        """Open the pair in a folder, or with '' where the loader finds it."""
    @property
    def core_count(self) -> int:
        """BPU cores of the chip."""
    @property
    def dnn_version(self) -> str:
        """Version of libdnn.so."""
    @property
    def is_simulator(self) -> bool:
        """Whether this is the simulator."""
    @property
    def path(self) -> str:
        """The folder; '' if the loader chose."""
    @property
    def soc_name(self) -> str:
        """Name of the chip; '' if the library does not tell."""
    @property
    def ucp_version(self) -> str:
        """Version of libhbucp.so."""

class DeviceMemory:
    """Device memory that arrays are views of."""
    @staticmethod
    def __new__(type, *args, **kwargs):
        """Create and return a new object.  See help(type) for accurate signature."""

class TensorInfo:
    """One input or output of a model."""
    @property
    def aligned_byte_size(self) -> int:
        """-1 where dynamic."""
    @property
    def data_type(self) -> int:
        """A number of hbDNNDataType."""
    @property
    def description(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def quanti_type(self) -> int: ...
    @property
    def quantize_axis(self) -> int: ...
    @property
    def scale(self) -> numpy.typing.NDArray[numpy.float32]: ...
    @property
    def shape(self) -> list[int]:
        """Elements; -1 where dynamic."""
    @property
    def strides(self) -> list[int]:
        """Bytes; -1 where dynamic."""
    @property
    def zero_point(self) -> numpy.typing.NDArray[numpy.int32]: ...

class Model:
    """One loaded model."""
    @property
    def core_count(self) -> int:
        """Cores that it was compiled for."""
    @property
    def description(self) -> str: ...
    @property
    def inputs(self) -> list[TensorInfo]: ...
    @property
    def name(self) -> str: ...
    @property
    def outputs(self) -> list[TensorInfo]: ...

class Scheduling:
    """Checked parameters of one run of one model."""
    def __init__(
        self,
        priority: typing.SupportsInt | typing.SupportsIndex,
        custom_id: typing.SupportsInt | typing.SupportsIndex,
        bpu_cores: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex],
        device_id: typing.SupportsInt | typing.SupportsIndex,
        model: Model,
        core_count: typing.SupportsInt | typing.SupportsIndex,
        timeout: typing.SupportsFloat | typing.SupportsIndex | None = None,
        max_wait: typing.SupportsFloat | typing.SupportsIndex | None = None,
    ) -> None:
        """Check them against a chip of that many cores; times in seconds."""

class Histogram:
    """Durations in ns, counted for their quantiles."""
    def __init__(self) -> None: ...
    def add(self, ns: typing.SupportsInt | typing.SupportsIndex) -> None: ...
    def summary(self) -> tuple[typing.Any, ...]:
        """(count, sum, p50, p90, p99, max, (below 2^12 ns, below 2^13 ns, …))."""

class Trace:
    """Recorder of a runtime's runs."""
    def __init__(self) -> None: ...
    def start(self, capacity: typing.SupportsInt | typing.SupportsIndex) -> None:
        """Record at most this many runs from now."""
    def stop(self) -> dict[str, typing.Any]:
        """End the recording; columns by name, times in ns of CLOCK_MONOTONIC."""
    @property
    def on(self) -> bool: ...

class Plan:
    """Models with how they are scheduled."""
    def __init__(self, entries: list[typing.Any]) -> None:
        """From (Model, Scheduling) tuples."""

class Runtime:
    """Runs models."""
    def __init__(self, library: Library) -> None: ...
    def plain_runner(self, arg0: Plan) -> typing.Any: ...
    def run(
        self,
        plan: Plan,
        items: list[typing.Any],
        timeout: typing.SupportsFloat | typing.SupportsIndex | None = None,
    ) -> dict[str, typing.Any]:
        """Run (model index, arrays, Scheduling or None) tuples together; timeout in seconds."""

def dequantize(
    stored: numpy.ndarray,
    stored_type: typing.SupportsInt | typing.SupportsIndex,
    real: numpy.ndarray,
    real_type: typing.SupportsInt | typing.SupportsIndex,
    quanti_type: typing.SupportsInt | typing.SupportsIndex,
    axis: typing.SupportsInt | typing.SupportsIndex,
    scale: typing.Annotated[numpy.typing.ArrayLike, numpy.float32],
    zero_point: typing.Annotated[numpy.typing.ArrayLike, numpy.int32],
) -> None:
    """Fill `real`, which must not overlap `stored`."""

def has_log_lines() -> bool:
    """Whether take_log_lines would return anything."""

def load(library: Library, files: collections.abc.Sequence[str]) -> tuple[typing.Any, ...]:
    """Load files together: (list of Model, list of the files' descriptions)."""

def quantize(
    real: numpy.ndarray,
    real_type: typing.SupportsInt | typing.SupportsIndex,
    stored: numpy.ndarray,
    stored_type: typing.SupportsInt | typing.SupportsIndex,
    quanti_type: typing.SupportsInt | typing.SupportsIndex,
    axis: typing.SupportsInt | typing.SupportsIndex,
    scale: typing.Annotated[numpy.typing.ArrayLike, numpy.float32],
    zero_point: typing.Annotated[numpy.typing.ArrayLike, numpy.int32],
) -> None:
    """Fill `stored`, which must not overlap `real`."""

def take_log_lines() -> list[typing.Any]:
    """Take the accelerator's log lines as (level, text); 3 is a warning, 4 an error."""

pybind11_version: str = "3.1"
