# SPDX-License-Identifier: Apache-2.0
"""Humble: the node works without all that rclpy has gained since."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hbm_runtime_ros.msg import ModelInfoList
from node_rig import InferenceRig, NodeProcess, Observer

import hbm_runtime_ros
from hbm_runtime_ros.ros.qos import MODEL_INFO

HERE = Path(__file__).parent
# What the package imports from rclpy, launch and launch_ros, all of it in their branches `humble`
# (rclpy 3.3, launch 1.0, launch_ros 0.19). Before another name joins: look there.
NAMES_OF_HUMBLE = {
    "launch": "Action LaunchContext LaunchDescription",
    "launch.actions": "DeclareLaunchArgument LogInfo OpaqueFunction SetEnvironmentVariable "
    "Shutdown",
    "launch.substitutions": "EnvironmentVariable LaunchConfiguration PathJoinSubstitution",
    "launch_ros.actions": "Node",
    "launch_ros.parameter_descriptions": "ParameterValue",
    "rclpy.callback_groups": "MutuallyExclusiveCallbackGroup ReentrantCallbackGroup",
    "rclpy.clock": "Clock ClockType JumpThreshold",
    "rclpy.duration": "Duration",
    "rclpy.exceptions": "InvalidHandle ParameterException",
    "rclpy.executors": "ExternalShutdownException SingleThreadedExecutor",
    "rclpy.impl.rcutils_logger": "RcutilsLogger",
    "rclpy.lifecycle": "LifecycleNode LifecycleState TransitionCallbackReturn",
    "rclpy.logging": "get_logger",
    "rclpy.node": "Node",
    "rclpy.parameter": "Parameter",
    "rclpy.publisher": "Publisher",
    "rclpy.qos": "DurabilityPolicy HistoryPolicy LivelinessPolicy QoSCompatibility QoSProfile "
    "ReliabilityPolicy qos_check_compatible qos_profile_sensor_data qos_profile_system_default",
    "rclpy.serialization": "deserialize_message serialize_message",
    "rclpy.service": "Service",
    "rclpy.signals": "SignalHandlerOptions",
    "rclpy.subscription": "Subscription",
    "rclpy.task": "Future",
    "rclpy.time": "Time",
    "rclpy.timer": "Timer",
}


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., NodeProcess]]:
    """Start executables with an rclpy that lacks what Humble's lacks."""
    started: list[NodeProcess] = []

    def start_one(executable: str, parameters: dict[str, Any], *arguments: str) -> NodeProcess:
        file = tmp_path / f"{executable}.yaml"
        file.write_text(yaml.safe_dump({"/**": {"ros__parameters": parameters}}))
        command = [executable, "--ros-args", "--params-file", str(file), *arguments]
        started.append(NodeProcess("older_rclpy.py", command, tmp_path, HERE))
        return started[-1]

    yield start_one
    for node in started:
        assert node.stop() == 0, node.log
        assert "Traceback" not in node.log, node.log


@pytest.fixture
def serve_unsubscribed(
    start: Callable, observer: Observer, parameters: Callable
) -> Callable[..., InferenceRig]:
    """Start inference_node without subscribing to any tensors."""

    def serve_models(**models: dict[str, Any]) -> InferenceRig:
        process = start("inference_node", parameters(**models))
        rig = InferenceRig(observer, list(models), process=process, tensors=False)
        rig.until(lambda: rig.all_statistics().models, "statistics")
        return rig

    return serve_models


def imports(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Module and name of each import that nothing stands in for where it is missing."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Try) and any(
            isinstance(handler.type, ast.Name) and handler.type.id == "ImportError"
            for handler in node.handlers
        ):
            continue
        if isinstance(node, ast.ImportFrom) and node.module:
            for name in node.names:
                yield node.module, name.name
        yield from imports(node)


def test_whatever_is_imported_from_ros_is_in_humble() -> None:
    package = Path(hbm_runtime_ros.__file__).parent
    launch = HERE.parents[1] / "launch"
    examples = HERE.parents[1] / "examples"
    files = [*package.glob("*.py"), *launch.glob("*.py"), *examples.rglob("*.py")]
    used = {
        (module, name, file.name)
        for file in files
        for module, name in imports(ast.parse(file.read_text()))
        if module.partition(".")[0] in ("rclpy", "launch", "launch_ros")
    }
    assert len(used) > 50
    assert [
        f"{file}: {module}.{name}"
        for module, name, file in sorted(used)
        if name not in NAMES_OF_HUMBLE.get(module, "").split()
    ] == []


