# SPDX-License-Identifier: Apache-2.0
"""Prometheus reads every number of the statistics out of their text."""

from __future__ import annotations

import math
from typing import Any

import pytest

from hbm_runtime import _core
from hbm_runtime.errors import HBMInputError
from hbm_runtime.telemetry.prometheus import CONTENT_TYPE
from hbm_runtime.telemetry.statistics import (
    CoreStatistics,
    DeviceMemory,
    ModelStatistics,
    StageSummary,
    Statistics,
    summary_of,
)

parser = pytest.importorskip(
    "prometheus_client.parser", reason="the independent reader of requirements/python.txt"
)

STRANGE = 'front "left"\\\nä {model="x"}'


def measured() -> StageSummary:
    histogram = _core.Histogram()
    for ns in (3_000, 5_000, 1_000_000, 2_000_000_000):
        histogram.add(ns)
    return summary_of(histogram.summary())


def statistics(model: str = "detector") -> Statistics:
    return Statistics(
        models={
            model: ModelStatistics(
                ok=4,
                timeout=3,
                cancelled=2,
                rejected=1,
                failed=5,
                copies_in=8,
                bytes_in=800,
                copies_out=1,
                bytes_out=10,
                stages={"execute": measured(), "queue": StageSummary()},
            )
        },
        cores=CoreStatistics(2, 1.25, (0.5, 0.25), 3, 0.5),
        seconds=1.5,
        in_flight=6,
        waiting=7,
        device_memory=DeviceMemory(4096, 1024),
    )


def read(text: str) -> dict[str, Any]:
    """Families by name, as the reader of another project sees them."""
    return {family.name: family for family in parser.text_string_to_metric_families(text)}


def value(families: dict[str, Any], sample_name: str, **labels: str) -> float:
    (found,) = [
        sample.value
        for family in families.values()
        for sample in family.samples
        if sample.name == sample_name and sample.labels == labels
    ]
    return float(found)


def test_every_number_arrives() -> None:
    families = read(statistics().to_prometheus())
    for outcome, count in {
        "ok": 4,
        "timeout": 3,
        "cancelled": 2,
        "rejected": 1,
        "failed": 5,
    }.items():
        got = value(families, "hbm_runtime_runs_total", model="detector", outcome=outcome)
        assert got == count
    for name, direction, count in (
        ("hbm_runtime_copies_total", "in", 8),
        ("hbm_runtime_copies_total", "out", 1),
        ("hbm_runtime_copied_bytes_total", "in", 800),
        ("hbm_runtime_copied_bytes_total", "out", 10),
    ):
        assert value(families, name, model="detector", direction=direction) == count
    assert value(families, "hbm_runtime_in_flight") == 6
    assert value(families, "hbm_runtime_waiting") == 7
    assert value(families, "hbm_runtime_cores") == 2
    assert value(families, "hbm_runtime_cores_wanted") == 3
    assert value(families, "hbm_runtime_cores_occupied_seconds_total") == 1.25
    assert value(families, "hbm_runtime_core_pinned_seconds_total", core="0") == 0.5
    assert value(families, "hbm_runtime_core_pinned_seconds_total", core="1") == 0.25
    assert value(families, "hbm_runtime_statistics_seconds") == 1.5
    assert value(families, "hbm_runtime_device_memory_bytes", state="used") == 4096
    assert value(families, "hbm_runtime_device_memory_bytes", state="idle") == 1024


def test_quantiles_are_seconds_and_there_are_none_of_nothing() -> None:
    families = read(statistics().to_prometheus())
    summary = measured()
    where = {"model": "detector", "stage": "execute"}
    name = "hbm_runtime_stage_quantile_seconds"
    assert value(families, name, **where, quantile="0.5") == summary.p50_ns / 1e9
    assert value(families, name, **where, quantile="0.9") == summary.p90_ns / 1e9
    assert value(families, name, **where, quantile="0.99") == summary.p99_ns / 1e9
    assert value(families, name, **where, quantile="1") == 2.0
    stages = {sample.labels["stage"] for sample in families[name].samples}
    assert stages == {"execute"}, "the stage 'queue' has no runs"


def test_histograms_are_cumulative_in_seconds() -> None:
    families = read(statistics().to_prometheus())
    family = families["hbm_runtime_stage_seconds"]
    assert family.type == "histogram"
    buckets = [
        (float(sample.labels["le"]), sample.value)
        for sample in family.samples
        if sample.name.endswith("_bucket") and sample.labels["stage"] == "execute"
    ]
    assert buckets == sorted(buckets)
    assert buckets[0] == (4096e-9, 1) and buckets[-1] == (math.inf, 4)
    exact = (3e-6, 5e-6, 1e-3, 2.0)
    assert buckets == [(bound, sum(s < bound for s in exact)) for bound, _ in buckets]
    where = {"model": "detector", "stage": "execute"}
    assert value(families, "hbm_runtime_stage_seconds_sum", **where) == pytest.approx(2.001008)
    assert value(families, "hbm_runtime_stage_seconds_count", **where) == 4


def test_every_metric_has_one_type_and_a_help_before_its_samples() -> None:
    lines = statistics().to_prometheus().splitlines()
    seen: set[str] = set()
    current = ""
    for line in lines:
        if line.startswith("# HELP "):
            current = line.split(" ")[2]
            assert current not in seen, f"{current} twice"
            seen.add(current)
            assert len(line.split(" ", 3)[3]) > 10
        elif line.startswith("# TYPE "):
            name, kind = line.split(" ")[2:]
            assert name == current
            assert kind in ("counter", "gauge", "histogram")
            assert name.endswith("_total") == (kind == "counter")
        else:
            assert line.startswith(current)
    assert len(seen) == 13


def test_any_model_name_arrives_as_it_is() -> None:
    text = statistics(STRANGE).to_prometheus()
    assert value(read(text), "hbm_runtime_runs_total", model=STRANGE, outcome="ok") == 4
    assert text.encode("utf-8")


def test_a_name_that_utf_8_lacks_does_not_break_the_text() -> None:
    text = statistics("bad \udcff name").to_prometheus()
    assert text.encode("utf-8")
    assert value(read(text), "hbm_runtime_runs_total", model="bad \\udcff name", outcome="ok") == 4


def test_further_labels_are_on_every_sample() -> None:
    families = read(statistics().to_prometheus({"runtime": STRANGE, "robot": "7"}))
    for family in families.values():
        for sample in family.samples:
            assert sample.labels["runtime"] == STRANGE
            assert sample.labels["robot"] == "7"


@pytest.mark.parametrize("name", ["", "7up", "a-b", "__name__", "a b", "naïve", "a\n"])
def test_a_label_that_prometheus_refuses_is_refused(name: str) -> None:
    with pytest.raises(HBMInputError, match="expected letters, digits"):
        statistics().to_prometheus({name: "x"})


@pytest.mark.parametrize("name", ["model", "stage", "le", "quantile"])
def test_a_label_of_our_own_is_refused(name: str) -> None:
    with pytest.raises(HBMInputError, match=f"'{name}' is one of hbm_runtime's own"):
        statistics().to_prometheus({name: "x"})


def test_statistics_of_nothing_are_a_valid_text() -> None:
    text = Statistics().to_prometheus()
    assert text.endswith("\n")
    assert value(read(text), "hbm_runtime_in_flight") == 0


def test_the_content_type_is_that_of_the_format() -> None:
    assert CONTENT_TYPE == "text/plain; version=0.0.4; charset=utf-8"
