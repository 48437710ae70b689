# SPDX-License-Identifier: Apache-2.0
"""Brings what hbm_runtime and the accelerator log into the ROS log."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from hbm_runtime._texts import one_line

if TYPE_CHECKING:
    from rclpy.impl.rcutils_logger import RcutilsLogger

ROOT = "hbm_runtime"


class RosLogHandler(logging.Handler):
    """Hands records of Python's logging to a ROS logger."""

    def __init__(self, logger: RcutilsLogger) -> None:
        super().__init__()
        self._logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        """Log a record with its severity."""
        text = one_line(record.getMessage())
        # one line per severity: rclpy keeps a severity for each line that calls it
        if record.levelno >= logging.ERROR:
            self._logger.error(text)
        elif record.levelno >= logging.WARNING:
            self._logger.warning(text)
        elif record.levelno >= logging.INFO:
            self._logger.info(text)
        else:
            self._logger.debug(text)


def forward_runtime_log(logger: RcutilsLogger) -> None:
    """Forward the log of hbm_runtime for the rest of the process.

    Args:
        logger: ROS logger; its level decides what is shown.
    """
    runtime = logging.getLogger(ROOT)
    runtime.setLevel(logging.DEBUG)
    runtime.addHandler(RosLogHandler(logger))
    runtime.propagate = False