def test_a_lazy_model_wakes_up_and_falls_asleep(
    serve_unsubscribed: Callable, nv12_model: Path, make_image: Callable
) -> None:
    rig = serve_unsubscribed(eye=dict(file=nv12_model, lazy=True))
    assert rig.statistics("eye").idle
    assert rig.camera.get_subscription_count() == 0
    for second in (1, 2):
        rig.results["eye"] = rig.collect_results("eye")
        rig.publish_until_result(make_image(stamp=(second, 0)), "eye")
        (subscription,) = (
            each for each in rig.observer.node.subscriptions if "tensors" in each.topic_name
        )
        rig.observer.node.destroy_subscription(subscription)
        rig.until(lambda: rig.camera.get_subscription_count() == 0, "the unsubscription")
        assert rig.statistics("eye").idle


def test_parameters_change_while_it_works(
    serve: Callable, nv12_model: Path, make_image: Callable
) -> None:
    rig = serve(eye=dict(file=nv12_model, priority=3))
    info = rig.observer.collect(ModelInfoList, "/inference_node/model_info", MODEL_INFO)
    rig.until(lambda: info, "model_info")
    assert info[-1].models[0].priority == 3
    assert rig.set_parameters(eye__priority=9, eye__queue_policy="oldest") == ""
    rig.until(lambda: len(info) > 1, "model_info after the change")
    assert (info[-1].models[0].priority, info[-1].models[0].queue_policy) == (9, "oldest")
    # all or nothing
    assert "eye.bpu_cores" in rig.set_parameters(eye__priority=7, eye__bpu_cores=[7])
    assert "read-only" in rig.set_parameters(eye__resize="stretch")
    assert rig.set_parameters(eye__max_rate=100.0) == ""
    rig.until(lambda: len(info) > 2, "model_info after the next change")
    assert info[-1].models[0].priority == 9
    rig.publish_until_result(make_image(), "eye")


def test_a_model_that_is_named_while_it_is_unconfigured_has_its_parameters_at_once(
    serve: Callable, nv12_model: Path, make_image: Callable
) -> None:
    rig = serve(eye=dict(file=nv12_model))
    rig.publish_until_result(make_image(), "eye")
    assert rig.change_state("deactivate")
    assert rig.change_state("cleanup")
    assert rig.state() == "unconfigured"
    assert rig.set_parameters(models=["eye", "ear"]) == ""
    assert rig.set_parameters(ear__file=str(nv12_model), ear__image_topic="/camera/image") == ""
    rig.results["ear"] = rig.collect_results("ear")
    assert rig.change_state("configure")
    assert not rig.change_state("cleanup_and_dance")
    assert rig.change_state("activate")
    assert rig.state() == "active"
    rig.publish_until_result(make_image(stamp=(2, 0)), "eye")
    rig.publish_until_result(make_image(stamp=(3, 0)), "ear")


def test_a_publisher_that_does_not_fit_is_counted_and_named(
    serve_unsubscribed: Callable, nv12_model: Path
) -> None:
    rig = serve_unsubscribed(eye=dict(file=nv12_model, image_qos=dict(reliability="reliable")))
    rig.until(lambda: rig.statistics("eye").inputs[0].qos_mismatches == 1, "the count")
    assert "the policy is RELIABILITY" in rig.log


def test_the_player_waits_for_results(
    serve: Callable, start: Callable, tmp_path: Path, nv12_model: Path
) -> None:
    cv2 = pytest.importorskip("cv2", reason="needs OpenCV")
    import numpy as np

    rig = serve(eye=dict(file=nv12_model))
    cv2.imwrite(str(tmp_path / "p.png"), np.full((8, 12, 3), 50, np.uint8))
    tensors = "/inference_node/eye/tensors"
    remap = ["-r", "image_raw:=/camera/image"]
    start("image_player", {"source": "p.png", "wait_for": tensors}, *remap)
    rig.until(lambda: len(rig.results["eye"]) > 3, "results")
