# SPDX-License-Identifier: Apache-2.0
"""Lets several nodes of one process share the runtimes of the same model files."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

from hbm_runtime import HB_HBMRuntime

_FileAndOptions = tuple[str, tuple[tuple[str, Any], ...]]


@dataclass
class _Shared:
    runtime: HB_HBMRuntime
    key: _FileAndOptions
    users: int = 0


class SharedRuntimes:
    """A factory for `InferenceNode(load=…)` that opens each file once for all its nodes.

    A runtime is closed when the last node has given it back. Thread-safe.

    Example:
        >>> load = SharedRuntimes()  # InferenceNode("left", load=load), InferenceNode("right", …)
        >>> left, right = load("eye.hbm"), load("eye.hbm")
        >>> left is right
        True
        >>> load.give_back(left, timeout=1.0)
        >>> right.closed
        False
        >>> load.give_back(right, timeout=1.0)
        >>> right.closed
        True
    """

    def __init__(self) -> None:
        """Start without runtimes."""
        # held while a file is opened: others that want the same one must wait for it anyway
        self._opening = threading.Lock()
        self._lock = threading.Lock()
        self._current: dict[_FileAndOptions, _Shared] = {}
        self._given: dict[int, _Shared] = {}

    def __call__(self, path: str, **how: Any) -> HB_HBMRuntime:
        """Open a file, or share the runtime of it that is open.

        Args:
            path: Of the model file.
            how: Keyword arguments of HB_HBMRuntime.

        Returns:
            The runtime, to be given back.

        Raises:
            HBMError: If the file cannot be loaded.
        """
        return self._take((path, tuple(sorted(how.items()))), None)

    def renew(self, broken: HB_HBMRuntime) -> HB_HBMRuntime:
        """Open the file of a runtime again; all that hold the same one get the same new one.

        Args:
            broken: From this factory; it is still to be given back.

        Returns:
            Another runtime, to be given back.

        Raises:
            HBMError: If the file cannot be loaded.
        """
        with self._lock:
            key = self._given[id(broken)].key
        return self._take(key, broken)

    def give_back(self, runtime: HB_HBMRuntime, timeout: float) -> None:
        """Be done with a runtime.

        Args:
            runtime: From this factory.
            timeout: Seconds for its runs, if nobody else uses it.
        """
        with self._lock:
            shared = self._given[id(runtime)]
            shared.users -= 1
            if shared.users:
                return
            del self._given[id(runtime)]
            if self._current.get(shared.key) is shared:
                del self._current[shared.key]
        runtime.close(timeout)

    def _take(self, key: _FileAndOptions, unwanted: HB_HBMRuntime | None) -> HB_HBMRuntime:
        with self._opening:
            with self._lock:
                shared = self._current.get(key)
                if shared is not None and shared.runtime is not unwanted:
                    shared.users += 1
                    return shared.runtime
            path, how = key
            shared = _Shared(HB_HBMRuntime(path, **dict(how)), key, users=1)
            with self._lock:
                self._current[key] = shared
                self._given[id(shared.runtime)] = shared
            return shared.runtime
