# SPDX-License-Identifier: Apache-2.0
"""Neural-network inference on D-Robotics BPU robots, and on a simulated accelerator anywhere."""

from __future__ import annotations

import importlib.util

if importlib.util.find_spec("hbm_runtime._core") is None:  # in the source folder
    from hbm_runtime._find_core import find_core

    find_core()

from hbm_runtime._calling.calls import RunResult
from hbm_runtime._loading.preemption import PRIORITY_PREEMPT, PRIORITY_URGENT
from hbm_runtime.binding import Binding
from hbm_runtime.errors import (
    HBMBusyError,
    HBMClosedError,
    HBMError,
    HBMInputError,
    HBMLibraryError,
    HBMMemoryError,
    HBMModelError,
    HBMTaskError,
    HBMTimeoutError,
)
from hbm_runtime.four_bit import pack_four_bit, unpack_four_bit
from hbm_runtime.futures import RunFuture
from hbm_runtime.quantization import dequantize, quantize
from hbm_runtime.runtime import HB_HBMRuntime
from hbm_runtime.telemetry.statistics import StageTimes, Statistics
from hbm_runtime.telemetry.trace import Trace
from hbm_runtime.types import QuantParams, SchedParam, hbDNNDataType, hbDNNQuantiType

__all__ = [
    "PRIORITY_PREEMPT",
    "PRIORITY_URGENT",
    "Binding",
    "HBMBusyError",
    "HBMClosedError",
    "HBMError",
    "HBMInputError",
    "HBMLibraryError",
    "HBMMemoryError",
    "HBMModelError",
    "HBMTaskError",
    "HBMTimeoutError",
    "HB_HBMRuntime",
    "QuantParams",
    "RunFuture",
    "RunResult",
    "SchedParam",
    "StageTimes",
    "Statistics",
    "Trace",
    "dequantize",
    "hbDNNDataType",
    "hbDNNQuantiType",
    "pack_four_bit",
    "quantize",
    "unpack_four_bit",
]
