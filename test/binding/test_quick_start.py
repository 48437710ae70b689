# SPDX-License-Identifier: Apache-2.0
"""The Chinese quick start's programs are those of the README, which are run."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
QUICK_START = ROOT / "doc" / "quick_start.zh.md"


def programs(file: Path) -> list[str]:
    return re.findall(r"```python\n(.*?)```", file.read_text(encoding="utf-8"), re.DOTALL)


def test_its_programs_are_those_of_the_readme() -> None:
    found = programs(QUICK_START)
    assert found
    assert set(found) <= set(programs(ROOT / "README.md"))


def test_its_links_lead_to_files() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", QUICK_START.read_text(encoding="utf-8"))
    missing = [link for link in links if not (QUICK_START.parent / link).exists()]
    assert len(links) > 5
    assert missing == []
