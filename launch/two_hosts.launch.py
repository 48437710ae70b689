# SPDX-License-Identifier: Apache-2.0
"""Spreads two models over two hosts: start it on each of them and say which one it is.

    a: ros2 launch hbm_runtime_ros two_hosts.launch.py host:=a model:=/models/detector.hbm \
           image_topic:=/camera/image_raw
    b: ros2 launch hbm_runtime_ros two_hosts.launch.py host:=b model:=/models/orientation.hbm \
           image_topic:=/camera/image_raw

Both hosts must be in one ROS domain (`domain`), and must find each other: by multicast, which needs
one network, or by `peers` where multicast is blocked. Each node is /a/inference_node or
/b/inference_node, so that nobody has to ask on which host it runs.
"""

from __future__ import annotations

from launch.actions import DeclareLaunchArgument, LogInfo, SetEnvironmentVariable

from hbm_runtime_ros import launching
from hbm_runtime_ros.launching import LaunchArgumentError, read
from launch import Action, LaunchContext, LaunchDescription

HIGHEST_DOMAIN = 101  # that all operating systems have ports for
# What confines ROS to one host; an environment made for simulations often has it.
CUT_OFF = {"ROS_LOCALHOST_ONLY": "1", "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}


def generate_launch_description() -> LaunchDescription:
    """Describe it; `ros2 launch hbm_runtime_ros two_hosts.launch.py --show-args` lists this."""
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                "host",
                description="Which host this is; it names the namespace of the node",
                choices=["a", "b"],
            ),
            DeclareLaunchArgument(
                "model",
                default_value="",
                description="Path of the model file on this host; empty: params_file says it",
            ),
            DeclareLaunchArgument(
                "name",
                default_value="model",
                description="Name of the model in topics and parameters, with `model`",
            ),
            DeclareLaunchArgument(
                "params_file",
                default_value="",
                description="YAML file with the parameters, e.g. one file for both hosts with the "
                "keys /a/inference_node and /b/inference_node",
            ),
            DeclareLaunchArgument(
                "image_topic",
                default_value="/camera/image_raw",
                description="Topic of the camera, which may be on either host; full name",
            ),
            DeclareLaunchArgument(
                "domain",
                default_value="",
                description=f"ROS domain of both hosts, 0 to {HIGHEST_DOMAIN}; empty: as "
                "ROS_DOMAIN_ID says",
            ),
            DeclareLaunchArgument(
                "peers",
                default_value="",
                description="Address of the other host, where multicast does not reach it "
                "(ROS_STATIC_PEERS; from ROS 2 Iron on)",
            ),
            *launching.node_arguments(),
            *launching.middleware_profile(),
            launching.described_by(_network),
            launching.described_by(_nodes),
        ]
    )


def _network(context: LaunchContext) -> list[Action]:
    variables: dict[str, str] = {}
    if read(context, "domain"):
        domain = launching.read_number(context, "domain", int, at_least=0)
        if domain > HIGHEST_DOMAIN:
            raise LaunchArgumentError(
                f"launch argument 'domain' must be 0 to {HIGHEST_DOMAIN}, got {domain}"
            )
        variables["ROS_DOMAIN_ID"] = str(domain)
    peers = launching.read_list(context, "peers")
    if peers:
        variables["ROS_STATIC_PEERS"] = ";".join(peers)
    seen = {**context.environment, **variables}
    text = (
        f"host {read(context, 'host')}: ROS domain {seen.get('ROS_DOMAIN_ID') or 0}, "
        f"peers {seen.get('ROS_STATIC_PEERS') or 'by multicast'}; the other host needs the same "
        "domain"
    )
    for name, value in CUT_OFF.items():
        if seen.get(name) == value:
            text += f"; {name}={value} keeps the hosts apart, unset it"
    return [
        *(SetEnvironmentVariable(name, value) for name, value in variables.items()),
        LogInfo(msg=text),
    ]


def _nodes(context: LaunchContext) -> list[Action]:
    model, name, file = (read(context, each) for each in ("model", "name", "params_file"))
    if not model and not file:
        raise LaunchArgumentError("one of the launch arguments 'model' and 'params_file' is needed")
    chosen = {"models": [name], f"{name}.file": model} if model else {}
    return [
        launching.inference_node(
            context,
            "inference_node",
            [*filter(None, [file]), chosen],
            namespace=read(context, "host"),
            remappings=[("image_raw", read(context, "image_topic"))],
        )
    ]
