# SPDX-License-Identifier: Apache-2.0
"""The parameter tables: what they say of each value, and that what they declare is used."""

from __future__ import annotations

import array
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

import pytest

from hbm_runtime_ros.parameters import derived_tables
from hbm_runtime_ros.parameters.row_type import ParameterSpec, ParameterType, type_of
from hbm_runtime_ros.parameters.settings import LiveSettings, QosProfileName

OF_NODE, OF_MODEL, OF_IMAGE = (
    {spec.name: spec for spec in table}
    for table in (
        derived_tables.NODE_PARAMETERS,
        derived_tables.MODEL_PARAMETERS,
        derived_tables.IMAGE_PARAMETERS,
    )
)
ROWS = {**OF_NODE, **OF_MODEL, **OF_IMAGE}


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("models", [""], "must list at least one model, got ['']"),
        ("models", "a", "must be of type list of strings, got 'a'; put it in brackets"),
        ("models", [], "must be of type list of strings, not empty, got []"),
        ("models", ["a", "a"], "must not list a model twice, got ['a', 'a']"),
        ("models", ["front/camera"], "must hold names of letters, digits and _ after a letter"),
        ("models", ["2d"], "'2d' is not one"),
        ("models", ["a" * 65], "64 characters at most"),
        ("models", ["diagnostics"], "'diagnostics' is a parameter of the same place"),
        ("models", ["use_sim_time"], "'use_sim_time' is a parameter of the same place"),
        ("models", [f"m{i}" for i in range(65)], "must have 1 to 64 entries"),
        ("images", ["left", "left"], "must not list an image twice"),
        ("images", ["sync"], "'sync' is a parameter of the same place"),
        ("images", ["resize"], "'resize' is a parameter of the same place"),
        ("images", [f"i{i}" for i in range(17)], "must have at most 16 entries"),
        ("file", "", "must be the path of a model file, got ''"),
        ("file", 7, "must be of type string, got 7; in a file, put it in quotes"),
        ("file", "a\0b", "must be printable characters only"),
        ("file", "a" * 4097, "must be at most 4096 characters, got 'aaa"),
        ("priority", -1, "must be 0 to 255, got -1"),
        ("priority", 256, "must be 0 to 255, got 256"),
        ("priority", "high", "must be of type integer, got 'high'"),
        ("priority", 1.0, "must be of type integer, got 1.0; write 1"),
        ("priority", True, "must be of type integer, got True"),
        ("priority", 2**63, "must be of type integer"),
        ("priority", None, "must be of type integer, got None"),
        ("bpu_cores", [0, 0], "must be [-1] for any core, or different core numbers"),
        ("bpu_cores", [-1, 0], "must be [-1] for any core"),
        ("bpu_cores", [-2], "must be [-1] for any core"),
        ("bpu_cores", 1, "must be of type list of integers, got 1; put it in brackets"),
        ("bpu_cores", array.array("q", [1, 1]), "got [1, 1]"),
        ("resize", "crop", "must be one of stretch, letterbox, center_crop, roi, got 'crop'"),
        ("roi", [1, 2, 3], "must have 4 entries, got [1, 2, 3]"),
        ("roi", [1, 2, 0, 3], "must be left, top, width and height in pixels"),
        ("roi", [-1, 0, 4, 4], "must hold 0 to 65536"),
        ("pad_value", 256, "must be 0 to 255, got 256"),
        ("color_range", "tv", "must be one of full, limited, got 'tv'"),
        ("encodings", ["nv12x"], "must hold names of encodings (nv12, nv21,"),
        ("tensors", [True], "must be of type list of strings, got [True]; in a file, put each in"),
        ("tensors", ["x", "x"], "must not list a tensor twice"),
        ("tensors", ["x", ""], "must hold names of input tensors"),
        ("mean", [127.5, 0], "must be of type list of doubles (each with a decimal point)"),
        ("mean", [], "must be of type list of doubles (each with a decimal point), not empty"),
        ("mean", [1.0] * 5, "must have 1 to 4 entries"),
        ("mean", [float("nan")], "must hold -1000000 to 1000000, got [nan]"),
        ("scale", [1.0, 0.0], "must not hold 0.0"),
        ("image_topic", " ", "must be the name of a topic"),
        ("image_topic", "a//b", "must be the name of a topic"),
        ("image_topic", "/a/", "must be the name of a topic"),
        ("image_topic", "2d", "must be the name of a topic"),
        ("timeout", 0.0, "must be 0.001 to 3600, got 0.0"),
        ("timeout", float("inf"), "must be 0.001 to 3600, got inf"),
        ("timeout", 5, "must be of type double (with a decimal point), got 5; write 5.0"),
        ("queue_depth", 0, "must be 1 to 100"),
        ("every_nth", 0, "must be 1 to 1000000"),
        ("image_qos.profile", "best", "must be one of sensor_data, reliable, default, latched"),
        ("tensors_qos.reliability", "maybe", 'must be one of "", reliable, best_effort'),
        ("max_image_bytes", 2**31, "must be 1024 to 2147483647, got 2147483648"),
        ("diagnostics.drop_rate_warn", 1.5, "must be 0 to 1, got 1.5"),
        ("lazy", "true", "must be of type bool, got 'true'"),
    ],
)
def test_a_bad_value_is_refused_with_what_is_allowed(name: str, value: Any, says: str) -> None:
    assert says in ROWS[name].problem(value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("models", ["a", "b_2"]),
        ("models", tuple("ab")),
        ("bpu_cores", [3, 0]),
        ("bpu_cores", array.array("q", [-1])),
        ("roi", [0, 0, 0, 0]),
        ("roi", [10, 20, 300, 200]),
        ("mean", array.array("d", [123.7, 116.3, 103.5])),
        ("encodings", ["nv12", "jpeg"]),
        ("tensors", []),
        ("image_topic", "image_raw"),
        ("image_topic", "/camera/front/image"),
        ("image_topic", "~/image"),
        ("image_topic", "{ns}/image"),
        ("tensors_qos.reliability", ""),
        ("file", "/größer/模型.hbm"),
        ("max_rate", 0.0),
    ],
)
def test_a_good_value_has_no_problem(name: str, value: Any) -> None:
    assert ROWS[name].problem(value) == ""


