# SPDX-License-Identifier: Apache-2.0
"""Quality of service of one topic: as configured, with the overrides that ROS knows for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rclpy.qos import QoSProfile

from hbm_runtime_ros.parameters.settings import QosSettings
from hbm_runtime_ros.ros import qos

if TYPE_CHECKING:
    from rclpy.node import Node


def subscription_profile(node: Node, topic: str, settings: QosSettings) -> tuple[QoSProfile, str]:
    """QoS of an image topic.

    Args:
        node: Whose parameters `qos_overrides.*` count.
        topic: Resolved name.
        settings: As configured.

    Returns:
        The profile and what is wrong with the overrides, or "".
    """
    made = qos.profile(settings)
    return made, qos.override(made, _overrides(node, topic, "subscription"))


def publisher_profile(node: Node, topic: str, settings: QosSettings) -> tuple[QoSProfile, str]:
    """QoS of a model's results; arguments and result as of `subscription_profile`."""
    made = qos.profile(settings)
    return made, qos.override(made, _overrides(node, topic, "publisher"))


def _overrides(node: Node, topic: str, side: str) -> Mapping[str, Any]:
    """Parameters `qos_overrides.<topic>.<side>.*`; all that are given are declared."""
    found = node.get_parameters_by_prefix(f"qos_overrides.{topic}.{side}")
    return {name: parameter.value for name, parameter in found.items()}
