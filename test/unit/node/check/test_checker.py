# SPDX-License-Identifier: Apache-2.0
"""`hbm check`: each problem by file, line and key, also of models; a summary when all is well."""

from __future__ import annotations

import builtins
import re
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("yaml", reason="needs PyYAML")
pytest.importorskip("onnx", reason="needs onnx: pip install 'hbm-runtime[tools]'")

import tiny_models
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from hbm_runtime.tools import cli
from hbm_runtime_ros.check.checker import check_file

CONFIG = Path(__file__).parents[4] / "config"
LINE = re.compile(r"(?P<file>[^:]+):(?P<line>\d+): (?:(?P<key>[\w./]+): )?(?P<text>.+)")


class Checked:
    """How `hbm check` ended and what it said."""

    def __init__(self, code: int, captured: Any) -> None:
        self.code = code
        self.out: str = captured.out
        self.err: str = captured.err
        matches = [LINE.fullmatch(line) for line in self.out.splitlines()]
        self.problems = {
            (int(match["line"]), match["key"] or ""): match["text"] for match in matches if match
        }


@pytest.fixture
def hbm(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Checked]:
    """Write config.yaml into the working folder and check it."""

    def run(text: str, *arguments: str) -> Checked:
        (tmp_path / "config.yaml").write_text(textwrap.dedent(text))
        capsys.readouterr()
        return Checked(cli.main(["check", "config.yaml", *arguments]), capsys.readouterr())

    return run


@pytest.fixture
def models(tmp_path: Path) -> None:
    """Model files in the working folder."""
    nv12 = tiny_models.pack(tiny_models.conv(), "conv", nv12_inputs=("x",))
    other = tiny_models.pack(tiny_models.conv(), "other", nv12_inputs=("x",))
    wide = tiny_models.pack(tiny_models.conv(), "wide", nv12_inputs=("x",), core_count=2)
    tiny_models.save(tmp_path / "nv12.hbm", nv12)
    tiny_models.save(tmp_path / "two.hbm", nv12, other)
    tiny_models.save(tmp_path / "small.hbm", nv12, march="nash-e")
    tiny_models.save(tmp_path / "wide.hbm", wide)
    tiny_models.save(tmp_path / "pixels.hbm", tiny_models.pack(tiny_models.conv(), "pixels"))
    tiny_models.save(tmp_path / "row.hbm", tiny_models.pack(tiny_models.add(), "row"))
    (tmp_path / "vendor.hbm").write_bytes(b"HBRT" * 100)


def one_model(**values: Any) -> str:
    """A file with one model; the values begin in line 5."""
    lines = "".join(f"      {key}: {value}\n" for key, value in values.items())
    return f"/**:\n  ros__parameters:\n    models: [eye]\n    eye:\n{lines}"


# -- one file --------------------------------------------------------------------------------------


def test_every_problem_has_file_line_and_key(hbm: Callable[..., Checked]) -> None:
    checked = hbm(
        """\
        /**/inference_node:
          ros__parameters:
            models: [detector, classifier]
            detector:
              file: nowhere.hbm
              priorty: 3
              timeout: 5
              resize: roi
            classifier:
              priority: 256
              priority: 4
              mean: [127.5, 0]
              images: []
        """
    )
    assert checked.code == 1
    assert checked.problems == {
        (4, "detector.roi"): "must be left, top, width and height in pixels where resize is roi, "
        "got [0, 0, 0, 0]",
        (6, "detector.priorty"): "is unknown; did you mean detector.priority?",
        (7, "detector.timeout"): "must be of type double (with a decimal point), got 5; write 5.0",
        (9, "classifier.file"): "must be the path of a model file; it is not given",
        (10, "classifier.priority"): "must be 0 to 255, got 256",
        (11, "classifier.priority"): "is given twice, first in line 10",
        (12, "classifier.mean"): "must hold values of one type, got [127.5, 0]",
        (13, "classifier.images"): "must not be an empty list, whose type ROS could not tell: "
        'leave the line out, or write [""] for an empty list of strings',
    }
    assert [line.split(":")[0] for line in checked.out.splitlines()] == ["config.yaml"] * 8
    assert checked.err == "config.yaml: 8 problems\n"


def test_a_file_that_is_no_yaml_is_a_problem_of_a_line(hbm: Callable[..., Checked]) -> None:
    checked = hbm("/**:\n  ros__parameters:\n    models: [eye\n")
    assert checked.code == 1
    ((line, key),) = checked.problems
    assert line in (3, 4) and key == ""
    assert "is not YAML" in checked.out


@pytest.mark.usefixtures("models")
def test_when_all_is_well_there_is_a_line_per_model(hbm: Callable[..., Checked]) -> None:
    checked = hbm(
        """\
        /**:
          ros__parameters:
            models: [left, right]
            left: {file: nv12.hbm, priority: 200, image_topic: /left/image}
            right:
              {file: two.hbm, model_name: other, bpu_cores: [0, 1], image_transport: compressed}
        """
    )
    assert (checked.code, checked.err) == (0, "")
    assert checked.out.splitlines() == [
        "left: nv12.hbm (conv), 12x8 from /left/image, priority 200, any core",
        "right: two.hbm (other), 12x8 from image_raw/compressed, priority 0, cores 0, 1",
        "config.yaml: all is well with 2 models",
    ]


