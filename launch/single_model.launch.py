# SPDX-License-Identifier: Apache-2.0
"""Starts one inference node with one model, without a parameters file."""

from __future__ import annotations

import re
from pathlib import Path

from launch.actions import DeclareLaunchArgument

from hbm_runtime_ros import launching
from hbm_runtime_ros.launching import read
from launch import Action, LaunchContext, LaunchDescription


def generate_launch_description() -> LaunchDescription:
    """Describe it; `ros2 launch hbm_runtime_ros single_model.launch.py --show-args` lists this."""
    return LaunchDescription(
        [
            DeclareLaunchArgument("model", description="Path of the model file"),
            DeclareLaunchArgument(
                "name",
                default_value="",
                description="Name of the model in topics and parameters; empty: that of the file",
            ),
            DeclareLaunchArgument(
                "model_name",
                default_value="",
                description="Model inside the file; empty: the only one",
            ),
            DeclareLaunchArgument(
                "image_topic", default_value="image_raw", description="Topic of the images"
            ),
            DeclareLaunchArgument(
                "image_transport",
                default_value="raw",
                description="sensor_msgs/Image, or CompressedImage on <image_topic>/compressed",
                choices=["raw", "compressed"],
            ),
            DeclareLaunchArgument(
                "resize",
                default_value="stretch",
                description="How an image is fitted into the model's input",
                choices=["stretch", "letterbox", "center_crop"],
            ),
            DeclareLaunchArgument(
                "priority",
                default_value="0",
                description="Integer from 0 to 255, the highest waiting task runs first",
            ),
            DeclareLaunchArgument(
                "bpu_cores",
                default_value="-1",
                description="Accelerator cores that may run it, e.g. 0,1; -1: any",
            ),
            DeclareLaunchArgument(
                "max_rate",
                default_value="0.0",
                description="Images per second, a number >= 0; 0: no limit",
            ),
            DeclareLaunchArgument(
                "lazy",
                default_value="false",
                description="No inference while nobody subscribes to the tensors",
                choices=launching.TRUE_OR_FALSE,
            ),
            DeclareLaunchArgument(
                "node_name",
                default_value="inference_node",
                description="Name of the node, the ~ of its topics",
            ),
            *launching.node_arguments(),
            *launching.middleware_profile(),
            launching.described_by(_nodes),
        ]
    )


def _nodes(context: LaunchContext) -> list[Action]:
    file = read(context, "model")
    name = read(context, "name") or _name_of(file)
    parameters = {
        "models": [name],
        f"{name}.file": file,
        f"{name}.model_name": read(context, "model_name"),
        f"{name}.image_topic": read(context, "image_topic"),
        f"{name}.image_transport": read(context, "image_transport"),
        f"{name}.resize": read(context, "resize"),
        f"{name}.priority": launching.read_number(context, "priority", int),
        f"{name}.bpu_cores": launching.read_numbers(context, "bpu_cores", int),
        f"{name}.max_rate": launching.read_number(context, "max_rate", float),
        f"{name}.lazy": read(context, "lazy") == "true",
    }
    return [launching.inference_node(context, read(context, "node_name"), [parameters])]


def _name_of(file: str) -> str:
    """A name that topics allow: letters, digits and single underscores, no digit first."""
    name = re.sub(r"[^A-Za-z0-9]+", "_", Path(file).stem).strip("_")
    return name if name[:1].isalpha() else f"model_{name}".rstrip("_")
