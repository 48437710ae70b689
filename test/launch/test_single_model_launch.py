# SPDX-License-Identifier: Apache-2.0
"""single_model.launch.py: one model without a parameters file."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import launch_testing.actions
import launch_testing.asserts
import pytest
from launch_rig import LaunchTest, include, save_model

from launch import LaunchDescription

FOLDER = tempfile.TemporaryDirectory(prefix="hbm_single_model_launch_")


@pytest.mark.launch_test
def generate_test_description() -> LaunchDescription:
    # launch would take this name for a number, and topics take no minus
    file = save_model(Path(FOLDER.name, "1e3", "007-eye.v2.hbm"))
    single = include(
        "single_model",
        model=file,
        image_topic="/camera/image",
        resize="letterbox",
        priority=200,
        bpu_cores="0",
        max_rate=1000.0,
        lazy="true",
    )
    named = include("single_model", model=file, name="nose", model_name="conv", node_name="second")
    return LaunchDescription([single, named, launch_testing.actions.ReadyToTest()])


class TestSingleModel(LaunchTest):
    """While it runs."""

    def test_each_argument_reaches_the_model(self) -> None:
        (model,) = self.model_info("/inference_node")
        assert model.name == "model_007_eye_v2"
        assert model.file == str(Path(FOLDER.name, "1e3", "007-eye.v2.hbm"))
        assert (model.priority, list(model.bpu_cores), model.max_rate) == (200, [0], 1000.0)
        assert model.lazy
        (image,) = model.images
        assert (image.topic, image.resize) == ("/camera/image", "letterbox")

    def test_names_and_defaults(self) -> None:
        (model,) = self.model_info("/second")
        assert (model.name, model.model_name) == ("nose", "conv")
        assert (model.priority, list(model.bpu_cores), model.lazy) == (0, [-1], False)
        assert model.images[0].topic == "/image_raw"

    def test_images_become_results(self) -> None:
        results = self.results("/inference_node/model_007_eye_v2/tensors")
        self.publish_until("/camera/image", lambda: results, "a result")
        assert results[0].tensors


@launch_testing.post_shutdown_test()
class TestEnd(LaunchTest):
    """After its end."""

    def test_the_nodes_ended_cleanly(self, proc_info: Any) -> None:
        assert len(proc_info.process_names()) == 2
        launch_testing.asserts.assertExitCodes(proc_info)
