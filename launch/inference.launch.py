# SPDX-License-Identifier: Apache-2.0
"""Starts inference_node with a parameters file and the Fast DDS profile for images."""

from __future__ import annotations

from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch.actions import DeclareLaunchArgument, SetEnvironmentVariable
from launch.substitutions import EnvironmentVariable, LaunchConfiguration
from launch_ros.actions import Node

from launch import LaunchDescription

PROFILE = Path(get_package_share_directory("hbm_runtime_ros"), "config", "fastdds_shm.xml")


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
                "namespace", default_value="", description="Namespace of the node and its topics"
            ),
            DeclareLaunchArgument(
                "image_topic",
                default_value="image_raw",
                description="Topic for the models whose image_topic is the default, image_raw",
            ),
            DeclareLaunchArgument(
                "log_level",
                default_value="info",
                description="Least severe messages to log",
                choices=["debug", "info", "warn", "error", "fatal"],
            ),
            # a profile that is already set stays
            *(
                SetEnvironmentVariable(name, EnvironmentVariable(name, default_value=str(PROFILE)))
                for name in ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")
            ),
            Node(
                package="hbm_runtime_ros",
                executable="inference_node",
                namespace=LaunchConfiguration("namespace"),
                parameters=[LaunchConfiguration("params_file")],
                remappings=[("image_raw", LaunchConfiguration("image_topic"))],
                ros_arguments=["--log-level", LaunchConfiguration("log_level")],
                output="screen",
            ),
        ]
    )
