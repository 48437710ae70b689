# SPDX-License-Identifier: Apache-2.0
"""Texts of messages and model files that attack the log: none gets into it, or to /diagnostics."""

from __future__ import annotations

import array
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tiny_models
from diagnostic_msgs.msg import DiagnosticArray
from hbm_runtime_ros.srv import ChangeModel, Infer
from onnx import helper
from sensor_msgs.msg import CompressedImage

from hbm_runtime._texts import MOST_IN_MESSAGE

ATTACK = "\n[FATAL] [1.0] [inference_node]: all is lost\x1b[31m\x85\u2028"
LONG = ATTACK + "x" * 1_000_000
# what ROS itself writes before a line, and what the node adds
MOST_IN_LINE = MOST_IN_MESSAGE + 200


def hostile_model(path: Path, *dims: int) -> Path:
    """A model that copies a tensor, whose names and descriptions attack."""
    name, x, y = f"m{ATTACK}", f"x{ATTACK}", f"y{ATTACK}"
    network = tiny_models.model_of(
        [helper.make_node("Identity", [x], [y])],
        [tiny_models.value(x, dims)],
        [tiny_models.value(y, dims)],
    )
    texts = {x: ATTACK * 100, y: ATTACK * 100}
    spec = tiny_models.pack(network, name, description=ATTACK * 100, tensor_descriptions=texts)
    return tiny_models.save(path, spec, description=ATTACK * 100)


def check_log(log: str) -> None:
    """No line of another origin, no control character, no endless line."""
    lines = [line for line in log.split("\n") if line]
    assert lines
    for line in lines:
        assert line.isprintable(), line[:300]
        assert len(line) <= MOST_IN_LINE, line[:300]
        assert not line.startswith("[FATAL]"), line[:300]


def check_diagnostics(messages: list[DiagnosticArray]) -> None:
    statuses = [status for message in messages for status in message.status]
    assert statuses
    for status in statuses:
        texts = [status.name, status.message, status.hardware_id]
        texts += [text for pair in status.values for text in (pair.key, pair.value)]
        for text in texts:
            assert text.isprintable(), text[:300]
            assert len(text) <= MOST_IN_MESSAGE, text[:300]


@pytest.mark.parametrize("attack", [ATTACK, LONG], ids=["escapes", "a megabyte"])
@pytest.mark.parametrize("field", ["encoding", "not accepted", "frame_id"])
def test_no_text_of_an_image_gets_into_log_and_diagnostics(
    embed: Callable, nv12_model: Path, make_image: Callable, field: str, attack: str
) -> None:
    accepted = {"encodings": ["nv12"]} if field == "not accepted" else {}
    quick = {"diagnostics.period": 0.1, "diagnostics.drop_rate_error": 0.5}
    rig = embed(quick, eye=dict(file=nv12_model, **accepted)).until_active()
    diagnostics = rig.observer.collect(DiagnosticArray, "/diagnostics", 10)
    if field == "frame_id":
        image = make_image(step=1)
        image.header.frame_id = attack
    else:
        image = make_image(encoding="mono8", height=8)
        image.encoding = attack
    rig.publish_until_received(image, "eye")
    rig.until(lambda: rig.drops("eye"), "the count")
    rig.until(lambda: "eye: " in rig.log, "a line in the log")
    seen = len(diagnostics)
    rig.until(lambda: len(diagnostics) > seen + 1, "diagnostics after it")
    last_errors = {p.value for s in diagnostics[-1].status for p in s.values if "error" in p.key}
    assert any("encoding" in text or "step" in text for text in last_errors)
    check_log(rig.log)
    check_diagnostics(diagnostics)


@pytest.mark.parametrize("attack", [ATTACK, LONG], ids=["escapes", "a megabyte"])
@pytest.mark.parametrize("start", [b"nothing known", b"\xff\xd8\xff\xe0\x00"], ids=["none", "jpeg"])
def test_no_format_of_a_compressed_image_gets_into_log_and_diagnostics(
    embed: Callable, nv12_model: Path, start: bytes, attack: str
) -> None:
    quick = {"diagnostics.period": 0.1}
    eye = dict(file=nv12_model, image_topic="/packed", image_transport="compressed")
    rig = embed(quick, tensors=False, eye=eye).until_active_without_camera()
    diagnostics = rig.observer.collect(DiagnosticArray, "/diagnostics", 10)
    camera = rig.observer.node.create_publisher(
        CompressedImage, rig.node.models[0].inputs[0].topic, 10
    )
    image = CompressedImage(format=attack, data=array.array("B", start))

    def dropped() -> Any:
        camera.publish(image)
        return rig.drops("eye")

    rig.until(dropped, "the count")
    rig.until(lambda: "eye: " in rig.log, "a line in the log")
    seen = len(diagnostics)
    rig.until(lambda: len(diagnostics) > seen + 1, "diagnostics after it")
    assert "of format" in rig.log or "format '" in rig.log
    check_log(rig.log)
    check_diagnostics(diagnostics)


@pytest.mark.parametrize("dims", [(1, 1, 8, 12), (1, 1000)], ids=["a picture", "no picture"])
def test_no_text_of_a_model_file_gets_into_log_and_diagnostics(
    embed: Callable, tmp_path: Path, dims: tuple[int, ...]
) -> None:
    file = hostile_model(tmp_path / "hostile.hbm", *dims)
    quick = {"diagnostics.period": 0.1, "autostart": False}
    rig = embed(quick, tensors=False, eye=dict(file=file))
    diagnostics = rig.observer.collect(DiagnosticArray, "/diagnostics", 10)
    assert rig.change_state("configure") == (dims != (1, 1000))
    rig.until(lambda: r"\n[FATAL]" in rig.log, "the model's name in the log")
    seen = len(diagnostics)
    rig.until(lambda: len(diagnostics) > seen + 1, "diagnostics after it")
    check_log(rig.log)
    check_diagnostics(diagnostics)


@pytest.mark.parametrize("attack", [ATTACK, LONG], ids=["escapes", "a megabyte"])
def test_no_text_of_a_request_comes_back_or_gets_into_the_log(
    embed: Callable, nv12_model: Path, make_image: Callable, attack: str
) -> None:
    rig = embed(eye=dict(file=nv12_model)).until_active()
    answers = [
        rig.call(ChangeModel, service, ChangeModel.Request(model=attack)).message
        for service in ("load", "unload", "reload", "reset_stats")
    ]
    answers.append(rig.call(Infer, "infer", Infer.Request(model=attack)).message)
    image = make_image()
    image.encoding = attack
    answers.append(rig.call(Infer, "infer", Infer.Request(model="eye", images=[image])).message)
    answers.append(rig.set_parameters(eye__queue_policy=attack))
    assert all(answers)
    for answer in answers:
        assert answer.isprintable(), answer[:300]
        assert len(answer) <= MOST_IN_MESSAGE
        assert not re.search(r"(?<!\\n)\[FATAL\]", answer)
    check_log(rig.log)
