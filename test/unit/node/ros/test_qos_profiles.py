# SPDX-License-Identifier: Apache-2.0
"""QoS by profile and by field."""

from __future__ import annotations

from rclpy.duration import Duration
from rclpy.qos import ReliabilityPolicy

from hbm_runtime_ros.parameters.settings import QosSettings
from hbm_runtime_ros.ros import qos


def test_fields_differ_from_their_profile_where_they_are_given() -> None:
    made = qos.profile(QosSettings("sensor_data", reliability="reliable", depth=9, deadline=0.5))
    assert made.reliability == ReliabilityPolicy.RELIABLE
    assert made.durability == qos.PROFILES["sensor_data"].durability
    assert made.depth == 9
    assert made.deadline == Duration(nanoseconds=500_000_000)
    assert qos.PROFILES["sensor_data"].depth == 5  # the profile itself stays


def test_every_profile_that_the_parameters_allow_exists() -> None:
    from hbm_runtime_ros.parameters.derived_tables import MODEL_PARAMETERS

    (spec,) = (spec for spec in MODEL_PARAMETERS if spec.name == "tensors_qos.profile")
    assert set(spec.choices) == set(qos.PROFILES)
    for name in spec.choices:
        qos.profile(QosSettings(name))
