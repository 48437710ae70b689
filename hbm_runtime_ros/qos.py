# SPDX-License-Identifier: Apache-2.0
"""The old name of `hbm_runtime_ros.ros.qos`."""

from __future__ import annotations

from hbm_runtime._renamed import forward

__getattr__ = forward(__name__, "hbm_runtime_ros.ros.qos")
