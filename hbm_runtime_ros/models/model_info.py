# SPDX-License-Identifier: Apache-2.0
"""What the runtime knows of a model and how the node runs it, as a message and as a hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hbm_runtime_ros.models.model_file_runtime import content_hashes
from hbm_runtime_ros.msg import (
    ImageInputInfo,
    ModelInfo,
    ModelInfoList,
    Quantization,
    TensorInfo,
)

if TYPE_CHECKING:
    from builtin_interfaces.msg import Time

    from hbm_runtime import HB_HBMRuntime, QuantParams
    from hbm_runtime.image.preprocessing import PreparedImage
    from hbm_runtime_ros.parameters.settings import ImageSettings, LiveSettings, ModelSettings


@dataclass(frozen=True)
class TopicNames:
    """Resolved names of one model's topics.

    Attributes:
        images: In the order of the model's images.
        tensors: Of its results.
    """

    images: tuple[str, ...]
    tensors: str


def model_info(
    runtime: HB_HBMRuntime,
    model: str,
    settings: ModelSettings,
    images: Sequence[PreparedImage],
    topics: TopicNames,
) -> ModelInfo:
    """Describe one model.

    Args:
        runtime: That has loaded it.
        model: Name inside the file.
        settings: How the node runs it.
        images: What it is fed with.
        topics: Where that comes from and where results go.

    Returns:
        The message.
    """
    inputs, outputs = _tensors(runtime, model, "input"), _tensors(runtime, model, "output")
    return ModelInfo(
        name=settings.name,
        model_name=model,
        file=settings.file,
        hash=_hash(model, inputs, outputs),
        content_hash=content_hashes(runtime)[model],
        description=_text(runtime.model_descs[model]),
        file_description=_text(runtime.hbm_descs.get(settings.file, "")),
        inputs=inputs,
        outputs=outputs,
        compiled_core_count=int(runtime.compile_bpu_core_num.get(model, -1)),
        images=[
            _image(image, prepared, topic)
            for image, prepared, topic in zip(settings.images, images, topics.images, strict=True)
        ],
        tensors_topic=topics.tensors,
        device_id=settings.device_id,
        **_live_fields(settings.live),
    )


def with_live(info: ModelInfo, live: LiveSettings) -> ModelInfo:
    """Copy a description with other live settings.

    Args:
        info: Stays as it is: it may be on its way to a subscriber.
        live: What may change while the model runs.

    Returns:
        The new message.
    """
    fields = {name: getattr(info, name) for name in info.get_fields_and_field_types()}
    return ModelInfo(**{**fields, **_live_fields(live)})


def _live_fields(live: LiveSettings) -> dict[str, Any]:
    return {
        "priority": live.priority,
        "bpu_cores": list(live.bpu_cores),
        "custom_id": live.custom_id,
        "timeout": float(live.timeout),
        "deadline": float(live.deadline),
        "max_rate": float(live.max_rate),
        "queue_policy": live.queue_policy,
        "queue_depth": live.queue_depth,
        "every_nth": live.every_nth,
        "max_age": float(live.max_age),
        "lazy": live.lazy,
    }


def _image(settings: ImageSettings, prepared: PreparedImage, topic: str) -> ImageInputInfo:
    fit, normalize = settings.fit, settings.normalize
    return ImageInputInfo(
        name=settings.name,
        topic=topic,
        transport=settings.transport,
        encodings=list(settings.encodings),
        tensors=list(prepared.tensors),
        width=prepared.width,
        height=prepared.height,
        resize=fit.resize,
        roi=list(fit.roi),
        pad_value=fit.pad_value,
        color_range=fit.color_range,
        color_matrix=fit.color_matrix,
        channel_order=normalize.channel_order,
        mean=[float(value) for value in normalize.mean],
        scale=[float(value) for value in normalize.scale],
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


def model_info_list(stamp: Time, infos: Sequence[ModelInfo], runtime: Any = None) -> ModelInfoList:
    """Describe all models of a node and what computes them.

    Args:
        stamp: When this is put together.
        infos: Of the models.
        runtime: Any of theirs (HB_HBMRuntime); None without one.

    Returns:
        The message.
    """
    message = ModelInfoList(stamp=stamp, models=infos)
    if runtime is not None:
        library = runtime.library
        message.runtime_version = str(runtime.version)
        message.library_path = str(library.path)
        message.ucp_version = str(library.ucp_version)
        message.dnn_version = str(library.dnn_version)
        message.soc_name = str(library.soc_name)
        message.simulator = bool(library.is_simulator)
        message.core_count = int(library.core_count)
    return message
