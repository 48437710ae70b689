# SPDX-License-Identifier: Apache-2.0
"""Every command of the Makefile is in the table of CONTRIBUTING.md and is run by the gate."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
ROW = re.compile(r"^\| `make ([a-z-]+)` \|.*\| `([^`]+)` \|$", re.M)


def read(name: str) -> str:
    if not (ROOT / name).is_file():
        pytest.skip(f"{ROOT} is not the source tree: it has no {name}")
    return (ROOT / name).read_text(encoding="utf-8")


def targets(makefile: str) -> set[str]:
    return set(re.findall(r"^([a-z-]+):", makefile, re.M))


def not_run(table: dict[str, str], gate: str) -> set[str]:
    """The targets whose command is not at the beginning of a line of the gate."""
    commands = [line.strip() for line in gate.splitlines()]
    return {
        target
        for target, command in table.items()
        if not any(line == command or line.startswith(f"{command} ") for line in commands)
        and not (command.endswith("=") and any(line.startswith(command) for line in commands))
    }


def test_every_target_has_a_row() -> None:
    found = targets(read("Makefile"))
    assert len(found) > 10
    assert set(dict(ROW.findall(read("CONTRIBUTING.md")))) == found


def test_the_gate_runs_every_target() -> None:
    table = dict(ROW.findall(read("CONTRIBUTING.md")))
    assert all(re.search(rf"^make .*\b{target}\b", table[target]) for target in table)
    assert not_run(table, read(".ci/run")) == set()


def test_a_target_that_the_gate_does_not_run_is_seen() -> None:
    table = {"lint": "make lint", "fuzz": "make fuzz SECONDS=", "test": "make test"}
    assert not_run(table, "make lint\nmake test-pythons\n  make fuzz SECONDS=3\n") == {"test"}
    assert not_run(table, "# make lint\nmake fuzz\nmake test") == {"lint", "fuzz"}


def test_a_row_without_a_command_of_the_gate_is_no_row() -> None:
    assert ROW.findall("| `make lint` | checks | |\n| `make test` | tests | `make test` |") == [
        ("test", "make test")
    ]


def test_the_gate_ends_with_the_tests_and_stops_at_the_first_failure() -> None:
    lines = read(".ci/run").splitlines()
    assert lines[-1] == "make test"
    assert "set -e" in lines
