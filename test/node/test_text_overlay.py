# SPDX-License-Identifier: Apache-2.0
"""The example consumer: boxes of a probability map, drawn on the image it belongs to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from hbm_runtime_ros.msg import TensorList
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image

from hbm_runtime.image import place
from hbm_runtime_ros.conversions import array_to_tensor, transform_to_msg
from hbm_runtime_ros.qos import TENSORS
from hbm_runtime_ros.text_overlay import GREEN


def probability_map() -> np.ndarray:
    heat = np.zeros((1, 1, 64, 64), np.float32)
    heat[0, 0, 20:30, 10:50] = 0.95
    return heat


def result_for(image: Image, heat: np.ndarray) -> TensorList:
    transform = place(image.width, image.height, 64, 64, "stretch").transform
    return TensorList(
        header=image.header,
        transform=transform_to_msg(transform),
        tensors=[array_to_tensor("map", heat, 7)],
    )


def test_boxes_are_drawn_on_the_image_of_the_same_stamp_and_saved(
    start: Callable, observer: Any, make_image: Callable, tmp_path: Path
) -> None:
    overlay = start("text_overlay", {"save_path": "out.png"})
    camera = observer.node.create_publisher(Image, "image_raw", qos_profile_sensor_data)
    tensors = observer.node.create_publisher(TensorList, "tensors", TENSORS)
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
        tensors.publish(result_for(image, probability_map()))
        observer.spin(0.5, lambda: drawn)
        assert second < 60, overlay.log
    result = drawn[0]
    assert (result.encoding, result.width, result.height) == ("bgr8", 256, 128)
    assert result.header.stamp.nanosec == 7
    pixels = np.array(result.data, np.uint8).reshape(128, 256, 3)
    rows, columns = np.nonzero((pixels == GREEN).all(axis=2))
    # the map's box x 10..50, y 20..30 is x 40..200, y 40..60 of the image, and grows
    assert columns.min() < 40 < 200 < columns.max()
    assert rows.max() > 60
    observer.until(lambda: (tmp_path / "out.png").is_file(), "the file")
    assert cv2.imread(str(tmp_path / "out.png")).shape == (128, 256, 3)


def test_a_tensor_that_is_no_map_is_logged_and_survived(
    start: Callable, observer: Any, make_image: Callable
) -> None:
    overlay = start("text_overlay", {})
    camera = observer.node.create_publisher(Image, "image_raw", qos_profile_sensor_data)
    tensors = observer.node.create_publisher(TensorList, "tensors", TENSORS)
    observer.until(lambda: tensors.get_subscription_count(), "the overlay's subscription")
    second = 0
    while "no overlay" not in overlay.log:
        second += 1
        image = make_image(stamp=(second, 0))
        camera.publish(image)
        observer.spin(0.2)
        tensors.publish(result_for(image, np.zeros((2, 3, 4, 4), np.float32)))
        observer.spin(0.2)
        assert second < 60, overlay.log
    assert "probability map must be [1, 1, H, W], got [2, 3, 4, 4]" in overlay.log
    assert overlay.process.poll() is None
