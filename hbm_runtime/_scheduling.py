# SPDX-License-Identifier: Apache-2.0
"""Keeps each model's scheduling parameters, and merges in those of one call."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hbm_runtime import _core
from hbm_runtime._inputs import check_model_name
from hbm_runtime.errors import HBMInputError
from hbm_runtime.types import SchedParam

_INT64 = (-(2**63), 2**63 - 1)
_UINT32 = (0, 2**32 - 1)


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
                    _set(changed[check_model_name(name, self._names, f"{what} model")], what, value)
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
                    check_model_name(name, self._names, f"{what} model")
                    if name in params:
                        _set(params[name], what, value)
            elif values is not None:
                for param in params.values():
                    _set(param, what, values)
        return {name: self._compile(name, param) for name, param in params.items()}

    def _compile(self, name: str, param: SchedParam) -> _core.Scheduling:
        made = _core.Scheduling(
            _integer(param.priority, name, "priority", _INT32),
            _integer(param.customId, name, "custom_id", _INT64),
            [_integer(core, name, "bpu_cores", _INT32) for core in param.bpu_cores],
            _integer(param.deviceId, name, "device_id", _UINT32),
        )
        made.check(self._core_count, name)
        return made


_INT32 = (-(2**31), 2**31 - 1)


def _integer(value: Any, model: str, what: str, bounds: tuple[int, int]) -> int:
    try:
        number = value.__index__()
    except AttributeError:
        raise HBMInputError(
            f"{what} of model {model!r}: expected an integer, got {type(value).__name__}",
            model=model,
        ) from None
    if not bounds[0] <= number <= bounds[1]:
        raise HBMInputError(
            f"{what} of model {model!r}: {number} is out of range [{bounds[0]}, {bounds[1]}]",
            model=model,
        )
    return int(number)


def _set_cores(param: SchedParam, value: Any) -> None:
    if isinstance(value, (str, bytes)) or not isinstance(value, Sequence):
        raise HBMInputError(f"bpu_cores: expected a list of core numbers, got {value!r}")
    param.bpu_cores = list(value) or [-1]


_SETTERS: dict[str, Callable[[SchedParam, Any], None]] = {
    "priority": lambda param, value: setattr(param, "priority", value),
    "bpu_cores": _set_cores,
    "custom_id": lambda param, value: setattr(param, "customId", value),
    "device_id": lambda param, value: setattr(param, "deviceId", value),
}


def _set(param: SchedParam, what: str, value: Any) -> None:
    _SETTERS[what](param, value)


def _copy(param: SchedParam) -> SchedParam:
    return SchedParam(param.priority, param.customId, list(param.bpu_cores), param.deviceId)
