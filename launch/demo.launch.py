# SPDX-License-Identifier: Apache-2.0
"""Starts the demo: a photograph as a camera, two models on it, and an overlay of the text."""

from __future__ import annotations

from launch.actions import DeclareLaunchArgument, Shutdown
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node

from hbm_runtime_ros import launching
from launch import LaunchDescription

PARAMETERS = launching.config_file("demo.yaml")


def generate_launch_description() -> LaunchDescription:
    """Describe the launch; `ros2 launch hbm_runtime_ros demo.launch.py --show-args` lists it."""
    models = LaunchConfiguration("models")
    log_level = ["--log-level", LaunchConfiguration("log_level")]
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                "models",
                default_value="build/demo/models",
                description="Folder with detector.hbm and orientation.hbm; `make demo` makes it",
            ),
            DeclareLaunchArgument(
                "source",
                default_value="build/demo/photo.png",
                description="Picture, folder of pictures or video to play",
            ),
            DeclareLaunchArgument(
                "overlay",
                default_value="build/demo/overlay.png",
                description="PNG file to write the first overlay with text to",
            ),
            launching.log_level_argument(),
            *launching.middleware_profile(),
            Node(
                package="hbm_runtime_ros",
                executable="inference_node",
                parameters=[
                    PARAMETERS,
                    {
                        "detector.file": PathJoinSubstitution([models, "detector.hbm"]),
                        "orientation.file": PathJoinSubstitution([models, "orientation.hbm"]),
                    },
                ],
                ros_arguments=log_level,
                output="screen",
                on_exit=Shutdown(),
            ),
            Node(
                package="hbm_runtime_ros",
                executable="image_player",
                parameters=[PARAMETERS, {"source": LaunchConfiguration("source")}],
                ros_arguments=log_level,
                output="screen",
                on_exit=Shutdown(),
            ),
            Node(
                package="hbm_runtime_ros",
                executable="text_overlay",
                parameters=[PARAMETERS, {"save_path": LaunchConfiguration("overlay")}],
                remappings=[("tensors", "inference_node/detector/tensors")],
                ros_arguments=log_level,
                output="screen",
                on_exit=Shutdown(),
            ),
        ]
    )
