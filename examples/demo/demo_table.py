# SPDX-License-Identifier: Apache-2.0
"""The demo's tables: models from ~/stats, latencies per stage, diagnostics."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from diagnostic_msgs.msg import DiagnosticStatus
from hbm_runtime_ros.msg import ModelStatistics, StageLatency
from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from demo_observer import ModelRecord

STAGES = (
    StageLatency.WAIT,
    StageLatency.PREPROCESS,
    StageLatency.INFERENCE,
    StageLatency.PUBLISH,
    StageLatency.TOTAL,
)
LEVELS = {0: ("OK", "green"), 1: ("WARN", "yellow"), 2: ("ERROR", "bold red"), 3: ("STALE", "red")}


def tables(
    title: str, records: Mapping[str, ModelRecord], diagnostics: Iterable[DiagnosticStatus]
) -> Group:
    """All three tables, one below the other.

    Args:
        title: Of the first.
        records: What was seen of each model.
        diagnostics: Latest statuses.

    Returns:
        For rich's console.
    """
    return Group(
        models_table(title, records), "", latency_table(records), "", diagnostics_table(diagnostics)
    )


def models_table(title: str, records: Mapping[str, ModelRecord]) -> Table:
    """Who has which priority, what came in, what came out, and what was dropped why."""
    table = _table(title, "in, out: images and results per second; all from ~/model_info, ~/stats")
    table.add_column("model", style="bold")
    for column in ("priority", "cores", "in", "out", "images", "results"):
        table.add_column(column, justify="right")
    table.add_column("dropped, by reason")
    for name, record in records.items():
        info, statistics = record.info, record.statistics
        if info is None or statistics is None:
            continue
        table.add_row(
            name,
            str(info.priority),
            _cores(info.bpu_cores),
            f"{statistics.input_rate:.1f}",
            f"{statistics.result_rate:.1f}",
            str(statistics.frames_in),
            str(statistics.results),
            _drops(statistics),
        )
    return table


def latency_table(records: Mapping[str, ModelRecord]) -> Table:
    """Where the time goes."""
    table = _table(
        "milliseconds, p50/p99",
        "arrival: from the image's stamp to its tensors in another process",
    )
    table.add_column("model", style="bold")
    for column in (*STAGES, "arrival"):
        table.add_column(column, justify="right")
    for name, record in records.items():
        if record.statistics is None:
            continue
        by_stage = {latency.stage: latency for latency in record.statistics.latencies}
        figures = [
            (by_stage[stage].p50, by_stage[stage].p99)
            if stage in by_stage and by_stage[stage].samples
            else None
            for stage in STAGES
        ]
        if record.latencies:
            p50, p99 = np.percentile(record.latencies, (50, 99))
            figures.append((float(p50), float(p99)))
        else:
            figures.append(None)
        table.add_row(name, *map(_milliseconds, figures))
    return table


def diagnostics_table(diagnostics: Iterable[DiagnosticStatus]) -> Table:
    """What /diagnostics says."""
    table = _table("/diagnostics", None)
    table.add_column("name", style="bold")
    for column in ("level", "state", "message"):
        table.add_column(column)
    for status in diagnostics:
        text, style = LEVELS.get(level(status), (str(level(status)), ""))
        state = next((value.value for value in status.values if value.key == "state"), "")
        table.add_row(Text(status.name), Text(text, style), Text(state), Text(status.message))
    return table


def level(status: DiagnosticStatus) -> int:
    """The level as a number; rclpy has it as one byte."""
    return status.level[0] if isinstance(status.level, bytes) else int(status.level)


def _table(title: str, caption: str | None) -> Table:
    return Table(
        title=title,
        caption=caption,
        title_justify="left",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        collapse_padding=True,
        show_edge=False,
    )


def _cores(cores: Sequence[int]) -> str:
    return "any" if list(cores) == [-1] else ", ".join(map(str, cores))


def _drops(statistics: ModelStatistics) -> str:
    return ", ".join(f"{drop.reason} {drop.count}" for drop in statistics.drops) or "none"


def _milliseconds(figures: tuple[float, float] | None) -> str:
    return "–" if figures is None else f"{figures[0] * 1e3:.1f}/{figures[1] * 1e3:.1f}"
