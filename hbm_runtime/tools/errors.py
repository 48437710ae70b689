# SPDX-License-Identifier: Apache-2.0
"""The error of the command line: one sentence for the user, no traceback."""

from __future__ import annotations


class ToolError(Exception):
    """Bad usage or bad input of a command; `hbm` prints the sentence and exits with 2."""
