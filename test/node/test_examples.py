# SPDX-License-Identifier: Apache-2.0
"""The examples for ROS run as they stand: camera in front, their small topic behind."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_models
import yaml
from node_rig import PATIENCE, NodeProcess
from onnx import helper
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image
from std_msgs.msg import Float32, Int32

EXAMPLES = Path(__file__).parents[2] / "examples" / "ros"
RED, GREEN, BLUE = range(3)


def mean_of_channels() -> Any:
    """Class 0, 1, 2: the picture is mostly red, green, blue."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["x"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["channels"]),
    ]
    inputs = [tiny_models.value("x", (1, 3, 32, 32))]
    return tiny_models.model_of(nodes, inputs, [tiny_models.value("channels", (1, 3))])


@pytest.fixture
def model(tmp_path: Path) -> Path:
    spec = tiny_models.pack(mean_of_channels(), "channels", nv12_inputs=("x",))
    return tiny_models.save(tmp_path / "channels.hbm", spec)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[..., NodeProcess]]:
    """Start an example with parameters; at the end it is stopped and must end well."""
    started: list[NodeProcess] = []

    def run_example(name: str, parameters: dict[str, Any]) -> NodeProcess:
        file = tmp_path / "parameters.yaml"
        file.write_text(yaml.safe_dump({"/**": {"ros__parameters": parameters}}))
        ros = ["--ros-args", "--params-file", str(file)]
        started.append(NodeProcess(name, ros, tmp_path, EXAMPLES))
        return started[-1]

    yield run_example
    for example in started:
        assert example.stop() == 0, example.log
        assert "Traceback" not in example.log, example.log


def until_answered(observer: Any, camera: Any, answers: list[Any], image: Image, log: Any) -> Any:
    """Publish an image again and again until an answer comes."""
    deadline = time.monotonic() + PATIENCE
    while not answers:
        assert time.monotonic() < deadline, log()
        camera.publish(image)
        observer.spin(0.2, lambda: answers)
    return answers[-1].data


def plain(make_image: Callable[..., Image], u: int, v: int) -> Image:
    """A picture of one colour."""
    image = make_image("nv12", 64, 48)
    planes = np.frombuffer(image.data, np.uint8)
    planes[: 64 * 48] = 128
    planes[64 * 48 :: 2], planes[64 * 48 + 1 :: 2] = u, v
    return image


@pytest.mark.parametrize(("u", "v", "expected"), [(128, 220, RED), (220, 128, BLUE)])
def test_own_runtime_publishes_the_class_of_each_image(
    run: Callable, observer: Any, make_image: Callable, model: Path, u: int, v: int, expected: int
) -> None:
    example = run("own_runtime.py", {"file": str(model), "priority": 7})
    camera = observer.node.create_publisher(Image, "image_raw", qos_profile_sensor_data)
    classes = observer.collect(Int32, "/classifier/top_class", 10)
    image = plain(make_image, u, v)
    assert until_answered(observer, camera, classes, image, lambda: example.log) == expected


def test_own_runtime_says_what_is_wrong_with_an_image_and_goes_on(
    run: Callable, observer: Any, make_image: Callable, model: Path
) -> None:
    example = run("own_runtime.py", {"file": str(model)})
    camera = observer.node.create_publisher(Image, "image_raw", qos_profile_sensor_data)
    classes = observer.collect(Int32, "/classifier/top_class", 10)
    short = make_image("nv12", 64, 48)
    short.data = short.data[:100]
    deadline = time.monotonic() + PATIENCE
    while "must hold at least" not in example.log:
        assert time.monotonic() < deadline, example.log
        camera.publish(short)
        observer.spin(0.2)
    until_answered(observer, camera, classes, plain(make_image, 128, 220), lambda: example.log)


def test_own_runtime_without_a_model_names_the_file(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, EXAMPLES / "own_runtime.py", "--ros-args", "-p", "file:=absent.hbm"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=PATIENCE,
    )
    assert ended.returncode == 1
    assert "absent.hbm" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_an_embedded_node_hands_its_results_over_without_dds(
    run: Callable, observer: Any, make_image: Callable, model: Path
) -> None:
    detector = {"file": str(model), "image_topic": "image_raw", "lazy": True}
    example = run("embedded_node.py", {"models": ["detector"], "detector": detector})
    camera = observer.node.create_publisher(Image, "image_raw", qos_profile_sensor_data)
    peaks = observer.collect(Float32, "/peaks/peak", 10)
    image = plain(make_image, 128, 220)
    peak = until_answered(observer, camera, peaks, image, lambda: example.log)
    assert 200 < peak <= 255
