# SPDX-License-Identifier: Apache-2.0
"""Reads the JUnit files of all storeys; prints failures, skips with reasons and the sums.

The package junitparser gives no more than ElementTree here: the work is in the names and reasons.
"""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal
from xml.etree import ElementTree

Outcome = Literal["passed", "failed", "skipped"]
NOT_RUN = "none of its tests was run"


@dataclass(frozen=True)
class Result:
    """One test case: its name after its storey's, how it ended, and why if it did not pass."""

    name: str
    outcome: Outcome
    reason: str = ""


def read_results(folder: Path, expected: Iterable[str]) -> list[Result]:
    """Returns every test case of `folder`'s JUnit files.

    Args:
        folder: Where the tests write; a file belongs to the test that its name begins with.
        expected: Names of the tests that ran; one that left no result counts as failed.
    """
    results: list[Result] = []
    for test in expected:
        files = sorted(folder.glob(f"{test}.*xml"))
        found = [result for file in files for result in _read_file(test, file)]
        if not found:
            found = [
                Result(test, "failed", "left no result: no tests in it, crashed or timed out?")
            ]
        results += found
        if hidden := [result.name for result in found if result.reason.startswith(NOT_RUN)]:
            reason = f"files that were not run, with all tests in them: {len(hidden)}"
            results.append(Result(test, "failed", f"{reason}: {', '.join(hidden)}"))
    return results


def _read_file(test: str, file: Path) -> list[Result]:
    try:
        root = ElementTree.parse(file).getroot()
    except ElementTree.ParseError as error:
        return [Result(test, "failed", f"{file.name} is not XML ({error}): written half?")]
    return [_result(test, case) for case in root.iter("testcase")]


def _result(test: str, case: ElementTree.Element) -> Result:
    # pytest: package.test.storey.module[.Class]; GoogleTest: the suite.
    path = [part for part in case.get("classname", "").split(".") if part != "hbm_runtime_ros"]
    name = "::".join([test, *filter(None, path[-1:]), case.get("name", "?")])
    for tag in ("failure", "error"):
        if (element := case.find(tag)) is not None:
            return Result(name, "failed", _first_line(element))
    if (element := case.find("skipped")) is not None:
        return Result(name, "skipped", _first_line(element))
    if case.get("status") == "notrun":  # GoogleTest's DISABLED_ tests
        return Result(name, "skipped", "disabled in the source")
    return Result(name, "passed")


def _first_line(element: ElementTree.Element) -> str:
    message = element.get("message") or element.text or ""
    if message == "collection failure":  # pytest: a whole file that could not be imported
        text = (element.text or "").strip().splitlines() or ["no output"]
        return f"{NOT_RUN}: {text[-1].removeprefix('E').strip()}"
    if message == "collection skipped":  # pytest: a whole file, with (file, line, reason) as text
        message = element.text or ""
        with contextlib.suppress(ValueError, SyntaxError):
            message = str(ast.literal_eval(message)[-1])
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    if len(lines) > 1 and ".cpp:" in lines[0]:  # GoogleTest: file and line, then the text
        lines = lines[1:]
    return lines[0].removeprefix("Skipped: ") if lines else "no reason given"


def by_reason(results: Iterable[Result]) -> list[Result]:
    """Returns one result per reason, which names the first test and says how many more there are.

    For several runs of the same tests, where the same ones are skipped again and again.
    """
    groups: dict[str, list[Result]] = {}
    for result in results:
        groups.setdefault(result.reason, []).append(result)
    return [
        replace(group[0], name=f"{group[0].name} and {len(group) - 1} more")
        if len(group) > 1
        else group[0]
        for group in groups.values()
    ]


def report(
    results: list[Result], notes: Iterable[str] = (), *, group_skipped: bool = False
) -> bool:
    """Prints failures, skips with reasons, notes and, last, the sums; returns if all is well."""
    by_outcome: dict[Outcome, list[Result]] = {"passed": [], "failed": [], "skipped": []}
    for result in results:
        by_outcome[result.outcome].append(result)
    executed = len(by_outcome["passed"]) + len(by_outcome["failed"])
    skipped = by_outcome["skipped"]
    for result in [*by_outcome["failed"], *(by_reason(skipped) if group_skipped else skipped)]:
        print(f"{result.outcome.upper()} {result.name}: {result.reason}")
    for note in notes:
        print(note)
    if executed == 0:
        print("FAILED: not one test was executed")
    print(", ".join(f"{len(group)} {outcome}" for outcome, group in by_outcome.items()), flush=True)
    return executed > 0 and not by_outcome["failed"]
