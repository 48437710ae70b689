# SPDX-License-Identifier: Apache-2.0
"""two_hosts.launch.py: each host starts its own node, both in the domain that was asked for."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import launch_testing.actions
import launch_testing.asserts
import pytest
from launch_rig import LaunchTest, environment_of, include, save_model

from launch import LaunchDescription

FOLDER = tempfile.TemporaryDirectory(prefix="hbm_two_hosts_launch_")
PARAMETERS = """
/a/inference_node:
  ros__parameters:
    models: [wrong]
    wrong: {{file: /nowhere.hbm}}
/b/inference_node:
  ros__parameters:
    models: [nose]
    nose: {{file: {file}, priority: 5}}
"""


@pytest.mark.launch_test
def generate_test_description() -> LaunchDescription:
    folder = Path(FOLDER.name)
    file = save_model(folder / "eye.hbm")
    (folder / "hosts.yaml").write_text(PARAMETERS.format(file=file))
    # one machine plays both
    hosts = [
        include("two_hosts", host="a", model=file, name="eye", params_file=""),
        include(
            "two_hosts",
            host="b",
            params_file=folder / "hosts.yaml",
            model="",
            domain=os.environ["ROS_DOMAIN_ID"],
            peers="127.0.0.1, 127.0.0.2",
        ),
    ]
    return LaunchDescription([*hosts, launch_testing.actions.ReadyToTest()])


class TestTwoHosts(LaunchTest):
    """While they run."""

    def test_each_host_runs_its_own_model_on_the_one_camera(self) -> None:
        (eye,) = self.model_info("/a/inference_node")
        (nose,) = self.model_info("/b/inference_node")
        assert (eye.name, nose.name, nose.priority) == ("eye", "nose", 5)
        assert eye.images[0].topic == nose.images[0].topic == "/camera/image_raw"
        results = [
            self.results("/a/inference_node/eye/tensors"),
            self.results("/b/inference_node/nose/tensors"),
        ]
        self.publish_until("/camera/image_raw", lambda: all(results), "results of both hosts")

    def test_domain_and_peers_reach_the_node(self) -> None:
        process = self.process_with("__ns:=/b")
        environment = environment_of(process)
        assert environment["ROS_DOMAIN_ID"] == os.environ["ROS_DOMAIN_ID"]
        assert environment["ROS_STATIC_PEERS"] == "127.0.0.1;127.0.0.2"


@launch_testing.post_shutdown_test()
class TestEnd(LaunchTest):
    """After their end."""

    def test_the_nodes_ended_cleanly(self, proc_info: Any) -> None:
        assert len(proc_info.process_names()) == 2
        launch_testing.asserts.assertExitCodes(proc_info)
