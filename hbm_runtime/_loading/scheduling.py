# SPDX-License-Identifier: Apache-2.0
"""Keeps each model's scheduling parameters, and merges in those of one call."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hbm_runtime import _core
from hbm_runtime._checks import check_timeout, or_a_loaded_model
from hbm_runtime._texts import shown
from hbm_runtime.errors import HBMInputError
from hbm_runtime.types import SchedParam

_INT32 = (-(2**31), 2**31 - 1)
# What the accelerator can hold of each number, and its name in SchedParam.
_NUMBERS = {
    "priority": ("priority", _INT32),
    "custom_id": ("customId", (-(2**63), 2**63 - 1)),
    "device_id": ("deviceId", (0, 2**32 - 1)),
}

Changes = Mapping[str, Any]  # parameter: {model: value} or one value for all, None to leave it


@dataclass
class ModelScheduling:
    """How one model is scheduled."""

    param: SchedParam = field(default_factory=SchedParam)
    timeout: float | None = None  # seconds for a call that gives none
    max_wait_ms: float | None = None  # until a task goes before all others

    def copy(self) -> ModelScheduling:
        """Return an independent copy."""
        return ModelScheduling(copy_of(self.param), self.timeout, self.max_wait_ms)

    def compile(self, model: _core.LoadedModel, core_count: int) -> _core.Scheduling:
        """Return the core's form; raise HBMInputError unless it fits a chip of so many cores."""
        param = self.param
        return _core.Scheduling(
            param.priority,
            param.customId,
            param.bpu_cores,
            param.deviceId,
            model,
            core_count,
            self.timeout,
            None if self.max_wait_ms is None else self.max_wait_ms / 1000,
        )


def changed(
    settings: Mapping[str, ModelScheduling], changes: Changes, *, per_model: bool
) -> dict[str, ModelScheduling]:
    """Return copies with the changes made in them.

    Args:
        settings: {model: settings}, of all models that may be named.
        changes: What to change.
        per_model: Whether every change must be a dict {model: value}.

    Raises:
        HBMInputError: A model is unknown or a value of the wrong type or out of range.
    """
    result = {name: old.copy() for name, old in settings.items()}
    for what, values in changes.items():
        if isinstance(values, Mapping):
            for name, value in values.items():
                _check_name(name, what, settings)
                _set(result[name], name, what, value)
        elif values is not None:
            if per_model:
                raise HBMInputError(
                    f"{what}: expected a dict {{model: value}}, got {type(values).__name__}"
                )
            for name, of_model in result.items():
                _set(of_model, name, what, values)
    return result


def copy_of(param: SchedParam) -> SchedParam:
    """Return an independent copy of scheduling parameters."""
    return SchedParam(param.priority, param.customId, list(param.bpu_cores), param.deviceId)


def _check_name(name: object, what: str, known: Iterable[str]) -> None:
    names = list(known)
    if name not in names:
        raise HBMInputError(
            f"Invalid model name in {what} setting: {shown(name)} is not in the loaded model "
            f"list{or_a_loaded_model(name, names)}",
            model=name if isinstance(name, str) else None,
        )


def _set(settings: ModelScheduling, model: str, what: str, value: Any) -> None:
    if what == "bpu_cores":
        cores = [_integer(core, model, what, _INT32) for core in _cores(value, model)]
        settings.param.bpu_cores = cores or [-1]
    elif what == "timeout":
        settings.timeout = check_timeout(value, f"timeout of model {model!r}")
    elif what == "max_wait_ms":
        settings.max_wait_ms = check_timeout(
            value, f"max_wait_ms of model {model!r}", "milliseconds"
        )
    else:
        name, bounds = _NUMBERS[what]
        setattr(settings.param, name, _integer(value, model, what, bounds))


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
