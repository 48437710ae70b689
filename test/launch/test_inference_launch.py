# SPDX-License-Identifier: Apache-2.0
"""inference.launch.py: its arguments reach the node."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import launch_testing.actions
import launch_testing.asserts
import pytest
from launch_rig import LaunchTest, environment_of, include, save_model

from launch import LaunchDescription

FOLDER = tempfile.TemporaryDirectory(prefix="hbm_inference_launch_")
PARAMETERS = """
/**:
  ros__parameters:
    models: [eye]
    autostart: true
    eye:
      file: {file}
      priority: 77
"""


@pytest.mark.launch_test
def generate_test_description() -> LaunchDescription:
    folder = Path(FOLDER.name)
    file = save_model(folder / "eye.hbm")
    (folder / "eye.yaml").write_text(PARAMETERS.format(file=file))
    inference = include(
        "inference",
        params_file=folder / "eye.yaml",
        namespace="robot",
        node_name="vision",
        image_topic="/front/image",
        use_sim_time="true",
        log_level="warn",
    )
    return LaunchDescription([inference, launch_testing.actions.ReadyToTest()])


class TestInference(LaunchTest):
    """While it runs."""

    def test_name_namespace_parameters_and_remap_reach_the_node(self) -> None:
        (model,) = self.model_info("/robot/vision")
        assert (model.name, model.priority) == ("eye", 77)
        assert [image.topic for image in model.images] == ["/front/image"]
        assert model.tensors_topic == "/robot/vision/eye/tensors"

    def test_an_image_on_the_remapped_topic_becomes_a_result(self) -> None:
        results = self.results("/robot/vision/eye/tensors")
        self.publish_until("/front/image", lambda: results, "a result")
        assert results[0].model == "eye"

    def test_the_time_comes_from_the_clock_topic(self) -> None:
        assert self.parameter("/robot/vision", "use_sim_time") is True

    def test_what_is_not_asked_for_stays_as_the_file_says(self) -> None:
        assert self.parameter("/robot/vision", "autostart") is True

    def test_the_log_level_reaches_the_node(self) -> None:
        process = self.process_with(FOLDER.name)
        line = process.cmdline()
        assert line[line.index("--log-level") + 1] == "warn"

    def test_the_shared_memory_profile_is_set(self) -> None:
        process = self.process_with(FOLDER.name)
        environment = environment_of(process)
        for name in ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE"):
            assert Path(environment[name]).is_file(), name


@launch_testing.post_shutdown_test()
class TestEnd(LaunchTest):
    """After its end."""

    def test_the_node_ended_cleanly(self, proc_info: Any) -> None:
        assert len(proc_info.process_names()) == 1
        launch_testing.asserts.assertExitCodes(proc_info)
