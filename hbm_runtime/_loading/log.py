# SPDX-License-Identifier: Apache-2.0
"""Moves the accelerator's log lines into Python's logging."""

from __future__ import annotations

import logging

from hbm_runtime import _core
from hbm_runtime._texts import one_line

_logger = logging.getLogger("hbm_runtime.accelerator")
# The vendor's levels: 0 trace, 1 debug, 2 info, 3 warning, 4 error, 5 critical.
_LEVELS = (
    logging.DEBUG,
    logging.DEBUG,
    logging.INFO,
    logging.WARNING,
    logging.ERROR,
    logging.CRITICAL,
)


def forward_log_lines() -> None:
    """Log what the accelerator has said since the last call; cheap when it said nothing."""
    if _core.has_log_lines():
        for level, text in _core.take_log_lines():
            _logger.log(_LEVELS[min(max(level, 0), len(_LEVELS) - 1)], "%s", one_line(text))
