# SPDX-License-Identifier: Apache-2.0
"""The managed node: each transition does its part, a failed one says why, none leaves traces."""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from binding.simulator_live import count as live_on_accelerator
from hbm_runtime_ros.msg import ModelInfoList
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rclpy.lifecycle import TransitionCallbackReturn

from hbm_runtime_ros.ros.qos import MODEL_INFO

SUCCESS = TransitionCallbackReturn.SUCCESS


def topics_of(rig: Any) -> set[str]:
    """What the node publishes below its own name."""
    found = rig.observer.node.get_publisher_names_and_types_by_node(rig.name, "/")
    return {name for name, _ in found if name.startswith(f"/{rig.name}/")}


def test_autostart_configures_and_activates_when_the_node_is_spun(
    embed: Callable, nv12_model: Path, make_image: Callable
) -> None:
    rig = embed(eye=dict(file=nv12_model))
    assert rig.node.lifecycle_state == "unconfigured"  # nothing is spun yet
    assert not rig.node.models
    rig.until_active()
    assert rig.state() == "active"
    assert rig.publish_until_result(make_image(), "eye").model == "eye"


def test_without_autostart_the_node_waits_and_each_transition_does_its_part(
    embed: Callable, nv12_model: Path, make_image: Callable
) -> None:
    rig = embed({"autostart": False}, eye=dict(file=nv12_model))
    rig.observer.spin(0.5)
    assert rig.state() == "unconfigured"
    assert "/inference_node/eye/tensors" not in topics_of(rig)

    assert rig.change_state("configure")
    info = rig.observer.collect(ModelInfoList, "/inference_node/model_info", MODEL_INFO)
    rig.until(lambda: info, "model_info of the inactive node")
    assert [model.name for model in info[0].models] == ["eye"]
    assert rig.camera.get_subscription_count() == 0

    assert rig.change_state("activate")
    rig.until_active()
    rig.publish_until_result(make_image(), "eye")

    assert rig.change_state("deactivate")
    rig.until(lambda: rig.camera.get_subscription_count() == 0, "the end of the subscription")
    before = rig.statistics("eye")
    rig.camera.publish(make_image(stamp=(9, 9)))
    rig.observer.spin(0.3)
    after = rig.statistics("eye")
    assert (after.frames_in, after.results) == (before.frames_in, before.results)
    assert after.inputs[0].received == before.inputs[0].received

    assert rig.change_state("activate")
    rig.until_active()
    rig.publish_until_result(make_image(stamp=(3, 3)), "eye")
    assert rig.statistics("eye").results > before.results  # counters go on

    assert rig.change_state("deactivate")
    assert rig.change_state("cleanup")
    assert rig.state() == "unconfigured"
    rig.until(
        lambda: "/inference_node/eye/tensors" not in topics_of(rig), "the end of the publishers"
    )
    assert not rig.node.models


def test_cleanup_gives_back_what_the_accelerator_gave(embed: Callable, nv12_model: Path) -> None:
    rig = embed({"autostart": False}, eye=dict(file=nv12_model), other=dict(file=nv12_model))
    rig.until(lambda: live_on_accelerator()["models"] == 0, "the end of other tests' models")
    before = live_on_accelerator()
    assert rig.node.trigger_configure() == SUCCESS
    assert live_on_accelerator() != before
    assert rig.node.trigger_cleanup() == SUCCESS
    assert live_on_accelerator() == before


def test_deactivate_finishes_what_waits(
    embed: Callable, slow_model: Path, make_image: Callable
) -> None:
    rig = embed(slow=dict(file=slow_model, queue_policy="oldest", queue_depth=2)).until_active()
    rig.publish_until_received(make_image(), "slow")
    for second in (2, 3):
        rig.camera.publish(make_image(stamp=(second, 0)))
        rig.observer.spin(0.05)
    (model,) = rig.node.models
    waiting = model.pipeline.snapshot()
    assert waiting.waiting + waiting.running > 0
    assert rig.node.trigger_deactivate() == SUCCESS
    done = model.pipeline.snapshot()
    assert done.waiting == done.running == 0
    assert done.drops.get("stopped", 0) == 0
    assert done.results == waiting.results + waiting.waiting + waiting.running


