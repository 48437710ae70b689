# SPDX-License-Identifier: Apache-2.0
"""From counters and thresholds to a level, a state and a sentence. Knows no ROS."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from hbm_runtime.image import ImageFault
from hbm_runtime_ros.settings import DiagnosticsSettings

# Drops that somebody decided on, as DropCount.msg names them; all others are faults.
POLICY_DROPS = frozenset(
    ("replaced", "queue_full", "skipped", "rate", "age", "deadline", "unmatched", "stopped")
)
IMAGE_FAULTS = frozenset(fault.value for fault in ImageFault)
GRACE = 1.0  # seconds past its time-out before a step counts as stuck


class Level(enum.IntEnum):
    """Values of DiagnosticStatus.level; its STALE is for whoever stops hearing from us."""

    OK = 0
    WARN = 1
    ERROR = 2


class State(str, enum.Enum):
    """What a model or an input does."""

    INACTIVE = "inactive"  # the node is not active
    IDLE = "idle"  # lazy, and nobody wants the tensors
    WAITING = "waiting"  # no image yet
    ACTIVE = "active"
    STALE = "stale"  # there were images, and none comes any more
    DEGRADED = "degraded"  # works, but worse than the thresholds ask for
    ERROR = "error"  # does not work


@dataclass(frozen=True)
class Health:
    """A verdict.

    Attributes:
        level: How bad it is.
        state: What it is.
        text: Why, in one sentence without a full stop.
    """

    level: Level
    state: State
    text: str


@dataclass(frozen=True)
class InputView:
    """One input of one model at one moment.

    Attributes:
        topic: Resolved name.
        active: The node is.
        subscribed: False while a lazy model has no subscribers.
        received: Messages since the node was configured.
        silence: Seconds since the latest message, or since subscribing.
        publishers: On the topic now.
        qos_mismatch: A publisher's QoS does not fit now.
        recent_received: Messages within the latest seconds.
        recent_rejected: Of these, images that cannot be used, by reason.
        recent_lost: Messages that the middleware lost meanwhile.
    """

    topic: str
    active: bool = True
    subscribed: bool = True
    received: int = 0
    silence: float = 0.0
    publishers: int = 0
    qos_mismatch: bool = False
    recent_received: int = 0
    recent_rejected: Mapping[str, int] = field(default_factory=dict)
    recent_lost: int = 0


@dataclass(frozen=True)
class ModelView:
    """One model at one moment.

    Attributes:
        loaded: False after ~/unload.
        active: The node is.
        idle: Lazy, and nobody wants the tensors.
        topics: Of its images.
        recent_frames: Images (sets of images) received within the latest seconds.
        recent_results: Results meanwhile.
        recent_drops: Drops meanwhile, by reason.
        latency: 99th percentile from reception to publication, seconds; 0 before the first result.
        busy: Seconds that the step under way has taken, 0 for none.
        timeout: Seconds that it may take.
        failing: Seconds since inferences began to fail without a result in between, 0 if they
            do not.
        stall_timeout: Seconds of failing until the watchdog recreates the runtime, 0 for never.
        recent_recoveries: Times that it has done so within the latest seconds.
        recent_failed_recoveries: Times that it could not.
        last_error: Text of the latest fault, "" for none.
    """

    loaded: bool = True
    active: bool = True
    idle: bool = False
    topics: tuple[str, ...] = ()
    recent_frames: int = 0
    recent_results: int = 0
    recent_drops: Mapping[str, int] = field(default_factory=dict)
    latency: float = 0.0
    busy: float = 0.0
    timeout: float = 0.0
    failing: float = 0.0
    stall_timeout: float = 0.0
    recent_recoveries: int = 0
    recent_failed_recoveries: int = 0
    last_error: str = ""


@dataclass(frozen=True)
class NodeView:
    """The node at one moment.

    Attributes:
        lifecycle: Label of its state, e.g. "active".
        problems: Why the last configuration failed, () if it did not.
        models: Number of models it serves.
    """

    lifecycle: str
    problems: tuple[str, ...] = ()
    models: int = 0


def input_health(view: InputView, thresholds: DiagnosticsSettings) -> Health:
    """Judge one input.

    Args:
        view: The input.
        thresholds: Of `/diagnostics`.

    Returns:
        The verdict.
    """
    raise NotImplementedError


def model_health(view: ModelView, thresholds: DiagnosticsSettings) -> Health:
    """Judge one model; what is wrong with its topics is said by its inputs, not here.

    Args:
        view: The model.
        thresholds: Of `/diagnostics`.

    Returns:
        The verdict.
    """
    raise NotImplementedError


def node_health(view: NodeView) -> tuple[Level, str]:
    """Judge the node apart from its models.

    Args:
        view: The node.

    Returns:
        Level and text.
    """
    raise NotImplementedError
