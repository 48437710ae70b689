# SPDX-License-Identifier: Apache-2.0
"""The old name of `hbm_runtime.telemetry.prometheus`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hbm_runtime._renamed import forward

__getattr__: Callable[[str], Any] = forward(__name__, "hbm_runtime.telemetry.prometheus")
