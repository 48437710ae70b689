# SPDX-License-Identifier: Apache-2.0
"""multi_model.launch.py: several models on one camera, each with its priority."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import launch_testing.actions
import launch_testing.asserts
import pytest
from launch_rig import LaunchTest, include, save_model

from launch import LaunchDescription

FOLDER = tempfile.TemporaryDirectory(prefix="hbm_multi_model_launch_")
PARAMETERS = """
/**:
  ros__parameters:
    models: [obstacles, scenery]
    obstacles: {{file: /nowhere/obstacles.hbm, priority: 200, queue_policy: latest}}
    scenery: {{file: {file}, priority: 10, image_topic: /camera/image_raw}}
"""


@pytest.mark.launch_test
def generate_test_description() -> LaunchDescription:
    folder = Path(FOLDER.name)
    files = {name: save_model(folder / f"{name}.hbm") for name in ("given", "kept")}
    (folder / "models.yaml").write_text(PARAMETERS.format(file=files["kept"]))
    models = include(
        "multi_model",
        params_file=folder / "models.yaml",
        files=f"obstacles={files['given']}",
        image_topic="/front/image",
        namespace="robot",
    )
    return LaunchDescription([models, launch_testing.actions.ReadyToTest()])


class TestMultiModel(LaunchTest):
    """While it runs."""

    def test_models_keep_their_priorities_and_take_the_files_given(self) -> None:
        models = {model.name: model for model in self.model_info("/robot/inference_node")}
        assert {name: model.priority for name, model in models.items()} == {
            "obstacles": 200,
            "scenery": 10,
        }
        files = {name: Path(model.file).name for name, model in models.items()}
        assert files == {"obstacles": "given.hbm", "scenery": "kept.hbm"}

    def test_one_camera_feeds_both(self) -> None:
        topic = "/robot/inference_node/{}/tensors"
        results = [self.results(topic.format(name)) for name in ("obstacles", "scenery")]
        self.publish_until("/front/image", lambda: all(results), "results of both")


@launch_testing.post_shutdown_test()
class TestEnd(LaunchTest):
    """After its end."""

    def test_the_node_ended_cleanly(self, proc_info: Any) -> None:
        assert len(proc_info.process_names()) == 1
        launch_testing.asserts.assertExitCodes(proc_info)
