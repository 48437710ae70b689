# SPDX-License-Identifier: Apache-2.0
"""Checks of arguments that several calls of a runtime have in common."""

from __future__ import annotations

import contextlib
import numbers
from collections.abc import Sequence
from typing import Any

import numpy as np

from hbm_runtime._texts import did_you_mean, shown
from hbm_runtime.errors import HBMInputError

NO_MODEL = "no model is loaded; load one with load(path)"
MOST_COUNT = 2**31 - 1
"""The largest number of things to count, unless something smaller is said."""


def check_model_name(name: object, known: Sequence[str], what: str) -> str:
    """Return the name if such a model is loaded; raise HBMInputError if not."""
    if not isinstance(name, str):
        raise HBMInputError(f'"{what}" must be a str, got {type(name).__name__}')
    if name not in known:
        raise HBMInputError(
            f"Provided {what} {shown(name)} is not in the loaded model "
            f"list{or_a_loaded_model(name, known)}",
            model=name,
        )
    return name


def or_a_loaded_model(name: object, loaded: Sequence[str]) -> str:
    """Return the end of a message about an unknown model: which one was meant, which exist."""
    return did_you_mean(name, loaded) if loaded else f"; {NO_MODEL}"


def check_timeout(timeout: object, what: str = "timeout", unit: str = "seconds") -> float | None:
    """Return the time to wait; None waits as long as it takes."""
    if timeout is None:
        return None
    if isinstance(timeout, numbers.Real):
        with contextlib.suppress(OverflowError):
            time = float(timeout)
            if time >= 0:
                return time
    raise HBMInputError(f"{what}: expected {unit} (0 or more) or None, got {shown(timeout)}")


def check_count(value: object, what: str, most: int = MOST_COUNT) -> int:
    """Return a number from 1 to `most`, which the core can hold.

    Args:
        value: What the caller gave; Python's and numpy's integers will do.
        what: Name of the argument.
        most: The largest number that is allowed.

    Raises:
        HBMInputError: It is no integer, or out of range.
    """
    if isinstance(value, numbers.Integral) and not isinstance(value, bool):
        count = int(value)
        if 1 <= count <= most:
            return count
    raise HBMInputError(f"{what}: expected an int from 1 to {most}, got {shown(value)}")


def check_flag(value: object, what: str) -> bool:
    """Return a True or False of the caller's."""
    if value is False or value is True:
        return value
    if not isinstance(value, np.bool_):
        raise HBMInputError(f"{what}: expected True or False, got {shown(value)}")
    return bool(value)


def check_callback(callback: Any) -> Any:
    """Return what is called with a run's results, if anything is."""
    if callback is not None and not callable(callback):
        raise HBMInputError(f"callback: expected a function or None, got {shown(callback)}")
    return callback


def check_when_full(when_full: object) -> bool:
    """Return whether to wait when too many runs are unfinished."""
    if when_full not in ("wait", "raise"):
        raise HBMInputError(f'when_full: expected "wait" or "raise", got {shown(when_full)}')
    return when_full == "wait"
