# SPDX-License-Identifier: Apache-2.0
"""QoS by profile, by field and by ROS's overrides; mismatches are counted and told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rclpy.duration import Duration
from rclpy.qos import (
    DurabilityPolicy,
    HistoryPolicy,
    QoSProfile,
    ReliabilityPolicy,
)
from sensor_msgs.msg import Image


def subscription_of(rig: Any) -> QoSProfile:
    """QoS that the node subscribes to the camera with, as others see it."""
    (info,) = rig.observer.node.get_subscriptions_info_by_topic("/camera/image")
    return info.qos_profile


def publisher_of(rig: Any) -> QoSProfile:
    """QoS that the node publishes tensors with, as others see it."""
    (info,) = rig.observer.node.get_publishers_info_by_topic("/inference_node/eye/tensors")
    return info.qos_profile


def test_by_default_images_are_best_effort_and_tensors_reliable(
    embed: Callable, nv12_model: Path
) -> None:
    rig = embed(eye=dict(file=nv12_model)).until_active()
    assert subscription_of(rig).reliability == ReliabilityPolicy.BEST_EFFORT
    assert publisher_of(rig).reliability == ReliabilityPolicy.RELIABLE


def test_the_parameters_choose_both_sides(embed: Callable, nv12_model: Path) -> None:
    rig = embed(
        eye=dict(
            file=nv12_model,
            image_qos=dict(profile="reliable", durability="transient_local"),
            tensors_qos=dict(profile="latched", reliability="best_effort"),
        )
    )
    rig.until(lambda: rig.node.lifecycle_state == "active", "the active node")
    rig.until(
        lambda: (
            rig.observer.node.count_subscribers("/camera/image") == 1
            and rig.observer.node.count_publishers("/inference_node/eye/tensors") == 1
        ),
        "the topics",
    )
    assert subscription_of(rig).reliability == ReliabilityPolicy.RELIABLE
    assert subscription_of(rig).durability == DurabilityPolicy.TRANSIENT_LOCAL
    assert publisher_of(rig).reliability == ReliabilityPolicy.BEST_EFFORT
    assert publisher_of(rig).durability == DurabilityPolicy.TRANSIENT_LOCAL


def test_overrides_of_ros_go_before_the_parameters(embed: Callable, nv12_model: Path) -> None:
    overrides = {
        "qos_overrides./camera/image.subscription.reliability": "reliable",
        "qos_overrides./camera/image.subscription.depth": 7,
        "qos_overrides./inference_node/eye/tensors.publisher.history": "keep_all",
    }
    rig = embed(overrides, eye=dict(file=nv12_model)).until_active_without_camera()
    assert subscription_of(rig).reliability == ReliabilityPolicy.RELIABLE
    (made,) = rig.node._image_subscriptions._subscriptions.values()
    assert made.subscription.qos_profile.depth == 7
    assert rig.node.models[0].publisher.qos_profile.history == HistoryPolicy.KEEP_ALL


@pytest.mark.parametrize(
    ("policy", "value", "says"),
    [
        ("reliability", "often", "reliability must be one of best_effort"),
        ("depth", "deep", "depth must be an integer"),
        ("depht", 4, "depht must be one of"),
    ],
)
def test_an_override_that_cannot_be_is_a_problem_of_the_configuration(
    embed: Callable, nv12_model: Path, policy: str, value: Any, says: str
) -> None:
    key = "qos_overrides./camera/image.subscription"
    rig = embed({f"{key}.{policy}": value}, eye=dict(file=nv12_model))
    rig.until(lambda: rig.node.problems, "the refusal")
    (problem,) = rig.node.problems
    assert key in problem
    assert says in problem


def test_a_publisher_that_does_not_fit_is_counted_and_told(
    embed: Callable, nv12_model: Path, make_image: Callable
) -> None:
    rig = embed(
        eye=dict(file=nv12_model, image_qos=dict(reliability="reliable"))
    ).until_active_without_camera()  # the rig's camera is best effort
    rig.until(lambda: rig.node.models[0].inputs[0].qos_mismatches >= 1, "the event")
    rig.camera.publish(make_image())
    rig.observer.spin(0.2)
    (counted,) = rig.statistics("eye").inputs
    assert counted.qos_mismatches == 1
    assert counted.received == 0
    assert "/camera/image: a publisher offers QoS" in rig.log
    assert "RELIABILITY" in rig.log
    rig.observer.node.destroy_publisher(rig.camera)
    rig.camera = rig.observer.node.create_publisher(Image, "/camera/image", 5)
    rig.until_active()
    rig.publish_until_result(make_image(), "eye")


def test_models_of_one_topic_share_a_subscription_unless_their_qos_differs(
    embed: Callable, nv12_model: Path, make_image: Callable
) -> None:
    rig = embed(
        eye=dict(file=nv12_model),
        ear=dict(file=nv12_model),
        nose=dict(file=nv12_model, image_qos=dict(depth=2)),
    ).until_active()
    assert rig.observer.node.count_subscribers("/camera/image") == 2
    image = make_image()
    for model in ("eye", "ear", "nose"):
        rig.publish_until_result(image, model)


def test_a_deadline_that_is_missed_is_told(
    embed: Callable, nv12_model: Path, make_image: Callable
) -> None:
    rig = embed(
        eye=dict(file=nv12_model, image_qos=dict(deadline=0.3))
    ).until_active_without_camera()
    profile = QoSProfile(depth=5, deadline=Duration(nanoseconds=200_000_000))
    camera = rig.observer.node.create_publisher(Image, "/camera/image", profile)
    rig.until(lambda: camera.get_subscription_count() == 1, "the subscription")
    for _ in range(3):
        camera.publish(make_image())
        rig.observer.spin(0.1)
    rig.until(lambda: "no image within image_qos.deadline" in rig.log, "the missed deadline")
