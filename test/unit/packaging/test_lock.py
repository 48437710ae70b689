# SPDX-License-Identifier: Apache-2.0
"""The lock: every requirement has a version that its range allows, and it names no registry."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "scripts"))
lock = pytest.importorskip("lock", reason="scripts/ are in the source tree only")
requirements = pytest.importorskip("packaging.requirements", reason="needs packaging")

FILES = [
    pytest.param(file, made_from, id=str(file.relative_to(lock.LOCK)))
    for file, made_from in lock.files()
]


def versions(file: Path) -> dict[str, str]:
    text = file.read_text(encoding="utf-8")
    return dict(re.findall(r"^([\w.-]+)==([^\s;]+)", text, re.MULTILINE))


def wanted(source: str) -> list[str]:
    """The requirements of a file, with those of the files that it names."""
    found = []
    for line in (lock.REQUIREMENTS / source).read_text(encoding="utf-8").splitlines():
        line = line.partition("#")[0].strip()
        if line.startswith("-r "):
            found += wanted(line.removeprefix("-r ").strip())
        elif line:
            found.append(line)
    return found


@pytest.mark.parametrize(("file", "made_from"), FILES)
def test_every_requirement_has_a_version_that_its_range_allows(
    file: Path, made_from: object
) -> None:
    locked = versions(file)
    overridden = versions(lock.REQUIREMENTS / "floor.txt") if file.stem == "floor" else {}
    sources = [name for name in made_from.sources if name.endswith(".txt")]
    assert sources
    for text in (line for name in sources for line in wanted(name)):
        requirement = requirements.Requirement(text)
        name = requirement.name.lower().replace("_", "-")
        if name == "numpy" and file.stem == "sourced-ros":
            assert name not in locked, "numpy is that of the sourced ROS"
        elif name in overridden:
            assert locked[name] == overridden[name]
        else:
            assert requirement.specifier.contains(locked[name]), f"{text}: {locked[name]}"


@pytest.mark.parametrize(("file", "made_from"), FILES)
def test_hashes_are_there_where_pip_checks_them_and_no_registry_is(
    file: Path, made_from: object
) -> None:
    text = file.read_text(encoding="utf-8")
    assert "://" not in text
    hashed = re.findall(r"^([\w.-]+)==\S+(?: ;.*)? \\\n    --hash=sha256:[0-9a-f]{64}", text, re.M)
    assert len(hashed) == (len(versions(file)) if "--generate-hashes" in made_from.options else 0)


def test_a_file_that_gets_more_hashes_is_the_same_lock() -> None:
    one = "# Made\na==1 \\\n    --hash=sha256:0\nb==2\n"
    assert lock.pins(one) == lock.pins(one.replace(":0", ":0 \\\n    --hash=sha256:1"))
    assert lock.pins(one) != lock.pins(one.replace("b==2", "b==3"))
    assert lock.pins(one) != lock.pins(one.replace("b==2\n", ""))
