# SPDX-License-Identifier: Apache-2.0
"""Neural-network inference on D-Robotics BPU robots, and on a simulated accelerator anywhere."""

from __future__ import annotations

from hbm_runtime.errors import (
    HBMError,
    HBMInputError,
    HBMLibraryError,
    HBMMemoryError,
    HBMModelError,
    HBMTaskError,
    HBMTimeoutError,
)
from hbm_runtime.four_bit import pack_four_bit, unpack_four_bit
from hbm_runtime.quantization import dequantize, quantize
from hbm_runtime.runtime import HB_HBMRuntime
from hbm_runtime.types import QuantParams, SchedParam, hbDNNDataType, hbDNNQuantiType

__all__ = [
    "HBMError",
    "HBMInputError",
    "HBMLibraryError",
    "HBMMemoryError",
    "HBMModelError",
    "HBMTaskError",
    "HBMTimeoutError",
    "HB_HBMRuntime",
    "QuantParams",
    "SchedParam",
    "dequantize",
    "hbDNNDataType",
    "hbDNNQuantiType",
    "pack_four_bit",
    "quantize",
    "unpack_four_bit",
]
