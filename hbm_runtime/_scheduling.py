# SPDX-License-Identifier: Apache-2.0
"""Keeps each model's scheduling parameters, and merges in those of one call."""

from __future__ import annotations

import operator
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hbm_runtime import _core
from hbm_runtime._inputs import did_you_mean, shown
from hbm_runtime.errors import HBMInputError
from hbm_runtime.types import SchedParam

_INT32 = (-(2**31), 2**31 - 1)
# What the accelerator can hold of each number, and its name in SchedParam.
_NUMBERS = {
    "priority": ("priority", _INT32),
    "custom_id": ("customId", (-(2**63), 2**63 - 1)),
    "device_id": ("deviceId", (0, 2**32 - 1)),
}


class Schedule:
    """Scheduling parameters of the loaded models; changed as a whole or not at all."""

    def __init__(self, models: Sequence[str], core_count: int) -> None:
        self._names = list(models)
        self._core_count = core_count
        self._lock = threading.Lock()
        self._params = {name: SchedParam() for name in models}
        self._compiled = {name: self._compile(name, SchedParam()) for name in models}

    def as_dict(self) -> dict[str, SchedParam]:
        """Return copies of the parameters in force."""
        with self._lock:
            return {name: _copy(param) for name, param in self._params.items()}

    def update(
        self,
        priority: Mapping[str, int] | None,
        bpu_cores: Mapping[str, Sequence[int]] | None,
        custom_id: Mapping[str, int] | None,
        device_id: Mapping[str, int] | None,
    ) -> None:
        """Check everything, then change everything."""
        with self._lock:
            changed = {name: _copy(param) for name, param in self._params.items()}
            for what, values in (
                ("priority", priority),
                ("bpu_cores", bpu_cores),
                ("custom_id", custom_id),
                ("device_id", device_id),
            ):
                if values is None:
                    continue
                if not isinstance(values, Mapping):
                    raise HBMInputError(
                        f"{what}: expected a dict {{model: value}}, got {type(values).__name__}"
                    )
                for name, value in values.items():
                    self._check_name(name, what)
                    _set(changed[name], name, what, value)
            compiled = {name: self._compile(name, param) for name, param in changed.items()}
            self._params, self._compiled = changed, compiled

    def for_call(
        self, models: Sequence[str], priority: Any, bpu_cores: Any, custom_id: Any, device_id: Any
    ) -> dict[str, _core.Scheduling]:
        """Return what applies to one call of run: the call over the settings over the defaults."""
        compiled = self._compiled
        if priority is None and bpu_cores is None and custom_id is None and device_id is None:
            return compiled
        params = {name: _copy(self._params[name]) for name in models}
        for what, values in (
            ("priority", priority),
            ("bpu_cores", bpu_cores),
            ("custom_id", custom_id),
            ("device_id", device_id),
        ):
            if isinstance(values, Mapping):
                for name, value in values.items():
                    self._check_name(name, what)
                    if name in params:
                        _set(params[name], name, what, value)
            elif values is not None:
                for name, param in params.items():
                    _set(param, name, what, values)
        return {name: self._compile(name, param) for name, param in params.items()}

    def _check_name(self, name: object, what: str) -> None:
        if name not in self._names:
            raise HBMInputError(
                f"Invalid model name in {what} setting: {shown(name)} is not in the loaded model "
                f"list{did_you_mean(name, self._names)}",
                model=name if isinstance(name, str) else None,
            )

    def _compile(self, name: str, param: SchedParam) -> _core.Scheduling:
        made = _core.Scheduling(param.priority, param.customId, param.bpu_cores, param.deviceId)
        made.check(self._core_count, name)
        return made


def _set(param: SchedParam, model: str, what: str, value: Any) -> None:
    if what == "bpu_cores":
        cores = [_integer(core, model, what, _INT32) for core in _cores(value, model)]
        param.bpu_cores = cores or [-1]
    else:
        field, bounds = _NUMBERS[what]
        setattr(param, field, _integer(value, model, what, bounds))


def _cores(value: Any, model: str) -> Sequence[Any]:
    is_array = isinstance(value, np.ndarray) and value.ndim == 1
    if is_array or (isinstance(value, Sequence) and not isinstance(value, (str, bytes))):
        return list(value)
    raise HBMInputError(
        f"bpu_cores of model {model!r}: expected a list of core numbers, got {shown(value)}",
        model=model,
    )


def _integer(value: Any, model: str, what: str, bounds: tuple[int, int]) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        raise HBMInputError(
            f"{what} of model {model!r}: expected an integer, got {type(value).__name__}",
            model=model,
        ) from None
    if not bounds[0] <= number <= bounds[1]:
        raise HBMInputError(
            f"{what} of model {model!r}: {shown(number)} is out of range "
            f"[{bounds[0]}, {bounds[1]}]",
            model=model,
        )
    return number


def _copy(param: SchedParam) -> SchedParam:
    return SchedParam(param.priority, param.customId, list(param.bpu_cores), param.deviceId)
