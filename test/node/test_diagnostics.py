# SPDX-License-Identifier: Apache-2.0
"""A running node on /diagnostics: it speaks whatever happens, and says what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from hbm_runtime_ros.srv import ChangeModel
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from node_rig import NodeProcess, Observer, make_image
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile, ReliabilityPolicy, qos_profile_sensor_data
from sensor_msgs.msg import Image
from tiny_models import conv, pack, save

OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR
TOPIC = "/camera/image"
NODE = "inference_node"
EYE = "inference_node: eye"
EYE_INPUT = f"{EYE} input {TOPIC}"
# quick, and no threshold unless a test wants it
QUIET = dict(period=0.1, stale_warn=0.0, stale_error=0.0, drop_rate_warn=0.0, drop_rate_error=0.0)


def values(status: DiagnosticStatus) -> dict[str, str]:
    return {pair.key: pair.value for pair in status.values}


class Doctor:
    """Listens to /diagnostics and plays the camera while it waits."""

    def __init__(self, observer: Observer, process: NodeProcess) -> None:
        self.observer, self.process = observer, process
        self.messages = observer.collect(DiagnosticArray, "/diagnostics", 10)
        self.camera: Any = None
        self.images: list[Image] = []

    def play(self, *images: Image, qos: Any = qos_profile_sensor_data) -> None:
        """Publish these in turn from now on, whenever it waits."""
        if self.camera is None:
            self.camera = self.observer.node.create_publisher(Image, TOPIC, qos)
        self.images = list(images)

    def leave(self) -> None:
        """The camera vanishes."""
        self.observer.node.destroy_publisher(self.camera)
        self.camera = None

    def latest(self, name: str) -> DiagnosticStatus | None:
        for message in reversed(self.messages[-1:]):
            for status in message.status:
                if status.name == name:
                    return status
        return None

    def until(
        self, name: str, level: bytes, state: str, text: str = "", said: str = "state"
    ) -> DiagnosticStatus:
        """Wait for a status of this level, with this in its text and that key among its values."""

        def is_there() -> bool:
            if self.camera is not None and self.images:
                self.images.append(self.images.pop(0))
                self.camera.publish(self.images[0])
            status = self.latest(name)
            return (
                status is not None
                and (status.level, values(status)["state"]) == (level, state)
                and text in status.message
                and said in values(status)
            )

        what = f"{name} {state} at level {level[0]} {text!r}"
        found = self.observer.spin(30.0, is_there)
        assert found, f"waited in vain for {what}; now {self.latest(name)}\n{self.process.log}"
        status = self.latest(name)
        assert status is not None
        return status

    def call(self, kind: Any, service: str, request: Any) -> Any:
        client = self.observer.node.create_client(kind, f"/{NODE}/{service}")
        self.observer.until(client.service_is_ready, service)
        future = client.call_async(request)
        self.observer.until(future.done, f"an answer of {service}")
        return future.result()

    def set(self, **parameters: Any) -> None:
        """Change parameters; a double underscore stands for a dot."""
        msgs = [
            Parameter(name.replace("__", "."), value=value).to_parameter_msg()
            for name, value in parameters.items()
        ]
        answer = self.call(SetParameters, "set_parameters", SetParameters.Request(parameters=msgs))
        assert all(result.successful for result in answer.results), answer


@pytest.fixture
def examine(start: Callable[..., NodeProcess], observer: Observer, nv12_model: Path) -> Callable:
    """Start a node with a model `eye`; `examine(thresholds, **parameters_of_the_model)`."""

    def examine_node(thresholds: dict[str, float], **eye: Any) -> Doctor:
        model = {"file": str(nv12_model), "image_topic": TOPIC, **eye}
        parameters = {"models": ["eye"], "eye": model, "diagnostics": {**QUIET, **thresholds}}
        return Doctor(observer, start("inference_node", parameters))

    return examine_node


def test_a_node_speaks_once_a_second_though_nothing_ever_arrives(
    start: Callable, observer: Observer, nv12_model: Path
) -> None:
    parameters = {"models": ["eye"], "eye": {"file": str(nv12_model), "image_topic": TOPIC}}
    doctor = Doctor(observer, start("inference_node", parameters))
    doctor.until(EYE, OK, "waiting")
    begin = len(doctor.messages)
    observer.until(lambda: len(doctor.messages) >= begin + 4, "more diagnostics")
    stamps = [m.header.stamp.sec + m.header.stamp.nanosec / 1e9 for m in doctor.messages[begin:]]
    assert 0.5 < (stamps[3] - stamps[0]) / 3 < 2.0
    (message,) = doctor.messages[-1:]
    assert [status.name for status in message.status] == [NODE, EYE, EYE_INPUT]


def test_an_input_that_vanishes_is_stale_and_active_again_when_it_is_back(
    examine: Callable,
) -> None:
    doctor = examine(dict(stale_warn=1.0, stale_error=6.0))
    doctor.until(EYE_INPUT, WARN, "waiting", f"no image yet on {TOPIC}")
    doctor.until(EYE_INPUT, ERROR, "waiting", "0 publishers")
    doctor.play(make_image())
    doctor.until(EYE_INPUT, OK, "active", TOPIC)
    doctor.until(EYE, OK, "active")
    doctor.leave()
    status = doctor.until(EYE_INPUT, WARN, "stale", f"no image on {TOPIC} for ")
    assert float(values(status)["silence (s)"]) >= 1.0
    doctor.until(EYE_INPUT, ERROR, "stale", "0 publishers")
    doctor.until(EYE, OK, "waiting")  # it has no fault of its own
    doctor.play(make_image())
    doctor.until(EYE_INPUT, OK, "active")
    doctor.until(EYE, OK, "active")


def test_thresholds_change_while_the_node_runs(examine: Callable) -> None:
    doctor = examine(dict(stale_warn=0.5))
    doctor.until(EYE_INPUT, WARN, "waiting")
    doctor.set(diagnostics__stale_error=0.6)
    doctor.until(EYE_INPUT, ERROR, "waiting")
    doctor.set(diagnostics__stale_warn=0.0, diagnostics__stale_error=0.0)
    doctor.until(EYE_INPUT, OK, "waiting")


def test_garbage_makes_the_input_degraded_then_an_error_and_names_topic_and_reason(
    examine: Callable,
) -> None:
    doctor = examine(dict(drop_rate_warn=0.05, drop_rate_error=0.9))
    garbage = make_image(step=1)
    doctor.play(make_image(), garbage)
    status = doctor.until(EYE_INPUT, WARN, "degraded", TOPIC)
    assert "bad_step" in status.message
    doctor.play(garbage)
    doctor.until(EYE_INPUT, ERROR, "error", f"none of the images on {TOPIC} can be used")
    doctor.until(EYE, ERROR, "error", "bad_step")
    doctor.play(make_image())
    doctor.until(EYE_INPUT, OK, "active")
    status = doctor.until(EYE, OK, "active")
    assert int(values(status)["dropped: bad_step"]) > 0  # it is not forgotten


def test_images_replaced_by_newer_ones_are_no_fault(examine: Callable, slow_model: Path) -> None:
    doctor = examine(dict(drop_rate_warn=0.01, drop_rate_error=0.02), file=str(slow_model))
    doctor.play(make_image())
    status = doctor.until(EYE, OK, "active", said="dropped: replaced")
    assert int(values(status)["dropped: replaced"]) > 0


def test_time_outs_make_a_model_fail_and_a_longer_timeout_mends_it(
    examine: Callable, slow_model: Path
) -> None:
    doctor = examine(
        dict(drop_rate_warn=0.05, drop_rate_error=0.5),
        file=str(slow_model),
        timeout=0.1,
        stall_timeout=0.0,
    )
    doctor.play(make_image())
    status = doctor.until(EYE, ERROR, "error", "no image became a result (timeout")
    assert values(status)["last error"]
    doctor.until(EYE_INPUT, OK, "active")  # the images are fine
    doctor.set(eye__timeout=10.0)
    doctor.until(EYE, OK, "active")


def test_a_slow_model_is_degraded_from_the_latency_thresholds_on(
    examine: Callable, slow_model: Path
) -> None:
    doctor = examine(dict(latency_warn=0.2), file=str(slow_model))
    doctor.play(make_image())
    doctor.until(EYE, WARN, "degraded", "p99 latency")
    doctor.set(diagnostics__latency_error=0.3)
    doctor.until(EYE, ERROR, "degraded", "ERROR from 0.3 s")
    doctor.set(diagnostics__latency_warn=0.0, diagnostics__latency_error=0.0)
    doctor.until(EYE, OK, "active")


def test_a_model_that_hangs_is_an_error_while_the_other_one_is_fine(
    start: Callable,
    observer: Observer,
    nv12_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HBM_SIM_SOC", "S600")  # has more than one core
    spec = pack(conv(), "hung", nv12_inputs=("x",), latency_us=60_000_000)
    hung = {
        "file": str(save(tmp_path / "hung.hbm", spec)),
        "image_topic": TOPIC,
        "bpu_cores": [0],
        "timeout": 0.5,
        "stall_timeout": 1.0,
    }
    eye = {"file": str(nv12_model), "image_topic": TOPIC, "bpu_cores": [1]}
    parameters = {"models": ["eye", "hung"], "eye": eye, "hung": hung}
    quiet = {**QUIET, "drop_rate_warn": 0.01}
    doctor = Doctor(observer, start("inference_node", {**parameters, "diagnostics": quiet}))
    doctor.play(make_image())
    name = f"{NODE}: hung"
    status = doctor.until(name, ERROR, "error", "no image became a result (timeout")
    assert status.hardware_id == "D-Robotics RDK S600 MCB V0p2"
    doctor.until(name, ERROR, "error", "every inference has failed for 1.")
    assert "deadline" in values(doctor.until(name, ERROR, "error"))["last error"]
    doctor.until(EYE, OK, "active")
    doctor.until(EYE_INPUT, OK, "active")


def test_a_publisher_whose_qos_does_not_fit_is_told(examine: Callable) -> None:
    doctor = examine({}, image_qos={"profile": "reliable"})
    doctor.until(EYE_INPUT, OK, "waiting")
    best_effort = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
    doctor.play(make_image(), qos=best_effort)
    doctor.until(EYE_INPUT, WARN, "degraded", f"QoS on {TOPIC} does not fit")
    doctor.leave()
    doctor.until(EYE_INPUT, OK, "waiting")
    doctor.play(make_image(), qos=QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE))
    doctor.until(EYE_INPUT, OK, "active")


def test_a_lazy_model_without_subscribers_is_idle_and_no_reason_to_worry(
    examine: Callable,
) -> None:
    doctor = examine(dict(stale_warn=0.5, stale_error=0.6), lazy=True)
    doctor.until(EYE, OK, "idle")
    doctor.until(EYE_INPUT, OK, "idle")
    doctor.set(eye__lazy=False)
    doctor.until(EYE_INPUT, ERROR, "waiting")


def test_a_node_that_cannot_be_configured_says_why_and_goes_on_speaking(
    examine: Callable,
) -> None:
    doctor = examine({}, file="/nowhere/eye.hbm")
    status = doctor.until(NODE, ERROR, "unconfigured", "/nowhere/eye.hbm")
    assert "eye.file" in values(status)["problem 1"]
    begin = len(doctor.messages)
    doctor.observer.until(lambda: len(doctor.messages) > begin + 2, "more diagnostics")


def test_a_node_that_is_deactivated_is_no_reason_to_worry(examine: Callable) -> None:
    doctor = examine(dict(stale_warn=0.5, stale_error=0.6))
    doctor.until(EYE_INPUT, ERROR, "waiting")
    request = ChangeState.Request()
    request.transition.id = Transition.TRANSITION_DEACTIVATE
    assert doctor.call(ChangeState, "change_state", request).success
    doctor.until(NODE, OK, "inactive")
    doctor.until(EYE, OK, "inactive")
    doctor.until(EYE_INPUT, OK, "inactive")


def test_a_model_that_was_unloaded_is_an_error_until_it_is_loaded_again(
    examine: Callable,
) -> None:
    doctor = examine({})
    doctor.until(EYE, OK, "waiting")
    assert doctor.call(ChangeModel, "unload", ChangeModel.Request(model="eye")).success
    doctor.until(EYE, ERROR, "error", "~/load")
    assert doctor.call(ChangeModel, "load", ChangeModel.Request(model="eye")).success
    doctor.until(EYE, OK, "waiting")


def test_the_names_say_which_node_of_which_robot_it_is(
    start: Callable, observer: Observer, nv12_model: Path
) -> None:
    parameters = {
        "models": ["eye"],
        "eye": {"file": str(nv12_model), "image_topic": "image"},
        "diagnostics": QUIET,
    }
    node = start("inference_node", parameters, "-r", "__ns:=/robot", "-r", "__node:=vision")
    doctor = Doctor(observer, node)
    status = doctor.until("robot/vision: eye input /robot/image", OK, "waiting")
    assert status.hardware_id
