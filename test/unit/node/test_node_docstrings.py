# SPDX-License-Identifier: Apache-2.0
"""The examples in the docstrings of what the node's users import: they say the truth."""

from __future__ import annotations

import doctest
import importlib
import inspect
from pathlib import Path

import pytest

CONVERSIONS = "hbm_runtime_ros.messages.conversions"
FUNCTIONS = (
    *("array_to_tensor", "bytes_to_field", "check_encoding", "dequantized", "image_to_frame"),
    *("numpy_to_tensors", "tensor_to_numpy", "tensors_to_numpy", "time_msg"),
    *("transform_from_msg", "transform_to_msg"),
)
CLASSES = (
    ("hbm_runtime_ros.messages.received_image", "ReceivedImage"),
    ("hbm_runtime_ros.models.shared_runtimes", "SharedRuntimes"),
    ("hbm_runtime_ros.node.inference_node", "InferenceNode"),
    ("hbm_runtime_ros.pipeline", "Result"),
    ("hbm_runtime_ros.player.player_node", "ImagePlayer"),
)


@pytest.fixture
def files(tmp_path: Path) -> None:
    """The files that the examples name, in the folder that they run in."""
    pytest.importorskip("onnx", reason="needs onnx: pip install 'hbm-runtime[tools]'")
    cv2 = pytest.importorskip("cv2", reason="needs OpenCV")
    import numpy as np
    import tiny_models

    spec = tiny_models.pack(tiny_models.conv(), "conv", nv12_inputs=("x",))
    tiny_models.save(tmp_path / "eye.hbm", spec)
    cv2.imwrite(str(tmp_path / "picture.png"), np.zeros((8, 12, 3), np.uint8))


@pytest.mark.parametrize(
    ("module", "name"), [*((CONVERSIONS, name) for name in FUNCTIONS), *CLASSES]
)
def test_an_example_says_the_truth(module: str, name: str, files: None) -> None:
    pytest.importorskip("rclpy", reason="needs ROS 2 (rclpy)")
    needed = "needs the ROS package hbm_runtime_ros to be built"
    pytest.importorskip("hbm_runtime_ros.msg", reason=needed)
    described = getattr(importlib.import_module(module), name)
    finder = doctest.DocTestFinder(recurse=False)
    (example,) = finder.find(described, name, globs={name: described})
    assert example.examples
    said: list[str] = []
    options = doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL
    failed, tried = doctest.DocTestRunner(optionflags=options).run(example, out=said.append)
    assert (failed, tried) == (0, len(example.examples)), "".join(said)


def test_each_public_function_of_conversions_is_among_them() -> None:
    pytest.importorskip("rclpy", reason="needs ROS 2 (rclpy)")
    conversions = pytest.importorskip(
        CONVERSIONS, reason="needs the ROS package hbm_runtime_ros to be built"
    )
    public = {
        name
        for name, function in vars(conversions).items()
        if inspect.isfunction(function)
        and function.__module__ == CONVERSIONS
        and not name.startswith("_")
    }
    assert public == set(FUNCTIONS)