def test_a_hint_is_given_where_it_helps_only() -> None:
    assert ROWS["models"].problem(["a", "a"]).endswith("got ['a', 'a']")
    assert ROWS["priority"].problem(1.5).endswith("got 1.5")


def test_a_message_never_grows_with_the_value() -> None:
    for value in ("x" * 10**6, list(range(10**6)), {"a": ["b" * 10**6]}):
        for name in ("priority", "file", "models", "bpu_cores"):
            assert len(ROWS[name].problem(value)) < 400


def test_types_are_numbered_as_in_ros() -> None:
    rcl_interfaces = pytest.importorskip("rcl_interfaces.msg", reason="needs ROS 2")
    for each in ParameterType:
        assert getattr(rcl_interfaces.ParameterType, f"PARAMETER_{each.name}") == each.value


def test_types_are_told_apart_as_ros_does() -> None:
    parameter = pytest.importorskip("rclpy.parameter", reason="needs ROS 2 (rclpy)").Parameter
    for value in (True, 1, 1.0, "a", [True], [1, 2], [1.0], ["a"], array.array("q", [1])):
        assert type_of(value) == parameter.Type.from_parameter_value(value).value
    for value in ([1, 2.0], [True, 1], ["a", 1], [[1]], [], None, {}):
        assert type_of(value) is None


def test_what_may_change_is_exactly_what_is_read_once_per_frame() -> None:
    live = {name for name, spec in {**OF_MODEL, **OF_IMAGE}.items() if spec.live}
    assert live == {field.name for field in fields(LiveSettings)}
    assert {name for name, spec in OF_NODE.items() if spec.live} == {
        name for name in OF_NODE if name.startswith("diagnostics.")
    }


def test_no_name_stands_in_two_tables() -> None:
    assert len(ROWS) == len(OF_NODE) + len(OF_MODEL) + len(OF_IMAGE)


def tables() -> Iterator[Any]:
    yield pytest.param(tuple(ROWS.values()), id="inference_node")
    for module in ("hbm_runtime_ros.player.player_node", "text_overlay"):
        yield pytest.param(module, id=module)


@pytest.mark.parametrize("table", tables())
def test_every_row_is_described_and_its_default_is_allowed_or_must_be_given(table: Any) -> None:
    if isinstance(table, str):
        reason = "needs ROS 2 and OpenCV"
        table = pytest.importorskip(table, reason=reason).PARAMETERS
    must_be_given = {"models", "file", "source"}
    for spec in table:
        assert spec.description.endswith("."), spec.name
        assert bool(spec.demand) == (spec.name in must_be_given), spec.name
        assert bool(spec.problem(spec.default)) == bool(spec.demand), spec.name


