# SPDX-License-Identifier: Apache-2.0
"""Starts one inference node with several models on one camera, each with its own priority."""

from __future__ import annotations

from launch.actions import DeclareLaunchArgument

from hbm_runtime_ros import launching
from hbm_runtime_ros.launching import read
from launch import Action, LaunchContext, LaunchDescription

IMAGE_TOPICS = ("image_raw", "/camera/image_raw")


def generate_launch_description() -> LaunchDescription:
    """Describe it; `ros2 launch hbm_runtime_ros multi_model.launch.py --show-args` lists this."""
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                "params_file",
                default_value=launching.config_file("multi_model.yaml"),
                description="YAML file with the models, their priorities and topics",
            ),
            DeclareLaunchArgument(
                "files",
                default_value="",
                description="Model files in place of those in params_file, by the models' names: "
                "detector=/path/a.hbm,orientation=/path/b.hbm",
            ),
            DeclareLaunchArgument(
                "image_topic",
                default_value="",
                description="Topic in place of image_raw and of /camera/image_raw, which "
                "config/multi_model.yaml has; empty: as params_file says",
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
    files = launching.read_assignments(context, "files")
    topic = read(context, "image_topic")
    return [
        launching.inference_node(
            context,
            read(context, "node_name"),
            [
                read(context, "params_file"),
                {f"{model}.file": path for model, path in files.items()},
            ],
            remappings=[(name, topic) for name in IMAGE_TOPICS] if topic else [],
        )
    ]
