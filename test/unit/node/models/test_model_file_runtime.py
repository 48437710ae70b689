# SPDX-License-Identifier: Apache-2.0
"""Model files that are open: renewed and closed, also at the same time."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from hbm_runtime import HBMError
from hbm_runtime_ros.models.model_file_runtime import ModelFileRuntime, close_files

PATIENCE = 20.0  # seconds; only reached by a failing test


class Runtime:
    """A runtime of one model that remembers how often it was closed."""

    def __init__(self, content_hash: str) -> None:
        self.model_names = ("m",)
        self.models = {"m": SimpleNamespace(content_hash=content_hash)}
        self.closed = 0

    def close(self, timeout: float) -> None:
        self.closed += 1


class Opener:
    """Opens runtimes; from the second on when it is told to."""

    def __init__(self) -> None:
        self.made: list[Runtime] = []
        self.asked = threading.Event()
        self.go = threading.Event()
        self.content_hash = "a"

    def __call__(self, path: str, **how: Any) -> Any:
        if self.made:
            self.asked.set()
            assert self.go.wait(PATIENCE)
        self.made.append(Runtime(self.content_hash))
        return self.made[-1]


def until_closed(runtime: Runtime) -> None:
    for _ in range(1000):
        if runtime.closed:
            return
        threading.Event().wait(0.005)
    raise AssertionError("not closed")


def test_a_broken_runtime_is_replaced_and_closed() -> None:
    load = Opener()
    file = ModelFileRuntime("m.hbm", load)
    load.go.set()
    file.renew(load.made[0])  # type: ignore[arg-type]
    assert file.runtime is load.made[1]
    until_closed(load.made[0])
    assert load.made[1].closed == 0


def test_who_comes_second_gets_what_the_first_made() -> None:
    load = Opener()
    file = ModelFileRuntime("m.hbm", load)
    load.go.set()
    for _ in range(2):
        file.renew(load.made[0])  # type: ignore[arg-type]
    assert len(load.made) == 2


def test_a_file_that_was_changed_is_refused_and_what_was_loaded_is_closed() -> None:
    load = Opener()
    file = ModelFileRuntime("m.hbm", load)
    load.go.set()
    load.content_hash = "b"
    with pytest.raises(HBMError, match=r"m\.hbm is another file .* call ~/reload"):
        file.renew(load.made[0])  # type: ignore[arg-type]
    assert file.runtime is load.made[0]
    until_closed(load.made[1])


def test_what_is_made_anew_while_the_file_is_closed_is_closed_too_and_nothing_twice() -> None:
    load = Opener()
    file = ModelFileRuntime("m.hbm", load)
    renewing = threading.Thread(target=file.renew, args=(load.made[0],), daemon=True)
    renewing.start()
    assert load.asked.wait(PATIENCE)
    assert close_files([file], PATIENCE)
    load.go.set()
    renewing.join(PATIENCE)
    until_closed(load.made[1])
    assert [runtime.closed for runtime in load.made] == [1, 1]


def test_a_runtime_that_does_not_close_is_left_to_itself_in_time() -> None:
    load = Opener()
    file = ModelFileRuntime("m.hbm", load)
    never = threading.Event()
    load.made[0].close = lambda timeout: never.wait(PATIENCE)  # type: ignore[method-assign, assignment]
    assert not close_files([file], 0.05)
    never.set()
