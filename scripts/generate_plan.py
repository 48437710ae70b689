# SPDX-License-Identifier: Apache-2.0
"""Draws the plan in doc/architecture.md from the table of rooms that stands below it.

Rooms of Python say in their docstrings what lives there, those of C++ in the README beside them:
the table takes it from there.
"""

from __future__ import annotations

import ast
import itertools
import re
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import generated_file

ROOT = generated_file.ROOT
PAGE = ROOT / "doc" / "architecture.md"
TABLE = re.compile(r"^\| floor \|.*\n\|[-:| ]+\|\n((?:\|.*\n)+)", re.MULTILINE)
DRAWING = re.compile(r"(<!-- generated: plan .*?-->\n).*?(<!-- end of generated -->)", re.DOTALL)
DRAWING_MARGIN = 20
DRAWING_WIDTH = 92


@dataclass(frozen=True)
class Room:
    """A row of the table.

    Attributes:
        floor: 1 is the lowest.
        name: The folder, or what its files are called together.
        patterns: Folders, which end in `/`, or files; `*` in them stands for anything but `/`.
        sentence: What lives there.
        may_import: Names of rooms, folders for all lower rooms in them, things from outside.
    """

    floor: int
    name: str
    patterns: tuple[str, ...]
    sentence: str
    may_import: tuple[str, ...]

    def fit(self, file: str) -> int:
        """Returns the length of the longest pattern that the file fits, 0 if it fits none."""
        return max((len(p) for p in self.patterns if _fits(file, p)), default=0)

    def answers_to(self, entry: str) -> bool:
        """Whether an entry of a row means this room: its name, or a folder of all its files."""
        return entry == self.name or (
            entry.endswith("/") and all(p.startswith(entry) for p in self.patterns)
        )


def _fits(file: str, pattern: str) -> bool:
    if pattern.endswith("/"):
        return file.startswith(pattern)
    return PurePosixPath("/", file).match(f"/{pattern}")


def read_table(text: str) -> tuple[Room, ...]:
    """Reads the rooms from the text of the page."""
    found = TABLE.search(text)
    if found is None:
        raise ValueError("the page has no table that begins with `| floor |`")
    return tuple(map(_room, found[1].splitlines()))


def _room(line: str) -> Room:
    floor, room, sentence, may_import = (cell.strip() for cell in line.strip("|").split("|"))
    patterns = tuple(re.findall(r"`([^`]+)`", room))
    name = room.partition(":")[0] if ":" in room else patterns[0].rstrip("/")
    entries = tuple(filter(None, (entry.strip(" `") for entry in may_import.split(","))))
    return Room(int(floor), name, patterns, sentence, entries)


def draw(rooms: Sequence[Room]) -> str:
    """Returns the plan: a row of boxes for each floor, the highest first."""
    lines: list[str] = []
    above: list[int] = []
    for floor in sorted({room.floor for room in rooms}, reverse=True):
        here = [room for room in rooms if room.floor == floor]
        houses = {pattern.partition("/")[0] for room in here for pattern in room.patterns}
        house = houses.pop() if len(houses) == 1 else ""
        names = [room.name.removeprefix(f"{house}/") for room in here]
        walls = _walls([len(name) for name in names])
        boxes = "│".join(
            name.center(right - left - 1)
            for name, (left, right) in zip(names, itertools.pairwise(walls), strict=True)
        )
        lines += [_border(above, walls), f"{house:>{DRAWING_MARGIN - 4}} {floor:2} │{boxes}│"]
        above = walls
    return "\n".join([*lines, _border(above, [])])


def _walls(needed: Sequence[int]) -> list[int]:
    """Returns the columns of the walls around boxes that share what they do not need."""
    spare = DRAWING_WIDTH - sum(needed) - len(needed)
    if spare < 0:
        raise ValueError(f"a floor needs {-spare} columns more: raise DRAWING_WIDTH")
    return [sum(needed[:i]) + i + spare * i // len(needed) for i in range(len(needed) + 1)]


def _border(above: Collection[int], below: Collection[int]) -> str:
    """Returns the line between two floors, with the walls of both."""
    left, right = "┌┐" if not above else "├┤" if below else "└┘"
    line = "".join(
        " ┴┬┼"[(column in above) + 2 * (column in below)].replace(" ", "─")
        for column in range(1, DRAWING_WIDTH)
    )
    return f"{' ' * DRAWING_MARGIN}{left}{line}{right}"


def page() -> str:
    """Returns the page with the plan of its table, and with what the rooms say of themselves."""
    text = PAGE.read_text(encoding="utf-8")
    text = TABLE.sub(lambda found: re.sub(r"^\|.*`.*$", _described, found[0], flags=re.M), text)
    plan = f"```text\n{draw(read_table(text))}\n```"
    return DRAWING.sub(lambda found: f"{found[1]}\n{plan}\n\n{found[2]}", text)


def _described(line: re.Match[str]) -> str:
    """Returns a row with what the room itself says of it, if it does."""
    room = _room(line[0])
    says = _docstring(ROOT / room.name / "__init__.py") or _readme_row(ROOT / room.name)
    return line[0].replace(f"| {room.sentence} |", f"| {says or room.sentence} |")


def _docstring(file: Path) -> str:
    if not file.is_file():
        return ""
    docstring = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return docstring.partition("\n")[0].rstrip(".")


def _readme_row(folder: Path) -> str:
    """Returns the second cell of the folder's row in the README beside it."""
    readme = folder.parent / "README.md"
    text = readme.read_text(encoding="utf-8") if readme.is_file() else ""
    row = re.search(rf"^\| `{folder.name}/` \| (.+?) \|", text, re.MULTILINE)
    return row[1] if row else ""


if __name__ == "__main__":
    sys.exit(generated_file.main(PAGE, page, __doc__))