def test_a_stop_tells_that_an_inference_still_runs_of_several_models_too(
    embed: Callable, slow_model: Path, nv12_model: Path, make_image: Callable
) -> None:
    rig = embed(slow=dict(file=slow_model), eye=dict(file=nv12_model)).until_active()
    rig.publish_until_received(make_image(), "slow")
    rig.until(lambda: rig.counters("slow").running, "the inference")
    assert not rig.node.stop(timeout=0.05)


def test_a_failed_configure_says_all_that_is_wrong_and_can_be_mended(
    embed: Callable, nv12_model: Path, tmp_path: Path, make_image: Callable
) -> None:
    rig = embed(
        eye=dict(file=tmp_path / "missing.hbm"),
        ear=dict(file=nv12_model, model_name="other"),
        nose=dict(file=nv12_model, bpu_cores=[9]),
    )
    rig.until(lambda: "stays unconfigured" in rig.log, "the refusal")
    errors = [line for line in rig.log.splitlines() if "cannot configure" in line]
    assert len(errors) == len(rig.node.problems) == 3
    for key, line in zip(("eye.file", "ear.model_name", "nose.bpu_cores"), errors, strict=True):
        assert f"parameter '{key}'" in line
    assert rig.state() == "unconfigured"
    rig.until(lambda: live_on_accelerator()["models"] == 0, "the models' end")

    assert rig.set_parameters(eye__file=str(nv12_model)) == ""
    assert rig.set_parameters(ear__model_name="conv", nose__bpu_cores=[1]) == ""
    assert rig.change_state("configure")
    assert rig.node.problems == ()
    assert rig.change_state("activate")
    rig.until_active()
    rig.publish_until_result(make_image(), "ear")


def test_an_impossible_transition_is_refused_and_the_node_lives(
    serve: Callable, nv12_model: Path, make_image: Callable
) -> None:
    rig = serve(eye=dict(file=nv12_model))
    for number in (Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_CLEANUP, 77):
        request = ChangeState.Request(transition=Transition(id=number))
        assert not rig.call(ChangeState, "change_state", request).success
    assert rig.state() == "active"
    rig.publish_until_result(make_image(), "eye")


def test_an_exception_in_a_transition_is_told_and_leads_back_to_unconfigured(
    embed: Callable, nv12_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = embed(eye=dict(file=nv12_model)).until_active()

    def fail(*_: Any) -> None:
        raise RuntimeError("broken on purpose")

    monkeypatch.setattr(rig.node._served, "start", fail)
    assert rig.change_state("deactivate")
    assert not rig.change_state("activate")
    rig.until(lambda: "broken on purpose" in rig.log, "the reason in the log")
    assert rig.state() == rig.node.lifecycle_state == "unconfigured"
    monkeypatch.undo()
    assert rig.change_state("configure")
    assert rig.change_state("activate")


def test_shutdown_frees_everything_and_is_final(embed: Callable, nv12_model: Path) -> None:
    rig = embed(eye=dict(file=nv12_model)).until_active()
    assert rig.change_state("active_shutdown") or rig.change_state("shutdown")
    assert rig.state() == rig.node.lifecycle_state == "finalized"
    rig.until(lambda: live_on_accelerator()["models"] == 0, "the models' end")
    assert not rig.change_state("configure")


def footprint() -> tuple[int, int, int]:
    """Resident kilobytes, threads and open files of this process."""
    gc.collect()
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (kilobytes,) = (int(line.split()[1]) for line in status.splitlines() if "VmRSS" in line)
    return kilobytes, threading.active_count(), len(os.listdir("/proc/self/fd"))


def test_a_thousand_cycles_leave_nothing_behind(embed: Callable, nv12_model: Path) -> None:
    rig = embed({"autostart": False}, tensors=False, eye=dict(file=nv12_model))
    node = rig.node

    def cycle() -> None:
        for transition in ("configure", "activate", "deactivate", "cleanup"):
            assert getattr(node, f"trigger_{transition}")() == SUCCESS, transition
        rig.observer.spin(0, lambda: False)

    # the first ones fill caches: of the allocator, of the middleware
    for _ in range(200):
        cycle()
    kilobytes, threads, files = footprint()
    for _ in range(800):
        cycle()
    kilobytes_after, threads_after, files_after = footprint()
    assert threads_after <= threads
    assert files_after <= files
    # a runtime that stayed would be over 100 kB each time, a publisher some 10
    assert kilobytes_after - kilobytes < 8 * 1024
    rig.until(lambda: live_on_accelerator()["models"] == 0, "the models' end")
