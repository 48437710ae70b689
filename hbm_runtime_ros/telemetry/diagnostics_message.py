# SPDX-License-Identifier: Apache-2.0
"""The node, its models and its inputs as a message on /diagnostics."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.qos import QoSCompatibility, QoSProfile, qos_check_compatible

from hbm_runtime_ros.parameters.settings import DiagnosticsSettings
from hbm_runtime_ros.pipeline import drop_reasons
from hbm_runtime_ros.pipeline.counters import CounterSnapshot, Stage
from hbm_runtime_ros.telemetry.health import (
    NOT_ACTIVE,
    NOT_LOADED,
    Health,
    InputView,
    Level,
    ModelView,
    NodeView,
    input_health,
    model_health,
    node_health,
)
from hbm_runtime_ros.telemetry.recent_counts import RecentCounts

if TYPE_CHECKING:
    from rclpy.time import Time

    from hbm_runtime_ros.models.served_model import ModelInput, ServedModel
    from hbm_runtime_ros.node.inference_node import InferenceNode

TOPIC = "/diagnostics"
WINDOW = 5.0  # seconds that "recent" means
ACTIVE = "active"


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
        self.inputs = [(RecentCounts(WINDOW), _Silence()) for _ in range(inputs)]


class DiagnosticsReporter:
    """Makes diagnostics messages; remembers the latest seconds for what is recent.

    Never waits; its work grows with models and inputs, not with images. For the executor thread.
    """

    def __init__(
        self, node: InferenceNode, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """Start with nothing seen.

        Args:
            node: To report on; besides its models and settings its `lifecycle_state` (a label) and
                `problems` (texts why the last configure failed, empty if it did not) are read.
            monotonic: Seconds.
        """
        self._node = node
        self._monotonic = monotonic
        self._memories: dict[tuple[str, int], _Memory] = {}
        self._hardware = ""
        self._versions: dict[str, object] = {}

    def message(self, now: Time) -> DiagnosticArray:
        """Look at everything now.

        Args:
            now: Of the node's clock.

        Returns:
            One status for the node, one per model, one per input.
        """
        node = self._node
        models = list(node.models)
        self._read_versions(models)
        settings = node.settings
        thresholds = settings.diagnostics if settings is not None else DiagnosticsSettings()
        memories = {
            (model.settings.name, len(model.inputs)): self._memory(model) for model in models
        }
        self._memories = memories
        msg = DiagnosticArray()
        msg.header.stamp = now.to_msg()
        msg.status.append(self._node_status(models))
        for model, memory in zip(models, memories.values(), strict=True):
            msg.status.extend(self._model_statuses(model, memory, thresholds, now))
        return msg

    def _memory(self, model: ServedModel) -> _Memory:
        key = model.settings.name, len(model.inputs)
        return self._memories.get(key) or _Memory(len(model.inputs))

    def _read_versions(self, models: Sequence[ServedModel]) -> None:
        """Of whatever is loaded; what was known stays known while nothing is."""
        runtime = next((model.runtime for model in models if model.runtime is not None), None)
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

    def _node_status(self, models: Sequence[ServedModel]) -> DiagnosticStatus:
        node = self._node
        view = NodeView(node.lifecycle_state, tuple(node.problems), len(models))
        level, text = node_health(view)
        values: dict[str, object] = {"state": view.lifecycle}
        for number, problem in enumerate(view.problems, 1):
            values[f"problem {number}"] = problem
        values["models"] = ", ".join(model.settings.name for model in models)
        values["use_sim_time"] = node.get_clock().ros_time_is_active
        return self._status("", level, text, values | self._versions)

    def _model_statuses(
        self, model: ServedModel, memory: _Memory, thresholds: DiagnosticsSettings, now: Time
    ) -> list[DiagnosticStatus]:
        snapshot, monotonic = model.pipeline.snapshot(), self._monotonic()
        memory.counts.add(monotonic, _counts(snapshot))
        view = self._model_view(model, snapshot, memory.counts, monotonic)
        health = model_health(view, thresholds)
        values = _model_values(view, health, snapshot)
        label = f" {model.settings.name}"
        statuses = [self._status(label, health.level, health.text, values)]
        for input, (counts, silence) in zip(model.inputs, memory.inputs, strict=True):
            counts.add(monotonic, {"received": input.received, "lost": input.messages_lost})
            expected = view.active and model.subscribed
            seconds = silence.update(input.received if expected else None, self._seconds(now))
            input_view = self._input_view(model, view, input, counts, seconds)
            health = input_health(input_view, thresholds)
            values = _input_values(input, input_view, health)
            text = f"{label} input {input.topic}"
            statuses.append(self._status(text, health.level, health.text, values))
        return statuses

    def _model_view(
        self,
        model: ServedModel,
        snapshot: CounterSnapshot,
        counts: RecentCounts,
        monotonic: float,
    ) -> ModelView:
        state, live = model.pipeline.state(), model.settings.live
        gained = counts.gained()
        return ModelView(
            loaded=model.runtime is not None,
            active=self._node.lifecycle_state == ACTIVE,
            idle=live.lazy and not model.subscribed,
            topics=tuple(dict.fromkeys(input.topic for input in model.inputs)),
            seconds=counts.seconds,
            recent_frames=gained.get("frames_in", 0),
            recent_results=gained.get("results", 0),
            recent_drops=counts.gained("drops."),
            latency=snapshot.latencies[Stage.TOTAL].p99 if snapshot.latencies else 0.0,
            busy=_since(state.busy_since, monotonic),
            timeout=live.timeout,
            recovering=state.recovering,
            failing=_since(state.failing_since, monotonic),
            stall_timeout=live.stall_timeout,
            recent_recoveries=gained.get("recoveries", 0),
            recent_failed_recoveries=gained.get("failed_recoveries", 0),
            last_error=state.last_error,
        )

    def _input_view(
        self,
        model: ServedModel,
        view: ModelView,
        input: ModelInput,
        counts: RecentCounts,
        silence: float,
    ) -> InputView:
        paused = "" if view.active else NOT_ACTIVE
        gained, drops = counts.gained(), view.recent_drops
        # of a model with several images, nobody tells whose image was the malformed one
        rejected = drops if len(model.inputs) == 1 else {}
        faults = sum(count for reason, count in drops.items() if reason in drop_reasons.FAULTS)
        return InputView(
            topic=input.topic,
            paused=paused if view.loaded else NOT_LOADED,
            subscribed=model.subscribed,
            received=input.received,
            silence=silence,
            publishers=self._node.count_publishers(input.topic),
            qos_mismatch=input.qos_mismatches > 0 and self._qos_mismatch(input.topic),
            seconds=counts.seconds,
            recent_received=gained.get("received", 0),
            recent_judged=view.recent_results + faults,
            recent_rejected={
                reason: count for reason, count in rejected.items() if reason in drop_reasons.IMAGE
            },
            recent_lost=gained.get("lost", 0),
        )

    def _seconds(self, now: Time) -> float:
        """By the node's clock where it is simulated, else by one that never jumps."""
        if self._node.get_clock().ros_time_is_active:
            return float(now.nanoseconds) / 1e9
        return self._monotonic()

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
            name=f"{name}:{what}" if what else name,
            level=bytes([level]),
            message=text,
            hardware_id=self._hardware,
            values=[KeyValue(key=key, value=_text(value)) for key, value in values.items()],
        )


