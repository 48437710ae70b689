# SPDX-License-Identifier: Apache-2.0
"""Configurations that cannot work: one clear fatal line, exit code 1, no traceback."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tiny_models


def assert_refused(node: Any, *says: str) -> None:
    """It has ended by itself with exit code 1 and one fatal line that says all of this."""
    assert node.wait() == 1, node.log
    fatal = [line for line in node.log.splitlines() if "FATAL" in line]
    assert len(fatal) == 1, node.log
    for text in says:
        assert re.search(text, fatal[0]), (text, fatal[0])


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (dict(file="missing.hbm"), ["model 'eye'", r"'eye\.file'", r"missing\.hbm"]),
        (dict(priority=256), [r"'eye\.priority' must be 0 to 255, got 256"]),
        (dict(priority=-1), [r"'eye\.priority' must be 0 to 255, got -1"]),
        (dict(priority="urgent"), [r"'eye\.priority' must be of type integer, got 'urgent'"]),
        (dict(bpu_cores=[9]), [r"'eye\.bpu_cores'", "9"]),
        (dict(resize="zoom"), [r"'eye\.resize' must be one of stretch, letterbox"]),
        (dict(model_name="other"), [r"'eye\.model_name' must be one of conv .*got 'other'"]),
    ],
)
def test_a_bad_value_is_named(
    start: Callable, nv12_model: Path, values: dict[str, Any], says: list[str]
) -> None:
    node = start("inference_node", {"models": ["eye"], "eye": {"file": str(nv12_model), **values}})
    assert_refused(node, *says)


@pytest.mark.parametrize(
    ("content", "kind"),
    [(b"", "empty"), (b"HBRT" * 100, "foreign"), (None, "truncated"), ("folder", "folder")],
    ids=["empty", "foreign", "truncated", "folder"],
)
def test_a_file_that_is_no_model_is_named(
    start: Callable, nv12_model: Path, tmp_path: Path, content: bytes | str | None, kind: str
) -> None:
    bad = tmp_path / f"{kind}.hbm"
    if content == "folder":
        bad.mkdir()
    else:
        bad.write_bytes(nv12_model.read_bytes()[:200] if content is None else content)
    node = start("inference_node", {"models": ["eye"], "eye": {"file": str(bad)}})
    assert_refused(node, "model 'eye'", rf"{kind}\.hbm")


def test_a_model_without_an_image_input_is_refused(start: Callable, tmp_path: Path) -> None:
    file = tiny_models.save(tmp_path / "row.hbm", tiny_models.pack(tiny_models.add(), "row"))
    node = start("inference_node", {"models": ["eye"], "eye": {"file": str(file)}})
    assert_refused(node, "model 'eye'", r"x: F32 \[1, 4\]", "NV12 pair")


def test_the_model_must_be_chosen_where_a_file_holds_several(
    start: Callable, tmp_path: Path
) -> None:
    specs = [tiny_models.pack(tiny_models.conv(), name, nv12_inputs=("x",)) for name in ("a", "b")]
    file = tiny_models.save(tmp_path / "two.hbm", *specs)
    node = start("inference_node", {"models": ["eye"], "eye": {"file": str(file)}})
    assert_refused(node, r"'eye\.model_name' must be one of a, b")


def test_no_models_is_refused(start: Callable) -> None:
    assert_refused(start("inference_node", {}), "'models' must list at least one model")


def test_a_parameters_file_that_is_missing_is_named(start: Callable) -> None:
    node = start("inference_node", {}, "--params-file", "nowhere.yaml")
    assert_refused(node, r"nowhere\.yaml")


def test_a_parameters_file_that_is_no_yaml_is_refused(start: Callable, tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("/**:\n  ros__parameters:\n    models: [eye\n")
    node = start("inference_node", {}, "--params-file", "broken.yaml")
    assert_refused(node, r"broken\.yaml")


def test_the_log_says_what_computes(serve: Callable, nv12_model: Path) -> None:
    rig = serve(eye=dict(file=nv12_model, priority=3))
    assert "simulated accelerator" in rig.process.log
    assert re.search(r"eye: model 'conv' of .*nv12\.hbm, 12x8, priority 3", rig.process.log)
