# SPDX-License-Identifier: Apache-2.0
"""Starts one inference node with a parameters file: what a robot starts."""

from __future__ import annotations

from launch.actions import DeclareLaunchArgument

from hbm_runtime_ros import launching
from launch import Action, LaunchContext, LaunchDescription


def generate_launch_description() -> LaunchDescription:
    """Describe it; `ros2 launch hbm_runtime_ros inference.launch.py --show-args` lists this."""
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                "params_file",
                description="YAML file with the node's parameters; config/inference.yaml of this "
                "package is a commented example",
            ),
            DeclareLaunchArgument(
                "node_name",
                default_value="inference_node",
                description="Name of the node, the ~ of its topics",
            ),
            DeclareLaunchArgument(
                "image_topic",
                default_value="image_raw",
                description="Topic for the models whose image_topic is the default, image_raw",
            ),
            *launching.node_arguments(),
            *launching.middleware_profile(),
            launching.described_by(_nodes),
        ]
    )


def _nodes(context: LaunchContext) -> list[Action]:
    return [
        launching.inference_node(
            context,
            launching.read(context, "node_name"),
            [launching.read(context, "params_file")],
            remappings=[("image_raw", launching.read(context, "image_topic"))],
        )
    ]
