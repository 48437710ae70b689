# SPDX-License-Identifier: Apache-2.0
"""Nothing of the manual is left out: each sentence is quoted by a test, each program is run.

The tests beside this one quote the manual in their mark `promises`. What a section says without
promising anything stands in its file's PROMISES_NOTHING, with the reason; NOT_RUN likewise.
"""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import manual_text
import pytest


@dataclass
class Quoted:
    """What the tests of one file take from the manual."""

    name: str
    sections: tuple[str, ...] = ()
    quotes: list[str] = field(default_factory=list)
    promises_nothing: dict[str, str] = field(default_factory=dict)
    not_run: dict[str, str] = field(default_factory=dict)
    blocks: list[str] = field(default_factory=list)


def read_tests(path: Path) -> Quoted:
    quoted = Quoted(path.name)
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            if name in ("SECTIONS", "PROMISES_NOTHING", "NOT_RUN"):
                setattr(quoted, name.lower(), ast.literal_eval(node.value))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            quoted.quotes += arguments(node, "promises")
            quoted.blocks += arguments(node, "manual_block")
    return quoted


def arguments(test: ast.FunctionDef, function: str) -> Iterator[str]:
    """The texts with which a test calls a function."""
    for node in ast.walk(test):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == function:
            yield from map(ast.literal_eval, node.args)


FILES = [
    read_tests(path)
    for path in sorted(Path(__file__).parent.glob("test_manual_*.py"))
    if path.name != Path(__file__).name
]


def test_each_section_has_one_file() -> None:
    sections = [section for file in FILES for section in file.sections]
    assert sorted(sections) == sorted(manual_text.SECTIONS)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_each_sentence_is_quoted_by_a_test(manual_path: str, file: Quoted) -> None:
    fragments = [*file.quotes, *file.promises_nothing]
    for section, sentence in manual_text.read(manual_path).sentences:
        if section in file.sections:
            assert any(fragment in sentence for fragment in fragments), sentence


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_each_quote_stands_in_the_manual(manual_path: str, file: Quoted) -> None:
    known = [
        text for name, text in manual_text.read(manual_path).sentences if name in file.sections
    ]
    for fragment in [*file.quotes, *file.promises_nothing]:
        assert any(fragment in sentence for sentence in known), fragment


def test_each_block_of_code_is_run(manual_path: str) -> None:
    blocks = manual_text.read(manual_path).blocks
    assert len(blocks) == 38
    taken = [line for file in FILES for line in (*file.blocks, *file.not_run)]
    found = [manual_text.find_block(manual_path, line) for line in taken]
    for block in blocks:
        assert found.count(block) >= 1, "\n".join(block.lines)


def test_each_heading_of_an_example_is_followed_by_a_block(manual_path: str) -> None:
    lines = [line.strip() for line in Path(manual_path).read_text(encoding="utf-8").splitlines()]
    lines = [line for line in lines if line]
    code = {line for block in manual_text.read(manual_path).blocks for line in block.lines}
    after = [
        following
        for line, following in itertools.pairwise(lines)
        if re.fullmatch("(• )?(示例|函数签名):?", line)
    ]
    assert len(after) == 33
    # "示例" of the quick start is a chapter with headings of its own.
    assert [line for line in after if line not in code] == ["单模型单输入推理"]
