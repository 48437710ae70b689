# SPDX-License-Identifier: Apache-2.0
"""Python's log records on their way into the ROS log."""

from __future__ import annotations

import logging

import pytest

from hbm_runtime._texts import MOST_IN_MESSAGE
from hbm_runtime_ros.ros import log_bridge


class FakeLogger:
    """Remembers what a ROS logger was told."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def __getattr__(self, severity: str) -> object:
        return lambda text: self.lines.append((severity, text))


@pytest.mark.parametrize("severity", ["debug", "info", "warning", "error"])
def test_a_record_keeps_its_severity_and_is_formatted(severity: str) -> None:
    logger = FakeLogger()
    handler = log_bridge.RosLogHandler(logger)
    level = getattr(logging, severity.upper())
    handler.handle(logging.LogRecord("x", level, __file__, 1, "%d %s", (3, "cores"), None))
    assert logger.lines == [(severity, "3 cores")]


def test_a_record_is_one_line_whatever_is_in_it() -> None:
    logger = FakeLogger()
    handler = log_bridge.RosLogHandler(logger)
    hostile = "\n[FATAL] all is lost\x1b[31m" + "x" * 1_000_000
    handler.handle(logging.LogRecord("x", logging.INFO, __file__, 1, "%s", (hostile,), None))
    ((_, text),) = logger.lines
    assert text.isprintable()
    assert text.startswith(r"\n[FATAL] all is lost\x1b[31m")
    assert len(text) <= MOST_IN_MESSAGE
