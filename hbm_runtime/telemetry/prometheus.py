# SPDX-License-Identifier: Apache-2.0
"""Writes statistics in Prometheus's text exposition format 0.0.4."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from hbm_runtime.errors import HBMInputError

# Not with the package prometheus_client: the format is a few lines of text, while that package
# keeps metrics of the whole process, which would count a second time what the core has counted.

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""What an HTTP server has to call the text."""

Labels = Mapping[str, str]
Figures = Mapping[str, Any]  # what `to_dict` of statistics gives, or a part of it
Sample = tuple[str, Labels, float]  # what follows the metric's name, labels, value

_LABEL_NAME = re.compile(r"(?!__)[a-zA-Z_][a-zA-Z0-9_]*")
_OWN_LABELS = ("core", "direction", "le", "model", "outcome", "quantile", "stage", "state")


def text_of(statistics: Figures, labels: Labels) -> str:
    """Return the whole exposition.

    Args:
        statistics: What to write, as ``Statistics.to_dict`` gives it.
        labels: Further labels for every sample.

    Raises:
        HBMInputError: A label's name is none that Prometheus takes, or is one of ours.
    """
    for name in labels:
        if not _LABEL_NAME.fullmatch(name):
            raise HBMInputError(
                f"label {name!r}: expected letters, digits and '_', not beginning with a digit or "
                f"'__'"
            )
        if name in _OWN_LABELS:
            raise HBMInputError(
                f"label {name!r} is one of hbm_runtime's own ({', '.join(_OWN_LABELS)}); choose "
                f"another name"
            )
    lines = []
    for name, kind, help_text, samples in _metrics(statistics):
        lines += [f"# HELP {name} {_escape(help_text)}", f"# TYPE {name} {kind}"]
        for suffix, own_labels, value in samples:
            lines.append(f"{name}{suffix}{_in_braces({**labels, **own_labels})} {_number(value)}")
    return "\n".join(lines) + "\n"


def _metrics(statistics: Figures) -> Iterator[tuple[str, str, str, Iterable[Sample]]]:
    """Yield name, type, help and samples of each metric."""
    models = statistics["models"].items()
    memory = statistics["device_memory"]
    cores = statistics["cores"]
    yield (
        "hbm_runtime_runs_total",
        "counter",
        "Runs that ended, by model and by how they ended.",
        [
            ("", {"model": name, "outcome": outcome}, count)
            for name, model in models
            for outcome, count in _outcomes(model)
        ],
    )
    yield (
        "hbm_runtime_stage_seconds",
        "histogram",
        "Durations of the stages of runs that ended well.",
        [
            sample
            for name, model in models
            for stage, summary in model["stages"].items()
            for sample in _histogram({"model": name, "stage": stage}, summary)
        ],
    )
    yield (
        "hbm_runtime_stage_quantile_seconds",
        "gauge",
        "Quantiles of these durations, within 3 %, since counting began; 1 is the maximum.",
        [
            ("", {"model": name, "stage": stage, "quantile": quantile}, ns / 1e9)
            for name, model in models
            for stage, summary in model["stages"].items()
            if summary["count"]
            for quantile, ns in _quantiles(summary)
        ],
    )
    yield (
        "hbm_runtime_copies_total",
        "counter",
        "Copies of inputs into device memory and of outputs out of it.",
        [
            ("", {"model": name, "direction": direction}, count)
            for name, model in models
            for direction, count in (("in", model["copies_in"]), ("out", model["copies_out"]))
        ],
    )
    yield (
        "hbm_runtime_copied_bytes_total",
        "counter",
        "Bytes of these copies.",
        [
            ("", {"model": name, "direction": direction}, count)
            for name, model in models
            for direction, count in (("in", model["bytes_in"]), ("out", model["bytes_out"]))
        ],
    )
    for name, kind, help_text, value in (
        ("in_flight", "gauge", "Tasks that the accelerator has.", statistics["in_flight"]),
        ("waiting", "gauge", "Runs that wait for a place.", statistics["waiting"]),
        ("cores", "gauge", "BPU cores of the chip.", cores["count"]),
        ("cores_wanted", "gauge", "BPU cores that the tasks in flight want.", cores["wanted"]),
        (
            "cores_occupied_seconds_total",
            "counter",
            "Core-seconds with tasks in flight, never more tasks than cores.",
            cores["occupied_s"],
        ),
        (
            "statistics_seconds",
            "gauge",
            "How long has been counted: since the runtime was made or its statistics reset.",
            statistics["seconds"],
        ),
    ):
        yield f"hbm_runtime_{name}", kind, help_text, [("", {}, value)]
    yield (
        "hbm_runtime_core_pinned_seconds_total",
        "counter",
        "Seconds with a task in flight that could run on this core only.",
        [("", {"core": str(core)}, seconds) for core, seconds in enumerate(cores["pinned_s"])],
    )
    yield (
        "hbm_runtime_device_memory_bytes",
        "gauge",
        "Device memory of buffers: used, or kept for the next runs.",
        [("", {"state": "used"}, memory["used"]), ("", {"state": "idle"}, memory["idle"])],
    )


def _outcomes(model: Figures) -> Iterator[tuple[str, int]]:
    for outcome in ("ok", "timeout", "cancelled", "rejected", "failed"):
        yield outcome, model[outcome]


def _histogram(labels: Labels, summary: Figures) -> Iterator[Sample]:
    # A recorded n ns took n up to n + 1: those below a bound are those up to it.
    for bound, count in summary["below"]:
        yield "_bucket", {**labels, "le": _number(bound / 1e9)}, count
    yield "_bucket", {**labels, "le": "+Inf"}, summary["count"]
    yield "_sum", labels, summary["sum_ns"] / 1e9
    yield "_count", labels, summary["count"]


def _quantiles(summary: Figures) -> Iterator[tuple[str, int]]:
    yield "0.5", summary["p50_ns"]
    yield "0.9", summary["p90_ns"]
    yield "0.99", summary["p99_ns"]
    yield "1", summary["max_ns"]


def _in_braces(labels: Labels) -> str:
    if not labels:
        return ""
    pairs = (f'{name}="{_escape(str(value), quote=True)}"' for name, value in labels.items())
    return "{" + ",".join(pairs) + "}"


def _escape(text: str, quote: bool = False) -> str:
    # Lone surrogates have no place in UTF-8.
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    text = text.replace("\\", "\\\\").replace("\n", "\\n")
    return text.replace('"', '\\"') if quote else text


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else repr(float(value))
