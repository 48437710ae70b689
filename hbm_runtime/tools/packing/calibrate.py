# SPDX-License-Identifier: Apache-2.0
"""Scales of integer outputs, from the user or from what real inputs make the network put out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import ModelProto

from hbm_runtime.tools.errors import ToolError
from hbm_runtime.tools.packing import Progress, engine
from hbm_runtime.tools.packing.options import OutputQuantization
from hbm_runtime.tools.packing.quantize import checked_axis
from hbm_runtime.tools.packing.real_input import RealInput

Array = npt.NDArray[Any]

# The largest stored value after calibration. int32 keeps to 24 bits, which float32 holds exactly.
_FULL_SCALE = {"int8": 127, "int16": 32767, "int32": (1 << 24) - 1}


def output_scales(
    model: ModelProto,
    wanted: Mapping[str, OutputQuantization],
    samples: RealInput | None,
    progress: Progress,
) -> dict[str, tuple[float, ...]]:
    """The scales of every integer output: those given, the others calibrated.

    Args:
        model: the network with fixed shapes, as its ONNX inputs feed it.
        wanted: by output.
        samples: real inputs, None without.
        progress: called with text, samples done and samples in all.

    Raises:
        ToolError: scales are missing and there are no real inputs, or they do not fit.
    """
    values = {value.name: value for value in model.graph.output}
    missing: dict[str, OutputQuantization] = {}
    scales: dict[str, tuple[float, ...]] = {}
    for name, quantization in wanted.items():
        checked_axis(values[name], quantization)
        if quantization.scales:
            scales[name] = quantization.scales
        else:
            missing[name] = quantization
    if missing:
        if samples is None:
            names = ", ".join(missing)
            raise ToolError(
                f"--output-type gives no scale for {names}; write the scale there"
                " (NAME=int8:0.05), or give real inputs with --calibrate (a folder of pictures or"
                " an .npz file)"
            )
        scales.update(_calibrated(model, samples, missing, progress))
    return scales


def _calibrated(
    model: ModelProto,
    samples: RealInput,
    wanted: Mapping[str, OutputQuantization],
    progress: Progress,
) -> dict[str, tuple[float, ...]]:
    loaded = engine.load_for("--calibrate", model, "the model")
    values = {value.name: value for value in model.graph.output}
    largest: dict[str, Array] = {}
    for index, sample in enumerate(samples):
        progress("calibrating outputs", index, len(samples))
        outputs = loaded.run(sample.source)
        for name, quantization in wanted.items():
            axis = checked_axis(values[name], quantization)
            real = np.abs(outputs[name].astype(np.float64))
            others = tuple(index for index in range(real.ndim) if index != axis)
            peak = real.max(axis=others if axis is not None else None)
            largest[name] = np.maximum(largest.get(name, 0.0), np.atleast_1d(peak))
    scales: dict[str, tuple[float, ...]] = {}
    for name, peak in largest.items():
        if not np.isfinite(peak).all() or peak.max() <= 0:
            raise ToolError(f"{samples.path}: output {name!r} is zero throughout, or not finite")
        peak = np.where(peak > 0, peak, peak.max())  # a silent channel borrows the loudest's range
        scales[name] = tuple((peak / _FULL_SCALE[wanted[name].data_type]).tolist())
    return scales
