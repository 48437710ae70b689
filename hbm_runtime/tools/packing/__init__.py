# SPDX-License-Identifier: Apache-2.0
"""From an ONNX model to a model of the simulator, one step in each module."""

from __future__ import annotations

from collections.abc import Callable

#: Called with the name of a step, parts done and parts in all.
Progress = Callable[[str, int, int], None]
