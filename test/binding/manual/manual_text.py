# SPDX-License-Identifier: Apache-2.0
"""Reads the vendor's manual, whose text HBM_RUNTIME_MANUAL names: sections, sentences, programs."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

Test = TypeVar("Test")

#: First lines of the sections, in the manual's order.
SECTIONS = (
    "简介(Overview)",
    "安装说明(Installation)",
    "快速开始(Quick Start)",
    "模块/类/函数说明(API Reference)",
    "枚举类型",
    "类说明",
    "构造函数",
    "属性说明",
    "推理执行函数",
    "配置函数",
    "• 异常说明",
    "QuantParams 类",
    "SchedParam 类",
)

# What only says what follows.
_TITLES = {
    "关键特性", "适用场景", "系统依赖", "依赖项最低版本说明", "安装方式", "卸载说明", "环境准备",
    "常见问题", "问题说明", "hbDNNDataType", "hbDNNQuantiType", "HB_HBMRuntime", "函数签名",
    "参数说明", "参数名类型说明", "返回值", "示例", "功能说明", "结构说明", "属性",
    "set_scheduling_params", "model_name", "kwargs 参数详细说明", "QuantParams 类属性",
    "类型:Dict[str, Dict[str, np.ndarray]]",
}  # fmt: skip

_CHINESE = re.compile("[\u3400-\u9fff]")
_BEGINS_LIKE_CODE = re.compile(
    r"#|(import|from|for|def|sudo) |[\w.]+\(|[\w.]+ ?= |[\w.\[\]]+ = |model\.\w+$|[{}\])\"]"
)
_INLINE_EXAMPLE = re.compile(r"• 示例: (print\(.+\))$")


@dataclass(frozen=True)
class Block:
    """Lines of code that stand together; the web page has lost their indentation."""

    section: str
    lines: tuple[str, ...]

    def program(self, depths: str = "") -> str:
        """Return the text with its indentation back.

        Args:
            depths: For each line that is not blank, how deep it stands; "" if none is indented.
        """
        full = [line for line in self.lines if line]
        depths = depths or "0" * len(full)
        assert len(depths) == len(full), f"{len(full)} lines, {len(depths)} depths"
        return "\n".join(
            "    " * int(depth) + line for depth, line in zip(depths, full, strict=True)
        )

    def documented(self) -> str:
        """Return what the manual says that the program prints ("输出")."""
        printed: list[str] = []
        following = False
        for line in self.lines:
            said = re.search(r"# 输出: ?(.*)", line)
            if said is not None:
                printed += [said[1]] if said[1] else []
                following = line.startswith("#")
            elif following and line.startswith("# "):
                printed.append(line[2:])
        return "\n".join(printed)


@dataclass(frozen=True)
class _Text:
    """The manual taken apart."""

    blocks: tuple[Block, ...]
    sentences: tuple[tuple[str, str], ...]  # (section, sentence)


@cache
def read(path: str) -> _Text:
    """Take the manual apart.

    Raises:
        AssertionError: A section is missing: it is another text.
    """
    blocks: list[Block] = []
    sentences: list[tuple[str, str]] = []
    section, seen = "", 0
    code: list[str] = []

    def end_block() -> None:
        while code and not code[-1]:
            code.pop()
        if code:
            blocks.append(Block(section, tuple(code)))
        code.clear()

    for raw in Path(path).read_text(encoding="utf-8").splitlines():
        line = raw.strip()
        if line in SECTIONS:
            assert line == SECTIONS[seen], f"{line} stands where {SECTIONS[seen]} should"
            end_block()
            section, seen = line, seen + 1
        elif _is_code(line, code):
            code.append(line)
        elif line:
            end_block()
            inline = _INLINE_EXAMPLE.match(line)
            if inline:
                blocks.append(Block(section, (inline[1],)))
            elif section:
                sentences += [(section, sentence) for sentence in _split(line)]
    end_block()
    assert seen == len(SECTIONS), f"{path} lacks the section {SECTIONS[seen]}"
    return _Text(tuple(blocks), tuple(sentences))


def _is_code(line: str, before: list[str]) -> bool:
    if not line:
        return bool(before)
    bare = re.sub(r"\"[^\"]*\"|#.*", "", line)
    if _CHINESE.search(bare) or line.startswith("•"):
        return False
    inside = sum(
        text.count(opening) - text.count(closing)
        for text in before
        for opening, closing in ("()", "[]", "{}")
    )
    return inside > 0 or _BEGINS_LIKE_CODE.match(line) is not None


def _split(line: str) -> Iterator[str]:
    for sentence in re.split("[。;]", line.lstrip("• ")):
        stripped = sentence.strip().rstrip(":")
        if stripped and stripped not in _TITLES:
            yield stripped


def find_block(path: str, start: str) -> Block:
    """Return the one block with a line that starts like this."""
    blocks = read(path).blocks
    found = [block for block in blocks if any(line.startswith(start) for line in block.lines)]
    assert len(found) == 1, f"{len(found)} blocks of the manual have a line {start!r}"
    return found[0]


def promises(*quotes: str) -> Callable[[Test], Test]:
    """Mark a test with the sentences of the manual that it shows, or parts of them.

    test_manual_coverage.py reads the marks.
    """
    return lambda test: test


def value_of(printed: str) -> Any:
    """Return the value that was printed; an enum is the text of its repr.

    Dicts compare without their order: the original's is that of a hash table.
    """
    return ast.literal_eval(re.sub(r"<[\w.]+: \d+>", lambda enum: repr(enum[0]), printed))
