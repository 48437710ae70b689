# SPDX-License-Identifier: Apache-2.0
"""The committed API reference is the one that the docstrings give, and its links lead somewhere."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def test_the_api_reference_is_up_to_date(repository: Path, run_tool: Callable[..., Any]) -> None:
    for tool in ("griffe2md", "black"):
        pytest.importorskip(tool, reason=f"{tool} is one of the tools of requirements/lint.txt")
    tool = run_tool(str(repository / "scripts" / "generate_api_reference.py"), "--check")
    assert tool.returncode == 0, f"\n{tool.stdout}{tool.stderr}"


def test_every_link_in_the_api_reference_has_a_heading_or_a_file(repository: Path) -> None:
    text = (repository / "doc" / "api.md").read_text(encoding="utf-8")
    # What forges make of a heading: letters, digits, _ and -, in lower case.
    headings = [re.sub(r"[^\w-]", "", h).lower() for h in re.findall(r"^#+ (.+)$", text, re.M)]
    links = re.findall(r"\]\(([^)\s]+)\)", text)
    assert len(links) > 30
    assert [link for link in links if link[0] == "#" and link[1:] not in headings] == []
    files = [link for link in links if link[0] != "#"]
    assert [file for file in files if not (repository / "doc" / file).is_file()] == []
