# SPDX-License-Identifier: Apache-2.0
"""The compiled core of hbm_runtime; use the package's own classes instead."""

from __future__ import annotations

import collections.abc
import typing

import numpy
import numpy.typing

__all__: list[str] = [
    "CHIPS",
    "MODEL_FILE_MAGIC",
    "MODEL_FILE_MAX_CALLS",
    "MODEL_FILE_MAX_DESCRIPTION_SIZE",
    "MODEL_FILE_MAX_LATENCY_US",
    "MODEL_FILE_MAX_METADATA_SIZE",
    "MODEL_FILE_MAX_NAME_SIZE",
    "MODEL_FILE_VERSION",
    "BoundRun",
    "EndedJobs",
    "Histogram",
    "Job",
    "Library",
    "LoadedModel",
    "PendingCall",
    "Plan",
    "RunLimit",
    "RunTrace",
    "Runtime",
    "Scheduling",
    "TensorInfo",
    "dequantize",
    "has_log_lines",
    "input_buffer",
    "load",
    "output_buffer",
    "pybind11_version",
    "quantize",
    "read_model_file",
    "stop_jobs",
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
        """Name of the board, which contains the chip's; '' if the library does not tell."""
    @property
    def ucp_version(self) -> str:
        """Version of libhbucp.so."""

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

class LoadedModel:
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

class Histogram:
    """Durations in ns, counted for their quantiles."""
    def __init__(self) -> None: ...
    def add(self, ns: typing.SupportsInt | typing.SupportsIndex) -> None: ...
    def summary(self) -> tuple[typing.Any, ...]:
        """(count, sum, p50, p90, p99, max, (below 2^12 ns, below 2^13 ns, …))."""

class RunTrace:
    """Recorder of a runtime's runs."""
    def __init__(self) -> None: ...
    def start(self, capacity: typing.SupportsInt | typing.SupportsIndex) -> None:
        """Record at most this many runs from now."""
    def stop(self) -> dict[str, typing.Any]:
        """End the recording; columns by name, times in ns of CLOCK_MONOTONIC."""
    @property
    def on(self) -> bool: ...

class Scheduling:
    """Checked parameters of one run of one model."""
    def __init__(
        self,
        priority: typing.SupportsInt | typing.SupportsIndex,
        custom_id: typing.SupportsInt | typing.SupportsIndex,
        bpu_cores: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex],
        device_id: typing.SupportsInt | typing.SupportsIndex,
        model: LoadedModel,
        core_count: typing.SupportsInt | typing.SupportsIndex,
        timeout: typing.SupportsFloat | typing.SupportsIndex | None = None,
        max_wait: typing.SupportsFloat | typing.SupportsIndex | None = None,
    ) -> None:
        """Check them against a chip of that many cores; times in seconds."""

class Runtime:
    """Runs models."""
    def __init__(self, library: Library) -> None: ...
    def close(self) -> None:
        """Refuse new runs, and keep no idle device memory any longer."""
    def count_copied_out(
        self,
        model: str,
        copies: typing.SupportsInt | typing.SupportsIndex,
        bytes: typing.SupportsInt | typing.SupportsIndex,
    ) -> None: ...
    def fast_path(self, plan: Plan) -> typing.Any:
        """The function that runs inputs of usual forms; NotImplemented for others."""
    def forget(self, model: str) -> None:
        """Leave a model out of the statistics."""
    def reset_statistics(self) -> None: ...
    def run(
        self,
        plan: Plan,
        items: list[typing.Any],
        timeout: typing.SupportsFloat | typing.SupportsIndex | None = None,
    ) -> tuple[typing.Any, ...]:
        """Run (model index, arrays, Scheduling or None) tuples: (outputs, times in ns)."""
    def statistics(self) -> dict[str, typing.Any]:
        """Counts and times so far, see hbm_runtime.telemetry.statistics."""
    @property
    def trace(self) -> RunTrace: ...

class Plan:
    """Models with how they are scheduled."""
    def __init__(self, runtime: Runtime, entries: list[typing.Any]) -> None:
        """From (LoadedModel, Scheduling) tuples."""

class RunLimit:
    """Counts unfinished asynchronous runs."""
    def __init__(self, limit: typing.SupportsInt | typing.SupportsIndex) -> None: ...
    def close(self) -> None:
        """Refuse new runs."""
    def delivered(self) -> None:
        """The future of an ended run is settled."""
    def wait_until_empty(self, timeout: typing.SupportsFloat | typing.SupportsIndex | None) -> bool:
        """Wait for them; whether none is left."""

