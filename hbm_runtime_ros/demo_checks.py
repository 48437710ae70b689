# SPDX-License-Identifier: Apache-2.0
"""Whether the tensors that the demo published are right."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hbm_runtime import HB_HBMRuntime, hbDNNDataType
from hbm_runtime_ros.conversions import (
    image_to_frame,
    tensors_to_numpy,
    transform_from_msg,
    transform_to_msg,
)
from hbm_runtime_ros.preprocessing import InputSpec, ResizeOptions, make_preprocessor
from hbm_runtime_ros.text_detection import find_text_boxes

if TYPE_CHECKING:
    from hbm_runtime_ros.demo_observer import Sample
    from hbm_runtime_ros.msg import ModelInfo

UPRIGHT = 0  # class of the orientation model


class WrongTensorsError(RuntimeError):
    """A published tensor is not what it should be; the text says which and how."""


def check_against_own_run(sample: Sample, info: ModelInfo) -> int:
    """Run the sample's image in this process and compare all tensors bit for bit.

    Args:
        sample: As published.
        info: What the node says of the model; all that is needed to do the same.

    Returns:
        Number of bytes that were compared.

    Raises:
        WrongTensorsError: If something differs.
    """
    if sample.tensors.header != sample.image.header:
        raise WrongTensorsError(f"{info.name}: the header is not the image's")
    inputs = [
        InputSpec(tensor.name, tuple(tensor.shape), hbDNNDataType(tensor.data_type).name)
        for tensor in info.inputs
    ]
    options = ResizeOptions(info.resize, info.pad_value, info.color_range)
    prepared = make_preprocessor(inputs, options)(image_to_frame(sample.image))
    if transform_to_msg(prepared.transform) != sample.tensors.transform:
        raise WrongTensorsError(f"{info.name}: the transform is not that of the image")
    runtime = HB_HBMRuntime(info.file)
    expected = runtime.run({info.model_name: prepared.tensors})[info.model_name]
    published = tensors_to_numpy(sample.tensors)
    if list(published) != list(expected):
        raise WrongTensorsError(
            f"{info.name}: published {list(published)}, the model has {list(expected)}"
        )
    for name, tensor in published.items():
        own = expected[name]
        if tensor.dtype != own.dtype or not np.array_equal(tensor, own):
            raise WrongTensorsError(
                f"{info.name}: tensor '{name}' {tensor.dtype} {list(tensor.shape)} differs from "
                f"the run in this process ({own.dtype} {list(own.shape)})"
            )
    return sum(tensor.nbytes for tensor in published.values())


def count_text_boxes(sample: Sample) -> int:
    """Decode the detector's tensor.

    Args:
        sample: Of the detector.

    Returns:
        Boxes found, at least one.

    Raises:
        WrongTensorsError: If there is none.
    """
    (probabilities,) = tensors_to_numpy(sample.tensors).values()
    boxes = find_text_boxes(probabilities, transform_from_msg(sample.tensors.transform))
    if not boxes:
        raise WrongTensorsError("detector: no text found in the photograph")
    return len(boxes)


def check_upright(sample: Sample) -> float:
    """Decode the orientation model's tensor.

    Args:
        sample: Of the orientation model.

    Returns:
        Probability that the page stands upright.

    Raises:
        WrongTensorsError: If another orientation is more probable.
    """
    (probabilities,) = tensors_to_numpy(sample.tensors).values()
    flat = np.asarray(probabilities, dtype=np.float64).ravel()
    if int(flat.argmax()) != UPRIGHT:
        raise WrongTensorsError(
            f"orientation: the upright page is taken for turned: {flat.round(3)}"
        )
    return float(flat[UPRIGHT])
