# SPDX-License-Identifier: Apache-2.0
"""Compares imports and includes with the table of rooms in doc/architecture.md, and draws the plan.

`python scripts/layers.py` draws the table into the page and prints what contradicts it.
"""

from __future__ import annotations

import ast
import graphlib
import itertools
import re
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import generated_file

PAGE = generated_file.ROOT / "doc" / "architecture.md"
PYTHON_FOLDERS = ("hbm_runtime", "hbm_runtime_ros", "examples", "scripts")
PYTHON_SUFFIXES = (".py", ".pyi")
NATIVE_FOLDERS = ("src",)
NATIVE_SUFFIXES = (".c", ".cpp", ".h", ".hpp")
INCLUDE_FOLDERS = ("src", "src/abi")
# What a room takes from outside of the repository only if its row says so.
OUTSIDE = {
    "ROS": re.compile(
        r"(rclpy|rpyutils|launch|launch_ros|ament_index_python|cv_bridge|rosbag2_py|rosidl\w*"
        r"|builtin_interfaces|\w+_(msgs|interfaces)|hbm_runtime_ros\.(msg|srv))(\.|$)"
    ),
    "pybind11": re.compile(r"pybind11/|Python\.h$"),
}
TABLE = re.compile(r"^\| floor \|.*\n\|[-:| ]+\|\n((?:\|.*\n)+)", re.MULTILINE)
CALL_UP = re.compile(r'\bimport\("(hbm_runtime[\w.]*)"\)')
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"\n]+)"|<([^>\n]+)>)', re.MULTILINE)
PRIVATE = re.compile(r"(.*?/)_(?!_)")
DRAWING = re.compile(r"(<!-- generated: plan .*?-->\n).*?(<!-- end of generated -->)", re.DOTALL)
DRAWING_MARGIN = 20
DRAWING_WIDTH = 78


@dataclass(frozen=True)
class Room:
    """A row of the table.

    Attributes:
        floor: 1 is the lowest.
        name: The folder, or what its files are called together.
        patterns: Folders, which end in `/`, or files; `*` in them stands for anything but `/`.
        sentence: What lives there.
        may_import: Names of rooms, folders for all lower rooms in them, keys of `OUTSIDE`.
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


@dataclass(frozen=True)
class File:
    """What one file imports or includes.

    Attributes:
        own: Files of the repository.
        outside: Keys of `OUTSIDE`.
        missing: What should be a file of the repository and is none.
    """

    own: Collection[str]
    outside: Collection[str] = ()
    missing: Collection[str] = ()


Tree = Mapping[str, File]


def _fits(file: str, pattern: str) -> bool:
    if pattern.endswith("/"):
        return file.startswith(pattern)
    return PurePosixPath("/", file).match(f"/{pattern}")


# -- reading ---------------------------------------------------------------------------------------


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


def read_tree(root: Path) -> Tree:
    """Reads what each Python file of the product, and each C and C++ file below src/, imports."""
    python = _files(root, PYTHON_FOLDERS, PYTHON_SUFFIXES)
    modules = {_module(file): file for file in python}
    native = _files(root, NATIVE_FOLDERS, NATIVE_SUFFIXES)
    texts = {file: (root / file).read_text(encoding="utf-8") for file in (*python, *native)}
    return {file: _read_python(file, texts[file], modules) for file in python} | {
        file: _read_native(file, texts[file], native, modules) for file in native
    }


def _files(root: Path, folders: Iterable[str], suffixes: Collection[str]) -> list[str]:
    return sorted(
        path.relative_to(root).as_posix()
        for folder in folders
        for path in (root / folder).rglob("*")
        if path.suffix in suffixes
    )


def _module(file: str) -> str:
    """Returns the name by which a file is imported from the repository's root."""
    parts = PurePosixPath(file).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _read_python(file: str, text: str, modules: Mapping[str, str]) -> File:
    names = set(_imported_names(file, ast.parse(text, file), modules))
    outside = _outside(names)
    own = {_file_of(name, file, modules) for name in names if not OUTSIDE["ROS"].match(name)}
    return File(sorted(each for each in own if each and each != file), outside)


