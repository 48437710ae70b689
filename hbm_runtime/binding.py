# SPDX-License-Identifier: Apache-2.0
"""Binding: runs of one model whose inputs and outputs stay in the same device memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy.typing as npt

from hbm_runtime import _core
from hbm_runtime._calling.future_settler import FutureSettler
from hbm_runtime._checks import check_callback, check_timeout
from hbm_runtime._one_of_a_kind import OneOfAKind
from hbm_runtime.futures import RunFuture

Array = npt.NDArray[Any]


class Binding(OneOfAKind):
    """Made by ``HB_HBMRuntime.bind``; a run of it copies nothing and allocates nothing.

    Write into ``inputs``, call ``run``, read ``outputs``: always the same arrays. One run at a
    time: a second one meanwhile raises HBMBusyError, so use one binding per thread.

    Examples:
        >>> from hbm_runtime import HB_HBMRuntime
        >>> binding = HB_HBMRuntime("model.hbm").bind()
        >>> binding.inputs["x"][:] = 1.5  # written straight into device memory
        >>> binding.run()["y"].tolist()
        [[2.5, 2.5, 2.5, 2.5]]
    """

    _instead = "its arrays are device memory for one run at a time; make another with bind()"

    def __init__(
        self,
        model_name: str,
        inputs: Mapping[str, Array],
        outputs: dict[str, Array],
        bound: _core.BoundRun,
        start: Callable[[RunFuture, Callable[[int, bool, bool], _core.Job], str], RunFuture],
        settler: FutureSettler,
        in_flight: _core.RunLimit,
    ) -> None:
        self._model_name = model_name
        self._inputs = MappingProxyType(dict(inputs))
        self._outputs = outputs
        self._bound = bound
        self._run = bound.runner(outputs)
        self._start = start
        self._settler = settler
        self._in_flight = in_flight

    @property
    def model_name(self) -> str:
        """Name of the model."""
        return self._model_name

    @property
    def inputs(self) -> Mapping[str, Array]:
        """``{input: view of device memory}``, with the accelerator's strides."""
        return self._inputs

    @property
    def outputs(self) -> dict[str, Array]:
        """``{output: view of device memory}``, valid after each run until the next begins."""
        return self._outputs

    def run(self, timeout: float | None = None) -> dict[str, Array]:
        """Run the model on what is in ``inputs``.

        Args:
            timeout: Seconds until the outputs must be there; None for the model's own.

        Returns:
            ``outputs``.

        Raises:
            HBMBusyError: This binding is running.
            HBMTimeoutError: The time is over. The next run waits until the accelerator let go of
                the memory.
            HBMTaskError: The accelerator failed.
        """
        return self._run(check_timeout(timeout))  # type: ignore[no-any-return]

    def run_async(
        self,
        timeout: float | None = None,
        *,
        callback: Callable[[dict[str, Array]], object] | None = None,
        when_full: str = "wait",
    ) -> RunFuture:
        """Start a run; the future's result is ``outputs``.

        Args:
            timeout: Seconds until the outputs must be there; None for the model's own.
            callback: Called with ``outputs`` before the future ends, as in ``run_async`` of the
                runtime.
            when_full: What to do when ``max_in_flight`` runs of the runtime are unfinished:
                ``"wait"`` until one is done, within the time-out, or ``"raise"`` HBMBusyError.
        """
        time = check_timeout(timeout)
        future = RunFuture()
        future._take = lambda job: self._outputs
        future._callback = check_callback(callback)

        def begin(number: int, wait: bool, delivering: bool) -> _core.Job:
            ended = self._settler.ended
            return self._bound.start(self._in_flight, ended, number, time, wait, delivering)

        return self._start(future, begin, when_full)
