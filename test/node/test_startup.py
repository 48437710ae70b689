# SPDX-License-Identifier: Apache-2.0
"""Configurations that cannot work: one line per problem, the process lives; and exit codes."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tiny_models


def assert_refused(rig: Any, *says: str) -> None:
    """It has told one problem that says all of this, and lives, unconfigured."""
    rig.until(lambda: "stays unconfigured" in rig.log, "the refusal")
    problems = [line for line in rig.log.splitlines() if "cannot configure" in line]
    assert all("[ERROR]" in line for line in problems)
    assert len(problems) == len(rig.node.problems) == 1, rig.log
    for text in says:
        assert re.search(text, problems[0]), (text, problems[0])
    assert rig.state() == "unconfigured"


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (dict(file="missing.hbm"), [r"'eye\.file'", r"missing\.hbm"]),
        (dict(priority=256), [r"'eye\.priority' must be 0 to 255, got 256"]),
        (dict(priority=-1), [r"'eye\.priority' must be 0 to 255, got -1"]),
        (dict(priority="urgent"), [r"'eye\.priority' must be of type integer, got 'urgent'"]),
        (dict(bpu_cores=[9]), [r"'eye\.bpu_cores'", "9"]),
        (dict(device_id=-1), [r"'eye\.device_id'", "-1"]),
        (dict(resize="zoom"), [r"'eye\.resize' must be one of stretch, letterbox"]),
        (dict(model_name="other"), [r"'eye\.model_name' must be one of conv .*got 'other'"]),
        (dict(tensors=["z"]), [r"'eye\.tensors' must hold inputs of conv, some of .*got 'z'"]),
        (dict(prioritiy=3), [r"'eye\.prioritiy' is unknown; did you mean eye\.priority"]),
    ],
)
def test_a_bad_value_is_named(
    embed: Callable, nv12_model: Path, values: dict[str, Any], says: list[str]
) -> None:
    assert_refused(embed(eye={"file": nv12_model, **values}), *says)


@pytest.mark.parametrize(
    ("content", "kind"),
    [(b"", "empty"), (b"HBRT" * 100, "foreign"), (None, "truncated"), ("folder", "folder")],
    ids=["empty", "foreign", "truncated", "folder"],
)
def test_a_file_that_is_no_model_is_named(
    embed: Callable, nv12_model: Path, tmp_path: Path, content: bytes | str | None, kind: str
) -> None:
    bad = tmp_path / f"{kind}.hbm"
    if content == "folder":
        bad.mkdir()
    else:
        bad.write_bytes(nv12_model.read_bytes()[:200] if content is None else content)
    # two models of one file: told once
    assert_refused(embed(eye=dict(file=bad), ear=dict(file=bad)), r"eye\.file", rf"{kind}\.hbm")


def test_a_model_without_an_image_input_is_refused(embed: Callable, tmp_path: Path) -> None:
    file = tiny_models.save(tmp_path / "row.hbm", tiny_models.pack(tiny_models.add(), "row"))
    assert_refused(embed(eye=dict(file=file)), "eye", r"x: F32 \[1, 4\]")


def test_the_model_must_be_chosen_where_a_file_holds_several(
    embed: Callable, tmp_path: Path
) -> None:
    specs = [tiny_models.pack(tiny_models.conv(), name, nv12_inputs=("x",)) for name in ("a", "b")]
    file = tiny_models.save(tmp_path / "two.hbm", *specs)
    assert_refused(embed(eye=dict(file=file)), r"'eye\.model_name' must be one of a, b")


def test_no_models_is_refused(embed: Callable) -> None:
    assert_refused(embed({"models": [""]}), "'models'")


def test_a_library_that_is_not_there_is_refused(
    embed: Callable, nv12_model: Path, tmp_path: Path
) -> None:
    assert_refused(embed({"library": str(tmp_path)}, eye=dict(file=nv12_model)), str(tmp_path))


def test_the_library_is_a_parameter(embed: Callable, nv12_model: Path) -> None:
    from recording import Recorder

    from hbm_runtime._loading.library import SIMULATOR_FOLDER

    recorder = Recorder()
    rig = embed(
        {"library": str(SIMULATOR_FOLDER)}, options=dict(load=recorder), eye=dict(file=nv12_model)
    )
    rig.until_active()
    assert recorder.options == [{"library": str(SIMULATOR_FOLDER)}]


@pytest.mark.parametrize("stop_with", ["SIGINT", "SIGTERM"])
def test_a_process_that_could_not_configure_lives_until_it_is_told_to_stop(
    start: Callable, stop_with: str
) -> None:
    node = start("inference_node", {"models": ["eye"], "eye": {"file": "missing.hbm"}})
    while "stays unconfigured" not in node.log:
        assert node.process.poll() is None, node.log
    assert "ERROR" in node.log
    assert node.stop(signal.Signals[stop_with]) == 0
    assert "FATAL" not in node.log


@pytest.mark.parametrize("stop_with", ["SIGINT", "SIGTERM"])
def test_a_signal_while_models_are_loaded_ends_it_without_complaints(
    start: Callable, nv12_model: Path, stop_with: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HBM_SIM_FAULTS", "hbDNNInitializeFromFiles@1+=delay:2000")
    node = start("inference_node", {"models": ["eye"], "eye": {"file": str(nv12_model)}})
    while "using the simulator" not in node.log:
        assert node.process.poll() is None, node.log
    assert node.stop(signal.Signals[stop_with]) == 0
    # from Kilted on rclpy itself complains that it can tell nobody of the transition
    ours = [line for line in node.log.splitlines() if "Failed to complete transition" not in line]
    assert not [line for line in ours if "ERROR" in line]
    assert "stays unconfigured" not in node.log


def test_a_parameters_file_that_is_missing_is_named(start: Callable) -> None:
    node = start("inference_node", {}, "--params-file", "nowhere.yaml")
    assert_ended(node, r"nowhere\.yaml")


def test_a_parameters_file_that_is_no_yaml_is_refused(start: Callable, tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("/**:\n  ros__parameters:\n    models: [eye\n")
    node = start("inference_node", {}, "--params-file", "broken.yaml")
    assert_ended(node, r"broken\.yaml")


def test_an_empty_list_in_a_file_is_refused_like_other_bad_values(start: Callable) -> None:
    values = {"models": ["eye"], "eye": {"file": "a.hbm", "encodings": [], "bpu_cores": []}}
    node = start("inference_node", values)
    while "stays unconfigured" not in node.log:
        assert node.process.poll() is None, node.log
    assert "'eye.encodings' must be of type list of strings, got None; leave the line" in node.log
    assert "'eye.bpu_cores' must be of type list of integers, got None" in node.log


def assert_ended(node: Any, says: str) -> None:
    """It has ended by itself with exit code 1 and one fatal line that says this."""
    assert node.wait() == 1, node.log
    fatal = [line for line in node.log.splitlines() if "FATAL" in line]
    assert len(fatal) == 1, node.log
    assert re.search(says, fatal[0]), fatal[0]


def test_the_log_says_what_computes(serve: Callable, nv12_model: Path) -> None:
    rig = serve(eye=dict(file=nv12_model, priority=3))
    assert "simulated accelerator" in rig.process.log
    assert re.search(r"eye: model 'conv' of .*nv12\.hbm, 12x8, priority 3", rig.process.log)


FAILING_NODE = """
import sys
from rclpy.node import Node
from hbm_runtime_ros.ros.run_node import Finished, run_node

class Failing(Node):
    def __init__(self):
        super().__init__("failing")
        self.calls = 0
        self.create_timer(0.01, self.call)
    def call(self):
        self.calls += 1
        if self.calls == int(sys.argv[1]):
            raise Finished
        raise RuntimeError(f"call {self.calls} failed")

sys.exit(run_node("failing", Failing, []))
"""


@pytest.mark.parametrize(("last_call", "code"), [(5, 0), (1000, 1)])
def test_a_callback_that_fails_does_not_end_a_process_unless_it_always_does(
    last_call: int, code: int, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FAILING_NODE, str(last_call)],
        cwd=tmp_path,  # not the source tree, which is no built package
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert "call 4 failed" in done.stderr
    assert ("[FATAL]" in done.stderr) == (code == 1)
