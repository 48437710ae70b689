# SPDX-License-Identifier: Apache-2.0
"""demo.launch.py: its nodes find each other and end cleanly."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import launch_testing.actions
import launch_testing.asserts
import pytest
import tiny_demo
from launch_rig import LaunchTest, include

from launch import LaunchDescription

FOLDER = tempfile.TemporaryDirectory(prefix="hbm_demo_launch_")


@pytest.mark.launch_test
def generate_test_description() -> LaunchDescription:
    folder = tiny_demo.make_folder(Path(FOLDER.name))
    demo = include(
        "demo",
        models=folder / "models",
        source=folder / "photo.png",
        overlay=folder / "overlay.png",
        log_level="warn",
    )
    return LaunchDescription([demo, launch_testing.actions.ReadyToTest()])


class TestDemo(LaunchTest):
    """While it runs."""

    def test_both_models_answer_and_the_overlay_is_written(self) -> None:
        models = ("detector", "orientation")
        results = [self.results(f"/inference_node/{model}/tensors") for model in models]
        overlay = Path(FOLDER.name, "overlay.png")
        self.until(lambda: all(results) and overlay.is_file(), "both models and the overlay")

    def test_the_models_have_their_priorities(self) -> None:
        models = self.model_info("/inference_node")
        assert {model.name: model.priority for model in models} == {
            "detector": 200,
            "orientation": 10,
        }


@launch_testing.post_shutdown_test()
class TestEnd(LaunchTest):
    """After its end."""

    def test_all_nodes_ended_cleanly(self, proc_info: Any) -> None:
        assert len(proc_info.process_names()) >= 3
        launch_testing.asserts.assertExitCodes(proc_info)
