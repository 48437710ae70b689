# SPDX-License-Identifier: Apache-2.0
"""HB_HBMRuntime: loads models and runs them, as the vendor's manual describes it and beyond."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Union

import numpy as np
import numpy.typing as npt

from hbm_runtime import _core
from hbm_runtime._calling.calls import (
    MISSING,
    Results,
    as_requested,
    model_calls,
    single_input,
)
from hbm_runtime._calling.device_buffers import input_buffers, output_buffers
from hbm_runtime._calling.future_settler import PATIENCE, FutureSettler
from hbm_runtime._calling.inputs import only_or_named_model
from hbm_runtime._checks import (
    check_callback,
    check_count,
    check_flag,
    check_model_name,
    check_timeout,
    check_when_full,
)
from hbm_runtime._loading.library import open_library
from hbm_runtime._loading.loaded_models import ModelLoader
from hbm_runtime._loading.log import forward_log_lines
from hbm_runtime._loading.model_paths import check_paths, path_text
from hbm_runtime._loading.version import VersionProperty
from hbm_runtime._metadata import Metadata
from hbm_runtime._one_of_a_kind import OneOfAKind
from hbm_runtime.binding import Binding
from hbm_runtime.errors import HBMClosedError, HBMInputError
from hbm_runtime.futures import RunFuture
from hbm_runtime.telemetry.statistics import Statistics, from_snapshot
from hbm_runtime.telemetry.trace import MAX_RUNS, Trace

Array = npt.NDArray[Any]
Inputs = Array | Mapping[str, Array | Mapping[str, Array]]
PathLike = Union[str, "os.PathLike[str]"]
Shapes = Mapping[str, Sequence[int]]


class HB_HBMRuntime(OneOfAKind, Metadata):
    """One or more models, loaded from ``.hbm`` files and ready to run.

    Any number of threads may call ``run`` on one object. All properties are read-only; what they
    return are copies in plain types, in the order of ``model_names``, ``input_names`` and
    ``output_names``.

    Args:
        model_file: Path of a model file (str or PathLike), or a list or tuple of paths.
        model_files: The same under the manual's second name.
        library: Folder with ``libhbucp.so`` and ``libdnn.so``; see ``doc/configuration.md`` for
            what is used when it is not given.
        max_in_flight: How many asynchronous runs may be unfinished at once, 1 to 2147483647. Each
            holds device memory for its inputs and outputs.

    Raises:
        HBMInputError: The argument is no path and no list of paths, or the list is empty.
        HBMModelError: A file is missing, damaged or made for another accelerator.
        HBMLibraryError: The accelerator's libraries, or the simulator's engine, are missing.
        HBMMemoryError: The accelerator has no room for the models.

    Examples:
        >>> import numpy as np
        >>> from hbm_runtime import HB_HBMRuntime
        >>> with HB_HBMRuntime("model.hbm") as rt:
        ...     print(rt.model_names, rt.input_shapes)
        ...     outputs = rt.run(np.zeros((1, 4), np.float32), timeout=5.0)["plus"]
        ['plus'] {'plus': {'x': [1, 4]}}
        >>> outputs["y"].tolist()
        [[1.0, 1.0, 1.0, 1.0]]
    """

    version: VersionProperty = VersionProperty()
    """Version of the accelerator's library ``libdnn.so``, a str that may also be called.

    On an object it is that of its own libraries, on the class that of those found by default;
    there it raises HBMLibraryError if there are none.
    """

    _instead = (
        "it holds models on the accelerator; share it between threads, and make one from the model "
        "files in each process"
    )

    def __init__(
        self,
        model_file: PathLike | Sequence[PathLike] | None = None,
        model_files: PathLike | Sequence[PathLike] | None = None,
        *,
        library: PathLike | None = None,
        max_in_flight: int = 64,
    ) -> None:
        if (model_file is None) == (model_files is None):
            raise HBMInputError("pass either model_file or model_files")
        paths = check_paths(model_files if model_file is None else model_file)
        self._library = open_library(library)
        self._in_flight = _core.RunLimit(check_count(max_in_flight, "max_in_flight"))
        self._runtime = _core.Runtime(self._library)
        self._settler = FutureSettler(self._in_flight)
        self._closed = False
        self._is_closing = False
        self._closing = threading.Lock()
        self._loader = ModelLoader(self._library, self._runtime)
        self._loader.load(paths, first_wins=True)

    @property
    def library(self) -> _core.Library:
        """The accelerator's libraries in use.

        Its read-only attributes: ``path`` (str; the folder, '' if the loader found it),
        ``is_simulator`` (bool), ``soc_name`` (str; the board's name, such as
        "D-Robotics RDK S100P V1P0", in which a program looks for "S100P", then "S600", then
        "S100"), ``core_count`` (int; BPU cores), ``ucp_version`` and ``dnn_version`` (str).
        """
        return self._library

    def set_scheduling_params(
        self,
        priority: Mapping[str, int] | None = None,
        bpu_cores: Mapping[str, Sequence[int]] | None = None,
        custom_id: Mapping[str, int] | None = None,
        device_id: Mapping[str, int] | None = None,
        *,
        timeout: Mapping[str, float | None] | None = None,
        max_wait_ms: Mapping[str, float | None] | None = None,
    ) -> None:
        """Set the scheduling parameters of models from the next run on; all or nothing.

        Args:
            priority: ``{model: 0 to 255}``, higher first.
            bpu_cores: ``{model: core numbers}``; ``[]`` or ``[-1]`` leaves the choice to the
                scheduler.
            custom_id: ``{model: number}``, 64 bits; among equal priorities the smaller runs first.
            device_id: ``{model: device}``; reserved, 0.
            timeout: ``{model: seconds}`` for calls that give none; None waits as long as it takes.
            max_wait_ms: ``{model: milliseconds}`` after which a waiting task goes before all
                others of this process, whatever their priority; None for never.

        Raises:
            HBMInputError: A model is unknown, a priority out of range or a core not on the chip;
                nothing was changed.
        """
        self._loader.update(
            {
                "priority": priority,
                "bpu_cores": bpu_cores,
                "custom_id": custom_id,
                "device_id": device_id,
                "timeout": timeout,
                "max_wait_ms": max_wait_ms,
            }
        )

    def run(
        self,
        input: Inputs = MISSING,
        model_name: str | None = None,
        priority: Mapping[str, int] | int | None = None,
        bpu_cores: Mapping[str, Sequence[int]] | Sequence[int] | None = None,
        custom_id: Mapping[str, int] | int | None = None,
        device_id: Mapping[str, int] | int | None = None,
        *,
        timeout: float | None = None,
        dense: bool = False,
        timing: bool = False,
        **named: Inputs,
    ) -> Results:
        """Run one or more models and wait for their outputs.

        Args:
            input: An array for a model with one input, ``{input: array}``, or
                ``{model: {input: array}}``. Data type and shape must be the model's; any
                strides will do. An array in device memory (``input_buffers``, or an output of
                another run) is not copied if the accelerator can read it where it lies. Other
                objects with the buffer protocol or DLPack are taken like arrays.
            model_name: The model, where several are loaded; filters the third form.
            priority: For this call only, ``{model: value}`` or one value for all.
            bpu_cores: For this call only, ``{model: core numbers}`` or the core numbers for all.
            custom_id: For this call only, ``{model: value}`` or one value for all.
            device_id: For this call only, ``{model: value}`` or one value for all.
            timeout: Seconds until the outputs must be there, the wait for a place included; None
                for the models' own (``set_scheduling_params``), which is none by default.
            dense: Return C-contiguous arrays: outputs with padded rows are copied together.
            timing: Return a ``RunResult``, a dict with the attribute ``timing``: ``{model:
                StageTimes}``.
            **named: The input under a name of the manual's: ``input_tensor``,
                ``input_tensors`` or ``multi_input_tensors``.

        Returns:
            Outputs by model and by name, in the order of the models. The arrays are writable views
            of device memory, padded where the model pads; they stay valid for as long as they are
            held.

        Raises:
            HBMInputError: A name, data type, shape or parameter does not fit the model.
            HBMTimeoutError: The time is over; the task is abandoned and the model ready for the
                next run.
            HBMTaskError: The accelerator failed.
            HBMMemoryError: The accelerator has no memory left.
            HBMClosedError: The runtime was closed.
        """
        snapshot = self._loader.snapshot
        if (
            model_name is None
            and priority is None
            and bpu_cores is None
            and custom_id is None
            and device_id is None
            and timeout is None
            and dense is False
            and timing is False
            and not named
        ):
            results = snapshot.fast_path(input)
            if results is not NotImplemented:
                return results  # type: ignore[no-any-return]
        self._check_open()
        changes = _changes(priority, bpu_cores, custom_id, device_id)
        items = model_calls(snapshot, single_input(input, named, "run"), model_name, changes)
        dense, timing = check_flag(dense, "dense"), check_flag(timing, "timing")
        results, times = self._runtime.run(snapshot.plan, items, check_timeout(timeout))
        return as_requested(results, times, dense, timing, self._runtime)

    def run_async(
        self,
        input: Inputs = MISSING,
        model_name: str | None = None,
        priority: Mapping[str, int] | int | None = None,
        bpu_cores: Mapping[str, Sequence[int]] | Sequence[int] | None = None,
        custom_id: Mapping[str, int] | int | None = None,
        device_id: Mapping[str, int] | int | None = None,
        *,
        timeout: float | None = None,
        dense: bool = False,
        timing: bool = False,
        callback: Callable[[Results], object] | None = None,
        when_full: str = "wait",
        **named: Inputs,
    ) -> RunFuture:
        """Start a run and return at once.

        The inputs are copied before this returns: the caller may change or drop them. Arrays in
        device memory are held, not copied; do not write to them before the future is done.

        Args:
            input: An array for a model with one input, ``{input: array}``, or
                ``{model: {input: array}}``, as ``run`` takes it.
            model_name: The model, where several are loaded; filters the third form.
            priority: For this call only, ``{model: value}`` or one value for all.
            bpu_cores: For this call only, ``{model: core numbers}`` or the core numbers for all.
            custom_id: For this call only, ``{model: value}`` or one value for all.
            device_id: For this call only, ``{model: value}`` or one value for all.
            timeout: Seconds until the outputs must be there, counted from this call.
            dense: Return C-contiguous arrays: outputs with padded rows are copied together.
            timing: Return a ``RunResult``, a dict with the attribute ``timing``.
            callback: Called with the results before the future ends, on the completion thread or
                on one that waits for the future without a time-out. What it raises becomes the
                future's error.
                It should not take long: other futures of this runtime wait for it.
            when_full: What to do when ``max_in_flight`` runs are unfinished: ``"wait"`` until one
                is done, within the time-out, or ``"raise"`` HBMBusyError. On the thread of an
                event loop use ``"raise"``.
            **named: The input under a name of the manual's: ``input_tensor``,
                ``input_tensors`` or ``multi_input_tensors``.

        Returns:
            A ``concurrent.futures.Future`` of what ``run`` returns, that may also be awaited.

        Raises:
            HBMInputError: A name, data type, shape or parameter does not fit the model.
            HBMBusyError: Too many runs are unfinished and ``when_full`` is ``"raise"``.
            HBMTimeoutError: The time was over before the run could begin.
            HBMMemoryError: The accelerator has no memory left for the inputs and outputs.
            HBMClosedError: The runtime was closed.
        """
        snapshot = self._loader.snapshot
        dense, timing = check_flag(dense, "dense"), check_flag(timing, "timing")
        time_out = check_timeout(timeout)
        given = single_input(input, named, "run_async") if named or input is MISSING else input
        prepared = None
        if (
            model_name is None
            and priority is None
            and bpu_cores is None
            and custom_id is None
            and device_id is None
        ):
            prepared = _core.PendingCall(snapshot.plan, given, False)
        if prepared is None or not prepared.fits:
            changes = _changes(priority, bpu_cores, custom_id, device_id)
            items = model_calls(snapshot, given, model_name, changes)
            prepared = _core.PendingCall(snapshot.plan, items, True)
        ready = prepared

        def take(job: _core.Job) -> Results:
            results, times = ready.take_results(job)
            if not dense and not timing:
                return results  # type: ignore[no-any-return]
            return as_requested(results, times, dense, timing, self._runtime)

        def begin(number: int, wait: bool, delivering: bool) -> _core.Job:
            ended = self._settler.ended
            return ready.start(
                self._runtime, self._in_flight, ended, number, time_out, wait, delivering
            )

        future = RunFuture()
        future._take = take
        future._callback = check_callback(callback)
        return self._start(future, begin, when_full)

    def run_many(
        self,
        inputs: Iterable[Inputs],
        model_name: str | None = None,
        priority: Mapping[str, int] | int | None = None,
        bpu_cores: Mapping[str, Sequence[int]] | Sequence[int] | None = None,
        custom_id: Mapping[str, int] | int | None = None,
        device_id: Mapping[str, int] | int | None = None,
        *,
        timeout: float | None = None,
        dense: bool = False,
        timing: bool = False,
    ) -> list[Results]:
        """Run a model on many inputs, keeping all cores busy.

        At most ``max_in_flight`` runs are under way at once. When one fails, the others are
        cancelled.

        Args:
            inputs: One input of ``run`` for each run.
            model_name: The model of every run, where several are loaded.
            priority: For these runs only, ``{model: value}`` or one value for all.
            bpu_cores: For these runs only, ``{model: core numbers}`` or the core numbers for all.
            custom_id: For these runs only, ``{model: value}`` or one value for all.
            device_id: For these runs only, ``{model: value}`` or one value for all.
            timeout: Seconds until all outputs must be there.
            dense: Return C-contiguous arrays: outputs with padded rows are copied together.
            timing: Return a ``RunResult``, a dict with the attribute ``timing``.

        Returns:
            What ``run`` returns, in the order of the inputs.

        Raises:
            HBMError: The first error of a run, as ``run`` raises it.
        """
        time_out = check_timeout(timeout)
        end = None if time_out is None else time.monotonic() + time_out

        def left() -> float | None:
            return None if end is None else max(end - time.monotonic(), 0.0)

        futures: list[RunFuture] = []
        try:
            for input in inputs:
                futures.append(
                    self.run_async(
                        input,
                        model_name,
                        priority,
                        bpu_cores,
                        custom_id,
                        device_id,
                        timeout=left(),
                        dense=dense,
                        timing=timing,
                    )
                )
            return [future.result() for future in futures]
        finally:
            for future in futures:
                future.cancel()  # of those that are done nothing is left to cancel

    def input_buffers(
        self, model_name: str | None = None, shapes: Shapes | None = None
    ) -> dict[str, Array]:
        """Return device memory for a model's inputs, to write into and to run without a copy.

        Args:
            model_name: The model; may be left out if only one is loaded.
            shapes: ``{input: dimensions}`` in elements, for inputs with dynamic dimensions.

        Returns:
            ``{input: view of zeroed device memory}`` with the accelerator's strides. The memory is
            freed when the last view of it is gone.
        """
        self._check_open()
        snapshot = self._loader.snapshot
        name = only_or_named_model(model_name, list(snapshot.entries))
        return input_buffers(self._runtime, snapshot.entries[name].model, shapes)

    def bind(
        self,
        model_name: str | None = None,
        inputs: Mapping[str, Array] | None = None,
        shapes: Shapes | None = None,
        priority: int | None = None,
        bpu_cores: Sequence[int] | None = None,
        custom_id: int | None = None,
        device_id: int | None = None,
    ) -> Binding:
        """Prepare runs of one model that copy nothing and allocate nothing.

        Args:
            model_name: The model; may be left out if only one is loaded.
            inputs: ``{input: array in device memory}``, e.g. another binding's output; inputs that
                are left out get memory of their own.
            shapes: ``{input: dimensions}`` in elements, for inputs with dynamic dimensions.
            priority: For runs of this binding, instead of the model's.
            bpu_cores: Core numbers for runs of this binding, instead of the model's.
            custom_id: For runs of this binding, instead of the model's.
            device_id: For runs of this binding, instead of the model's; reserved, 0.

        Raises:
            HBMInputError: An array is no device memory or does not fit, or an output's shape is
                known only after a run.
        """
        self._check_open()
        snapshot = self._loader.snapshot
        name = only_or_named_model(model_name, list(snapshot.entries))
        model = snapshot.entries[name].model
        changes = _changes(priority, bpu_cores, custom_id, device_id)
        scheduling = snapshot.scheduling_for([name], changes)[0]
        arrays = input_buffers(self._runtime, model, shapes, inputs)
        outputs = output_buffers(self._runtime, model)
        bound = _core.BoundRun(
            self._runtime,
            snapshot.plan,
            snapshot.indices[name],
            list(arrays.values()),
            list(outputs.values()),
            scheduling,
        )
        return Binding(name, arrays, outputs, bound, self._start, self._settler, self._in_flight)

    def load(self, model_file: PathLike | Sequence[PathLike]) -> list[str]:
        """Load more models while others run.

        Args:
            model_file: Path of a model file, or a list or tuple of paths.

        Returns:
            The names of the new models.

        Raises:
            HBMInputError: A model of a name in the file is loaded already; nothing was loaded.
            HBMModelError: A file is missing, damaged or made for another accelerator; nothing was
                loaded.
        """
        self._check_open()
        return self._loader.load(check_paths(model_file), first_wins=False)

    def unload(self, model_name: str) -> None:
        """Forget a model; runs of it that are under way end as they would.

        Its memory is free when they, its bindings and the other models of its file are gone.
        """
        self._check_open()
        self._loader.unload(model_name)

    def reload(self, model_name: str, model_file: PathLike | None = None) -> None:
        """Replace a model by a new version while it runs.

        Runs that begin from now on use the new one, with the scheduling parameters of the old;
        those under way and bindings keep the old one.

        Args:
            model_name: The model.
            model_file: The file with a model of that name; None for the file that it came from.

        Raises:
            HBMModelError: The file cannot be loaded or has no model of that name; the old one
                stays.
        """
        self._check_open()
        path = None if model_file is None else check_paths(path_text(model_file, "a model file"))
        self._loader.reload(model_name, path[0] if path else None)

    def warm_up(
        self, model_name: str | None = None, runs: int = 1, shapes: Shapes | None = None
    ) -> None:
        """Run models on zeros, so that later runs find memory allocated and touched.

        Args:
            model_name: The model; all that have no dynamic inputs if left out.
            runs: How often, 1 to 2147483647.
            shapes: ``{input: dimensions}`` for a model with dynamic inputs.
        """
        self._check_open()
        count = check_count(runs, "runs")
        snapshot = self._loader.snapshot
        if model_name is not None:
            names = [check_model_name(model_name, list(snapshot.entries), "model_name")]
        else:
            names = [
                name
                for name, entry in snapshot.entries.items()
                if all(-1 not in tensor.shape for tensor in entry.model.inputs)
            ]
        for name in names:
            views = input_buffers(self._runtime, snapshot.entries[name].model, shapes)
            zeros = {input: np.array(view) for input, view in views.items()}
            for _ in range(count):
                self.run(zeros, model_name=name)

    def stats(self) -> Statistics:
        """Return what was counted and timed since the runtime was made or ``reset_stats``."""
        return from_snapshot(self._runtime.statistics())

    def reset_stats(self) -> None:
        """Count from zero."""
        self._runtime.reset_statistics()

    def trace(self, path: PathLike, max_runs: int = MAX_RUNS) -> Trace:
        """Record all runs from now on for Perfetto or ``chrome://tracing``.

        Args:
            path: The file, written by ``stop()`` or at the end of the ``with`` block.
            max_runs: How many runs to keep, 1 to 100 000 000.
        """
        self._check_open()
        return Trace(self._runtime.trace, path, max_runs)

    @property
    def closed(self) -> bool:
        """Whether ``close`` was called."""
        return self._closed

    def close(self, timeout: float | None = None) -> None:
        """Refuse new runs, wait for those under way and unload all models; may be called again.

        Arrays that were returned stay valid. Ctrl-C ends the wait: the runs under way go on, give
        their memory back at their end, and may be waited for or cancelled by another ``close``.

        Args:
            timeout: Seconds to wait for asynchronous runs, which are then cancelled; None waits
                as long as they take.
        """
        time_out = check_timeout(timeout)
        self._close(time_out, None if time_out is None else PATIENCE)

    def _close(self, time_out: float | None, patience: float | None) -> None:
        try:
            with self._closing:
                if self._is_closing:
                    return
                self._closed = self._is_closing = True
            self._refuse_new()
            is_own_process = self._settler.is_own_process()
            if is_own_process and not self._in_flight.wait_until_empty(time_out):
                self._settler.cancel_all()
            self._settler.retire()
            self._settler.join(patience)
        except BaseException:  # Ctrl-C; the next close waits again
            self._is_closing = False
            self._let_go()
            raise
        self._let_go()

    def _refuse_new(self) -> None:
        if self._settler.is_own_process():
            self._in_flight.close()
        self._loader.close()

    def _let_go(self) -> None:
        """Give everything back as soon as the runs under way have ended, without a wait."""
        self._refuse_new()
        self._settler.retire()
        self._runtime.close()
        forward_log_lines()

    def __enter__(self) -> HB_HBMRuntime:
        """Return the runtime, to be closed at the end of the block."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the runtime; after an error without waiting for runs under way."""
        if kind is None:
            self._close(None, None)
        else:  # Ctrl-C waits for no callback, either
            self._close(0, PATIENCE if issubclass(kind, Exception) else 0)

    def _check_open(self) -> None:
        if self._closed:
            raise HBMClosedError("the runtime is closed; make a new HB_HBMRuntime")

    def _start(
        self, future: RunFuture, begin: Callable[[int, bool, bool], _core.Job], when_full: str
    ) -> RunFuture:
        wait = check_when_full(when_full)
        self._check_open()
        try:
            return self._settler.start(
                future, lambda number, delivering: begin(number, wait, delivering)
            )
        finally:
            forward_log_lines()


def _changes(priority: Any, bpu_cores: Any, custom_id: Any, device_id: Any) -> dict[str, Any]:
    return {
        "priority": priority,
        "bpu_cores": bpu_cores,
        "custom_id": custom_id,
        "device_id": device_id,
    }
