# SPDX-License-Identifier: Apache-2.0
"""A running node has the topics and services of the list that the references are made of."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from node_rig import PATIENCE
from rclpy.qos import DurabilityPolicy, ReliabilityPolicy

from hbm_runtime_ros.node.interface import INTERFACES, Interface

NODE = "/inference_node"
# What every node has, and what comes with the life cycle.
OF_ROS = ("/rosout", "/parameter_events", "/clock", "_parameters", "_parameter_types")
OF_ROS += ("/set_parameters_atomically", "/get_type_description", "/transition_event")
OF_ROS += ("/get_available_states", "/get_available_transitions", "/get_transition_graph")
NAMES = {
    "<image_topic>": ["/camera/image"],
    "<image_topic>/compressed": ["/far/image/compressed"],
    "~/<model>/tensors": [f"{NODE}/near/tensors", f"{NODE}/far/tensors"],
}


def names_of(row: Interface) -> list[str]:
    """The row's name, resolved for the two models of the test."""
    return NAMES.get(row.name, [row.name.replace("~", NODE)])


def listed(direction: str) -> dict[str, str]:
    """Type per name."""
    rows = [row for row in INTERFACES if row.direction == direction]
    return {name: row.type for row in rows for name in names_of(row)}


def test_a_running_node_offers_exactly_what_is_listed(serve: Callable, nv12_model: Path) -> None:
    rig = serve(
        near=dict(file=nv12_model),
        far=dict(file=nv12_model, image_topic="/far/image", image_transport="compressed"),
    )
    node = rig.observer.node
    asked = {
        "in": node.get_subscriber_names_and_types_by_node,
        "out": node.get_publisher_names_and_types_by_node,
        "service": node.get_service_names_and_types_by_node,
    }

    def offered(direction: str) -> dict[str, str]:
        if NODE[1:] not in node.get_node_names():
            return {}
        found = asked[direction](NODE[1:], "/")
        return {name: types[0] for name, types in found if not name.endswith(OF_ROS)}

    for direction in asked:
        expected = listed(direction)
        rig.observer.spin(PATIENCE, lambda: offered(direction) == expected)  # noqa: B023  # at once
        assert offered(direction) == expected
    for row in INTERFACES:
        if row.direction != "out":
            continue
        for name in names_of(row):
            infos = node.get_publishers_info_by_topic(name)
            (profile,) = [info.qos_profile for info in infos if info.node_name == NODE[1:]]
            assert profile.reliability == ReliabilityPolicy.RELIABLE and "reliable" in row.qos
            is_latched = profile.durability == DurabilityPolicy.TRANSIENT_LOCAL
            assert is_latched == ("transient local" in row.qos), name
