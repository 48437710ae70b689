# SPDX-License-Identifier: Apache-2.0
"""The demo's tables, from messages that a node could have published."""

from __future__ import annotations

import io
import re

import pytest
from diagnostic_msgs.msg import DiagnosticStatus, KeyValue
from hbm_runtime_ros.msg import DropCount, ModelInfo, ModelStatistics, StageLatency

pytest.importorskip("rich", reason="the demo needs rich: pip install 'hbm-runtime[tools]'")

from rich.console import Console

from demo_checks import CheckFailedError, check_healthy
from demo_observer import ModelRecord
from demo_table import tables


def record(**statistics: object) -> ModelRecord:
    return ModelRecord(
        results=1,
        info=ModelInfo(name="detector", priority=200, bpu_cores=[0, 2]),
        statistics=ModelStatistics(
            model="detector", frames_in=90, results=70, input_rate=30.0, **statistics
        ),
    )


def printed(record: ModelRecord, *statuses: DiagnosticStatus) -> str:
    console = Console(file=io.StringIO(), width=100, highlight=False)
    console.print(tables("the title", {"detector": record}, statuses))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_model_has_its_priority_cores_rates_and_drops_by_reason() -> None:
    drops = [DropCount(reason="replaced", count=15), DropCount(reason="age", count=5)]
    text = printed(record(result_rate=23.3, drops=drops))
    assert re.search(r"detector +200 +0, 2 +30\.0 +23\.3 +90 +70 +replaced 15, age 5 *\n", text)


def test_no_drops_are_said_in_a_word() -> None:
    assert re.search(r"90 +70 +none *\n", printed(record()))


def test_latencies_are_milliseconds_per_stage_and_a_dash_where_there_are_none() -> None:
    wait = StageLatency(stage="wait", samples=3, p50=0.0012, p90=0.002, p99=0.0345)
    total = StageLatency(stage="total", samples=0)
    seen = record(latencies=[total, wait])
    seen.latencies = [0.010, 0.010, 0.010]
    assert re.search(r"detector +1\.2/34\.5 +– +– +– +– +10\.0/10\.0 *\n", printed(seen))


def test_nothing_seen_yet_makes_empty_tables() -> None:
    text = printed(ModelRecord())
    assert "the title" in text and "/diagnostics" in text
    assert "detector" not in text


@pytest.mark.parametrize(
    ("level", "says"),
    [
        (DiagnosticStatus.OK, "OK"),
        (DiagnosticStatus.WARN, "WARN"),
        (DiagnosticStatus.ERROR, "ERROR"),
        (DiagnosticStatus.STALE, "STALE"),
    ],
)
def test_a_diagnostic_has_its_level_state_and_message(level: bytes, says: str) -> None:
    state = KeyValue(key="state", value="active")
    status = DiagnosticStatus(
        level=level, name="node: [detector]", message="all [well]", values=[state]
    )
    text = printed(record(), status)
    assert re.search(rf"node: \[detector\] +{says} +active +all \[well\]", text)


def test_a_diagnostic_that_is_an_error_fails_the_demo() -> None:
    fine = DiagnosticStatus(level=DiagnosticStatus.WARN, name="camera", message="late")
    broken = DiagnosticStatus(level=DiagnosticStatus.ERROR, name="detector", message="no result")
    assert check_healthy([fine]) == 1
    with pytest.raises(CheckFailedError, match="detector: ERROR: no result"):
        check_healthy([fine, broken])