@pytest.mark.parametrize("table", [OF_NODE, OF_MODEL, OF_IMAGE])
def test_every_number_and_every_list_is_bounded(table: dict[str, ParameterSpec]) -> None:
    for spec in table.values():
        if "INTEGER" in spec.type.name or "DOUBLE" in spec.type.name:
            assert spec.bounds or spec.name == "bpu_cores", spec.name
        assert spec.items[1] <= 64


def test_profiles_and_encodings_are_those_that_the_node_has() -> None:
    qos = pytest.importorskip("hbm_runtime_ros.ros.qos", reason="needs ROS 2 (rclpy)")
    assert set(get_args(QosProfileName)) == set(qos.PROFILES)

    from hbm_runtime.image import encodings

    for name in (*encodings.KNOWN, *encodings.COMPRESSED, "jpg"):
        assert ROWS["encodings"].problem([name]) == "", name


# -- nodes without a life cycle --------------------------------------------------------------------


class Recorder(dict[str, Any]):
    """Remembers which of its keys were asked for."""

    def __init__(self, values: dict[str, Any]) -> None:
        super().__init__(values)
        self.asked: set[str] = set()

    def __getitem__(self, key: str) -> Any:
        self.asked.add(key)
        return super().__getitem__(key)


@pytest.fixture
def ros() -> Iterator[Any]:
    """A context of rclpy."""
    rclpy = pytest.importorskip("rclpy", reason="needs ROS 2 (rclpy)")
    context = rclpy.Context()
    rclpy.init(context=context)
    yield context
    rclpy.try_shutdown(context=context)


@pytest.mark.parametrize(
    ("module", "node"),
    [
        ("hbm_runtime_ros.player.player_node", "ImagePlayer"),
        ("text_overlay", "TextOverlay"),
    ],
)
def test_every_declared_parameter_is_read(
    module: str, node: str, ros: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rclpy.parameter import Parameter

    imported = pytest.importorskip(module, reason="needs ROS 2 and OpenCV")
    recorders = []

    def recording(*args: Any) -> Recorder:
        recorders.append(Recorder(declare(*args)))
        return recorders[-1]

    declare = imported.declare
    monkeypatch.setattr(imported, "declare", recording)
    picture = tmp_path / "picture.ppm"
    picture.write_bytes(b"P6 2 2 255 " + bytes(12))
    overrides = [Parameter("source", value=str(picture))] if module.endswith("player_node") else []
    getattr(imported, node)(context=ros, parameter_overrides=overrides).destroy_node()
    assert recorders
    for recorder in recorders:
        assert recorder.asked == set(recorder)


def test_a_simple_node_hears_of_all_its_wrong_values_at_once(ros: Any) -> None:
    from rclpy.node import Node
    from rclpy.parameter import Parameter

    from hbm_runtime_ros.parameters.row_type import ConfigurationError
    from hbm_runtime_ros.ros.declared import declare

    table = [
        ParameterSpec("numbers", [0], "Numbers."),
        ParameterSpec("rate", 30.0, "Hertz.", bounds=(0.01, 1000)),
        ParameterSpec("mode", "a", "Mode.", choices=("a", "b")),
    ]
    given = {"numbers": [1, 2], "rate": 5, "mode": "c"}
    overrides = [Parameter(key, value=value) for key, value in given.items()]
    node = Node("simple", context=ros, parameter_overrides=overrides)
    with pytest.raises(ConfigurationError) as raised:
        declare(node, "", table)
    assert [problem.key for problem in raised.value.problems] == ["rate", "mode"]
    assert "parameter 'mode' must be one of a, b, got 'c'" in str(raised.value)
    node.destroy_node()


def test_a_simple_nodes_values_are_plain_and_final(ros: Any) -> None:
    from rclpy.node import Node
    from rclpy.parameter import Parameter

    from hbm_runtime_ros.ros.declared import declare

    overrides = [Parameter("numbers", value=[1, 2])]
    node = Node("simple", context=ros, parameter_overrides=overrides)
    values = declare(node, "", [ParameterSpec("numbers", [0], "Numbers.")])
    assert values == {"numbers": [1, 2]} and type(values["numbers"]) is list
    (result,) = node.set_parameters([Parameter("numbers", value=[3])])
    assert not result.successful
    node.destroy_node()
