# SPDX-License-Identifier: Apache-2.0
"""The node, its models and its inputs as a message on /diagnostics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.qos import QoSCompatibility, QoSProfile, qos_check_compatible

from hbm_runtime._texts import one_line
from hbm_runtime_ros.parameters.settings import DiagnosticsSettings
from hbm_runtime_ros.telemetry.health import (
    Health,
    Level,
    input_health,
    model_health,
    node_health,
)
from hbm_runtime_ros.telemetry.recent_counts import RecentCounts
from hbm_runtime_ros.telemetry.report import (
    InputReport,
    ModelReport,
    NodeReport,
    RecentInput,
    RecentModel,
)

if TYPE_CHECKING:
    from rclpy.node import Node
    from rclpy.time import Time

    from hbm_runtime import HB_HBMRuntime

TOPIC = "/diagnostics"
WINDOW = 5.0  # seconds that "recent" means


class _Silence:
    """Seconds since a counter last grew."""

    def __init__(self) -> None:
        self._count: int | None = None
        self._since = 0.0

    def update(self, count: int | None, now: float) -> float:
        """Look at the counter; None while nothing is expected.

        Args:
            count: Messages so far.
            now: Seconds of a clock that may jump back.

        Returns:
            Seconds.
        """
        if count is None or count != self._count or now < self._since:
            self._count, self._since = count, now
        return now - self._since


class _Memory:
    """What is remembered of one model."""

    def __init__(self, inputs: int) -> None:
        self.counts = RecentCounts(WINDOW)
        self.silences = [_Silence() for _ in range(inputs)]


class DiagnosticsReporter:
    """Makes diagnostics messages; remembers the latest seconds for what is recent.

    Never waits; its work grows with models and inputs, not with images. For the executor thread.
    """

    def __init__(self, node: Node) -> None:
        """Start with nothing seen.

        Args:
            node: Whose names, clock and graph are used.
        """
        self._node = node
        self._memories: dict[tuple[str, int], _Memory] = {}
        self._hardware = ""
        self._versions: dict[str, object] = {}

    def message(
        self, now: Time, report: NodeReport, thresholds: DiagnosticsSettings
    ) -> DiagnosticArray:
        """Put a report into a message, compared with those before.

        Args:
            now: Of the node's clock.
            report: Of this moment.
            thresholds: Of the parameters `diagnostics.*`.

        Returns:
            One status for the node, one per model, one per input.
        """
        self._read_versions(report.runtime)
        memories = {}
        msg = DiagnosticArray()
        msg.header.stamp = now.to_msg()
        msg.status.append(self._node_status(report))
        for model in report.models:
            key = model.model, len(model.inputs)
            memories[key] = self._memories.get(key) or _Memory(len(model.inputs))
            seen = self._with_recent(model, memories[key], now)
            msg.status.extend(self._model_statuses(seen, thresholds))
        self._memories = memories
        return msg

    def _read_versions(self, runtime: HB_HBMRuntime | None) -> None:
        """Of whatever is loaded; what was known stays known while nothing is."""
        if runtime is None:
            return
        library = runtime.library
        self._hardware = str(library.soc_name)
        self._versions = {
            "hbm_runtime": runtime.version,
            "libhbucp": library.ucp_version,
            "libdnn": library.dnn_version,
            "libraries": library.path,
            "simulator": library.is_simulator,
            "cores": library.core_count,
        }

    def _with_recent(self, model: ModelReport, memory: _Memory, now: Time) -> ModelReport:
        counts = memory.counts
        counts.add(model.at, _counts(model))
        gained = counts.gained()
        # by the node's clock where it is simulated, else by one that never jumps
        simulated = self._node.get_clock().ros_time_is_active
        seconds = float(now.nanoseconds) / 1e9 if simulated else model.at
        expected = model.active and model.subscribed
        inputs = [
            replace(
                input,
                recent=RecentInput(
                    gained.get(f"input {number} received", 0),
                    gained.get(f"input {number} lost", 0),
                    silence.update(input.received if expected else None, seconds),
                    input.qos_mismatches > 0 and self._qos_mismatch(input.topic),
                ),
            )
            for number, (input, silence) in enumerate(
                zip(model.inputs, memory.silences, strict=True)
            )
        ]
        recent = RecentModel(
            counts.seconds,
            gained.get("frames_in", 0),
            gained.get("results", 0),
            counts.gained("drops."),
            gained.get("recoveries", 0),
            gained.get("failed_recoveries", 0),
        )
        return replace(model, inputs=tuple(inputs), recent=recent)

    def _node_status(self, node: NodeReport) -> DiagnosticStatus:
        values: dict[str, object] = {"state": node.lifecycle}
        for number, problem in enumerate(node.problems, 1):
            values[f"problem {number}"] = problem
        values["models"] = ", ".join(model.model for model in node.models)
        values["use_sim_time"] = self._node.get_clock().ros_time_is_active
        return self._status("", *node_health(node), values | self._versions)

    def _model_statuses(
        self, model: ModelReport, thresholds: DiagnosticsSettings
    ) -> list[DiagnosticStatus]:
        label = f" {model.model}"
        health = model_health(model, thresholds)
        statuses = [self._status(label, health.level, health.text, _model_values(model, health))]
        for input in model.inputs:
            health = input_health(model, input, thresholds)
            values = _input_values(model, input, health)
            text = f"{label} input {input.topic}"
            statuses.append(self._status(text, health.level, health.text, values))
        return statuses

    def _qos_mismatch(self, topic: str) -> bool:
        """Ask whether a publisher that is there now cannot be heard by this node."""
        node = self._node
        ours: list[QoSProfile] = [
            info.qos_profile
            for info in node.get_subscriptions_info_by_topic(topic)
            if (info.node_name, info.node_namespace) == (node.get_name(), node.get_namespace())
        ]
        return any(
            qos_check_compatible(publisher.qos_profile, subscription)[0] == QoSCompatibility.ERROR
            for publisher in node.get_publishers_info_by_topic(topic)
            for subscription in ours
        )

    def _status(
        self, what: str, level: Level, text: str, values: Mapping[str, object]
    ) -> DiagnosticStatus:
        name = self._node.get_fully_qualified_name().lstrip("/")
        return DiagnosticStatus(
            name=one_line(f"{name}:{what}" if what else name),
            level=bytes([level]),
            message=one_line(text),
            hardware_id=one_line(self._hardware),
            values=[KeyValue(key=key, value=_text(value)) for key, value in values.items()],
        )


def _counts(model: ModelReport) -> dict[str, int]:
    """All that only grows, by name."""
    counters = model.counters
    counts = {
        "frames_in": counters.frames_in,
        "results": counters.results,
        "recoveries": counters.recoveries,
        "failed_recoveries": counters.failed_recoveries,
        **{f"drops.{reason}": count for reason, count in counters.drops.items()},
    }
    for number, input in enumerate(model.inputs):
        counts[f"input {number} received"] = input.received
        counts[f"input {number} lost"] = input.messages_lost
    return counts


def _model_values(model: ModelReport, health: Health) -> dict[str, object]:
    counters, recent = model.counters, model.recent
    values: dict[str, object] = {
        "state": health.state.value,
        "images per second": recent.frames / recent.seconds,
        "results per second": recent.results / recent.seconds,
        "images": counters.frames_in,
        "results": counters.results,
        "waiting": counters.waiting,
    }
    for reason, count in sorted(counters.drops.items()):
        values[f"dropped: {reason}"] = count
    for stage, summary in counters.latencies.items():
        values[f"{stage.value} p50 (s)"] = summary.p50
        values[f"{stage.value} p99 (s)"] = summary.p99
    values["recoveries"] = counters.recoveries
    values["failed recoveries"] = counters.failed_recoveries
    values["last error"] = model.last_error
    return values


def _input_values(model: ModelReport, input: InputReport, health: Health) -> dict[str, object]:
    return {
        "state": health.state.value,
        "topic": input.topic,
        "image": input.name,
        "messages": input.received,
        "messages per second": input.recent.received / model.recent.seconds,
        "age (s)": input.age,
        "silence (s)": input.recent.silence,
        "publishers": input.publishers,
        "messages lost": input.messages_lost,
        "qos mismatches": input.qos_mismatches,
    }


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return str(value).lower() if isinstance(value, bool) else one_line(str(value))
