# SPDX-License-Identifier: Apache-2.0
"""Scales of integer outputs, from the user or from what real inputs make the network put out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import ModelProto

from hbm_runtime.tools.errors import ToolError
from hbm_runtime.tools.packing import engine
from hbm_runtime.tools.packing.graph import dims_of
from hbm_runtime.tools.packing.options import OutputQuantization, PackOptions
from hbm_runtime.tools.packing.quantize import checked_axis

Array = npt.NDArray[Any]

# The largest stored value after calibration. int32 keeps to 24 bits, which float32 holds exactly.
_FULL_SCALE = {"int8": 127, "int16": 32767, "int32": (1 << 24) - 1}


def output_scales(model: ModelProto, options: PackOptions) -> dict[str, tuple[float, ...]]:
    """The scales of every integer output: those given, the others calibrated.

    Args:
        model: the float network with fixed shapes, as its ONNX inputs feed it.
        options: of them, the output quantisation and the calibration file.

    Raises:
        ToolError: scales are missing and there is no calibration file, or it does not fit.
    """
    values = {value.name: value for value in model.graph.output}
    missing: dict[str, OutputQuantization] = {}
    scales: dict[str, tuple[float, ...]] = {}
    for name, quantization in options.output_quantization.items():
        checked_axis(values[name], quantization)
        if quantization.scales:
            scales[name] = quantization.scales
        else:
            missing[name] = quantization
    if missing:
        if options.calibration is None:
            names = ", ".join(missing)
            raise ToolError(
                f"--quantize-output gives no scale for {names}; write the scale there"
                " (NAME=int8:0.05), or give real inputs with --calibrate FILE.npz"
            )
        scales.update(_calibrated(model, options.calibration, missing))
    return scales


def _calibrated(
    model: ModelProto, path: Path, wanted: Mapping[str, OutputQuantization]
) -> dict[str, tuple[float, ...]]:
    loaded = engine.load(model, "the model")
    if loaded is None:
        raise ToolError("--calibrate runs the model: pip install 'hbm-runtime[simulator]'")
    values = {value.name: value for value in model.graph.output}
    largest: dict[str, Array] = {}
    for inputs in _samples(model, path):
        outputs = loaded.run(inputs)
        for name, quantization in wanted.items():
            axis = checked_axis(values[name], quantization)
            real = np.abs(outputs[name].astype(np.float64))
            others = tuple(index for index in range(real.ndim) if index != axis)
            peak = real.max(axis=others if axis is not None else None)
            largest[name] = np.maximum(largest.get(name, 0.0), np.atleast_1d(peak))
    scales: dict[str, tuple[float, ...]] = {}
    for name, peak in largest.items():
        if not np.isfinite(peak).all() or peak.max() <= 0:
            raise ToolError(f"{path}: output {name!r} is zero throughout, or not finite")
        peak = np.where(peak > 0, peak, peak.max())  # a silent channel borrows the loudest's range
        scales[name] = tuple((peak / _FULL_SCALE[wanted[name].data_type]).tolist())
    return scales


def _samples(model: ModelProto, path: Path) -> Iterator[dict[str, Array]]:
    arrays = _load_arrays(path)
    names = [value.name for value in model.graph.input]
    if set(arrays) != set(names):
        raise ToolError(
            f"{path} holds {', '.join(arrays) or 'nothing'}; --calibrate needs one array for each"
            f" input of the ONNX model: {', '.join(names)}"
        )
    dims = {value.name: dims_of(value) or [] for value in model.graph.input}
    stacks = {name: _stack(path, name, arrays[name], dims[name]) for name in names}
    count = min(len(stack) for stack in stacks.values())
    if count == 0 or any(len(stack) != count for stack in stacks.values()):
        lengths = ", ".join(f"{name}: {len(stack)}" for name, stack in stacks.items())
        raise ToolError(f"{path} must hold equally many samples of each input, it has {lengths}")
    for index in range(count):
        yield {name: stack[index] for name, stack in stacks.items()}


def _stack(path: Path, name: str, array: Array, dims: list[int]) -> Array:
    """The samples of one input along a first axis: [K, *dims], or [K, …] for a batch of one."""
    if array.ndim == len(dims) + 1:
        stack = array
    elif dims and dims[0] == 1 and array.ndim == len(dims):
        stack = array[:, np.newaxis]
    else:
        stack = array[np.newaxis]
    if stack.ndim != len(dims) + 1 or any(
        dim not in (-1, size) for dim, size in zip(dims, stack.shape[1:], strict=True)
    ):
        raise ToolError(
            f"{path}: {name!r} has the shape {list(array.shape)}, expected {dims},"
            " or that with the number of samples in front"
        )
    return stack


def _load_arrays(path: Path) -> dict[str, Array]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise ToolError(f"{path} is not an .npz file (numpy.savez makes one)")
            return {name: archive[name] for name in archive.files}
    except ToolError:
        raise
    except Exception as error:  # zip, header and pickle errors of several kinds
        raise ToolError(f"cannot read {path} as .npz: {error}") from None
