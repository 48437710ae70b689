# SPDX-License-Identifier: Apache-2.0
"""Lets several nodes of one process share the runtimes of the same model files."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

from hbm_runtime import HB_HBMRuntime

_Key = tuple[str, tuple[tuple[str, Any], ...]]


@dataclass
class _Shared:
    runtime: HB_HBMRuntime
    key: _Key
    users: int = 0


class SharedRuntimes:
    """A factory for `InferenceNode(load=…)` that opens each file once for all its nodes.

    A runtime is closed when the last node has given it back. Thread-safe.
    """

    def __init__(self) -> None:
        """Start without runtimes."""
        # held while a file is opened: whoever wants the same one must wait for it anyway
        self._opening = threading.Lock()
        self._lock = threading.Lock()
        self._current: dict[_Key, _Shared] = {}
        self._given: dict[int, _Shared] = {}

    def __call__(self, path: str, **how: Any) -> HB_HBMRuntime:
        """Open a file, or join those who have it open.

        Args:
            path: Of the model file.
            how: For HB_HBMRuntime.

        Returns:
            The runtime, to be given back.

        Raises:
            HBMError: As HB_HBMRuntime does.
        """
        return self._take((path, tuple(sorted(how.items()))), None)

    def renew(self, broken: HB_HBMRuntime) -> HB_HBMRuntime:
        """Open the file of a runtime anew; all who hold the same one get the same new one.

        Args:
            broken: From this factory; it is still to be given back.

        Returns:
            Another runtime, to be given back.

        Raises:
            HBMError: As HB_HBMRuntime does.
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

    def _take(self, key: _Key, unwanted: HB_HBMRuntime | None) -> HB_HBMRuntime:
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