def _counts(snapshot: CounterSnapshot) -> dict[str, int]:
    return {
        "frames_in": snapshot.frames_in,
        "results": snapshot.results,
        "recoveries": snapshot.recoveries,
        "failed_recoveries": snapshot.failed_recoveries,
        **{f"drops.{reason}": count for reason, count in snapshot.drops.items()},
    }


def _since(moment: float | None, now: float) -> float:
    """Seconds since a moment, 0 for none."""
    return 0.0 if moment is None else max(0.0, now - moment)


def _model_values(view: ModelView, health: Health, snapshot: CounterSnapshot) -> dict[str, object]:
    values: dict[str, object] = {
        "state": health.state.value,
        "images per second": view.recent_frames / view.seconds,
        "results per second": view.recent_results / view.seconds,
        "images": snapshot.frames_in,
        "results": snapshot.results,
        "waiting": snapshot.waiting,
    }
    for reason, count in sorted(snapshot.drops.items()):
        values[f"dropped: {reason}"] = count
    for stage, summary in snapshot.latencies.items():
        values[f"{stage.value} p50 (s)"] = summary.p50
        values[f"{stage.value} p99 (s)"] = summary.p99
    values["recoveries"] = snapshot.recoveries
    values["failed recoveries"] = snapshot.failed_recoveries
    values["last error"] = view.last_error
    return values


def _input_values(input: ModelInput, view: InputView, health: Health) -> dict[str, object]:
    return {
        "state": health.state.value,
        "topic": view.topic,
        "image": input.name,
        "messages": view.received,
        "messages per second": view.recent_received / view.seconds,
        "age (s)": input.age,
        "silence (s)": view.silence,
        "publishers": view.publishers,
        "messages lost": input.messages_lost,
        "qos mismatches": input.qos_mismatches,
    }


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return str(value).lower() if isinstance(value, bool) else str(value)
