# SPDX-License-Identifier: Apache-2.0
"""doc/migration.md claims nothing without a test: each row names one that exists."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "doc" / "migration.md"

pytestmark = pytest.mark.skipif(not PAGE.is_file(), reason="the tests are here without doc/")


def rows() -> list[str]:
    """The rows of the page's tables, without heads and rules."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    tables = [line for line in lines if line.startswith("|")]
    heads = {above for above, below in itertools.pairwise(tables) if "---" in below}
    return [line for line in tables if "---" not in line and line not in heads]


def test_each_row_names_its_test() -> None:
    assert len(rows()) > 40
    unproved = [row for row in rows() if not re.search(r"`test_\w+(\.py)?`|not tested:", row)]
    assert unproved == []


def test_the_tests_that_are_named_exist() -> None:
    sources = {path.name: path.read_text("utf-8") for path in (ROOT / "test").rglob("test_*.py")}
    functions = set(re.findall(r"def (test_\w+)", "\n".join(sources.values())))
    named = re.findall(r"`(test_\w+(?:\.py)?)`", PAGE.read_text(encoding="utf-8"))
    assert [name for name in named if name not in functions and name not in sources] == []
