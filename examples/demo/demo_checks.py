# SPDX-License-Identifier: Apache-2.0
"""Whether the tensors that the demo published are right, and its nodes in good health."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from demo_table import LEVELS, level
from hbm_runtime import HB_HBMRuntime
from hbm_runtime.image import FitSettings, NormalizeSettings, PictureSettings, Preprocessor
from hbm_runtime_ros.messages.conversions import (
    image_to_frame,
    tensors_to_numpy,
    transform_from_msg,
    transform_to_msg,
)
from text_detection import find_text_boxes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from diagnostic_msgs.msg import DiagnosticStatus
    from hbm_runtime_ros.msg import ImageInputInfo, ModelInfo

    from demo_observer import Sample

UPRIGHT = 0  # class of the orientation model
ERROR = 2  # DiagnosticStatus.ERROR as a number


class CheckFailedError(RuntimeError):
    """Something published is not what it should be; the text says what and how."""


def check_against_own_run(sample: Sample, info: ModelInfo) -> int:
    """Run the sample's image in this process and compare all tensors bit for bit.

    Args:
        sample: As published.
        info: What the node says of the model; all that is needed to do the same.

    Returns:
        Number of bytes that were compared.

    Raises:
        CheckFailedError: If something differs.
    """
    (source,) = sample.tensors.images
    if not sample.tensors.header == source.header == sample.image.header:
        raise CheckFailedError(f"{info.name}: the header is not the image's")
    runtime, model = HB_HBMRuntime(info.file), info.model_name
    images = [picture_settings(image) for image in info.images]
    prepare = Preprocessor.for_model(runtime.models[model], images)
    inputs, transforms = prepare(image_to_frame(sample.image))
    if [transform_to_msg(transform) for transform in transforms] != [source.transform]:
        raise CheckFailedError(f"{info.name}: the transform is not that of the image")
    expected = runtime.run({model: inputs})[model]
    published = tensors_to_numpy(sample.tensors)
    if list(published) != list(expected):
        raise CheckFailedError(
            f"{info.name}: published {list(published)}, the model has {list(expected)}"
        )
    for name, tensor in published.items():
        own = expected[name]
        if tensor.dtype != own.dtype or not np.array_equal(tensor, own):
            raise CheckFailedError(
                f"{info.name}: tensor '{name}' {tensor.dtype} {list(tensor.shape)} differs from "
                f"the run in this process ({own.dtype} {list(own.shape)})"
            )
    return sum(tensor.nbytes for tensor in published.values())


def picture_settings(info: ImageInputInfo) -> PictureSettings:
    """How the node makes an image for a model, from what it says of it.

    Args:
        info: From ~/model_info.

    Returns:
        What `Preprocessor` takes to do the same.
    """
    left, top, width, height = (int(value) for value in info.roi)
    return PictureSettings(
        name=info.name,
        tensors=tuple(info.tensors),
        fit=FitSettings(
            resize=info.resize,
            roi=(left, top, width, height),
            pad_value=info.pad_value,
            color_range=info.color_range,
            color_matrix=info.color_matrix,
        ),
        normalize=NormalizeSettings(
            mean=tuple(info.mean), scale=tuple(info.scale), channel_order=info.channel_order
        ),
    )


def count_text_boxes(sample: Sample) -> int:
    """Decode the detector's tensor.

    Args:
        sample: Of the detector.

    Returns:
        Boxes found, at least one.

    Raises:
        CheckFailedError: If there is none.
    """
    (probabilities,) = tensors_to_numpy(sample.tensors).values()
    boxes = find_text_boxes(probabilities, transform_from_msg(sample.tensors.images[0].transform))
    if not boxes:
        raise CheckFailedError("detector: no text found in the photograph")
    return len(boxes)


def check_upright(sample: Sample) -> float:
    """Decode the orientation model's tensor.

    Args:
        sample: Of the orientation model.

    Returns:
        Probability that the page stands upright.

    Raises:
        CheckFailedError: If another orientation is more probable.
    """
    (probabilities,) = tensors_to_numpy(sample.tensors).values()
    flat = np.asarray(probabilities, dtype=np.float64).ravel()
    if int(flat.argmax()) != UPRIGHT:
        raise CheckFailedError(
            f"orientation: the upright page is taken for turned: {flat.round(3)}"
        )
    return float(flat[UPRIGHT])


def check_healthy(diagnostics: Iterable[DiagnosticStatus]) -> int:
    """Look for errors in the diagnostics.

    Args:
        diagnostics: The latest status of each name.

    Returns:
        How many there are.

    Raises:
        CheckFailedError: If one of them is an error.
    """
    statuses = list(diagnostics)
    for status in statuses:
        if level(status) >= ERROR:
            text, _ = LEVELS.get(level(status), ("?", ""))
            raise CheckFailedError(f"diagnostics: {status.name}: {text}: {status.message}")
    return len(statuses)
