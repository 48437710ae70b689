# SPDX-License-Identifier: Apache-2.0
"""What the bench calculates with: paired times, targets, tables."""

from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip("rich", reason="the bench prints its tables with rich")

from bench import lines, timing
from bench.lines import Line, Section


def test_times_are_taken_in_turn() -> None:
    order = []
    first, second = (lambda: order.append("a")), (lambda: order.append("b"))
    times = timing.in_turn((first, second), rounds=2, calls=3)
    assert [taken.shape for taken in times] == [(2, 3), (2, 3)]
    # One round to warm up, then two; who begins changes.
    assert "".join(order) == "bbbaaaaaabbbbbbaaa"


def test_a_ratio_is_of_medians_round_by_round() -> None:
    # The machine is twice as slow in the second round, and one call of ours was interrupted.
    ours = np.array([[20.0, 20.0, 900.0], [40.0, 40.0, 40.0]])
    theirs = np.array([[10.0, 10.0, 10.0], [20.0, 20.0, 20.0]])
    assert timing.ratio(ours, theirs).median == 2.0


def test_work_that_takes_longer_has_the_larger_time() -> None:
    numbers = range(20_000)
    much, little = timing.in_turn(
        (lambda: sum(numbers), lambda: sum(numbers[:200])), rounds=5, calls=5
    )
    assert timing.ratio(much, little).median > 1


@pytest.mark.parametrize(
    ("line", "target", "verdict"),
    [
        (Line("a / b", 0.99, at_most=1.0), "≤ 1", "yes"),
        (Line("a / b", 1.01, at_most=1.0), "≤ 1", "no"),
        (Line("a / b", 0.96, at_least=0.95), "≥ 0.95", "yes"),
        (Line("a / b", 0.94, at_least=0.95), "≥ 0.95", "no"),
        (Line("a / b", 7.0), "", ""),
        (Line("a / b", None, at_most=1.0, detail="b is absent"), "≤ 1", ""),
    ],
)
def test_a_line_says_whether_its_target_is_met(line: Line, target: str, verdict: str) -> None:
    assert (line.target, line.verdict) == (target, verdict)


def test_tables_as_markdown_and_json() -> None:
    sections = [Section("Speed", "idle machine", (Line("a / b", 0.5, at_most=1.0, detail="µs"),))]
    text = lines.markdown(sections, {"Python": "3.11"})
    assert "**Speed** (idle machine)" in text
    assert "| a / b | 0.50 | ≤ 1 | yes | µs |" in text
    assert text.endswith("Python: 3.11\n")
    content = json.loads(lines.as_json(sections, {"Python": "3.11"}))
    assert content["conditions"] == {"Python": "3.11"}
    assert content["sections"][0]["lines"][0]["is_met"] is True


def test_what_was_lost_has_a_column_where_messages_are_sent() -> None:
    sent = Line("a / b", 0.5, detail="µs", lost="3 of 300")
    both = [Section("Node", "", (sent, Line("c", 1.0))), Section("Calls", "", (Line("d", 1.0),))]
    text = lines.markdown(both, {})
    assert "| a / b | 0.50 |  |  | 3 of 300 | µs |" in text
    assert "| c | 1.00 |  |  |  |  |" in text
    assert "| d | 1.00 |  |  |  |" in text
