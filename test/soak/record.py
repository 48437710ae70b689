# SPDX-License-Identifier: Apache-2.0
"""How futures ended, and what went wrong, from all threads."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import CancelledError

from hbm_runtime import HBMBusyError, HBMClosedError, HBMTaskError, HBMTimeoutError

MOST_KEPT = 50


class CallbackRefusal(Exception):
    """What some callbacks of the soak raise, so that it must become the future's."""


#: What a run may end with beside a result, by the documentation.
DOCUMENTED = (
    CancelledError,
    HBMBusyError,
    HBMClosedError,
    HBMTaskError,
    HBMTimeoutError,
    CallbackRefusal,
)


class Record:
    """Counts of outcomes and of operations, and violations; any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.operations: Counter[str] = Counter()
        self.outcomes: Counter[str] = Counter()
        self.violations: list[str] = []

    def operation(self, name: str) -> None:
        """An operation was done."""
        with self._lock:
            self.operations[name] += 1

    def result(self, problem: str = "") -> None:
        """A run gave a result; `problem` says what is wrong with it."""
        with self._lock:
            self.outcomes["wrong result" if problem else "result"] += 1
        if problem:
            self.violation(problem)

    def error(self, error: BaseException, allowed: tuple[type[BaseException], ...]) -> None:
        """A run ended with an exception; one that is not allowed is a violation."""
        with self._lock:
            self.outcomes[type(error).__name__] += 1
        if not isinstance(error, allowed):
            self.violation(f"{type(error).__name__} instead of a result: {error}")

    def violation(self, text: str) -> None:
        """Something that must not happen."""
        with self._lock:
            if len(self.violations) < MOST_KEPT:
                self.violations.append(text)
