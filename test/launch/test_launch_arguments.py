# SPDX-License-Identifier: Apache-2.0
"""Arguments of the launch files: described, checked, and named when they are wrong."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.utilities import perform_substitutions
from launch_rig import LAUNCH
from launch_ros.actions import Node

from hbm_runtime_ros.launching import LaunchArgumentError, config_file
from launch import LaunchContext, LaunchDescription

FILES = ("demo", "inference", "multi_camera", "multi_model", "single_model", "two_hosts")


def description_of(name: str) -> LaunchDescription:
    source = PythonLaunchDescriptionSource(str(LAUNCH / f"{name}.launch.py"))
    return source.get_launch_description(LaunchContext())


def nodes_of(name: str, **arguments: str) -> list[Node]:
    """What a launch file starts with these arguments, without starting it."""
    context, nodes = LaunchContext(), []
    context.launch_configurations.update(arguments)
    for entity in description_of(name).entities:
        if isinstance(entity, DeclareLaunchArgument):
            entity.visit(context)
        elif isinstance(entity, OpaqueFunction):
            nodes += [made for made in entity.visit(context) if isinstance(made, Node)]
    return nodes


@pytest.fixture(autouse=True)
def environment_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ROS_DOMAIN_ID", "ROS_STATIC_PEERS"):
        monkeypatch.setenv(name, "1" if name == "ROS_DOMAIN_ID" else "")


def test_every_launch_file_of_the_package_is_looked_at_here() -> None:
    assert tuple(sorted(file.name.split(".")[0] for file in LAUNCH.glob("*.launch.py"))) == FILES


@pytest.mark.parametrize("name", FILES)
def test_every_argument_is_described_in_a_sentence(name: str) -> None:
    arguments = description_of(name).get_launch_arguments()
    assert len(arguments) >= 4
    for argument in arguments:
        assert re.match(r"\S+( \S+)+", argument.description), argument.name


@pytest.mark.parametrize("name", [name for name in FILES if name != "demo"])
def test_what_all_robots_need_is_an_argument_of_every_launch_file(name: str) -> None:
    arguments = {argument.name for argument in description_of(name).get_launch_arguments()}
    shared = {"namespace", "respawn", "respawn_delay", "autostart", "use_sim_time", "log_level"}
    assert shared <= arguments


@pytest.mark.parametrize("name", FILES)
def test_files_that_are_defaults_are_there(name: str) -> None:
    for argument in description_of(name).get_launch_arguments():
        default = perform_substitutions(LaunchContext(), argument.default_value or [])
        if default.startswith("/") and default.endswith(".yaml"):
            assert Path(default).is_file(), f"{argument.name}: {default}"


@pytest.mark.parametrize(
    ("name", "arguments", "complaint"),
    [
        ("inference", dict(respawn_delay="soon"), "'respawn_delay' must be a number >= 0"),
        ("inference", dict(respawn_delay="-1"), "'respawn_delay' must be a number >= 0"),
        ("inference", dict(respawn_delay="nan"), "'respawn_delay' must be a number >= 0"),
        ("single_model", dict(priority="high"), "'priority' must be an integer, got 'high'"),
        ("single_model", dict(bpu_cores="0,x"), "'bpu_cores' must be an integer, got 'x'"),
        ("single_model", dict(max_rate="fast"), "'max_rate' must be a number"),
        ("multi_model", dict(files="/x.hbm"), "'files' must look like name=path"),
        ("multi_camera", dict(cameras=""), "'cameras' must be different names"),
        ("multi_camera", dict(cameras="left,left"), "'cameras' must be different names"),
        (
            "multi_camera",
            dict(priorities="1,2,3"),
            "'priorities' must be one or 2 integers, got 3",
        ),
        ("two_hosts", dict(host="a"), "'model' and 'params_file'"),
        ("two_hosts", dict(host="a", domain="500"), "'domain' must be 0 to 101, got 500"),
        ("two_hosts", dict(host="a", domain="-1"), "'domain' must be an integer >= 0"),
    ],
)
def test_a_wrong_argument_is_named_with_what_is_allowed(
    name: str, arguments: dict[str, str], complaint: str
) -> None:
    given = {"params_file": "/p.yaml", "model": "/m.hbm"}
    if name == "two_hosts":
        given = {}
    with pytest.raises(LaunchArgumentError, match=re.escape(complaint)):
        nodes_of(name, **{**given, **arguments})


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("inference", dict(respawn="perhaps")),
        ("inference", dict(log_level="loud")),
        ("inference", dict(use_sim_time="yes")),
        ("single_model", dict(resize="shrink")),
        ("two_hosts", dict(host="c")),
    ],
)
def test_a_value_outside_of_the_choices_is_refused(name: str, arguments: dict[str, str]) -> None:
    with pytest.raises(RuntimeError, match=re.escape(next(iter(arguments)))):
        nodes_of(name, **{"params_file": "/p.yaml", "model": "/m.hbm", **arguments})


def test_one_node_is_started_per_camera_or_one_for_all() -> None:
    several = dict(cameras="a b c", model="/m.hbm")
    assert len(nodes_of("multi_camera", **several, nodes="per_camera")) == 3
    assert len(nodes_of("multi_camera", **several)) == 1


@pytest.mark.parametrize("name", ["multi_camera", "multi_model"])
def test_the_examples_of_the_package_are_used_where_nothing_else_is_given(name: str) -> None:
    assert len(nodes_of(name)) == 1
    assert Path(config_file(f"{name}.yaml")).is_file()
