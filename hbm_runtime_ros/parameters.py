# SPDX-License-Identifier: Apache-2.0
"""The parameters of inference_node: their table, and the settings read from it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from hbm_runtime_ros.parameter_table import ParameterSpec, declare, not_empty
from hbm_runtime_ros.preprocessing import ResizeOptions

if TYPE_CHECKING:
    from rclpy.node import Node

    from hbm_runtime.image import ColorRange, ResizeMode

_TOPIC_TOKEN = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


def _check_models(names: list[str]) -> str:
    if not names or names == [""]:
        return "must list at least one model"
    for name in names:
        if not _TOPIC_TOKEN.fullmatch(name):
            return f"must hold names of letters, digits and _ after a letter; {name!r} is not one"
    if len(set(names)) != len(names):
        return "must not list a model twice"
    return ""


def _check_cores(cores: list[int]) -> str:
    if cores == [-1] or (cores and min(cores) >= 0 and len(set(cores)) == len(cores)):
        return ""
    return "must be [-1] for any core, or different core numbers from 0 up"


NODE_PARAMETERS = (
    ParameterSpec(
        "models",
        [""],
        "Names of the models to run; each has its own parameters <name>.file and so on, "
        "and its own topic ~/<name>/tensors.",
        check=_check_models,
        constraint="letters, digits and _, starting with a letter",
    ),
)

MODEL_PARAMETERS = (
    ParameterSpec(
        "file",
        "",
        "Path of the model file (.hbm); a relative path starts at the node's working folder.",
        check=not_empty("the path of a model file"),
        constraint="not empty",
    ),
    ParameterSpec(
        "model_name",
        "",
        "Name of the model inside the file; empty for the only one.",
    ),
    ParameterSpec(
        "image_topic",
        "image_raw",
        "Topic of sensor_msgs/Image that feeds the model: nv12, or what cv_bridge converts.",
        check=not_empty("the name of a topic"),
        constraint="not empty",
    ),
    ParameterSpec(
        "priority",
        0,
        "Priority among the tasks that wait for the accelerator, the highest runs first.",
        bounds=(0, 255),
    ),
    ParameterSpec(
        "bpu_cores",
        [-1],
        "Accelerator cores that may run the model, [-1] for any.",
        check=_check_cores,
        constraint="[-1], or core numbers that the chip has",
    ),
    ParameterSpec(
        "resize",
        "stretch",
        "How an image is fitted into the model's input: stretch fills it, letterbox keeps the "
        "aspect ratio.",
        choices=("stretch", "letterbox"),
    ),
    ParameterSpec(
        "pad_value",
        127,
        "Luma of the letterbox border (its chroma is grey).",
        bounds=(0, 255),
    ),
    ParameterSpec(
        "color_range",
        "full",
        "BT.601 range of NV12 where RGB is converted to it or from it; NV12 into an NV12 model "
        "is not converted.",
        choices=("full", "limited"),
    ),
    ParameterSpec(
        "timeout",
        5.0,
        "Seconds that one inference may take, waiting for the accelerator included.",
        bounds=(0.001, 3600.0),
    ),
)


@dataclass(frozen=True)
class ModelSettings:
    """Parameters of one model; the attributes are described in MODEL_PARAMETERS."""

    name: str
    file: str
    model_name: str
    image_topic: str
    priority: int
    bpu_cores: tuple[int, ...]
    resize: ResizeOptions
    timeout: float


def read_parameters(node: Node) -> tuple[ModelSettings, ...]:
    """Declare the node's parameters and read them.

    Args:
        node: Without these parameters declared yet.

    Returns:
        The models in the order of the parameter `models`, checked as far as that goes without their
        files.

    Raises:
        ConfigurationError: For the first value that is not allowed.
    """
    names = declare(node, "", NODE_PARAMETERS)["models"]
    return tuple(_read_model(node, name) for name in names)


def _read_model(node: Node, name: str) -> ModelSettings:
    values = declare(node, f"{name}.", MODEL_PARAMETERS)
    return ModelSettings(
        name=name,
        file=values["file"],
        model_name=values["model_name"],
        image_topic=values["image_topic"],
        priority=values["priority"],
        bpu_cores=tuple(values["bpu_cores"]),
        resize=ResizeOptions(
            mode=cast("ResizeMode", values["resize"]),
            pad_value=values["pad_value"],
            color_range=cast("ColorRange", values["color_range"]),
        ),
        timeout=values["timeout"],
    )
