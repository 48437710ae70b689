# SPDX-License-Identifier: Apache-2.0
"""Runtimes that remember how they were opened and called."""

from __future__ import annotations

from typing import Any

from hbm_runtime import HB_HBMRuntime


class RecordingRuntime(HB_HBMRuntime):
    """The real runtime, which also remembers how it was called."""

    def __init__(self, path: str, calls: list[dict[str, Any]], **how: Any) -> None:
        super().__init__(path, **how)
        self._calls = calls

    def run(self, *inputs: Any, **how: Any) -> Any:
        self._calls.append(how)
        return super().run(*inputs, **how)


class Recorder:
    """Opens model files and remembers the runtimes and their calls."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []
        self.runtimes: list[RecordingRuntime] = []
        self.options: list[dict[str, Any]] = []

    def __call__(self, path: str, **how: Any) -> HB_HBMRuntime:
        self.options.append(how)
        self.runtimes.append(RecordingRuntime(path, self.calls, **how))
        return self.runtimes[-1]
