# SPDX-License-Identifier: Apache-2.0
"""The inference node: its life cycle, and the wiring of all other rooms."""

from __future__ import annotations

from hbm_runtime._renamed import forward

__getattr__ = forward(__name__, f"{__name__}.inference_node")
