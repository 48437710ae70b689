# SPDX-License-Identifier: Apache-2.0
"""Images in, raw tensors out: header, values, coordinates, order."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tiny_models
from rclpy.serialization import serialize_message

from hbm_runtime import HB_HBMRuntime
from hbm_runtime.image import bgr_resize, bgr_to_nv12, nv12_from_buffer, nv12_resize
from hbm_runtime_ros.messages.conversions import tensors_to_numpy, transform_from_msg


def run_nv12(file: Path, frame: Any) -> dict[str, np.ndarray]:
    """The same inference in this process."""
    runtime = HB_HBMRuntime(str(file))
    (model,) = runtime.model_names
    inputs = {"x_y": frame.y[np.newaxis, ..., np.newaxis], "x_uv": frame.uv[np.newaxis]}
    return runtime.run({model: inputs})[model]


def assert_equal(result: Any, expected: dict[str, np.ndarray]) -> None:
    arrays = tensors_to_numpy(result)
    assert list(arrays) == list(expected)
    for name, array in arrays.items():
        assert array.dtype == expected[name].dtype
        assert np.array_equal(array, expected[name])


def test_the_header_comes_back_bit_for_bit(
    serve: Callable, nv12_model: Path, make_image: Callable
) -> None:
    rig = serve(eye=dict(file=nv12_model))
    image = make_image(stamp=(-2_000_000_000, 4_294_967_295))
    image.header.frame_id = "Kamera/vorne links ☼"
    result = rig.publish_until_result(image, "eye")
    assert serialize_message(result.header) == serialize_message(image.header)


def test_nv12_tensors_equal_the_run_in_this_process(
    serve: Callable, nv12_model: Path, make_image: Callable
) -> None:
    rig = serve(eye=dict(file=nv12_model))
    image = make_image(width=12, height=8, seed=1)
    result = rig.publish_until_result(image, "eye")
    assert_equal(result, run_nv12(nv12_model, nv12_from_buffer(image.data, 12, 8)))
    assert result.model == "eye"
    (tensor,) = result.tensors
    assert list(tensor.strides) == [4 * 4 * 8 * 12, 4 * 8 * 12, 4 * 12, 4]


def test_nv12_with_padded_rows_is_read_row_by_row(
    serve: Callable, nv12_model: Path, make_image: Callable
) -> None:
    rig = serve(eye=dict(file=nv12_model))
    image = make_image(width=20, height=8, seed=2, stamp=(3, 4))
    image.width = 12
    result = rig.publish_until_result(image, "eye")
    assert_equal(result, run_nv12(nv12_model, nv12_from_buffer(image.data, 12, 8, step=20)))


@pytest.mark.parametrize("resize", ["stretch", "letterbox"])
def test_a_larger_image_is_resized_as_configured_and_the_transform_says_how(
    serve: Callable, nv12_model: Path, make_image: Callable, resize: str
) -> None:
    rig = serve(eye=dict(file=nv12_model, resize=resize, pad_value=10))
    image = make_image(width=64, height=64, seed=3)
    result = rig.publish_until_result(image, "eye")
    frame, transform = nv12_resize(nv12_from_buffer(image.data, 64, 64), 12, 8, resize, 10)
    assert_equal(result, run_nv12(nv12_model, frame))
    assert transform_from_msg(result.images[0].transform) == transform


@pytest.mark.parametrize("color_range", ["full", "limited"])
def test_a_bgr_image_is_converted_for_an_nv12_model(
    serve: Callable, nv12_model: Path, make_image: Callable, color_range: str
) -> None:
    pytest.importorskip("cv_bridge", reason="needs cv_bridge")
    rig = serve(eye=dict(file=nv12_model, color_range=color_range))
    image = make_image("bgr8", width=24, height=16, seed=4)
    result = rig.publish_until_result(image, "eye")
    pixels = cv2.resize(np.array(image.data, np.uint8).reshape(16, 24, 3), (12, 8))
    assert_equal(result, run_nv12(nv12_model, bgr_to_nv12(pixels, color_range)))


@pytest.mark.parametrize("channels_last", [False, True])
def test_an_rgb_model_gets_rgb(
    serve: Callable, make_image: Callable, tmp_path: Path, channels_last: bool
) -> None:
    pytest.importorskip("cv_bridge", reason="needs cv_bridge")
    spec = tiny_models.pack(tiny_models.conv(channels_last=channels_last), "rgb")
    file = tiny_models.save(tmp_path / "rgb.hbm", spec)
    rig = serve(eye=dict(file=file))
    image = make_image("bgr8", width=30, height=30, seed=5)
    result = rig.publish_until_result(image, "eye")
    pixels, _ = bgr_resize(np.array(image.data, np.uint8).reshape(30, 30, 3), 12, 8)
    rgb = pixels[np.newaxis, :, :, ::-1].astype(np.float32)
    inputs = {"x": rgb if channels_last else rgb.transpose(0, 3, 1, 2)}
    assert_equal(result, HB_HBMRuntime(str(file)).run(inputs)["rgb"])


def test_padded_outputs_are_published_dense(
    serve: Callable, make_image: Callable, tmp_path: Path
) -> None:
    spec = tiny_models.pack(tiny_models.int32_255_channels(), "head", nv12_inputs=())
    file = tiny_models.save(tmp_path / "head.hbm", spec)
    runtime = HB_HBMRuntime(str(file))
    assert runtime.output_strides["head"]["head"] == [21 * 21 * 1024, 21 * 1024, 1024, 4]
    rig = serve(eye=dict(file=file))
    image = make_image(width=42, height=42, seed=6)
    (tensor,) = rig.publish_until_result(image, "eye").tensors
    assert list(tensor.shape) == [1, 21, 21, 255]
    assert list(tensor.strides) == [21 * 21 * 1020, 21 * 1020, 1020, 4]
    assert len(tensor.data) == 21 * 21 * 1020


def test_two_models_on_one_topic_both_answer_each_with_its_own_numbering(
    serve: Callable, nv12_model: Path, make_image: Callable
) -> None:
    rig = serve(left=dict(file=nv12_model, priority=9), right=dict(file=nv12_model))
    for second in range(3):
        image = make_image(stamp=(second, 0), seed=second)
        results = [rig.publish_until_result(image, name) for name in ("left", "right")]
        assert results[0].tensors == results[1].tensors
    for name in ("left", "right"):
        numbers = [result.sequence for result in rig.results[name]]
        assert numbers == list(range(len(numbers)))


def test_times_of_a_result_are_in_order(
    serve: Callable, nv12_model: Path, make_image: Callable
) -> None:
    result = serve(eye=dict(file=nv12_model)).publish_until_result(make_image(), "eye")
    times = [
        (stamp.sec, stamp.nanosec) for stamp in (result.received, result.started, result.finished)
    ]
    assert times == sorted(times)
    assert times[0] > (0, 0)
