# SPDX-License-Identifier: Apache-2.0
"""The parameter tables: what they declare, what they refuse, and that what they declare is used."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

rclpy = pytest.importorskip("rclpy", reason="needs ROS 2 (rclpy)")
parameters = pytest.importorskip(
    "hbm_runtime_ros.parameters", reason="needs the ROS package hbm_runtime_ros to be built"
)

from rclpy.node import Node
from rclpy.parameter import Parameter

from hbm_runtime_ros import image_player, text_overlay
from hbm_runtime_ros.parameter_table import ConfigurationError, ParameterSpec, declare

CONFIG = Path(__file__).parents[2] / "config"


class Nodes:
    """Makes nodes with parameter values as a parameters file would give them."""

    def __init__(self, context: rclpy.Context) -> None:
        self.context = context
        self._nodes: list[Node] = []

    def with_values(self, **values: Any) -> Node:
        overrides = [Parameter(key.replace("__", "."), value=v) for key, v in values.items()]
        node = Node("settings", context=self.context, parameter_overrides=overrides)
        self._nodes.append(node)
        return node

    def close(self) -> None:
        for node in self._nodes:
            node.destroy_node()


@pytest.fixture
def nodes() -> Iterator[Nodes]:
    context = rclpy.Context()
    rclpy.init(context=context)
    nodes = Nodes(context)
    yield nodes
    nodes.close()
    rclpy.try_shutdown(context=context)


def test_defaults_are_those_of_the_table(nodes: Nodes) -> None:
    node = nodes.with_values(models=["a"], a__file="a.hbm")
    (settings,) = parameters.read_parameters(node)
    assert (settings.name, settings.file, settings.model_name) == ("a", "a.hbm", "")
    assert (settings.priority, settings.bpu_cores, settings.timeout) == (0, (-1,), 5.0)
    assert settings.image_topic == "image_raw"
    assert (settings.resize.mode, settings.resize.pad_value) == ("stretch", 127)
    assert settings.resize.color_range == "full"


def test_each_model_has_values_of_its_own(nodes: Nodes) -> None:
    node = nodes.with_values(
        models=["a", "b"],
        a__file="a.hbm",
        a__priority=255,
        a__bpu_cores=[0, 2],
        b__file="b.hbm",
        b__resize="letterbox",
        b__pad_value=0,
        b__color_range="limited",
        b__image_topic="/left/image",
        b__model_name="inner",
        b__timeout=0.5,
    )
    first, second = parameters.read_parameters(node)
    assert (first.priority, first.bpu_cores) == (255, (0, 2))
    assert (second.priority, second.bpu_cores) == (0, (-1,))
    assert (second.resize.mode, second.resize.pad_value) == ("letterbox", 0)
    assert (second.resize.color_range, second.image_topic) == ("limited", "/left/image")
    assert (second.model_name, second.timeout) == ("inner", 0.5)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"models": [""]}, "'models' must list at least one model"),
        ({"models": "a"}, "'models' must be of type list of strings, got 'a'"),
        ({"models": ["a", "a"]}, "'models' must not list a model twice"),
        ({"models": ["front/camera"]}, "'models' must hold names.*'front/camera' is not one"),
        ({"models": ["2d"]}, "'models' must hold names.*'2d' is not one"),
        ({"a__file": ""}, "'a.file' must be the path of a model file, got ''"),
        ({"a__file": 7}, "'a.file' must be of type string, got 7"),
        ({"a__priority": -1}, "'a.priority' must be 0 to 255, got -1"),
        ({"a__priority": 256}, "'a.priority' must be 0 to 255, got 256"),
        ({"a__priority": "high"}, "'a.priority' must be of type integer, got 'high'"),
        ({"a__priority": 1.0}, "'a.priority' must be of type integer, got 1.0"),
        ({"a__priority": True}, "'a.priority' must be of type integer, got True"),
        ({"a__bpu_cores": [0, 0]}, r"'a.bpu_cores' must be \[-1\] for any core.*got \[0, 0\]"),
        ({"a__bpu_cores": [-1, 0]}, "'a.bpu_cores' must be"),
        ({"a__bpu_cores": [-2]}, "'a.bpu_cores' must be"),
        ({"a__bpu_cores": 1}, "'a.bpu_cores' must be of type list of integers, got 1"),
        ({"a__resize": "crop"}, "'a.resize' must be one of stretch, letterbox, got 'crop'"),
        ({"a__pad_value": 256}, "'a.pad_value' must be 0 to 255, got 256"),
        ({"a__color_range": "tv"}, "'a.color_range' must be one of full, limited, got 'tv'"),
        ({"a__image_topic": " "}, "'a.image_topic' must be the name of a topic"),
        ({"a__timeout": 0.0}, "'a.timeout' must be 0.001 to 3600, got 0.0"),
        ({"a__timeout": 5}, r"'a.timeout' must be of type double \(with a decimal point\), got 5"),
    ],
)
def test_a_bad_value_is_refused_by_key_with_what_is_allowed(
    nodes: Nodes, values: dict[str, Any], says: str
) -> None:
    node = nodes.with_values(**{"models": ["a"], "a__file": "a.hbm", **values})
    with pytest.raises(ConfigurationError, match=f"parameter {says}"):
        parameters.read_parameters(node)


def test_descriptors_say_type_range_choices_and_meaning(nodes: Nodes) -> None:
    node = nodes.with_values(models=["a"], a__file="a.hbm")
    parameters.read_parameters(node)
    for spec in parameters.MODEL_PARAMETERS:
        described = node.describe_parameter(f"a.{spec.name}")
        assert described.type == spec.type.value
        assert described.description == spec.description
        assert described.read_only
    priority = node.describe_parameter("a.priority").integer_range[0]
    assert (priority.from_value, priority.to_value) == (0, 255)
    timeout = node.describe_parameter("a.timeout").floating_point_range[0]
    assert (timeout.from_value, timeout.to_value) == (0.001, 3600.0)
    assert "letterbox" in node.describe_parameter("a.resize").additional_constraints


def test_a_running_nodes_parameters_cannot_be_changed(nodes: Nodes) -> None:
    node = nodes.with_values(models=["a"], a__file="a.hbm")
    parameters.read_parameters(node)
    (result,) = node.set_parameters([Parameter("a.priority", value=3)])
    assert not result.successful
    assert node.get_parameter("a.priority").value == 0


TABLES = {
    "node": parameters.NODE_PARAMETERS,
    "model": parameters.MODEL_PARAMETERS,
    "image_player": image_player.PARAMETERS,
    "text_overlay": text_overlay.PARAMETERS,
}


@pytest.mark.parametrize("table", TABLES)
def test_every_row_is_described_and_its_default_is_allowed_or_must_be_given(table: str) -> None:
    must_be_given = {"models", "file", "source"}
    for spec in TABLES[table]:
        assert spec.description.endswith("."), spec.name
        assert bool(spec.problem(spec.default)) == (spec.name in must_be_given), spec.name


class Recorder(dict[str, Any]):
    """Remembers which of its keys were asked for."""

    def __init__(self, values: dict[str, Any]) -> None:
        super().__init__(values)
        self.asked: set[str] = set()

    def __getitem__(self, key: str) -> Any:
        self.asked.add(key)
        return super().__getitem__(key)


def make_player(nodes: Nodes, tmp_path: Path) -> None:
    picture = tmp_path / "picture.ppm"
    picture.write_bytes(b"P6 2 2 255 " + bytes(12))
    overrides = [Parameter("source", value=str(picture))]
    image_player.ImagePlayer(context=nodes.context, parameter_overrides=overrides).destroy_node()


def make_overlay(nodes: Nodes, tmp_path: Path) -> None:
    text_overlay.TextOverlay(context=nodes.context).destroy_node()


def read_settings(nodes: Nodes, tmp_path: Path) -> None:
    parameters.read_parameters(nodes.with_values(models=["a"], a__file="a.hbm"))


@pytest.mark.parametrize(
    ("module", "use"),
    [(parameters, read_settings), (image_player, make_player), (text_overlay, make_overlay)],
)
def test_every_declared_parameter_is_read(
    module: Any, use: Any, nodes: Nodes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorders = []

    def recording(*args: Any) -> Recorder:
        recorders.append(Recorder(declare(*args)))
        return recorders[-1]

    monkeypatch.setattr(module, "declare", recording)
    use(nodes, tmp_path)
    assert recorders
    for recorder in recorders:
        assert recorder.asked == set(recorder)


def test_values_come_back_as_plain_lists(nodes: Nodes) -> None:
    node = nodes.with_values(numbers=[1, 2])
    values = declare(node, "", [ParameterSpec("numbers", [0], "Numbers.")])
    assert values == {"numbers": [1, 2]}
    assert type(values["numbers"]) is list


def test_the_example_configuration_names_every_parameter_with_an_allowed_value() -> None:
    yaml = pytest.importorskip("yaml", reason="needs PyYAML")
    content = yaml.safe_load((CONFIG / "inference.yaml").read_text())
    values = content["/**"]["ros__parameters"]
    first = values["models"][0]
    assert set(values[first]) == {spec.name for spec in parameters.MODEL_PARAMETERS}
    for model in values["models"]:
        for spec in parameters.MODEL_PARAMETERS:
            assert spec.problem(values[model].get(spec.name, spec.default)) == ""