class EndedJobs:
    """Queue of ended jobs."""
    def __init__(self) -> None: ...
    def close(self) -> None:
        """Let take() return."""
    def put(self, number: typing.SupportsInt | typing.SupportsIndex) -> None:
        """Add one."""
    def take(self) -> int | None:
        """Wait for the number of the next one; None once it is closed and empty."""

class Job:
    """A started asynchronous run."""
    def cancel(self) -> bool:
        """Whether it will end without results."""
    def raise_error(self) -> None:
        """Raise what ended it."""
    def wait(self, timeout: typing.SupportsFloat | typing.SupportsIndex | None) -> None:
        """Wait for its end."""
    @property
    def end(self) -> str:
        """'', 'results', 'error' or 'cancelled'."""

class PendingCall:
    """An asynchronous run to start."""
    def __init__(self, plan: Plan, input: typing.Any, is_items: bool) -> None: ...
    def start(
        self,
        runtime: Runtime,
        limit: RunLimit,
        ended_jobs: EndedJobs,
        number: typing.SupportsInt | typing.SupportsIndex,
        timeout: typing.SupportsFloat | typing.SupportsIndex | None,
        wait_when_full: bool,
        delivering: bool,
    ) -> Job: ...
    def take_results(self, job: Job) -> tuple[typing.Any, ...]:
        """Once: ({model: {output: array}}, {model: (queue, copy in, execute, copy out)} in ns)."""
    @property
    def fits(self) -> bool:
        """Whether the input had a usual form; if not, it cannot be started."""

class BoundRun:
    """Runs in the same device memory."""
    def __init__(
        self,
        runtime: Runtime,
        plan: Plan,
        index: typing.SupportsInt | typing.SupportsIndex,
        inputs: list[typing.Any],
        outputs: list[typing.Any],
        scheduling: Scheduling | None,
    ) -> None: ...
    def runner(self, outputs: typing.Any) -> typing.Any:
        """The function that runs with a time-out and returns the outputs."""
    def start(
        self,
        limit: RunLimit,
        ended_jobs: EndedJobs,
        number: typing.SupportsInt | typing.SupportsIndex,
        timeout: typing.SupportsFloat | typing.SupportsIndex | None,
        wait_when_full: bool,
        delivering: bool,
    ) -> Job: ...

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

def input_buffer(
    runtime: Runtime,
    model: LoadedModel,
    index: typing.SupportsInt | typing.SupportsIndex,
    shape: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex],
) -> typing.Any:
    """Device memory for an input of that shape in elements."""

def load(library: Library, files: collections.abc.Sequence[str]) -> tuple[typing.Any, ...]:
    """Load files together: (list of LoadedModel, list of the files' descriptions)."""

def output_buffer(
    runtime: Runtime, model: LoadedModel, index: typing.SupportsInt | typing.SupportsIndex
) -> typing.Any:
    """Device memory for an output."""

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

def read_model_file(
    descriptor: typing.SupportsInt | typing.SupportsIndex, name: str, keep_graphs: bool
) -> typing.Any:
    """Return the ModelFile in an open file, or None without `keep_graphs`."""

def stop_jobs(patience: typing.SupportsFloat | typing.SupportsIndex) -> bool:
    """End asynchronous runs for good; whether the accelerator let go of all."""

def take_log_lines() -> list[typing.Any]:
    """Take the accelerator's log lines as (level, text); 3 is a warning, 4 an error."""

CHIPS: tuple[typing.Any, ...] = (
    ("S100", "nash-e", 1, 32),
    ("S100P", "nash-m", 1, 32),
    ("S600", "nash-p", 4, 64),
)
MODEL_FILE_MAGIC: bytes
MODEL_FILE_MAX_CALLS: int = 4096
MODEL_FILE_MAX_DESCRIPTION_SIZE: int = 1048576
MODEL_FILE_MAX_LATENCY_US: int = 60000000
MODEL_FILE_MAX_METADATA_SIZE: int = 67108864
MODEL_FILE_MAX_NAME_SIZE: int = 255
MODEL_FILE_VERSION: int = 2
pybind11_version: str = "3.1"
