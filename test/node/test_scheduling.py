# SPDX-License-Identifier: Apache-2.0
"""Priority and cores on their way to the runtime, with the node in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import rclpy
import tiny_models
from hbm_runtime_ros.msg import TensorList
from rclpy.parameter import Parameter
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image

from hbm_runtime import HB_HBMRuntime
from hbm_runtime_ros.node import InferenceNode
from hbm_runtime_ros.qos import TENSORS


class RecordingRuntime(HB_HBMRuntime):
    """The real runtime, which also remembers how it was called."""

    def __init__(self, path: str, calls: list[dict[str, Any]]) -> None:
        super().__init__(path)
        self._calls = calls

    def run(self, *inputs: Any, **how: Any) -> Any:
        self._calls.append(how)
        return super().run(*inputs, **how)


class Recorder:
    """Opens model files and remembers the runtimes and their calls."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []
        self.runtimes: list[RecordingRuntime] = []

    def __call__(self, path: str) -> HB_HBMRuntime:
        self.runtimes.append(RecordingRuntime(path, self.calls))
        return self.runtimes[-1]


@pytest.fixture
def embed(observer: Any) -> Iterator[Callable[..., InferenceNode]]:
    """Run an InferenceNode inside this process, spun with the observer."""
    nodes: list[InferenceNode] = []

    def make(recorder: Recorder, **values: Any) -> InferenceNode:
        overrides = [Parameter(key.replace("__", "."), value=v) for key, v in values.items()]
        context = observer.node.context
        node = InferenceNode(load=recorder, context=context, parameter_overrides=overrides)
        nodes.append(node)
        observer._executor.add_node(node)
        return node

    yield make
    for node in nodes:
        assert node.stop()
        observer._executor.remove_node(node)
        node.destroy_node()


def test_priority_cores_and_timeout_go_along_with_each_run(
    embed: Callable, observer: Any, nv12_model: Path, make_image: Callable
) -> None:
    recorder = Recorder()
    embed(
        recorder,
        models=["eye"],
        eye__file=str(nv12_model),
        eye__image_topic="/camera/image",
        eye__priority=201,
        eye__bpu_cores=[2],
        eye__timeout=7.5,
    )
    camera = observer.node.create_publisher(Image, "/camera/image", qos_profile_sensor_data)
    results = observer.collect(TensorList, "/inference_node/eye/tensors", TENSORS)
    observer.until(lambda: camera.get_subscription_count() > 0, "the node's subscription")
    while not results:
        camera.publish(make_image())
        observer.until(lambda: results or recorder.calls, "an inference")
        observer.until(lambda: results, "its result")
    assert recorder.calls[0] == {
        "priority": {"conv": 201},
        "bpu_cores": {"conv": [2]},
        "timeout": 7.5,
    }
    params = recorder.runtimes[0].sched_params["conv"]
    assert (params.priority, params.bpu_cores) == (201, [2])


def test_one_file_is_opened_once_however_many_models_use_it(
    embed: Callable, tmp_path: Path
) -> None:
    specs = [tiny_models.pack(tiny_models.conv(), name, nv12_inputs=("x",)) for name in ("a", "b")]
    file = str(tiny_models.save(tmp_path / "two.hbm", *specs))
    recorder = Recorder()
    embed(
        recorder,
        models=["left", "right", "again"],
        left__file=file,
        left__model_name="a",
        right__file=file,
        right__model_name="b",
        again__file=file,
        again__model_name="a",
    )
    assert len(recorder.runtimes) == 1


def test_a_node_that_cannot_start_leaves_nothing_behind(observer: Any, tmp_path: Path) -> None:
    overrides = [
        Parameter("models", value=["eye"]),
        Parameter("eye.file", value=str(tmp_path / "missing.hbm")),
    ]
    with pytest.raises(ValueError, match=r"model 'eye'.*missing\.hbm"):
        InferenceNode(context=observer.node.context, parameter_overrides=overrides)
    names = [name for name, _ in observer.node.get_node_names_and_namespaces()]
    assert "inference_node" not in names
    assert rclpy.ok(context=observer.node.context)
