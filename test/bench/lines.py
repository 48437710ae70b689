# SPDX-License-Identifier: Apache-2.0
"""A measured figure with its target, and tables of them: on a terminal, as Markdown, as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Line:
    """One figure.

    Attributes:
        what: what was measured, for a ratio as "ours / theirs".
        value: None when it could not be measured; `detail` then says why.
        unit: "" for a ratio.
        at_most: the target's upper limit, if it has one.
        at_least: its lower limit.
        detail: the times behind a ratio, or the reason why there is none.
        lost: of how many messages how many never came, where messages are sent: "0 of 300".
    """

    what: str
    value: float | None
    unit: str = ""
    at_most: float | None = None
    at_least: float | None = None
    detail: str = ""
    lost: str = ""

    @property
    def target(self) -> str:
        """The target as text; "" when the figure is there for comparison only."""
        if self.at_most is not None:
            return f"≤ {self.at_most:g}"
        return f"≥ {self.at_least:g}" if self.at_least is not None else ""

    @property
    def is_met(self) -> bool | None:
        """None without a target or a figure."""
        if self.value is None or not self.target:
            return None
        if self.at_most is not None:
            return self.value <= self.at_most
        assert self.at_least is not None
        return self.value >= self.at_least

    @property
    def figure(self) -> str:
        """Value and unit as text."""
        if self.value is None:
            return "not measured"
        number = f"{self.value:.0f}" if self.unit in COUNTED else f"{self.value:.2f}"
        return f"{number} {self.unit}".strip()

    @property
    def verdict(self) -> str:
        """Whether the target is met, in one word."""
        return {None: "", True: "yes", False: "no"}[self.is_met]


COUNTED = ("copies", "allocations", "bytes", "calls")  # units of whole numbers


@dataclass(frozen=True)
class Section:
    """The lines of one table, with what holds for all of them."""

    title: str
    conditions: str
    lines: tuple[Line, ...]


COLUMNS = ("what", "figure", "target", "met", "behind it")


def rows(section: Section) -> list[tuple[str, ...]]:
    """A table with its headings; it tells of losses where there is anything to lose."""
    lines = section.lines
    table = [
        COLUMNS,
        *((line.what, line.figure, line.target, line.verdict, line.detail) for line in lines),
    ]
    if any(line.lost for line in lines):
        lost = ["lost", *(line.lost for line in lines)]
        return [(*row[:-1], cell, row[-1]) for row, cell in zip(table, lost, strict=True)]
    return table


def show(section: Section, console: Console) -> None:
    """Print one table."""
    table = Table(title=section.title, caption=section.conditions, title_justify="left")
    headings, *body = rows(section)
    for column in headings:
        table.add_column(column, justify="right" if column == "figure" else "left")
    for row in body:
        table.add_row(*row)
    console.print(table)


def markdown(sections: Sequence[Section], conditions: dict[str, str]) -> str:
    """All tables, and the conditions below them."""
    parts = []
    for section in sections:
        headings, *figures = rows(section)
        ruler = ["---:" if column == "figure" else "---" for column in headings]
        body = "\n".join(f"| {' | '.join(row)} |" for row in (headings, ruler, *figures))
        parts.append(f"**{section.title}** ({section.conditions})\n\n{body}\n")
    parts.append("; ".join(f"{name}: {text}" for name, text in conditions.items()) + "\n")
    return "\n".join(parts)


def as_json(sections: Sequence[Section], conditions: dict[str, str]) -> str:
    """All figures with target and verdict, for programs."""
    content = [
        {
            "title": section.title,
            "conditions": section.conditions,
            "lines": [
                {**asdict(line), "target": line.target, "is_met": line.is_met}
                for line in section.lines
            ],
        }
        for section in sections
    ]
    return json.dumps({"conditions": conditions, "sections": content}, indent=1)