def _imported_names(file: str, tree: ast.AST, modules: Mapping[str, str]) -> Iterator[str]:
    """Yields dotted names: of imports anywhere in a file, and of modules that a string names.

    A string names a module by its whole dotted name, `module:attribute` included. Where the file
    imports what strings say, one word and a relative name are enough. Names of loggers are none.
    """
    module = _module(file)
    package = module if file.endswith("__init__.py") else module.rpartition(".")[0]
    nodes = list(ast.walk(tree))
    importing = {"import_module", "__import__"}
    dynamic = any(
        importing & {getattr(node, key, None) for key in ("id", "attr", "name")} for node in nodes
    )
    loggers = {
        argument
        for node in nodes
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("getLogger")
        for argument in node.args
    }
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = _absolute("." * node.level + (node.module or ""), package)
            yield from (f"{start}.{alias.name}" for alias in node.names)
        elif node not in loggers:
            name = _text(node, module).partition(":")[0]
            name = _absolute(name, package) if dynamic else name
            if name in modules and (dynamic or "." in name):
                yield name


def _absolute(name: str, package: str) -> str:
    """Returns a dotted name without leading dots, which stand for the package and those above."""
    rest = name.lstrip(".")
    level = len(name) - len(rest)
    start = package.split(".")[: 1 - level or None] if level else []
    return ".".join(filter(None, (*start, rest)))


