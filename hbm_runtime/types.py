# SPDX-License-Identifier: Apache-2.0
"""The manual's value types: data types, quantisation parameters, scheduling parameters."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt


class _NamedInt(IntEnum):
    """An enumeration that equals its integers and prints as ``Class.NAME`` on every Python."""

    def __str__(self) -> str:
        return f"{type(self).__name__}.{self.name}"

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)


class hbDNNDataType(_NamedInt):
    """Data type of a tensor's elements; equals its integer, which is the accelerator's.

    Attributes:
        S4: Signed, -8 to 7, two in a byte; see ``pack_four_bit``.
        U4: Unsigned, 0 to 15, two in a byte; see ``pack_four_bit``.
        S8: int8.
        U8: uint8.
        F16: float16.
        S16: int16.
        U16: uint16.
        F32: float32.
        S32: int32.
        U32: uint32.
        F64: float64.
        S64: int64.
        U64: uint64.
        BOOL8: bool.
        MAX: How many there are; no tensor has it.

    Examples:
        >>> from hbm_runtime import HB_HBMRuntime, hbDNNDataType
        >>> HB_HBMRuntime("model.hbm").input_dtypes["plus"]["x"] is hbDNNDataType.F32
        True
        >>> print(hbDNNDataType(3), hbDNNDataType.U8 == 3)
        hbDNNDataType.U8 True
    """

    S4 = 0
    U4 = 1
    S8 = 2
    U8 = 3
    F16 = 4
    S16 = 5
    U16 = 6
    F32 = 7
    S32 = 8
    U32 = 9
    F64 = 10
    S64 = 11
    U64 = 12
    BOOL8 = 13
    MAX = 14


class hbDNNQuantiType(_NamedInt):
    """How a tensor is quantised; equals its integer.

    Attributes:
        NONE: Not at all.
        SCALE: By scales and zero points; see ``QuantParams``.

    Examples:
        >>> from hbm_runtime import HB_HBMRuntime, hbDNNQuantiType
        >>> quant = HB_HBMRuntime("model.hbm").output_quants["plus"]["y"]
        >>> quant.quant_type is hbDNNQuantiType.NONE
        True
    """

    NONE = 0
    SCALE = 1


@dataclass(eq=False)
class QuantParams:
    """Quantisation of one tensor: real value = (stored - zero_point) × scale.

    Attributes:
        scale: float32 of shape [n]; n is 0 when not quantised, 1 for the whole tensor, or
            shape[axis] along an axis.
        zero_point: int32 of shape [n], or [0] when all are zero.
        quant_type: ``hbDNNQuantiType.NONE`` or ``SCALE``.
        axis: Axis of per-axis scales; negative or 0 where it has no meaning.

    Examples:
        >>> import numpy as np
        >>> from hbm_runtime import QuantParams, dequantize, hbDNNQuantiType
        >>> scale = np.array([0.5, 0.25], np.float32)
        >>> quant = QuantParams(scale, quant_type=hbDNNQuantiType.SCALE, axis=1)
        >>> dequantize(np.array([[4, 4]], np.int8), quant).tolist()
        [[2.0, 1.0]]
    """

    scale: npt.NDArray[np.float32] = field(default_factory=lambda: np.empty(0, np.float32))
    zero_point: npt.NDArray[np.int32] = field(default_factory=lambda: np.empty(0, np.int32))
    quant_type: hbDNNQuantiType = hbDNNQuantiType.NONE
    axis: int = 0

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, QuantParams):
            return NotImplemented
        return (
            self.quant_type == other.quant_type
            and self.axis == other.axis
            and np.array_equal(self.scale, other.scale)
            and np.array_equal(self.zero_point, other.zero_point)
        )


@dataclass
class SchedParam:
    """Scheduling parameters.

    As ``sched_params`` returns them the fields are one model's values; as the argument of
    ``set_scheduling_params`` they may be filled with ``{model: value}`` dicts instead.

    Attributes:
        priority: 0 to 255, higher first.
        customId: Among equal priorities the smaller first, e.g. a time stamp or frame number.
        bpu_cores: Core numbers; ``[-1]`` leaves the choice to the scheduler.
        deviceId: Reserved, 0.

    Examples:
        >>> from hbm_runtime import HB_HBMRuntime
        >>> rt = HB_HBMRuntime("model.hbm")
        >>> rt.set_scheduling_params(priority={"plus": 200}, bpu_cores={"plus": [0]})
        >>> rt.sched_params["plus"]
        SchedParam(priority=200, customId=0, bpu_cores=[0], deviceId=0)
    """

    priority: Any = 0
    customId: Any = 0
    bpu_cores: Any = field(default_factory=lambda: [-1])
    deviceId: Any = 0
