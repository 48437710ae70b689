# SPDX-License-Identifier: Apache-2.0
"""Quality of service of the node's topics: by profile, by field, and by ROS's own overrides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rclpy.duration import Duration
from rclpy.qos import (
    DurabilityPolicy,
    HistoryPolicy,
    LivelinessPolicy,
    QoSProfile,
    ReliabilityPolicy,
    qos_profile_sensor_data,
    qos_profile_system_default,
)

from hbm_runtime_ros.parameters.settings import QosSettings

# Best effort, depth 5: matches reliable and best-effort cameras; the newest frame is what counts.
IMAGES = qos_profile_sensor_data

# Reliable, so that both kinds of subscriber match; depth 5 bounds the memory held for slow ones.
TENSORS = QoSProfile(depth=5, reliability=ReliabilityPolicy.RELIABLE)

# Kept for late joiners.
MODEL_INFO = QoSProfile(
    depth=1,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)

STATISTICS = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)

DIAGNOSTICS = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)

# Deep, because the middleware forgets requests and answers beyond the depth without a word.
SERVICES = QoSProfile(depth=100, reliability=ReliabilityPolicy.RELIABLE)

# What the parameters `…_qos.profile` name.
PROFILES: Mapping[str, QoSProfile] = {
    "sensor_data": IMAGES,
    "reliable": TENSORS,
    "default": QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE),
    "latched": MODEL_INFO,
    "system_default": qos_profile_system_default,
}

_NAMED: Mapping[str, Any] = {
    "reliability": ReliabilityPolicy,
    "durability": DurabilityPolicy,
    "history": HistoryPolicy,
    "liveliness": LivelinessPolicy,
}
_DURATIONS = ("deadline", "lifespan", "liveliness_lease_duration")
_NOT_CHOOSABLE = ("UNKNOWN", "BEST_AVAILABLE")


def profile(settings: QosSettings) -> QoSProfile:
    """Make the profile that a configuration asks for.

    Args:
        settings: Checked.

    Returns:
        A profile of its own.
    """
    made = _copy(PROFILES[settings.profile])
    for field in ("reliability", "durability", "history"):
        name = getattr(settings, field)
        if name:
            setattr(made, field, _NAMED[field][name.upper()])
    if settings.depth:
        made.depth = settings.depth
    if settings.deadline:
        made.deadline = Duration(nanoseconds=round(settings.deadline * 1e9))
    return made


def override(made: QoSProfile, policies: Mapping[str, Any]) -> str:
    """Change a profile as the parameters `qos_overrides.<topic>.<publisher|subscription>.*` say.

    rclpy's own mechanism would declare a read-only parameter for each policy and keep its first
    value, so that a node that is configured again would keep the QoS of its first configuration.

    Args:
        made: Changed in place.
        policies: Value per name of the policy, as configured.

    Returns:
        What is wrong with them: "must …" clauses with the policy's name before them, or "".
    """
    problems = []
    for policy, value in policies.items():
        problem = _override_one(made, policy, value)
        if problem:
            problems.append(f"{policy} {problem}, got {value!r}")
    return "; ".join(problems)


def _override_one(made: QoSProfile, policy: str, value: Any) -> str:
    if policy in _NAMED:
        names = [name for name in _NAMED[policy].__members__ if name not in _NOT_CHOOSABLE]
        if not isinstance(value, str) or value.upper() not in names:
            return f"must be one of {', '.join(sorted(name.lower() for name in names))}"
        setattr(made, policy, _NAMED[policy][value.upper()])
    elif policy in _DURATIONS:
        if type(value) is not int or value < 0:
            return "must be nanoseconds, 0 or more"
        setattr(made, policy, Duration(nanoseconds=value))
    elif policy == "depth":
        if type(value) is not int or value < 0:
            return "must be an integer, 0 or more"
        made.depth = value
    elif policy == "avoid_ros_namespace_conventions":
        if type(value) is not bool:
            return "must be a bool"
        made.avoid_ros_namespace_conventions = value
    else:
        return f"must be one of {', '.join([*_NAMED, *_DURATIONS, 'depth'])}"
    return ""


def _copy(original: QoSProfile) -> QoSProfile:
    return QoSProfile(
        history=original.history,
        depth=original.depth,
        reliability=original.reliability,
        durability=original.durability,
        lifespan=original.lifespan,
        deadline=original.deadline,
        liveliness=original.liveliness,
        liveliness_lease_duration=original.liveliness_lease_duration,
        avoid_ros_namespace_conventions=original.avoid_ros_namespace_conventions,
    )
