# SPDX-License-Identifier: Apache-2.0
"""From counters and thresholds to a level, a state and a sentence. Knows no ROS."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from hbm_runtime_ros.parameters.settings import DiagnosticsSettings
from hbm_runtime_ros.pipeline import drop_reasons

# Drops by policy after which nothing is left; the others leave a better image to work on.
FUTILE_DROPS = (drop_reasons.AGE, drop_reasons.DEADLINE, drop_reasons.UNMATCHED)
NOT_ACTIVE = "the node is not active"
NOT_LOADED = "the model is not loaded; the service ~/load brings it back"
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
        paused: Why no images are taken at all, "" if they are.
        subscribed: False while a lazy model has no subscribers.
        received: Messages since the node was configured.
        silence: Seconds since the latest message, or since subscribing.
        publishers: On the topic now.
        qos_mismatch: A publisher's QoS does not fit now.
        seconds: How long "recent" is.
        recent_received: Messages within these seconds.
        recent_judged: Images looked at meanwhile: results and faults.
        recent_rejected: Of these, images that cannot be used, by reason.
        recent_lost: Messages that the middleware lost meanwhile.
    """

    topic: str
    paused: str = ""
    subscribed: bool = True
    received: int = 0
    silence: float = 0.0
    publishers: int = 0
    qos_mismatch: bool = False
    seconds: float = 1.0
    recent_received: int = 0
    recent_judged: int = 0
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
        seconds: How long "recent" is.
        recent_frames: Images (sets of images) received within these seconds.
        recent_results: Results meanwhile.
        recent_drops: Drops meanwhile, by reason.
        latency: 99th percentile from reception to publication, seconds; 0 before the first result.
        busy: Seconds that the work under way has taken, 0 for none.
        timeout: Seconds that it may take.
        recovering: That work is making the runtime anew.
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
    seconds: float = 1.0
    recent_frames: int = 0
    recent_results: int = 0
    recent_drops: Mapping[str, int] = field(default_factory=dict)
    latency: float = 0.0
    busy: float = 0.0
    timeout: float = 0.0
    recovering: bool = False
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
    if view.paused:
        return Health(Level.OK, State.INACTIVE, view.paused)
    if not view.subscribed:
        return Health(Level.OK, State.IDLE, "nobody subscribes to the model's tensors")
    findings = [*_silence(view, thresholds), *_mismatch(view), *_rejected(view, thresholds)]
    findings += _lost(view, thresholds)
    rate = view.recent_received / view.seconds
    return _verdict(findings, f"{rate:.1f} images per second on {view.topic}")


def model_health(view: ModelView, thresholds: DiagnosticsSettings) -> Health:
    """Judge one model; what is wrong with its topics is said by its inputs, not here.

    Args:
        view: The model.
        thresholds: Of `/diagnostics`.

    Returns:
        The verdict.
    """
    if not view.loaded:
        return Health(Level.ERROR, State.ERROR, NOT_LOADED)
    if not view.active:
        return Health(Level.OK, State.INACTIVE, NOT_ACTIVE)
    findings = [*_stuck(view), *_failing(view), *_faults(view, thresholds)]
    findings += [*_futile(view, thresholds), *_slow(view, thresholds)]
    if not findings and view.idle:
        return Health(Level.OK, State.IDLE, "nobody subscribes to its tensors")
    if not findings and not view.recent_frames:
        text = f"no image to work on from {' and '.join(view.topics)}"
        return Health(Level.OK, State.WAITING, text)
    return _verdict(findings, f"{view.recent_results / view.seconds:.1f} results per second")


def node_health(view: NodeView) -> tuple[Level, str]:
    """Judge the node apart from its models.

    Args:
        view: The node.

    Returns:
        Level and text.
    """
    if view.problems:
        more = len(view.problems) - 1
        others = f" (and {more} more)" if more else ""
        return Level.ERROR, f"{view.lifecycle}: cannot be configured: {view.problems[0]}{others}"
    models = f", {view.models} model{'' if view.models == 1 else 's'}" if view.models else ""
    return Level.OK, f"{view.lifecycle}{models}"


def share_of_faults(results: int, drops: Mapping[str, int]) -> float:
    """Part of the images looked at that were lost to faults.

    Args:
        results: Images that became one.
        drops: Images that did not, by reason.

    Returns:
        0 to 1; images dropped by policy were not looked at.
    """
    faults = sum(_faults_of(drops).values())
    return faults / max(results + faults, 1)


def _faults_of(drops: Mapping[str, int]) -> dict[str, int]:
    return {reason: count for reason, count in drops.items() if reason not in drop_reasons.POLICY}


def _verdict(findings: Iterable[Health], well: str) -> Health:
    """The worst one gives level and state, all of them the text."""
    ordered = sorted(findings, key=lambda finding: -finding.level)  # stable: the first of equals
    if not ordered:
        return Health(Level.OK, State.ACTIVE, well)
    worst = ordered[0]
    return Health(worst.level, worst.state, "; ".join(finding.text for finding in ordered))


