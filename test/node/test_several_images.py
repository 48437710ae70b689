# SPDX-License-Identifier: Apache-2.0
"""Models with several images, compressed images, and images that wait in the middleware."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tiny_models
from onnx import helper
from rclpy.qos import HistoryPolicy, QoSProfile
from sensor_msgs.msg import CompressedImage, Image

from hbm_runtime import HB_HBMRuntime
from hbm_runtime.image import bgr_resize
from hbm_runtime_ros.messages.conversions import bytes_to_field, tensors_to_numpy


@pytest.fixture
def stereo_model(tmp_path: Path) -> Path:
    """The difference of two RGB images of 6x4."""
    dims = (1, 3, 4, 6)
    node = helper.make_node("Sub", ["left", "right"], ["y"])
    inputs = [tiny_models.value(name, dims) for name in ("left", "right")]
    model = tiny_models.model_of([node], inputs, [tiny_models.value("y", dims)])
    return tiny_models.save(tmp_path / "stereo.hbm", tiny_models.pack(model, "stereo"))


def stereo_parameters(file: Path, **changes: Any) -> dict[str, Any]:
    return {
        "file": file,
        "images": ["l", "r"],
        "l": dict(image_topic="/left", tensors=["left"]),
        "r": dict(image_topic="/right", tensors=["right"]),
        **changes,
    }


def publish_pair(rig: Any, left: Image, right: Image) -> None:
    rig.left.publish(left)
    rig.right.publish(right)
    rig.observer.spin(0.1)


@pytest.fixture
def stereo(embed: Callable, stereo_model: Path) -> Callable[..., Any]:
    def make(**changes: Any) -> Any:
        rig = embed(pair=stereo_parameters(stereo_model, **changes))
        rig.until_active_without_camera()
        node = rig.observer.node
        rig.left, rig.right = (node.create_publisher(Image, t, 5) for t in ("/left", "/right"))
        rig.until(
            lambda: rig.left.get_subscription_count() and rig.right.get_subscription_count(),
            "both subscriptions",
        )
        return rig

    return make


def test_images_of_equal_stamps_make_one_result(stereo: Callable, make_image: Callable) -> None:
    rig = stereo()
    left = make_image("bgr8", 6, 4, stamp=(5, 6), seed=1)
    right = make_image("bgr8", 6, 4, stamp=(5, 6), seed=2)
    right.header.frame_id = "right camera"
    while not rig.results["pair"]:
        publish_pair(rig, left, right)
    result = rig.results["pair"][0]
    assert result.header == left.header
    assert [(image.name, image.topic) for image in result.images] == [
        ("l", "/left"),
        ("r", "/right"),
    ]
    assert [image.header for image in result.images] == [left.header, right.header]
    pixels = [np.array(image.data, np.uint8).reshape(4, 6, 3) for image in (left, right)]
    difference = pixels[0].astype(np.float32) - pixels[1]
    expected = difference[:, :, ::-1].transpose(2, 0, 1)[np.newaxis]
    assert np.array_equal(tensors_to_numpy(result)["y"], expected)


def test_an_image_without_its_partner_is_counted_as_unmatched(
    stereo: Callable, make_image: Callable
) -> None:
    rig = stereo(sync=dict(max_age=0.2))
    for second in range(8):
        rig.left.publish(make_image("bgr8", 6, 4, stamp=(second, 0)))
        rig.observer.spin(0.05)
    rig.until(lambda: rig.drops("pair").get("unmatched", 0) >= 3, "the count")
    assert rig.results["pair"] == []


def test_the_anchors_header_is_the_results(stereo: Callable, make_image: Callable) -> None:
    rig = stereo(sync=dict(policy="anchor", anchor="r", tolerance=0.05))
    left = make_image("bgr8", 6, 4, stamp=(5, 10_000_000))
    right = make_image("bgr8", 6, 4, stamp=(5, 0))
    right.header.frame_id = "right camera"
    second = 5
    while not rig.results["pair"]:
        publish_pair(rig, left, right)
        second += 1  # the next set's left image shows that no nearer one can come
        left.header.stamp.sec = right.header.stamp.sec = second
    header = rig.results["pair"][0].header
    assert (header.frame_id, header.stamp.nanosec) == ("right camera", 0)


def test_infer_takes_the_images_in_the_models_order(stereo: Callable, make_image: Callable) -> None:
    from hbm_runtime_ros.srv import Infer

    rig = stereo()
    images = [make_image("bgr8", 6, 4, seed=seed, stamp=(seed, 0)) for seed in (1, 2)]
    answer = rig.call(Infer, "infer", Infer.Request(model="pair", images=images))
    assert answer.success, answer.message
    assert [image.header.stamp.sec for image in answer.result.images] == [1, 2]


def test_compressed_images_come_by_the_topic_of_that_name(embed: Callable, tmp_path: Path) -> None:
    file = tiny_models.save(tmp_path / "rgb.hbm", tiny_models.pack(tiny_models.conv(), "rgb"))
    rig = embed(eye=dict(file=file, image_transport="compressed")).until_active_without_camera()
    assert rig.node.models[0].topics.images == ("/camera/image/compressed",)
    camera = rig.observer.node.create_publisher(CompressedImage, "/camera/image/compressed", 5)
    rig.until(lambda: camera.get_subscription_count() == 1, "the subscription")
    picture = np.random.default_rng(0).integers(0, 256, (16, 24, 3), dtype=np.uint8)
    ok, png = cv2.imencode(".png", picture)
    assert ok
    msg = CompressedImage(format="png")
    msg.data = bytes_to_field(png)
    msg.header.stamp.sec = 3
    camera.publish(CompressedImage(format="png", data=b"no picture"))
    rig.until(lambda: rig.counters("eye").drops, "the refusal")
    while not rig.results["eye"]:
        camera.publish(msg)
        rig.observer.spin(0.1)
    (y,) = tensors_to_numpy(rig.results["eye"][0]).values()
    small, _ = bgr_resize(picture, 12, 8)
    x = small[:, :, ::-1].transpose(2, 0, 1)[np.newaxis].astype(np.float32)
    assert np.array_equal(y, HB_HBMRuntime(str(file)).run({"x": x})["rgb"]["y"])
    assert rig.drops("eye") == {"undecodable": 1}


def test_with_policy_block_images_wait_in_the_middleware_and_none_is_lost(
    embed: Callable, make_image: Callable, tmp_path: Path
) -> None:
    spec = tiny_models.pack(tiny_models.conv(), "busy", nv12_inputs=("x",), latency_us=50_000)
    file = tiny_models.save(tmp_path / "busy.hbm", spec)
    reliable = dict(profile="reliable", history="keep_all")
    rig = embed(
        busy=dict(file=file, queue_policy="block", queue_depth=1, image_qos=reliable),
        quick=dict(file=file, image_qos=reliable),
    ).until_active_without_camera()
    profile = QoSProfile(depth=50, history=HistoryPolicy.KEEP_ALL)
    camera = rig.observer.node.create_publisher(Image, "/camera/image", profile)
    rig.until(lambda: camera.get_subscription_count() == 2, "a subscription of its own")
    for second in range(15):
        camera.publish(make_image(stamp=(second, 0)))
    rig.until(lambda: len(rig.results["busy"]) == 15, "all results")
    assert [result.header.stamp.sec for result in rig.results["busy"]] == list(range(15))
    assert rig.drops("busy") == {}
    assert rig.drops("quick").get("replaced", 0) > 0  # the other one did not wait


def test_core_use_is_told(embed: Callable, slow_model: Path, make_image: Callable) -> None:
    rig = embed(slow=dict(file=slow_model, bpu_cores=[2])).until_active()
    for second in range(4):
        rig.publish_until_result(make_image(stamp=(second, 0)), "slow")
    use = rig.all_statistics().core_use
    assert len(use) == 4
    assert 0.2 < use[2] <= 1.0
    assert max(use[0], use[1], use[3]) < use[2] / 2
