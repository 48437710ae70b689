# SPDX-License-Identifier: Apache-2.0
"""multi_camera.launch.py: a node per camera, which live and die alone, or one node for all."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import launch_testing.actions
import launch_testing.asserts
import pytest
from launch_rig import (
    LaunchTest,
    include,
    kill,
    processes_with,
    remove_what_killed_nodes_left,
    save_model,
)

from launch import LaunchDescription

FOLDER = tempfile.TemporaryDirectory(prefix="hbm_multi_camera_launch_")
PARAMETERS = """
/**:
  ros__parameters:
    models: [camera]
    camera: {{file: {file}, max_rate: 100.0}}
"""


@pytest.mark.launch_test
def generate_test_description() -> LaunchDescription:
    folder = Path(FOLDER.name)
    file = save_model(folder / "eye.hbm")
    (folder / "camera.yaml").write_text(PARAMETERS.format(file=file))
    per_camera = include(
        "multi_camera",
        cameras="left,right",
        nodes="per_camera",
        params_file=folder / "camera.yaml",
        model="",
    )
    chosen = include(
        "multi_camera", cameras="top", nodes="per_camera", model=file, priorities="100"
    )
    one = include(
        "multi_camera",
        cameras="[front, back]",
        model=file,
        priorities="200,10",
        image_topic="image",
        node_name="one",
    )
    return LaunchDescription([per_camera, chosen, one, launch_testing.actions.ReadyToTest()])


class TestMultiCamera(LaunchTest):
    """While it runs."""

    def test_each_camera_has_its_node_and_its_results(self) -> None:
        sides = ("left", "right")
        for side in sides:
            (model,) = self.model_info(f"/{side}/inference_node")
            assert model.images[0].topic == f"/{side}/image_raw"
            assert (model.name, model.max_rate) == ("camera", 100.0)
        results = {s: self.results(f"/{s}/inference_node/camera/tensors") for s in sides}
        self.publish_until("/left/image_raw", lambda: results["left"], "the left results")
        assert not results["right"]

    def test_a_camera_of_its_own_node_needs_no_file_either(self) -> None:
        (model,) = self.model_info("/top/inference_node")
        assert (model.name, model.priority) == ("camera", 100)
        assert model.images[0].topic == "/top/image_raw"

    def test_one_node_serves_all_cameras_by_priority(self) -> None:
        models = self.model_info("/one")
        assert [(model.name, model.priority, model.images[0].topic) for model in models] == [
            ("front", 200, "/front/image"),
            ("back", 10, "/back/image"),
        ]
        front, back = (self.results(f"/one/{name}/tensors") for name in ("front", "back"))
        self.publish_until("/back/image", lambda: back, "results of the camera at the back")
        assert not front

    def test_the_other_cameras_do_not_notice_when_a_node_dies(self) -> None:
        right = self.process_with("__ns:=/right")
        kill(right)
        results = self.results("/left/inference_node/camera/tensors")
        self.publish_until("/left/image_raw", lambda: len(results) > 3, "results")
        assert processes_with("__ns:=/right") == []  # respawn is false


@launch_testing.post_shutdown_test()
class TestEnd(LaunchTest):
    """After its end."""

    def test_the_nodes_ended_cleanly_but_for_the_killed_one(self, proc_info: Any) -> None:
        codes = sorted(proc_info[name].returncode for name in proc_info.process_names())
        assert codes == [-9, 0, 0, 0]

    @classmethod
    def tearDownClass(cls) -> None:
        remove_what_killed_nodes_left()
