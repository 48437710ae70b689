# SPDX-License-Identifier: Apache-2.0
"""What the node tests share: a process per node, a rclpy node that watches it, tiny models."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from node_rig import InferenceRig, NodeProcess, Observer
    from sensor_msgs.msg import Image

NEEDED = {
    "rclpy": "ROS 2 (rclpy)",
    "hbm_runtime_ros.msg": "the ROS package hbm_runtime_ros to be built",
    "onnx": "onnx: pip install 'hbm-runtime[tools]'",
    "cv2": "OpenCV",
    "yaml": "PyYAML",
}

sys.path.insert(0, str(Path(__file__).parents[1]))


def is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # its parent is missing
        return False


class SkippedModule(pytest.Module):
    """A file of this storey where something that all of them need is missing."""

    def collect(self) -> list[pytest.Item]:
        missing = [what for module, what in NEEDED.items() if not is_installed(module)]
        pytest.skip(f"needs {', '.join(missing)}", allow_module_level=True)


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> Any:
    if all(map(is_installed, NEEDED)):
        return None
    return SkippedModule.from_parent(parent, path=module_path)


@pytest.fixture
def may_kill() -> Iterator[None]:
    """Clear away what a killed process leaves in shared memory; ask for it before all others."""
    from dds_files import remove_leftovers, segments

    before = segments()
    yield
    remove_leftovers(before)


@pytest.fixture
def observer() -> Iterator[Observer]:
    from node_rig import Observer

    observer = Observer()
    yield observer
    observer.close()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., NodeProcess]]:
    """Start executables; at the end each that still runs is stopped and must end well."""
    import yaml
    from node_rig import NodeProcess

    started: list[NodeProcess] = []

    def start_one(executable: str, parameters: dict[str, Any], *arguments: str) -> NodeProcess:
        file = tmp_path / f"{executable}.yaml"
        file.write_text(yaml.safe_dump({"/**": {"ros__parameters": parameters}}))
        ros = ["--ros-args", "--params-file", str(file), *arguments]
        started.append(NodeProcess(executable, ros, tmp_path))
        return started[-1]

    yield start_one
    for node in started:
        if node.process.poll() is None:
            code = node.stop()
            assert code == 0, node.log
        assert "Traceback" not in node.log, node.log


@pytest.fixture
def parameters() -> Callable[..., dict[str, Any]]:
    """Parameters of models: `parameters(name={"file": ..., ...}, ...)`."""

    def make(**models: dict[str, Any]) -> dict[str, Any]:
        from node_rig import flat

        made: dict[str, Any] = {"models": list(models)}
        for name, values in models.items():
            made.update(flat({"image_topic": "/camera/image", **values}, f"{name}."))
        return made

    return make


@pytest.fixture
def serve(
    start: Callable[..., NodeProcess], observer: Observer, parameters: Callable[..., Any]
) -> Callable[..., InferenceRig]:
    """Start inference_node with models: `serve(name={"file": ..., ...}, ...)`."""
    from node_rig import InferenceRig

    def serve_models(**models: dict[str, Any]) -> InferenceRig:
        process = start("inference_node", parameters(**models))
        return InferenceRig(observer, list(models), process=process).until_active()

    return serve_models


@pytest.fixture
def embed(
    observer: Observer, parameters: Callable[..., Any], capfd: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., Any]]:
    """Run an InferenceNode inside this process, spun with the observer.

    `embed({"autostart": False}, load=…, eye={"file": …})`: parameters of the node, options of its
    class, its models.
    """
    from node_rig import InferenceRig
    from rclpy.parameter import Parameter

    from hbm_runtime_ros.node.inference_node import InferenceNode

    nodes: list[InferenceNode] = []

    def make(
        of_node: dict[str, Any] | None = None,
        *,
        name: str = "inference_node",
        options: dict[str, Any] | None = None,
        tensors: bool = True,
        **models: dict[str, Any],
    ) -> InferenceRig:
        values = {**parameters(**models), **(of_node or {})}
        overrides = [Parameter(key, value=value) for key, value in values.items()]
        context = observer.node.context
        node = InferenceNode(
            name, context=context, parameter_overrides=overrides, **(options or {})
        )
        nodes.append(node)
        observer.add(node)
        return InferenceRig(
            observer,
            list(models),
            node=node,
            name=name,
            tensors=tensors,
            read_log=lambda: capfd.readouterr().err,
        )

    yield make
    for node in nodes:
        assert node.stop()
        observer.remove(node)
        node.destroy_node()


@pytest.fixture
def nv12_model(tmp_path: Path) -> Path:
    """A convolution on an NV12 image of 12x8."""
    import tiny_models

    spec = tiny_models.pack(tiny_models.conv(), "conv", nv12_inputs=("x",))
    return tiny_models.save(tmp_path / "nv12.hbm", spec)


@pytest.fixture
def slow_model(tmp_path: Path) -> Path:
    """The same, busy for half a second."""
    import tiny_models

    spec = tiny_models.pack(tiny_models.conv(), "slow", nv12_inputs=("x",), latency_us=500_000)
    return tiny_models.save(tmp_path / "slow.hbm", spec)


@pytest.fixture
def make_image() -> Callable[..., Image]:
    from node_rig import make_image

    return make_image
