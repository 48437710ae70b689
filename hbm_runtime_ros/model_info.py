# SPDX-License-Identifier: Apache-2.0
"""What the runtime knows of a model, as a message and as a hash."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from hbm_runtime_ros.msg import ModelInfo, Quantization, TensorInfo

if TYPE_CHECKING:
    from hbm_runtime import HB_HBMRuntime, QuantParams
    from hbm_runtime_ros.parameters import ModelSettings


def model_info(
    runtime: HB_HBMRuntime,
    model: str,
    settings: ModelSettings,
    image_topic: str,
    tensors_topic: str,
) -> ModelInfo:
    """Describe one model.

    Args:
        runtime: That has loaded it.
        model: Name inside the file.
        settings: How the node runs it.
        image_topic: Resolved name.
        tensors_topic: Resolved name.

    Returns:
        The message.
    """
    inputs, outputs = _tensors(runtime, model, "input"), _tensors(runtime, model, "output")
    scheduling = runtime.sched_params[model]
    return ModelInfo(
        name=settings.name,
        model_name=model,
        file=settings.file,
        hash=_hash(model, inputs, outputs),
        description=_text(runtime.model_descs[model]),
        file_description=_text(runtime.hbm_descs[settings.file]),
        inputs=inputs,
        outputs=outputs,
        priority=settings.priority,
        bpu_cores=list(settings.bpu_cores),
        custom_id=int(scheduling.customId),
        device_id=int(scheduling.deviceId),
        compiled_core_count=int(runtime.compile_bpu_core_num.get(model, -1)),
        image_topic=image_topic,
        tensors_topic=tensors_topic,
        resize=settings.resize.mode,
        pad_value=settings.resize.pad_value,
        color_range=settings.resize.color_range,
    )


def _tensors(runtime: HB_HBMRuntime, model: str, side: str) -> list[TensorInfo]:
    def of(what: str) -> Any:
        return getattr(runtime, f"{side}_{what}")[model]

    names, shapes, strides, types = of("names"), of("shapes"), of("strides"), of("dtypes")
    descriptions, quants, sizes = of("descs"), of("quants"), of("aligned_byte_sizes")
    return [
        TensorInfo(
            name=name,
            description=_text(descriptions[name]),
            data_type=int(types[name]),
            shape=list(shapes[name]),
            strides=list(strides[name]),
            aligned_byte_size=int(sizes[name]),
            quantization=_quantization(quants[name]),
        )
        for name in names
    ]


def _quantization(quant: QuantParams) -> Quantization:
    return Quantization(
        type=int(quant.quant_type),
        axis=int(quant.axis),
        scale=[float(value) for value in quant.scale],
        zero_point=[int(value) for value in quant.zero_point],
    )


def _hash(model: str, inputs: list[TensorInfo], outputs: list[TensorInfo]) -> str:
    """Sixteen hexadecimal digits over all that gives the tensors their meaning."""
    sides = [[_meaning(tensor) for tensor in side] for side in (inputs, outputs)]
    text = json.dumps([model, *sides], separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _meaning(tensor: TensorInfo) -> list[Any]:
    quant = tensor.quantization
    return [
        tensor.name,
        tensor.data_type,
        list(tensor.shape),
        list(tensor.strides),
        [quant.type, quant.axis, list(quant.scale), list(quant.zero_point)],
    ]


def _text(description: str) -> str:
    """A ROS string ends at its first NUL; descriptions of compilers may hold some."""
    return description.replace("\0", "")
