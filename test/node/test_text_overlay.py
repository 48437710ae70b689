# SPDX-License-Identifier: Apache-2.0
"""The example consumer: boxes of a probability map, drawn on the image it belongs to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hbm_runtime_ros.msg import InputImage, TensorList
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image

from hbm_runtime.image import place
from hbm_runtime_ros.messages.conversions import array_to_tensor, transform_to_msg
from hbm_runtime_ros.ros.qos import TENSORS
from text_overlay import GREEN, OVERLAY_QOS


def probability_map() -> np.ndarray:
    heat = np.zeros((1, 1, 64, 64), np.float32)
    heat[0, 0, 20:30, 10:50] = 0.95
    return heat


def result_for(image: Image, heat: np.ndarray, *, others: int = 0) -> TensorList:
    """As the node says it; `others` images of other topics come first."""
    transform = place(image.width, image.height, 64, 64, "stretch").transform
    wrong = place(image.width, image.height, 64, 64, "letterbox").transform
    return TensorList(
        header=image.header,
        images=[
            *[
                InputImage(topic="/other", header=image.header, transform=transform_to_msg(wrong))
                for _ in range(others)
            ],
            InputImage(
                topic="/image_raw", header=image.header, transform=transform_to_msg(transform)
            ),
        ],
        tensors=[array_to_tensor("map", heat, 7)],
    )


@pytest.fixture
def camera(observer: Any) -> Any:
    return observer.node.create_publisher(Image, "image_raw", qos_profile_sensor_data)


@pytest.fixture
def tensors(observer: Any) -> Any:
    return observer.node.create_publisher(TensorList, "tensors", TENSORS)


@pytest.mark.parametrize("others", [0, 1])
def test_boxes_are_drawn_on_the_image_of_the_same_stamp_and_saved(
    start: Callable,
    observer: Any,
    camera: Any,
    tensors: Any,
    make_image: Callable,
    tmp_path: Path,
    others: int,
) -> None:
    overlay = start("text_overlay", {"save_path": "out.png"})
    drawn = observer.collect(Image, "/text_overlay/overlay", qos_profile_sensor_data)
    observer.until(
        lambda: camera.get_subscription_count() and tensors.get_subscription_count(),
        f"the overlay's subscriptions; its log:\n{overlay.log}",
    )
    second = 0
    while not drawn:
        second += 1
        image = make_image("bgr8", 256, 128, stamp=(second, 7))
        image.data[:] = type(image.data)("B", bytes(len(image.data)))
        camera.publish(image)
        observer.spin(0.2)
        tensors.publish(result_for(image, probability_map(), others=others))
        observer.spin(0.5, lambda: drawn)
        assert second < 60, overlay.log
    result = drawn[0]
    assert (result.encoding, result.width, result.height) == ("bgr8", 256, 128)
    assert result.header.stamp.nanosec == 7
    pixels = np.array(result.data, np.uint8).reshape(128, 256, 3)
    rows, columns = np.nonzero((pixels == GREEN).all(axis=2))
    # the map's box x 10..50, y 20..30 is x 40..200, y 40..60 of the image, and grows
    assert columns.min() < 40 < 200 < columns.max()
    assert 60 < rows.max() < 76
    observer.until(lambda: (tmp_path / "out.png").is_file(), "the file")
    assert cv2.imread(str(tmp_path / "out.png")).shape == (128, 256, 3)


def test_it_subscribes_only_while_somebody_looks(
    start: Callable, observer: Any, camera: Any, tensors: Any
) -> None:
    overlay = start("text_overlay", {})
    observer.until(
        lambda: observer.node.count_publishers("/text_overlay/overlay"), "the overlay's topic"
    )
    observer.spin(1.0)
    assert camera.get_subscription_count() == tensors.get_subscription_count() == 0
    viewer = observer.node.create_subscription(
        Image, "/text_overlay/overlay", lambda _: None, OVERLAY_QOS
    )
    observer.until(
        lambda: camera.get_subscription_count() and tensors.get_subscription_count(),
        f"the overlay's subscriptions; its log:\n{overlay.log}",
    )
    observer.node.destroy_subscription(viewer)
    observer.until(
        lambda: camera.get_subscription_count() == tensors.get_subscription_count() == 0,
        f"the end of the overlay's subscriptions; its log:\n{overlay.log}",
    )


@pytest.mark.parametrize(
    ("result", "says"),
    [
        (
            lambda image: result_for(image, np.zeros((2, 3, 4, 4), np.float32)),
            "probability map must be [1, 1, H, W], got [2, 3, 4, 4]",
        ),
        (lambda image: TensorList(model="odd"), "a result of model 'odd' names no image"),
    ],
)
def test_a_result_that_cannot_be_drawn_is_logged_and_survived(
    start: Callable,
    observer: Any,
    camera: Any,
    tensors: Any,
    make_image: Callable,
    result: Callable[[Image], TensorList],
    says: str,
) -> None:
    overlay = start("text_overlay", {"save_path": "out.png"})
    observer.until(lambda: tensors.get_subscription_count(), "the overlay's subscription")
    second = 0
    while "no overlay" not in overlay.log:
        second += 1
        image = make_image(stamp=(second, 0))
        camera.publish(image)
        observer.spin(0.2)
        tensors.publish(result(image))
        observer.spin(0.2)
        assert second < 60, overlay.log
    assert says in overlay.log
    assert overlay.process.poll() is None
