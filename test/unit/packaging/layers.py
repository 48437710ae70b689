# SPDX-License-Identifier: Apache-2.0
"""Reads every import and include, and says what contradicts the table of rooms."""

from __future__ import annotations

import ast
import graphlib
import re
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

sys.path.insert(0, str(Path(__file__).parents[3] / "scripts"))
from generate_plan import Room

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
CALL_UP = re.compile(r'\bimport\("(hbm_runtime[\w.]*)"\)')
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"\n]+)"|<([^>\n]+)>)', re.MULTILINE)
PRIVATE = re.compile(r"(.*?/)_(?!_)")


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
