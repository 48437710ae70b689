# SPDX-License-Identifier: Apache-2.0
"""From reports and thresholds to a level, a state and a sentence. Knows no ROS."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from hbm_runtime_ros.parameters.settings import DiagnosticsSettings
from hbm_runtime_ros.pipeline import drop_reasons
from hbm_runtime_ros.telemetry.report import InputReport, ModelReport, NodeReport

# Drops by policy after which nothing is left; the others leave a better image to work on.
FUTILE_DROPS = (drop_reasons.AGE, drop_reasons.DEADLINE, drop_reasons.UNMATCHED)
NOT_ACTIVE = "the node is not active"
NOT_LOADED = "the model is not loaded; the service ~/load brings it back"
GRACE = 1.0  # seconds past its time-out before a step counts as stuck


class Level(enum.IntEnum):
    """Values of DiagnosticStatus.level; its STALE is what a monitor shows when messages end."""

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


def input_health(model: ModelReport, input: InputReport, thresholds: DiagnosticsSettings) -> Health:
    """Judge one input.

    Args:
        model: That it belongs to.
        input: The input.
        thresholds: Of `/diagnostics`.

    Returns:
        The verdict.
    """
    if not model.loaded or not model.active:
        return Health(Level.OK, State.INACTIVE, NOT_ACTIVE if model.loaded else NOT_LOADED)
    if not model.subscribed:
        return Health(Level.OK, State.IDLE, "nobody subscribes to the model's tensors")
    findings = [*_silence(input, thresholds), *_mismatch(input)]
    findings += [*_rejected(model, input, thresholds), *_lost(input, thresholds)]
    rate = input.recent.received / model.recent.seconds
    return _verdict(findings, f"{rate:.1f} images per second on {input.topic}")


def model_health(model: ModelReport, thresholds: DiagnosticsSettings) -> Health:
    """Judge one model; what is wrong with its topics is said by its inputs, not here.

    Args:
        model: The model.
        thresholds: Of `/diagnostics`.

    Returns:
        The verdict.
    """
    if not model.loaded:
        return Health(Level.ERROR, State.ERROR, NOT_LOADED)
    if not model.active:
        return Health(Level.OK, State.INACTIVE, NOT_ACTIVE)
    findings = [*_stuck(model), *_failing(model), *_faults(model, thresholds)]
    findings += [*_futile(model, thresholds), *_slow(model, thresholds)]
    if not findings and model.idle:
        return Health(Level.OK, State.IDLE, "nobody subscribes to its tensors")
    if not findings and not model.recent.frames:
        topics = dict.fromkeys(input.topic for input in model.inputs)
        text = f"no image to work on from {' and '.join(topics)}"
        return Health(Level.OK, State.WAITING, text)
    rate = model.recent.results / model.recent.seconds
    return _verdict(findings, f"{rate:.1f} results per second")


def node_health(node: NodeReport) -> tuple[Level, str]:
    """Judge the node apart from its models.

    Args:
        node: The node.

    Returns:
        Level and text.
    """
    if node.problems:
        more = len(node.problems) - 1
        others = f" (and {more} more)" if more else ""
        return Level.ERROR, f"{node.lifecycle}: cannot be configured: {node.problems[0]}{others}"
    count = len(node.models)
    models = f", {count} model{'' if count == 1 else 's'}" if count else ""
    return Level.OK, f"{node.lifecycle}{models}"


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


def _silence(input: InputReport, thresholds: DiagnosticsSettings) -> Iterable[Health]:
    silence = input.recent.silence
    level = _level(silence, thresholds.stale_warn, thresholds.stale_error)
    publishers = f"{input.publishers} publisher{'' if input.publishers == 1 else 's'}"
    if not input.received:
        waited = f" for {silence:.1f} s" if level else ""
        yield Health(level, State.WAITING, f"no image yet on {input.topic}{waited}, {publishers}")
    elif level:
        text = f"no image on {input.topic} for {silence:.1f} s, {publishers}"
        yield Health(level, State.STALE, text)


def _mismatch(input: InputReport) -> Iterable[Health]:
    if input.recent.qos_mismatch:
        text = (
            f"a publisher's QoS on {input.topic} does not fit the subscription's: change one of "
            "them, ours by the parameters image_qos.*"
        )
        yield Health(Level.WARN, State.DEGRADED, text)


def _rejected(
    model: ModelReport, input: InputReport, thresholds: DiagnosticsSettings
) -> Iterable[Health]:
    if len(model.inputs) > 1:
        return  # it is not known whose image was the malformed one
    recent = model.recent
    rejected = {
        reason: count for reason, count in recent.drops.items() if reason in drop_reasons.IMAGE
    }
    lost = sum(rejected.values())
    share = lost / max(recent.results + sum(_faults_of(recent.drops).values()), 1)
    level = _level(share, thresholds.drop_rate_warn, thresholds.drop_rate_error)
    if not level:
        return
    reasons = _counts(rejected)
    if share == 1.0:
        text = f"none of the images on {input.topic} can be used ({reasons})"
        yield Health(Level.ERROR, State.ERROR, text)
    else:
        text = f"{share:.0%} of the images on {input.topic} cannot be used ({reasons})"
        yield Health(level, State.DEGRADED, text)


def _lost(input: InputReport, thresholds: DiagnosticsSettings) -> Iterable[Health]:
    lost = input.recent.lost
    share = lost / max(input.recent.received + lost, 1)
    level = _level(share, thresholds.drop_rate_warn, thresholds.drop_rate_error)
    if level:
        text = f"{share:.0%} of the messages on {input.topic} are lost on the way"
        yield Health(level, State.DEGRADED, text)


def _stuck(model: ModelReport) -> Iterable[Health]:
    if not model.recovering and model.busy > model.live.timeout + GRACE:
        text = f"busy with one image for {model.busy:.1f} s, timeout is {model.live.timeout:g} s"
        yield Health(Level.ERROR, State.ERROR, text)


def _failing(model: ModelReport) -> Iterable[Health]:
    cause = f": {model.last_error}" if model.last_error else ""
    failed = f"every inference has failed for {model.failing:.1f} s"
    if model.failing and model.recent.failed_recoveries:
        text = f"{failed}, it could not be loaded again{cause}"
        yield Health(Level.ERROR, State.ERROR, text)
    elif model.recovering:
        yield Health(Level.WARN, State.DEGRADED, f"it is being loaded again{cause}")
    elif model.live.stall_timeout and model.failing >= model.live.stall_timeout:
        yield Health(Level.ERROR, State.ERROR, f"{failed}{cause}")
    elif model.recent.recoveries:
        text = f"loaded again after its inferences had failed{cause}"
        yield Health(Level.WARN, State.DEGRADED, text)


def _faults(model: ModelReport, thresholds: DiagnosticsSettings) -> Iterable[Health]:
    share = share_of_faults(model.recent.results, model.recent.drops)
    level = _level(share, thresholds.drop_rate_warn, thresholds.drop_rate_error)
    if not level:
        return
    faults = _faults_of(model.recent.drops)
    if share == 1.0:
        text = f"no image became a result ({_counts(faults)})"
        yield Health(Level.ERROR, State.ERROR, text)
    else:
        text = f"{share:.0%} of the images are lost to faults ({_counts(faults)})"
        yield Health(level, State.DEGRADED, text)


def _futile(model: ModelReport, thresholds: DiagnosticsSettings) -> Iterable[Health]:
    drops = {reason: model.recent.drops.get(reason, 0) for reason in FUTILE_DROPS}
    share = sum(drops.values()) / max(model.recent.frames, 1)
    if not model.recent.results and _level(share, thresholds.drop_rate_warn, 0.0):
        text = f"no image became a result ({_counts(drops)})"
        yield Health(Level.WARN, State.DEGRADED, text)


def _slow(model: ModelReport, thresholds: DiagnosticsSettings) -> Iterable[Health]:
    if not model.recent.results:
        return  # the latency is an old one
    level = _level(model.latency, thresholds.latency_warn, thresholds.latency_error)
    if level:
        limit = thresholds.latency_error if level is Level.ERROR else thresholds.latency_warn
        text = f"p99 latency {model.latency:.3f} s, {level.name} from {limit:g} s"
        yield Health(level, State.DEGRADED, text)


def _counts(drops: Mapping[str, int]) -> str:
    """Reasons with their counts, the most frequent first."""
    ordered = sorted(drops.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{reason} {count}" for reason, count in ordered if count)
