# SPDX-License-Identifier: Apache-2.0
"""Callbacks whose exceptions are told and end nothing."""

from __future__ import annotations

import inspect
from types import SimpleNamespace
from typing import Any

from hbm_runtime_ros.ros.safe_callbacks import safe_callback


def node(errors: list[str], running: bool = True) -> Any:
    """What is needed of a node."""
    return SimpleNamespace(
        context=SimpleNamespace(ok=lambda: running),
        get_logger=lambda: SimpleNamespace(error=lambda text, **_: errors.append(text)),
    )


def fail(message: int) -> None:
    raise ValueError("surprise")


def test_what_a_callback_returns_is_returned_and_its_signature_seen() -> None:
    wrapped = safe_callback(node([]), lambda message: message + 1)
    assert wrapped(3) == 4
    assert list(inspect.signature(wrapped).parameters) == ["message"]


def test_an_exception_is_told_with_its_place() -> None:
    errors: list[str] = []
    assert safe_callback(node(errors), fail)(1) is None
    (text,) = errors
    assert "fail raised" in text
    assert "ValueError: surprise" in text


def test_what_fails_because_ros_has_been_shut_down_is_no_defect() -> None:
    errors: list[str] = []
    safe_callback(node(errors, running=False), fail)(1)
    assert not errors


def test_what_an_exception_says_cannot_pass_for_a_log_line() -> None:
    def fail() -> None:
        raise ValueError("surprise\n[FATAL] all is lost\x1b[31m")

    errors: list[str] = []
    safe_callback(node(errors), fail)()
    first, *rest = errors[0].split("\n")
    assert first.endswith("fail raised")
    assert all(line.startswith("  ") and line.isprintable() for line in rest)
