# SPDX-License-Identifier: Apache-2.0
"""InferenceNode in somebody else's program: listeners, several nodes, shared runtimes."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from binding.simulator_faults import faults
from binding.simulator_live import count as live_on_accelerator
from rclpy.executors import MultiThreadedExecutor
from rclpy.parameter import Parameter

from hbm_runtime import HBMClosedError
from hbm_runtime_ros.messages.conversions import tensors_to_numpy
from hbm_runtime_ros.models.shared_runtimes import SharedRuntimes
from hbm_runtime_ros.node.inference_node import InferenceNode


def test_a_listener_gets_the_tensors_of_the_topic_in_the_models_thread(
    embed: Callable, nv12_model: Path, make_image: Callable
) -> None:
    rig = embed(eye=dict(file=nv12_model))
    heard: list[tuple[str, Any]] = []
    rig.node.add_result_listener(
        "eye", lambda result: heard.append((threading.current_thread().name, result))
    )
    rig.until_active()
    message = rig.publish_until_result(make_image(seed=5), "eye")
    assert heard
    thread, result = heard[-1]
    assert "eye" in thread
    assert result.frames[0].header == message.header
    assert result.sequence == message.sequence
    for name, tensor in tensors_to_numpy(message).items():
        assert np.array_equal(result.tensors[name], tensor)


def test_what_a_listener_raises_is_logged_and_the_others_are_served(
    embed: Callable, nv12_model: Path, make_image: Callable
) -> None:
    rig = embed(eye=dict(file=nv12_model))
    heard: list[Any] = []

    def fail(_: Any) -> None:
        raise RuntimeError("not my day")

    rig.node.add_result_listener("eye", fail)
    rig.node.add_result_listener("eye", heard.append)
    rig.until_active()
    rig.publish_until_result(make_image(), "eye")
    rig.publish_until_result(make_image(stamp=(2, 0)), "eye")
    assert len(heard) >= 2
    assert "not my day" in rig.log
    assert rig.drops("eye").get("publish_error", 0) == 0


def test_a_listener_that_was_removed_hears_no_more(
    embed: Callable, nv12_model: Path, make_image: Callable
) -> None:
    rig = embed(eye=dict(file=nv12_model))
    heard: list[Any] = []
    removes = [rig.node.add_result_listener("eye", heard.append) for _ in range(2)]
    rig.until_active()
    rig.publish_until_result(make_image(), "eye")
    rig.observer.spin(0.1)
    assert len(heard) >= 2  # both
    removes[0]()
    removes[0]()  # once more is fine
    heard.clear()
    rig.publish_until_result(make_image(stamp=(2, 0)), "eye")
    rig.observer.spin(0.1)
    assert len(heard) >= 1
    removes[1]()
    heard.clear()
    rig.publish_until_result(make_image(stamp=(3, 0)), "eye")
    assert heard == []


def test_a_listener_for_a_model_that_is_not_there_is_refused(
    embed: Callable, nv12_model: Path
) -> None:
    rig = embed(eye=dict(file=nv12_model)).until_active()
    with pytest.raises(ValueError, match="there is no model 'ear'; the node has eye"):
        rig.node.add_result_listener("ear", print)


def test_a_listener_stays_when_the_node_is_configured_anew(
    embed: Callable, nv12_model: Path, make_image: Callable
) -> None:
    rig = embed(eye=dict(file=nv12_model)).until_active()
    heard: list[Any] = []
    rig.node.add_result_listener("eye", heard.append)
    for transition in ("deactivate", "cleanup", "configure", "activate"):
        assert rig.change_state(transition)
    rig.until_active()
    rig.publish_until_result(make_image(), "eye")
    assert heard


def test_several_nodes_live_in_one_process_and_end_apart(
    embed: Callable, nv12_model: Path, make_image: Callable
) -> None:
    first = embed(name="first", eye=dict(file=nv12_model)).until_active()
    second = embed(name="second", eye=dict(file=nv12_model)).until_active()
    first.publish_until_result(make_image(), "eye")
    second.publish_until_result(make_image(), "eye")
    assert first.node.models[0].runtime is not second.node.models[0].runtime
    assert first.change_state("deactivate")
    assert first.change_state("cleanup")
    second.publish_until_result(make_image(stamp=(2, 2)), "eye")


def test_nodes_share_runtimes_and_the_last_one_closes_them(
    embed: Callable, nv12_model: Path, make_image: Callable
) -> None:
    shared = SharedRuntimes()
    options = dict(load=shared)
    first = embed(name="first", options=options, eye=dict(file=nv12_model)).until_active()
    second = embed(name="second", options=options, eye=dict(file=nv12_model)).until_active()
    assert live_on_accelerator()["models"] == 1
    runtime = second.node.models[0].runtime
    assert first.node.models[0].runtime is runtime
    assert first.change_state("deactivate")
    assert first.change_state("cleanup")
    assert not runtime.closed
    second.publish_until_result(make_image(), "eye")
    assert second.change_state("deactivate")
    assert second.change_state("cleanup")
    assert runtime.closed
    with pytest.raises(HBMClosedError):
        runtime.run({})
    assert first.change_state("configure")
    assert live_on_accelerator()["models"] == 1


def test_a_shared_runtime_that_fails_is_replaced_for_whoever_notices(
    embed: Callable, nv12_model: Path, make_image: Callable
) -> None:
    shared = SharedRuntimes()
    rigs = [
        embed(
            name=name,
            options=dict(load=shared),
            eye=dict(file=nv12_model, stall_timeout=0.2),
        ).until_active()
        for name in ("first", "second")
    ]
    with faults("run@1+=TASK_RUN_FAILED"):
        second = 0
        while not any(rig.counters("eye").recoveries for rig in rigs):
            second += 1
            assert second < 500
            rigs[0].camera.publish(make_image(stamp=(second, 0)))
            rigs[0].observer.spin(0.02)
    for rig in rigs:
        rig.publish_until_result(make_image(stamp=(900, 0)), "eye")
    assert live_on_accelerator()["models"] <= 2


def test_it_works_in_an_executor_of_many_threads(
    observer: Any, nv12_model: Path, make_image: Callable, parameters: Callable
) -> None:
    from hbm_runtime_ros.srv import ChangeModel, Infer
    from node_rig import InferenceRig

    overrides = parameters(eye=dict(file=nv12_model), ear=dict(file=nv12_model, lazy=True))
    node = InferenceNode(
        context=observer.node.context,
        parameter_overrides=[Parameter(key, value=value) for key, value in overrides.items()],
    )
    executor = MultiThreadedExecutor(4, context=observer.node.context)
    executor.add_node(node)
    thread = threading.Thread(target=executor.spin, daemon=True)
    thread.start()
    try:
        rig = InferenceRig(observer, ["eye", "ear"], node=node).until_active()
        for second in range(12):
            rig.camera.publish(make_image(stamp=(second, 0)))
            image = make_image(stamp=(second, 1))
            assert rig.call(Infer, "infer", Infer.Request(model="ear", images=[image])).success
            assert rig.call(ChangeModel, "reload", ChangeModel.Request(model="eye")).success
            assert rig.set_parameters(eye__priority=second, ear__lazy=bool(second % 2)) == ""
        assert rig.change_state("deactivate")
        assert rig.change_state("activate")
        rig.until_active()
        rig.publish_until_result(make_image(stamp=(99, 0)), "ear")
        assert thread.is_alive()
    finally:
        executor.shutdown()
        thread.join(10)
        node.destroy_node()


def test_destroying_an_active_node_frees_everything(
    embed: Callable, nv12_model: Path, make_image: Callable
) -> None:
    rig = embed(eye=dict(file=nv12_model)).until_active()
    rig.publish_until_result(make_image(), "eye")
    rig.observer.remove(rig.node)
    threads = threading.active_count()
    rig.node.destroy_node()
    assert live_on_accelerator()["models"] == 0
    assert threading.active_count() < threads


def test_the_nodes_name_and_namespace_are_the_programs_choice(
    embed: Callable, nv12_model: Path
) -> None:
    rig = embed(name="front", options=dict(namespace="/robot"), eye=dict(file=nv12_model))
    rig.until(lambda: rig.node.lifecycle_state == "active", "the active node")
    assert rig.node.models[0].topics.tensors == "/robot/front/eye/tensors"


def test_a_destroyed_node_leaves_the_graph_though_nothing_is_garbage_collected(
    observer: Any,
) -> None:
    def is_in_graph() -> bool:
        return "passer_by" in observer.node.get_node_names()

    gc.disable()
    try:
        node = InferenceNode("passer_by", context=observer.node.context)
        observer.until(is_in_graph, "the node")
        node.destroy_node()
        observer.until(lambda: not is_in_graph(), "its end")
    finally:
        gc.enable()