def _level(value: float, warn: float, error: float) -> Level:
    """How bad a value is; a threshold of 0 is off."""
    if error and value >= error:
        return Level.ERROR
    return Level.WARN if warn and value >= warn else Level.OK


def _silence(view: InputView, thresholds: DiagnosticsSettings) -> Iterable[Health]:
    level = _level(view.silence, thresholds.stale_warn, thresholds.stale_error)
    publishers = f"{view.publishers} publisher{'' if view.publishers == 1 else 's'}"
    if not view.received:
        waited = f" for {view.silence:.1f} s" if level else ""
        yield Health(level, State.WAITING, f"no image yet on {view.topic}{waited}, {publishers}")
    elif level:
        text = f"no image on {view.topic} for {view.silence:.1f} s, {publishers}"
        yield Health(level, State.STALE, text)


def _mismatch(view: InputView) -> Iterable[Health]:
    if view.qos_mismatch:
        text = (
            f"a publisher's QoS on {view.topic} does not fit the subscription's: change one of "
            "them, ours by the parameters image_qos.*"
        )
        yield Health(Level.WARN, State.DEGRADED, text)


def _rejected(view: InputView, thresholds: DiagnosticsSettings) -> Iterable[Health]:
    rejected = sum(view.recent_rejected.values())
    share = rejected / max(view.recent_judged, rejected, 1)
    level = _level(share, thresholds.drop_rate_warn, thresholds.drop_rate_error)
    if not level:
        return
    reasons = _counts(view.recent_rejected)
    if share == 1.0:
        text = f"none of the images on {view.topic} can be used ({reasons})"
        yield Health(Level.ERROR, State.ERROR, text)
    else:
        text = f"{share:.0%} of the images on {view.topic} cannot be used ({reasons})"
        yield Health(level, State.DEGRADED, text)


def _lost(view: InputView, thresholds: DiagnosticsSettings) -> Iterable[Health]:
    share = view.recent_lost / max(view.recent_received + view.recent_lost, 1)
    level = _level(share, thresholds.drop_rate_warn, thresholds.drop_rate_error)
    if level:
        text = f"{share:.0%} of the messages on {view.topic} are lost on the way"
        yield Health(level, State.DEGRADED, text)


def _stuck(view: ModelView) -> Iterable[Health]:
    if not view.recovering and view.busy > view.timeout + GRACE:
        text = f"busy with one image for {view.busy:.1f} s, timeout is {view.timeout:g} s"
        yield Health(Level.ERROR, State.ERROR, text)


def _failing(view: ModelView) -> Iterable[Health]:
    cause = f": {view.last_error}" if view.last_error else ""
    failed = f"every inference has failed for {view.failing:.1f} s"
    if view.failing and view.recent_failed_recoveries:
        text = f"{failed}, it could not be loaded again{cause}"
        yield Health(Level.ERROR, State.ERROR, text)
    elif view.recovering:
        yield Health(Level.WARN, State.DEGRADED, f"it is being loaded again{cause}")
    elif view.stall_timeout and view.failing >= view.stall_timeout:
        yield Health(Level.ERROR, State.ERROR, f"{failed}{cause}")
    elif view.recent_recoveries:
        text = f"loaded again after its inferences had failed{cause}"
        yield Health(Level.WARN, State.DEGRADED, text)


def _faults(view: ModelView, thresholds: DiagnosticsSettings) -> Iterable[Health]:
    share = share_of_faults(view.recent_results, view.recent_drops)
    level = _level(share, thresholds.drop_rate_warn, thresholds.drop_rate_error)
    if not level:
        return
    faults = _faults_of(view.recent_drops)
    if share == 1.0:
        text = f"no image became a result ({_counts(faults)})"
        yield Health(Level.ERROR, State.ERROR, text)
    else:
        text = f"{share:.0%} of the images are lost to faults ({_counts(faults)})"
        yield Health(level, State.DEGRADED, text)


def _futile(view: ModelView, thresholds: DiagnosticsSettings) -> Iterable[Health]:
    drops = {reason: view.recent_drops.get(reason, 0) for reason in FUTILE_DROPS}
    share = sum(drops.values()) / max(view.recent_frames, 1)
    if not view.recent_results and _level(share, thresholds.drop_rate_warn, 0.0):
        text = f"no image became a result ({_counts(drops)})"
        yield Health(Level.WARN, State.DEGRADED, text)


def _slow(view: ModelView, thresholds: DiagnosticsSettings) -> Iterable[Health]:
    if not view.recent_results:
        return  # the latency is an old one
    level = _level(view.latency, thresholds.latency_warn, thresholds.latency_error)
    if level:
        limit = thresholds.latency_error if level is Level.ERROR else thresholds.latency_warn
        text = f"p99 latency {view.latency:.3f} s, {level.name} from {limit:g} s"
        yield Health(level, State.DEGRADED, text)


def _counts(drops: Mapping[str, int]) -> str:
    """Reasons with their counts, the most frequent first."""
    ordered = sorted(drops.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{reason} {count}" for reason, count in ordered if count)
