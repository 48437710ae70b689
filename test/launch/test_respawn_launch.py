# SPDX-License-Identifier: Apache-2.0
"""inference.launch.py: a node that was killed comes back; without autostart it waits to be told."""

from __future__ import annotations

import tempfile
import time
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
from lifecycle_msgs.msg import Transition

from launch import LaunchDescription

FOLDER = tempfile.TemporaryDirectory(prefix="hbm_respawn_launch_")
PARAMETERS = """
/**:
  ros__parameters:
    models: [eye]
    eye: {{file: {file}}}
"""
DELAY = 1.5  # seconds


@pytest.mark.launch_test
def generate_test_description() -> LaunchDescription:
    folder = Path(FOLDER.name)
    file = save_model(folder / "eye.hbm")
    (folder / "eye.yaml").write_text(PARAMETERS.format(file=file))
    inference = include(
        "inference",
        params_file=folder / "eye.yaml",
        respawn="true",
        respawn_delay=DELAY,
        autostart="false",
    )
    return LaunchDescription([inference, launch_testing.actions.ReadyToTest()])


class TestRespawn(LaunchTest):
    """While it runs."""

    def test_a_killed_node_comes_back_and_works(self) -> None:
        node = "/inference_node"
        assert self.state(node) == "unconfigured"  # autostart:=false
        first = self.process_with(FOLDER.name)
        killed = time.monotonic()
        kill(first)

        def came_back() -> bool:
            return any(each.pid != first.pid for each in processes_with(FOLDER.name))

        self.until(came_back, "another process")
        assert time.monotonic() - killed >= DELAY
        assert self.change_state(node, Transition.TRANSITION_CONFIGURE)
        assert self.change_state(node, Transition.TRANSITION_ACTIVATE)
        results = self.results(f"{node}/eye/tensors")
        self.publish_until("/image_raw", lambda: results, "a result")
        assert self.state(node) == "active"


@launch_testing.post_shutdown_test()
class TestEnd(LaunchTest):
    """After its end."""

    def test_it_was_killed_once_and_then_ended_cleanly(self, proc_info: Any) -> None:
        codes = [proc_info[name].returncode for name in proc_info.process_names()]
        assert codes == [0], codes
        assert processes_with(FOLDER.name) == []

    @classmethod
    def tearDownClass(cls) -> None:
        remove_what_killed_nodes_left()