def _text(node: ast.AST, module: str) -> str:
    """Returns the text of a string; of an f-string up to what only the running program knows."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    text = ""
    for part in node.values if isinstance(node, ast.JoinedStr) else ():
        if isinstance(part, ast.FormattedValue):
            if ast.unparse(part.value) != "__name__":
                return text.rstrip(".")
            text += module
        else:
            text += _text(part, module)
    return text


def _file_of(name: str, file: str, modules: Mapping[str, str]) -> str | None:
    """Returns the own file that an imported name leads to; scripts import their neighbours."""
    beside = _module(file).rpartition(".")[0]
    while name:
        for candidate in (name,) if beside in modules else (f"{beside}.{name}", name):
            if candidate in modules:
                return modules[candidate]
        name = name.rpartition(".")[0]
    return None


def _read_native(file: str, text: str, files: Collection[str], modules: Collection[str]) -> File:
    """Reads the includes; a module that the binding asks Python for by name need only exist."""
    own, names = set(), set()
    missing = {module for module in CALL_UP.findall(text) if module not in modules}
    for quoted, angled in INCLUDE.findall(text):
        names.add(quoted or angled)
        folders = (str(PurePosixPath(file).parent), *INCLUDE_FOLDERS)
        candidates = (_normal(f"{folder}/{quoted or angled}") for folder in folders)
        found = next((each for each in candidates if each in files), None)
        if found:
            own.add(found)
        elif quoted:
            missing.add(quoted)
    return File(sorted(own), _outside(names), sorted(missing))


def _normal(path: str) -> str:
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            parts.pop()
        else:
            parts.append(part)
    return "/".join(parts)


def _outside(names: Collection[str]) -> list[str]:
    return [key for key, form in OUTSIDE.items() if any(map(form.match, names))]


# -- comparing -------------------------------------------------------------------------------------


def faults(rooms: Sequence[Room], tree: Tree) -> list[str]:
    """Returns what contradicts the table, a sentence each."""
    found = [f"no {kind} file was read" for kind, count in counts(tree).items() if not count]
    found += _faults_of_table(rooms)
    homes: dict[str, Room] = {}
    for file in tree:
        home = max(rooms, key=lambda room: room.fit(file))
        if home.fit(file):
            homes[file] = home
        else:
            found.append(f"{file} lies in no room of the table")
    found += [f"the room {room.name} holds no file" for room in rooms if room not in homes.values()]
    for file, home in homes.items():
        found += [f"{file} needs {name}, which does not exist" for name in tree[file].missing]
        found += [
            f"{file} needs {name}, which the row of {home.name} does not name"
            for name in tree[file].outside
            if name not in home.may_import
        ]
        for target in tree[file].own:
            if target in homes and homes[target] is not home:
                found += _faults_of_import(file, home, target, homes[target])
    return [*found, *_circles(homes, tree)]


def counts(tree: Tree) -> dict[str, int]:
    """Returns how many files of each language were read."""
    return {
        kind: sum(file.endswith(suffixes) for file in tree)
        for kind, suffixes in (("Python", PYTHON_SUFFIXES), ("C or C++", NATIVE_SUFFIXES))
    }


def _faults_of_table(rooms: Sequence[Room]) -> Iterator[str]:
    floors = {room.name: room.floor for room in rooms}
    if len(floors) < len(rooms):
        yield "two rooms of the table have one name"
    for room in rooms:
        for entry in room.may_import:
            if floors.get(entry, 0) > room.floor:
                yield f"the row of {room.name} allows {entry}, which is above it"
            elif entry not in OUTSIDE and not any(other.answers_to(entry) for other in rooms):
                yield f"the row of {room.name} allows {entry}, which is no room and no folder"


def _faults_of_import(file: str, home: Room, target: str, there: Room) -> Iterator[str]:
    way = f"{file} imports {target}"
    private = PRIVATE.match(target)
    if there.floor > home.floor:
        yield f"{way} upward: {home.name} is below {there.name}"
    elif there.floor == home.floor and there.name not in home.may_import:
        yield f"{way} sideways: {home.name} is beside {there.name}"
    elif not any(map(there.answers_to, home.may_import)):
        yield f"{way}: the row of {home.name} does not name {there.name}"
    elif private and not file.startswith(private[1]) and there.name not in home.may_import:
        yield f"{way}, which is private to {private[1]}"


def _circles(homes: Mapping[str, Room], tree: Tree) -> Iterator[str]:
    files = {file: set(tree[file].own) for file in homes}
    rooms: dict[str, set[str]] = {home.name: set() for home in homes.values()}
    for file, home in homes.items():
        rooms[home.name] |= {homes[target].name for target in tree[file].own if target in homes}
        rooms[home.name].discard(home.name)
    for kind, graph in (("files", files), ("rooms", rooms)):
        while circle := _circle(graph):
            yield f"{kind} import each other in a circle: {' -> '.join(circle)}"
            graph[circle[0]].discard(circle[1])  # to find the next one


def _circle(graph: Mapping[str, Collection[str]]) -> list[str]:
    try:
        graphlib.TopologicalSorter({node: sorted(graph[node]) for node in graph}).prepare()
    except graphlib.CycleError as error:
        return list(reversed(error.args[1]))
    return []


# -- drawing ---------------------------------------------------------------------------------------


def draw(rooms: Sequence[Room]) -> str:
    """Returns the plan: a row of boxes for each floor, the highest first."""
    lines: list[str] = []
    above: list[int] = []
    for floor in sorted({room.floor for room in rooms}, reverse=True):
        here = [room for room in rooms if room.floor == floor]
        houses = {pattern.partition("/")[0] for room in here for pattern in room.patterns}
        house = houses.pop() if len(houses) == 1 else ""
        names = [room.name.removeprefix(f"{house}/") for room in here]
        walls = _walls([len(name) + 2 for name in names])
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
    """Returns the page with the plan of its table, and with what Python's rooms say they are."""
    text = PAGE.read_text(encoding="utf-8")
    text = TABLE.sub(lambda found: re.sub(r"^\|.*`.*$", _described, found[0], flags=re.M), text)
    plan = f"```text\n{draw(read_table(text))}\n```"
    return DRAWING.sub(lambda found: f"{found[1]}\n{plan}\n\n{found[2]}", text)


def _described(line: re.Match[str]) -> str:
    """Returns a row with the first line of the room's docstring, if it has one."""
    room = _room(line[0])
    file = generated_file.ROOT / room.name / "__init__.py"
    if not file.is_file():
        return line[0]
    docstring = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    says = docstring.partition("\n")[0].rstrip(".")
    return line[0].replace(f"| {room.sentence} |", f"| {says} |")


def main() -> int:
    """Draws, compares, and returns the exit status."""
    status = generated_file.main(PAGE, page, __doc__)
    found = faults(read_table(PAGE.read_text(encoding="utf-8")), read_tree(generated_file.ROOT))
    print("\n".join(found) or "every import and include is one that the table allows")
    return status or bool(found)


if __name__ == "__main__":
    sys.exit(main())