def test_parameters_of_the_command_line_go_before_the_files(hbm: Callable[..., Checked]) -> None:
    text = one_model(priority=300)
    checked = hbm(text, "--no-models", "-p", "eye.priority:=3", "-p", "eye.file:=x.hbm")
    assert checked.code == 0, checked.out
    assert "eye: x.hbm (not looked into), from image_raw, priority 3, any core" in checked.out
    assert hbm(text, "-p", "eye.priority").code == 2
    assert hbm(text, "-p", "eye.priority:=[").code == 2


# -- whose parameters ------------------------------------------------------------------------------

SEVERAL = """\
    /**:
      ros__parameters: {models: [eye], eye.file: x.hbm}
    /left/inference_node:
      ros__parameters: {eye.priority: 256}
    /right/inference_node:
      ros__parameters: {eye.priority: 3}
    /player:
      ros__parameters: {rate: 30.0}
    """


def test_the_sections_of_other_nodes_are_left_alone(hbm: Callable[..., Checked]) -> None:
    assert hbm(SEVERAL, "--no-models", "--node", "/right/inference_node").code == 0
    checked = hbm(SEVERAL, "--no-models", "--node", "/left/inference_node")
    assert checked.problems == {(4, "eye.priority"): "must be 0 to 255, got 256"}
    checked = hbm(SEVERAL, "--no-models", "--node", "player")
    assert checked.problems == {(8, "rate"): "is unknown"}


def test_where_several_fit_one_must_be_chosen(hbm: Callable[..., Checked]) -> None:
    checked = hbm(SEVERAL)
    assert checked.code == 2 and checked.out == ""
    assert "/left/inference_node, /right/inference_node" in checked.err and "--node" in checked.err


def test_where_one_fits_its_namespace_counts(hbm: Callable[..., Checked]) -> None:
    text = """\
        /here/inference_node:
          ros__parameters: {models: [eye], eye.file: x.hbm}
        /*/inference_node:
          ros__parameters: {eye.priority: 255}
        /there/*:
          ros__parameters: {eye.priority: 256}
        """
    assert "priority 255" in hbm(text, "--no-models").out


def test_a_file_of_other_nodes_is_refused(hbm: Callable[..., Checked]) -> None:
    checked = hbm("/player: {ros__parameters: {rate: 30.0}}")
    assert checked.code == 2
    assert "no parameters of inference_node, only of /player" in checked.err
    assert hbm("").code == 2


def test_what_the_files_of_other_nodes_break_is_said_all_the_same(
    hbm: Callable[..., Checked],
) -> None:
    """ROS reads a file as a whole or not at all."""
    checked = hbm("/player: {ros__parameters: {rate: }}")
    assert (checked.code, list(checked.problems)) == (1, [(1, "rate")])


# -- the models' files -----------------------------------------------------------------------------


@pytest.mark.usefixtures("models")
@pytest.mark.parametrize(
    ("values", "key", "says"),
    [
        (dict(file="missing.hbm"), "eye.file", "missing.hbm does not exist"),
        (dict(file="."), "eye.file", "is a directory"),
        (dict(file="config.yaml"), "", "note"),
        (dict(file="two.hbm"), "eye.model_name", "must be one of conv, other (the models in two"),
        (dict(file="two.hbm", model_name="othr"), "eye.model_name", "did you mean other?"),
        (dict(file="nv12.hbm", tensors="[z]"), "eye.tensors", "must hold inputs of conv, some of"),
        (dict(file="row.hbm"), "eye", "model 'row' of row.hbm cannot be fed with images: "),
        (dict(file="small.hbm", bpu_cores="[2]"), "eye.bpu_cores", "must be cores of the S100, 0,"),
        (dict(file="wide.hbm", bpu_cores="[2]"), "eye.bpu_cores", "must be [-1] or 2 cores"),
        (dict(file="pixels.hbm", mean="[1.0, 2.0]"), "eye", "2"),
    ],
)
def test_what_does_not_fit_the_model_is_found(
    hbm: Callable[..., Checked], values: dict[str, Any], key: str, says: str
) -> None:
    checked = hbm(one_model(**values))
    if says == "note":
        assert checked.code == 0 and "its tensors and cores were not checked" in checked.out
        return
    assert checked.code == 1, checked.out
    ((_, found),) = checked.problems
    assert found == key
    assert says in checked.out


@pytest.mark.usefixtures("models")
def test_a_chip_can_be_named(hbm: Callable[..., Checked]) -> None:
    assert hbm(one_model(file="nv12.hbm", bpu_cores="[3]"), "--soc", "S600").code == 0
    checked = hbm(one_model(file="nv12.hbm", bpu_cores="[3]"), "--soc", "S100P")
    assert checked.problems[6, "eye.bpu_cores"] == "must be cores of the S100P, 0, got [3]"
    checked = hbm(one_model(file="small.hbm"), "--soc", "S600")
    assert "must be for the march nash-p of the S600" in checked.problems[5, "eye.file"]
    checked = hbm(one_model(file="wide.hbm"), "--soc", "S100")
    assert "must be a model for at most 1 cores" in checked.problems[5, "eye.file"]


