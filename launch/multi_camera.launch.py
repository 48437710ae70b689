# SPDX-License-Identifier: Apache-2.0
"""Starts inference for several cameras: a node per camera, or one node for all of them."""

from __future__ import annotations

from launch.actions import DeclareLaunchArgument

from hbm_runtime_ros import launch_parts
from hbm_runtime_ros.launch_parts import LaunchArgumentError, read
from launch import Action, LaunchContext, LaunchDescription


def generate_launch_description() -> LaunchDescription:
    """Describe it; `ros2 launch hbm_runtime_ros multi_camera.launch.py --show-args` lists this."""
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                "cameras",
                default_value="left,right",
                description="Namespaces of the cameras, which publish <camera>/<image_topic>",
            ),
            DeclareLaunchArgument(
                "image_topic",
                default_value="image_raw",
                description="Topic of the images inside of each camera's namespace",
            ),
            DeclareLaunchArgument(
                "nodes",
                default_value="per_camera",
                description="per_camera: a node in each camera's namespace, with params_file, so "
                "that one that fails leaves the others alone; one: one node that serves `model` "
                "once per camera and loads it once",
                choices=["per_camera", "one"],
            ),
            DeclareLaunchArgument(
                "params_file",
                default_value=launch_parts.config_file("multi_camera.yaml"),
                description="per_camera: YAML file with the parameters of each node",
            ),
            DeclareLaunchArgument(
                "model",
                default_value="",
                description="one: path of the model file; per_camera: in place of the file of the "
                "model `camera` in params_file",
            ),
            DeclareLaunchArgument(
                "priorities",
                default_value="",
                description="one: integers from 0 to 255, one for all cameras or one for each, "
                "e.g. 200,10; the highest waiting image runs first",
            ),
            DeclareLaunchArgument(
                "node_name",
                default_value="inference_node",
                description="Name of each node, the ~ of its topics",
            ),
            *launch_parts.node_arguments(),
            *launch_parts.middleware_profile(),
            launch_parts.described_by(_nodes),
        ]
    )


def _nodes(context: LaunchContext) -> list[Action]:
    cameras = launch_parts.read_list(context, "cameras")
    if not cameras or len(set(cameras)) != len(cameras):
        raise LaunchArgumentError(
            "launch argument 'cameras' must be different names, e.g. left,right, got "
            f"{read(context, 'cameras')!r}"
        )
    one = read(context, "nodes") == "one"
    return _one_node(context, cameras) if one else _node_per_camera(context, cameras)


def _node_per_camera(context: LaunchContext, cameras: list[str]) -> list[Action]:
    model = read(context, "model")
    return [
        launch_parts.inference_node(
            context,
            read(context, "node_name"),
            [read(context, "params_file"), {"camera.file": model} if model else {}],
            namespace=camera,
            remappings=[("image_raw", read(context, "image_topic"))],
        )
        for camera in cameras
    ]


def _one_node(context: LaunchContext, cameras: list[str]) -> list[Action]:
    model = read(context, "model")
    if not model:
        raise LaunchArgumentError("nodes:=one needs the launch argument 'model', a model file")
    priorities = launch_parts.read_numbers(context, "priorities", int) or [0]
    if len(priorities) not in (1, len(cameras)):
        raise LaunchArgumentError(
            f"launch argument 'priorities' must be one or {len(cameras)} integers, got "
            f"{len(priorities)}"
        )
    names = [camera.strip("/").replace("/", "_") for camera in cameras]
    parameters: dict[str, launch_parts.ParameterTypes] = {"models": names}
    if len(priorities) == 1:
        priorities *= len(cameras)
    for name, camera, priority in zip(names, cameras, priorities, strict=True):
        parameters[f"{name}.file"] = model
        parameters[f"{name}.image_topic"] = f"{camera}/{read(context, 'image_topic')}"
        parameters[f"{name}.priority"] = priority
    return [launch_parts.inference_node(context, read(context, "node_name"), [parameters])]
