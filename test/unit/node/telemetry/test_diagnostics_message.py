# SPDX-License-Identifier: Apache-2.0
"""The message on /diagnostics, made from stand-ins for the node and its models."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.clock import ClockType
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.time import Time

from hbm_runtime_ros.parameters.settings import (
    DiagnosticsSettings,
    LiveSettings,
    ModelSettings,
)
from hbm_runtime_ros.pipeline.counters import CounterSnapshot, LatencySummary, NodeStage
from hbm_runtime_ros.pipeline.pipeline import PipelineState
from hbm_runtime_ros.telemetry.diagnostics_message import WINDOW, DiagnosticsReporter
from hbm_runtime_ros.telemetry.report import NodeReport, report_model

LIBRARY = SimpleNamespace(
    soc_name="D-Robotics RDK S100P V1P0",
    ucp_version="3.0",
    dnn_version="3.1",
    path=Path("/usr/hobot/lib"),
    is_simulator=False,
    core_count=1,
)
RUNTIME = SimpleNamespace(version="0.1.0", library=LIBRARY)
THRESHOLDS = DiagnosticsSettings(stale_warn=2.0, stale_error=10.0)


class FakeModel:
    """What the reporter reads of a served model."""

    def __init__(self, name: str, *topics: str, **live: Any) -> None:
        self.settings = ModelSettings(name, f"/models/{name}.hbm", live=LiveSettings(**live))
        self.runtime: Any = RUNTIME
        self.subscribed = True
        self.inputs = [
            SimpleNamespace(
                name=f"image {number}" if len(topics) > 1 else "",
                topic=topic,
                received=0,
                age=0.02,
                messages_lost=0,
                qos_mismatches=0,
            )
            for number, topic in enumerate(topics)
        ]
        self.results = 0
        self.drops: Counter[str] = Counter()
        self.counts = {"recoveries": 0, "failed_recoveries": 0}
        self.doing = PipelineState(running=True)
        self.pipeline = SimpleNamespace(snapshot=self.snapshot, state=lambda: self.doing)

    def snapshot(self) -> CounterSnapshot:
        return CounterSnapshot(
            frames_in=self.results + self.drops.total(),
            results=self.results,
            drops=dict(self.drops),
            latencies={NodeStage.TOTAL: LatencySummary(10, 0.01, 0.02, 0.03, 0.04)},
            **self.counts,
        )

    def receive(self, count: int, *, drop: str = "") -> None:
        for each in self.inputs:
            each.received += count
        if drop:
            self.drops[drop] += count
        else:
            self.results += count


class FakeNode:
    """What the reporter reads of a node, and a clock that a test sets."""

    def __init__(self, *models: FakeModel) -> None:
        self.models = models
        self.problems: tuple[str, ...] = ()
        self.lifecycle_state = "active"
        self.simulated_time = False
        self.monotonic = 1000.0
        self.time = 50.0
        self.publishers: dict[str, list[Any]] = {}
        self.subscriptions_: list[Any] = []
        self.reporter = DiagnosticsReporter(self)  # type: ignore[arg-type]

    def get_name(self) -> str:
        return "inference_node"

    def get_namespace(self) -> str:
        return "/robot"

    def get_fully_qualified_name(self) -> str:
        return "/robot/inference_node"

    def get_clock(self) -> Any:
        return SimpleNamespace(ros_time_is_active=self.simulated_time)

    def count_publishers(self, topic: str) -> int:
        return len(self.publishers.get(topic, ()))

    def get_publishers_info_by_topic(self, topic: str) -> list[Any]:
        return self.publishers.get(topic, [])

    def get_subscriptions_info_by_topic(self, topic: str) -> list[Any]:
        return self.subscriptions_

    def look(self, *, after: float = 1.0, simulated: float | None = None) -> DiagnosticArray:
        self.monotonic += after
        self.time += after if simulated is None else simulated
        now = Time(seconds=self.time, clock_type=ClockType.ROS_TIME)
        return self.reporter.message(now, self.report(), THRESHOLDS)

    def report(self) -> NodeReport:
        active = self.lifecycle_state == "active"
        models = tuple(
            report_model(model, active, self.count_publishers, lambda: self.monotonic)  # type: ignore[arg-type]
            for model in self.models
        )
        runtime = self.models[0].runtime if self.models else None
        return NodeReport(self.lifecycle_state, self.problems, models, runtime)

    def status(self, what: str = "", **look: Any) -> DiagnosticStatus:
        name = f"robot/inference_node: {what}" if what else "robot/inference_node"
        (status,) = (each for each in self.look(**look).status if each.name == name)
        return status


def values(status: DiagnosticStatus) -> dict[str, str]:
    return {pair.key: pair.value for pair in status.values}


def endpoint(reliability: ReliabilityPolicy, node: str = "inference_node") -> Any:
    return SimpleNamespace(
        node_name=node,
        node_namespace="/robot",
        qos_profile=QoSProfile(depth=5, reliability=reliability),
    )


def test_there_is_one_status_for_the_node_one_per_model_and_one_per_input() -> None:
    node = FakeNode(FakeModel("eye", "/camera"), FakeModel("depth", "/left", "/right"))
    message = node.look()
    assert [status.name for status in message.status] == [
        "robot/inference_node",
        "robot/inference_node: eye",
        "robot/inference_node: eye input /camera",
        "robot/inference_node: depth",
        "robot/inference_node: depth input /left",
        "robot/inference_node: depth input /right",
    ]
    assert {status.hardware_id for status in message.status} == {"D-Robotics RDK S100P V1P0"}
    assert message.header.stamp.sec == 51


def test_the_node_tells_its_state_models_and_versions() -> None:
    node = FakeNode(FakeModel("eye", "/camera"), FakeModel("ear", "/camera"))
    status = node.status()
    assert (status.level, status.message) == (DiagnosticStatus.OK, "active, 2 models")
    said = values(status)
    assert said["state"] == "active"
    assert said["models"] == "eye, ear"
    assert said["hbm_runtime"] == "0.1.0"
    assert (said["libhbucp"], said["libdnn"], said["cores"]) == ("3.0", "3.1", "1")
    assert said["libraries"] == "/usr/hobot/lib"
    assert said["simulator"] == "false"


def test_a_node_that_could_not_be_configured_tells_every_problem() -> None:
    node = FakeNode()
    node.lifecycle_state = "unconfigured"
    node.problems = ("parameter 'a' is bad", "parameter 'b' is worse")
    status = node.status()
    assert status.level == DiagnosticStatus.ERROR
    assert "parameter 'a' is bad" in status.message
    said = values(status)
    assert (said["problem 1"], said["problem 2"]) == node.problems


def test_what_hardware_it_is_stays_known_while_nothing_is_loaded() -> None:
    node = FakeNode(FakeModel("eye", "/camera"))
    node.look()
    node.models = ()
    assert node.status().hardware_id == "D-Robotics RDK S100P V1P0"


def test_a_model_tells_rates_counts_drops_and_latencies() -> None:
    model = FakeModel("eye", "/camera")
    node = FakeNode(model)
    node.look()
    model.receive(20)
    model.receive(10, drop="replaced")
    model.doing = PipelineState(last_error="it was cold")
    status = node.status("eye", after=2.0)
    assert (status.level, status.message) == (DiagnosticStatus.OK, "10.0 results per second")
    said = values(status)
    assert said["state"] == "active"
    assert said["images per second"] == "15"
    assert said["results per second"] == "10"
    assert (said["images"], said["results"], said["dropped: replaced"]) == ("30", "20", "10")
    assert (said["total p50 (s)"], said["total p99 (s)"]) == ("0.01", "0.03")
    assert (said["recoveries"], said["failed recoveries"]) == ("0", "0")
    assert said["last error"] == "it was cold"


def test_an_input_tells_its_topic_rate_age_and_publishers() -> None:
    model = FakeModel("depth", "/left", "/right")
    node = FakeNode(model)
    node.publishers["/left"] = [endpoint(ReliabilityPolicy.RELIABLE)]
    node.look()
    model.receive(30)
    said = values(node.status("depth input /left"))
    assert (said["state"], said["topic"], said["image"]) == ("active", "/left", "image 0")
    assert (said["messages"], said["messages per second"]) == ("30", "30")
    assert (said["age (s)"], said["publishers"]) == ("0.02", "1")
    assert (said["messages lost"], said["qos mismatches"]) == ("0", "0")


def test_an_input_goes_from_waiting_to_active_to_stale_and_back() -> None:
    model = FakeModel("eye", "/camera")
    node = FakeNode(model)
    states = []
    for step in range(20):
        if step == 1 or step >= 15:
            model.receive(1)
        status = node.status("eye input /camera")
        states.append((values(status)["state"], status.level[0]))
    assert states == [
        ("waiting", 0),
        ("active", 0),
        ("active", 0),
        *[("stale", 1)] * 8,  # 2 to 9 seconds after the last one
        *[("stale", 2)] * 4,
        *[("active", 0)] * 5,
    ]


def test_the_time_before_it_was_subscribed_is_no_silence() -> None:
    model = FakeModel("eye", "/camera", lazy=True)
    node = FakeNode(model)
    node.look()
    model.receive(1)
    model.subscribed = False
    for _ in range(30):
        said = values(node.status("eye input /camera"))
        assert said["state"] == "idle"
    model.subscribed = True
    assert values(node.status("eye input /camera"))["state"] == "active"


def test_silence_is_measured_in_simulated_time_where_there_is_one() -> None:
    model = FakeModel("eye", "/camera")
    node = FakeNode(model)
    node.simulated_time = True
    model.receive(1)
    node.look()
    # a simulation that stands still is no camera that does
    assert values(node.status("eye input /camera", after=60.0, simulated=0.0))["state"] == "active"
    assert values(node.status("eye input /camera", simulated=3.0))["state"] == "stale"
    # a bag that begins again
    assert values(node.status("eye input /camera", simulated=-40.0))["state"] == "active"
    assert values(node.status("eye input /camera", simulated=3.0))["state"] == "stale"


def test_malformed_images_are_the_inputs_fault_and_forgotten_after_some_seconds() -> None:
    model = FakeModel("eye", "/camera")
    node = FakeNode(model)
    node.look()
    model.receive(1)
    model.receive(1, drop="bad_step")
    status = node.status("eye input /camera")
    assert values(status)["state"] == "degraded"
    assert "/camera" in status.message and "bad_step 1" in status.message
    for _ in range(int(WINDOW)):
        model.receive(1)
        status = node.status("eye input /camera")
    assert (values(status)["state"], status.level) == ("active", DiagnosticStatus.OK)


def test_a_reset_of_the_counters_does_not_disturb() -> None:
    model = FakeModel("eye", "/camera")
    node = FakeNode(model)
    model.receive(100)
    node.look()
    model.results = model.inputs[0].received = 0
    model.receive(3)
    assert values(node.status("eye"))["images per second"] == "0"
    model.receive(3)
    assert values(node.status("eye"))["images per second"] == "3"


def test_a_publisher_whose_qos_does_not_fit_is_told_while_it_is_there() -> None:
    model = FakeModel("eye", "/camera")
    node = FakeNode(model)
    node.publishers["/camera"] = [endpoint(ReliabilityPolicy.BEST_EFFORT, "camera")]
    node.subscriptions_ = [
        endpoint(ReliabilityPolicy.RELIABLE),
        endpoint(ReliabilityPolicy.BEST_EFFORT, "another_node"),
    ]
    model.inputs[0].qos_mismatches = 1
    status = node.status("eye input /camera")
    assert values(status)["state"] == "degraded"
    assert "QoS" in status.message and "image_qos" in status.message
    node.publishers["/camera"] = [endpoint(ReliabilityPolicy.RELIABLE, "camera")]
    assert values(node.status("eye input /camera"))["state"] == "waiting"


def test_the_graph_is_not_searched_without_a_reason() -> None:
    node = FakeNode(FakeModel("eye", "/camera"))

    def never(topic: str) -> list[Any]:
        raise AssertionError(topic)

    node.get_publishers_info_by_topic = never  # type: ignore[method-assign]
    node.look()


@pytest.mark.parametrize(
    ("change", "state", "text"),
    [
        (dict(doing=PipelineState(busy_since=995.0)), "error", "busy with one image for 6.0 s"),
        (dict(doing=PipelineState(recovering=True)), "degraded", "being loaded again"),
        (
            dict(doing=PipelineState(failing_since=980.0, last_error="gone")),
            "error",
            "every inference has failed for 21.0 s: gone",
        ),
        (dict(runtime=None), "error", "~/load"),
    ],
)
def test_what_the_pipeline_does_reaches_the_verdict(
    change: dict[str, Any], state: str, text: str
) -> None:
    model = FakeModel("eye", "/camera", timeout=1.0, stall_timeout=10.0)
    vars(model).update(change)
    status = FakeNode(model).status("eye")
    assert values(status)["state"] == state
    assert text in status.message


def test_recoveries_are_told_while_they_are_recent() -> None:
    model = FakeModel("eye", "/camera")
    node = FakeNode(model)
    node.look()
    model.counts["recoveries"] = 1
    status = node.status("eye")
    assert (values(status)["state"], values(status)["recoveries"]) == ("degraded", "1")
    for _ in range(int(WINDOW)):
        status = node.status("eye")
    assert (values(status)["state"], values(status)["recoveries"]) == ("waiting", "1")


def test_models_that_come_and_go_leave_nothing_behind() -> None:
    node = FakeNode()
    for number in range(50):
        node.models = (FakeModel(f"model_{number}", "/camera"),)
        node.look()
    assert len(node.reporter._memories) == 1