@pytest.mark.usefixtures("models")
def test_a_vendors_file_is_not_looked_into(hbm: Callable[..., Checked]) -> None:
    checked = hbm(one_model(file="vendor.hbm", bpu_cores="[3]"))
    assert checked.code == 0
    assert "note: eye: " in checked.out and "vendor.hbm (not looked into)" in checked.out


@pytest.mark.usefixtures("models")
def test_two_images_go_into_the_tensors_that_are_named(
    hbm: Callable[..., Checked], tmp_path: Path
) -> None:
    both = tiny_models.pack(two_pictures(), "both", nv12_inputs=("left", "right"))
    tiny_models.save(tmp_path / "both.hbm", both)
    first, second = (
        [tensor.name for tensor in both.inputs if tensor.name.startswith(side)]
        for side in ("left", "right")
    )
    checked = hbm(
        f"""\
        /**:
          ros__parameters:
            models: [eye]
            eye:
              file: both.hbm
              images: [a, b]
              a: {{image_topic: /a, tensors: [{", ".join(first)}]}}
              b: {{image_topic: /b, tensors: [{", ".join(second)}]}}
        """
    )
    assert "eye: both.hbm (both), a 12x8 from /a, b 12x8 from /b, priority 0" in checked.out


def two_pictures() -> Any:
    """The sum of two pictures."""
    from onnx import helper

    node = helper.make_node("Add", ["left", "right"], ["y"])
    dims = (1, 3, 8, 12)
    inputs = [tiny_models.value(name, dims) for name in ("left", "right")]
    return tiny_models.model_of([node], inputs, [tiny_models.value("y", dims)])


# -- the command -----------------------------------------------------------------------------------


def test_a_missing_file_is_bad_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check", "missing.yaml"]) == 2
    assert "missing.yaml: does not exist" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["config.yaml"], ["--soc", "S100", "a", "b"], ["--help"]])
def test_where_it_is_not_installed_it_says_what_to_do(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "entry_points", lambda **_: [])
    assert cli.main(["check", *arguments]) == 2
    said = capsys.readouterr().err
    assert "pip install 'hbm-runtime[check]'" in said and "ROS package hbm_runtime_ros" in said
    assert said.count("\n") == 1


def test_without_pyyaml_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import sys

    for name in [name for name in sys.modules if name.startswith("hbm_runtime_ros.check")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "yaml", None)
    assert cli.main(["check", "config.yaml"]) == 2
    assert "needs PyYAML: pip install 'hbm-runtime[check]'" in capsys.readouterr().err


def test_it_needs_no_ros_at_all(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import sys

    for name in [name for name in sys.modules if name.startswith("hbm_runtime_ros")]:
        monkeypatch.delitem(sys.modules, name)
    imported = builtins.__import__

    def refuse(name: str, *rest: Any, **named: Any) -> Any:
        assert name.partition(".")[0] not in ("rclpy", "rcl_interfaces", "sensor_msgs", "launch")
        return imported(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", refuse)
    (tmp_path / "config.yaml").write_text(one_model(file="x.hbm"))
    assert cli.main(["check", "config.yaml", "--no-models"]) == 0


# -- the files of this repository, and any others --------------------------------------------------


def files_of_the_repository() -> list[Path]:
    return sorted(CONFIG.glob("*.yaml"))


@pytest.mark.parametrize("file", files_of_the_repository(), ids=lambda file: file.name)
def test_the_example_configurations_are_good(file: Path) -> None:
    from_launch_file = {"detector.file": "d.hbm", "orientation.file": "o.hbm"}
    given = from_launch_file if file.name == "demo.yaml" else {}
    report = check_file(file, overrides=given, with_models=False)
    assert report.findings == []
    assert report.models


keys = st.sampled_from(
    ["models", "a", "a.file", "a.images", "priority", "resize", "roi", "left", "ros__parameters"]
)
values = st.recursive(
    st.sampled_from(["1", "2.5", "a", "x.hbm", "roi", "true", "[a]", "[left, a]", "[]", "", '""']),
    lambda inner: st.dictionaries(keys, inner, max_size=4).map(
        lambda pairs: "{" + ", ".join(f"{key}: {value}" for key, value in pairs.items()) + "}"
    ),
    max_leaves=12,
)


@given(values)
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_configuration_is_checked(tmp_path: Path, value: str) -> None:
    file = tmp_path / "any.yaml"
    file.write_text(f"/**:\n  ros__parameters: {value}\n")
    report = check_file(file)
    assert report.findings  # there is no x.hbm
    assert report.findings == sorted(report.findings, key=lambda finding: finding.line)
    assert all(0 <= finding.line <= 2 for finding in report.findings)
