# SPDX-License-Identifier: Apache-2.0
"""Parameters that change while the node works: checked as a whole, at once, from the next frame."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hbm_runtime_ros.msg import ModelInfoList
from recording import Recorder

from hbm_runtime_ros.ros.qos import MODEL_INFO


def test_a_change_holds_from_the_next_frame_on(
    embed: Callable, nv12_model: Path, make_image: Callable
) -> None:
    recorder = Recorder()
    rig = embed(options=dict(load=recorder), eye=dict(file=nv12_model, priority=3)).until_active()
    rig.publish_until_result(make_image(), "eye")
    assert recorder.calls[-1]["priority"] == {"conv": 3}
    assert rig.set_parameters(eye__priority=200, eye__bpu_cores=[1, 2], eye__timeout=2.5) == ""
    rig.publish_until_result(make_image(stamp=(2, 0)), "eye")
    changed = recorder.calls[-1]
    assert changed["priority"] == {"conv": 200}
    assert changed["bpu_cores"] == {"conv": [1, 2]}
    assert changed["timeout"] <= 2.5
    assert rig.node.models[0].settings.live.priority == 200


def test_a_change_is_told_on_model_info(embed: Callable, nv12_model: Path) -> None:
    rig = embed(eye=dict(file=nv12_model), other=dict(file=nv12_model)).until_active()
    info = rig.observer.collect(ModelInfoList, "/inference_node/model_info", MODEL_INFO)
    rig.until(lambda: info, "model_info")
    assert rig.set_parameters(eye__priority=9, eye__queue_policy="oldest", eye__lazy=True) == ""
    rig.until(lambda: len(info) > 1, "model_info after the change")
    eye, other = info[-1].models
    assert (eye.priority, eye.queue_policy, eye.lazy) == (9, "oldest", True)
    assert (other.priority, other.queue_policy, other.lazy) == (0, "latest", False)
    assert eye.hash == info[0].models[0].hash


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (dict(eye__bpu_cores=[7]), "eye.bpu_cores"),
        (dict(eye__priority=300), "eye.priority"),
        (dict(eye__queue_policy="newest"), "eye.queue_policy"),
        (dict(eye__priority="high"), "type"),
        (dict(eye__file="other.hbm"), "eye.file"),
        (dict(eye__image_topic="/elsewhere"), "eye.image_topic"),
        (dict(models=["eye"]), "models"),
    ],
)
def test_a_change_that_cannot_be_is_refused_with_the_reason(
    embed: Callable, nv12_model: Path, values: dict[str, Any], says: str
) -> None:
    rig = embed(eye=dict(file=nv12_model)).until_active()
    before = rig.node.settings
    reason = rig.set_parameters(**values)
    assert says in reason
    assert rig.node.settings == before


def test_one_bad_value_keeps_the_good_ones_beside_it_out(
    embed: Callable, nv12_model: Path, make_image: Callable
) -> None:
    recorder = Recorder()
    rig = embed(
        options=dict(load=recorder), other=dict(file=nv12_model), eye=dict(file=nv12_model)
    ).until_active()
    assert "bpu_cores" in rig.set_parameters(eye__priority=7, other__bpu_cores=[9])
    assert [model.settings.live.priority for model in rig.node.models] == [0, 0]
    assert recorder.runtimes[0].sched_params["conv"].priority == 0
    rig.publish_until_result(make_image(), "eye")
    assert {call["priority"]["conv"] for call in recorder.calls} == {0}


def test_the_rate_can_be_limited_and_freed_again(
    embed: Callable, nv12_model: Path, make_image: Callable
) -> None:
    rig = embed(eye=dict(file=nv12_model)).until_active()
    rig.publish_until_result(make_image(), "eye")
    assert rig.set_parameters(eye__max_rate=0.001) == ""
    rig.publish_until_received(make_image(stamp=(2, 0)), "eye")
    results = rig.counters("eye").results
    for second in range(3, 8):
        rig.publish_until_received(make_image(stamp=(second, 0)), "eye")
    assert rig.counters("eye").results <= results + 1
    assert rig.drops("eye")["rate"] >= 4
    assert rig.set_parameters(eye__max_rate=0.0) == ""
    rig.publish_until_result(make_image(stamp=(50, 0)), "eye")


def test_the_policy_changes_while_images_flow(
    embed: Callable, slow_model: Path, make_image: Callable
) -> None:
    rig = embed(slow=dict(file=slow_model)).until_active()
    rig.publish_until_result(make_image(), "slow")
    for policy in ("oldest", "every_nth", "block", "latest"):
        assert rig.set_parameters(slow__queue_policy=policy) == ""
        rig.until_active()
        rig.publish_until_result(make_image(stamp=(hash(policy) % 1000 + 10, 0)), "slow")
    counted = rig.counters("slow")
    assert counted.frames_in == (
        counted.results + sum(counted.drops.values()) + counted.waiting + counted.running
    )
