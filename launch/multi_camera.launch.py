# SPDX-License-Identifier: Apache-2.0
"""Starts inference for several cameras: a node per camera, or one node for all of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from launch.actions import DeclareLaunchArgument

from hbm_runtime_ros import launching
from hbm_runtime_ros.launching import LaunchArgumentError, read
from launch import Action, LaunchContext, LaunchDescription


def generate_launch_description() -> LaunchDescription:
    """Describe it; `ros2 launch hbm_runtime_ros multi_camera.launch.py --show-args` lists this."""
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                "model",
                default_value="",
                description="Path of a model file to run on each of `cameras`; empty: params_file "
                "says it all",
            ),
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
                default_value="one",
                description="one: one node for all cameras, which loads a file once; per_camera: a "
                "node in each camera's namespace, so that one that dies leaves the others alone",
                choices=["one", "per_camera"],
            ),
            DeclareLaunchArgument(
                "params_file",
                default_value="",
                description="YAML file with the parameters of each node; empty: "
                "config/multi_camera.yaml of this package where no model is given",
            ),
            DeclareLaunchArgument(
                "priorities",
                default_value="",
                description="With `model`: integers from 0 to 255, one for all cameras or one for "
                "each, e.g. 200,10; the highest waiting image runs first",
            ),
            DeclareLaunchArgument(
                "node_name",
                default_value="inference_node",
                description="Name of each node, the ~ of its topics",
            ),
            *launching.node_arguments(),
            *launching.middleware_profile(),
            launching.described_by(_nodes),
        ]
    )


def _nodes(context: LaunchContext) -> list[Action]:
    cameras = launching.read_list(context, "cameras")
    if not cameras or len(set(cameras)) != len(cameras):
        raise LaunchArgumentError(
            "launch argument 'cameras' must be different names, e.g. left,right, got "
            f"{read(context, 'cameras')!r}"
        )
    priorities = launching.read_numbers(context, "priorities", int) or [0]
    if len(priorities) == 1:
        priorities *= len(cameras)
    if len(priorities) != len(cameras):
        raise LaunchArgumentError(
            f"launch argument 'priorities' must be one or {len(cameras)} integers, got "
            f"{len(priorities)}"
        )
    one = read(context, "nodes") == "one"
    by_camera = dict(zip(cameras, priorities, strict=True))
    return [_one_node(context, by_camera)] if one else _node_per_camera(context, by_camera)


def _one_node(context: LaunchContext, priorities: Mapping[str, int]) -> Action:
    topic = read(context, "image_topic")
    # names of models are parts of parameters' names: no slashes
    models = {camera.strip("/").replace("/", "_"): camera for camera in priorities}
    chosen = {"models": list(models)}
    for name, camera in models.items():
        chosen |= _model(context, name, f"{camera}/{topic}", priorities[camera])
    return launching.inference_node(
        context, read(context, "node_name"), _parameters(context, chosen)
    )


def _node_per_camera(context: LaunchContext, priorities: Mapping[str, int]) -> list[Action]:
    topic = read(context, "image_topic")
    return [
        launching.inference_node(
            context,
            read(context, "node_name"),
            _parameters(
                context, {"models": ["camera"], **_model(context, "camera", topic, priority)}
            ),
            namespace=camera,
            remappings=[("image_raw", topic)],
        )
        for camera, priority in priorities.items()
    ]


def _model(context: LaunchContext, name: str, topic: str, priority: int) -> dict[str, Any]:
    return {
        f"{name}.file": read(context, "model"),
        f"{name}.image_topic": topic,
        f"{name}.priority": priority,
    }


def _parameters(context: LaunchContext, chosen: dict[str, Any]) -> list[str | dict[str, Any]]:
    """The file and what is chosen by arguments; one of them at least."""
    file = read(context, "params_file")
    if not read(context, "model"):
        return [file or launching.config_file("multi_camera.yaml")]
    return [file, chosen] if file else [chosen]
