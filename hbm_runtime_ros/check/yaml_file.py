# SPDX-License-Identifier: Apache-2.0
"""Reads ROS parameter files with their line numbers, as ROS reads them; hostile files are refused.

Scalars become values as in rcl_yaml_param_parser, not as in YAML 1.1 or 1.2: `010` is 8, `1e3` is a
double, `~` is a string.
"""

from __future__ import annotations

import math
import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from hbm_runtime_ros.parameters.row_type import shortened, shown, type_of

MAX_BYTES = 1 << 20
MAX_DEPTH = 16  # mappings within mappings
MAX_NODES = 100_000  # keys, values and entries of lists
PARAMETERS = "ros__parameters"

# libyaml where PyYAML was built with it: fifty times faster
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_TRUE = frozenset(("Y", "y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"))
_FALSE = frozenset(("N", "n", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"))
_HEXADECIMAL = re.compile(r"([+-]?)0[xX]([0-9a-fA-F]+)")
_OCTAL = re.compile(r"([+-]?)0([0-7]+)")
_DECIMAL = re.compile(r"([+-]?)(0|[1-9][0-9]{0,18})")
_DOUBLE = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_HEXADECIMAL_DOUBLE = re.compile(
    r"[+-]?0[xX]([0-9a-fA-F]+\.?[0-9a-fA-F]*|\.[0-9a-fA-F]+)([pP][+-]?[0-9]{1,5})?"
)
_NOT_FINITE = re.compile(r"([+-]?)(?:(inf|infinity)|nan(?:\([0-9a-zA-Z_]*\))?)", re.IGNORECASE)
_DOTTED = re.compile(r"([+-]?)\.(?:(inf|Inf|INF)|nan|NaN|NAN)")
_LONGEST_NUMBER = 512  # characters
_SMALLEST_NORMAL = 2.2250738585072014e-308


class LineProblem(NamedTuple):
    """What is wrong with a line of a file.

    Attributes:
        line: Counted from 1.
        key: The parameter, section or "".
        text: A clause that follows the key.
    """

    line: int
    key: str
    text: str


class ConfigFileError(ValueError):
    """A file that is no parameter file.

    Attributes:
        line: Where that shows, counted from 1; 0 for the file as a whole.
        text: Why.
    """

    def __init__(self, text: str, line: int = 0) -> None:
        super().__init__(f"line {line}: {text}" if line else text)
        self.line = line
        self.text = text


@dataclass
class Section:
    """The parameters of one node, or of those that a pattern fits.

    Attributes:
        node: Its name as the file has it, from the root: "/**", "/camera/inference_node".
        line: Of the name.
        values: Value per key.
        lines: Line per key and per beginning of keys ("detector").
    """

    node: str
    line: int
    values: dict[str, Any] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)

    @property
    def is_pattern(self) -> bool:
        """Whether it is for more than one node."""
        return "*" in self.node

    def is_for(self, node: str) -> bool:
        """Whether a node gets these parameters.

        Args:
            node: Its name from the root, or its last part only: then the namespace does not matter.
        """
        tokens = self.node.split("/")[1:]
        if "/" in node:
            return _fits(tokens, node.strip("/").split("/"))
        return tokens[-1] in (node, "*", "**")


@dataclass
class ParameterFile:
    """A whole file.

    Attributes:
        sections: In the order of the file: what comes later goes before what came earlier.
        problems: What ROS would refuse or misunderstand, in the order of the lines.
    """

    sections: list[Section] = field(default_factory=list)
    problems: list[LineProblem] = field(default_factory=list)


def read(path: str | os.PathLike[str]) -> ParameterFile:
    """Read a parameter file.

    Args:
        path: Of a regular file of at most 1 MiB.

    Raises:
        ConfigFileError: If it cannot be read, or is no YAML.
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # opening a pipe would wait for ever
            raise ConfigFileError("is not a regular file")
        with open(path, "rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise ConfigFileError(f"does not exist (looked from {Path.cwd()})") from None
    except ConfigFileError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        text = getattr(error, "strerror", None) or error
        raise ConfigFileError(f"cannot be read: {text}") from error
    return parse(data)


def parse(data: bytes) -> ParameterFile:
    """Read the content of a parameter file.

    Args:
        data: UTF-8, at most 1 MiB.

    Raises:
        ConfigFileError: If it is no YAML, or YAML that no parameter file is.
    """
    if len(data) > MAX_BYTES:
        raise ConfigFileError(f"is larger than {MAX_BYTES} bytes, more than a configuration has")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigFileError(f"must be UTF-8, got byte 0x{data[error.start]:02x}", line) from None
    try:
        return _Reader(text).file()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        parts = [part for part in (error.context, error.problem) if part]
        raise ConfigFileError(
            f"is not YAML: {', '.join(parts)}", mark.line + 1 if mark else 0
        ) from None
    except yaml.YAMLError as error:
        text = str(getattr(error, "reason", "") or error).splitlines()[0]
        raise ConfigFileError(f"is not YAML: {shortened(text)}") from None


def parse_value(text: str) -> Any:
    """Read one parameter's value as a file would have it after the colon.

    Args:
        text: For instance "3", "[left, right]" or "/camera/image".

    Raises:
        ConfigFileError: If that is no value.

    Example:
        >>> parse_value("[left, right]"), parse_value("1e3"), parse_value("010")
        (['left', 'right'], 1000.0, 8)
    """
    content = parse(f"/**:\n  {PARAMETERS}:\n    value: {text}\n".encode())
    for problem in content.problems:
        raise ConfigFileError(problem.text)
    (section,) = content.sections or [Section("", 0)]
    if list(section.values) != ["value"]:
        raise ConfigFileError(f"must be a single one, got {shown(text)}")
    return section.values["value"]


def value_of_scalar(text: str, quoted: bool = False) -> Any:
    """The value that ROS takes a scalar of a parameter file for.

    Args:
        text: The scalar, unquoted.
        quoted: Whether it stood in quotes.

    Returns:
        bool, int, float or str.
    """
    if quoted or len(text) > _LONGEST_NUMBER:
        return text
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    integer = _integer(text)
    if integer is not None and -(2**63) <= integer < 2**63:
        return integer
    number = _double(text)
    return text if number is None else number


@dataclass
class _Node:
    """A value of the file: a scalar's value, a list of nodes or a list of key and node."""

    line: int
    content: Any


class _Pair(NamedTuple):
    key: str
    line: int
    node: _Node


class _Map(list[_Pair]):
    """The pairs of a mapping."""


class _List(list[_Node]):
    """The entries of a sequence."""


class _Nothing:
    """What stands where a value is missing."""


class _Reader:
    """Walks over a file's events; nothing is made of it before its depth is known."""

    def __init__(self, text: str) -> None:
        self._events: Iterator[yaml.Event] = yaml.parse(text, Loader=_Loader)
        self._result = ParameterFile()
        self._nodes = 0

    def file(self) -> ParameterFile:
        """Read everything."""
        next(self._events)  # the stream's start
        for event in self._events:
            if isinstance(event, yaml.StreamEndEvent):
                break
            root = self._node(next(self._events), 0)  # event: the document's start
            next(self._events)  # the document's end
            self._sections(root, [])
        self._result.problems.sort(key=lambda problem: problem.line)
        return self._result

    # -- YAML --

    def _node(self, event: yaml.Event, depth: int) -> _Node:
        line = event.start_mark.line + 1
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise ConfigFileError(f"holds more than {MAX_NODES} values", line)
        if depth > MAX_DEPTH:
            raise ConfigFileError(f"is nested more than {MAX_DEPTH} levels deep", line)
        if isinstance(event, yaml.AliasEvent):
            raise ConfigFileError(
                f"has an alias, *{shortened(event.anchor)}; ROS reads none: write the value out",
                line,
            )
        if isinstance(event, yaml.SequenceStartEvent):
            entries = _List()
            for inner in self._until(yaml.SequenceEndEvent):
                entries.append(self._node(inner, depth + 1))
            return _Node(line, entries)
        if isinstance(event, yaml.MappingStartEvent):
            pairs = _Map()
            for inner in self._until(yaml.MappingEndEvent):
                if not isinstance(inner, yaml.ScalarEvent):
                    raise ConfigFileError("has a key that is not a word", inner.start_mark.line + 1)
                node = self._node(next(self._events), depth + 1)
                pairs.append(_Pair(inner.value, inner.start_mark.line + 1, node))
            return _Node(line, pairs)
        assert isinstance(event, yaml.ScalarEvent)
        quoted = event.style in ("'", '"') or event.tag == "tag:yaml.org,2002:str"
        if not event.value and not quoted:
            return _Node(line, _Nothing())
        return _Node(line, value_of_scalar(event.value, quoted))

    def _until(self, end: type[yaml.Event]) -> Iterator[yaml.Event]:
        for event in self._events:
            if isinstance(event, end):
                return
            yield event

    # -- what ROS makes of it --

    def _sections(self, root: _Node, path: list[str]) -> None:
        """Find the sections below a namespace."""
        where = "/" + "/".join(path) if path else ""
        if isinstance(root.content, _Nothing) and not path:
            return  # an empty file
        if not isinstance(root.content, _Map):
            self._problem(
                root.line,
                where,
                f"must be the name of a node, below it {PARAMETERS}: and below that its "
                f"parameters, got {_text(root)}",
            )
            return
        seen: set[str] = set()
        for key, line, node in root.content:
            if key in seen:
                self._problem(line, key, "is given twice")
            elif key == PARAMETERS and not path:
                self._problem(line, key, "must stand below the name of a node, for instance /**:")
            elif key == PARAMETERS:
                section = Section(where, line)
                self._result.sections.append(section)
                self._parameters(section, node, "")
            else:
                self._sections(node, [*path, *filter(None, key.split("/"))])
            seen.add(key)

    def _parameters(self, section: Section, node: _Node, prefix: str) -> None:
        """Put the parameters below a key into their section."""
        if not isinstance(node.content, _Map):
            if not isinstance(node.content, _Nothing):
                self._problem(node.line, PARAMETERS, f"must hold parameters, got {_text(node)}")
            return
        for name, line, below in node.content:
            key = f"{prefix}{name}"
            if not name:
                self._problem(line, key, "must have a name")
            elif key in section.lines:
                self._problem(line, key, f"is given twice, first in line {section.lines[key]}")
            elif isinstance(below.content, _Map):
                section.lines[key] = line
                if not below.content:
                    self._problem(line, key, "must have a value, got {}; leave the line out")
                self._parameters(section, below, f"{key}.")
            else:
                section.lines[key] = line
                self._value(section, key, below)

    def _value(self, section: Section, key: str, node: _Node) -> None:
        content = node.content
        if isinstance(content, _Nothing):
            self._problem(node.line, key, 'must have a value; leave the line out, or write ""')
        elif isinstance(content, _List):
            values = [entry.content for entry in content]
            if not values:
                self._problem(
                    node.line,
                    key,
                    "must not be an empty list, whose type ROS could not tell: leave the line out, "
                    'or write [""] for an empty list of strings',
                )
            elif any(isinstance(value, (_List, _Map, _Nothing)) for value in values):
                self._problem(node.line, key, f"must be a flat list, got {_text(node)}")
            elif type_of(values) is None:
                self._problem(node.line, key, f"must hold values of one type, got {shown(values)}")
            section.values[key] = values
        else:
            section.values[key] = content

    def _problem(self, line: int, key: str, text: str) -> None:
        self._result.problems.append(LineProblem(line, key, text))


def _fits(pattern: Sequence[str], name: Sequence[str]) -> bool:
    """Whether a pattern with * for a part and ** for any number of parts fits a name."""
    possible = {0}  # parts of the name that the pattern's parts so far may stand for
    for part in pattern:
        if part == "**":
            possible = set(range(min(possible), len(name) + 1))
        else:
            possible = {
                taken + 1 for taken in possible if taken < len(name) and part in ("*", name[taken])
            }
        if not possible:
            return False
    return len(name) in possible


def _integer(text: str) -> int | None:
    """As strtol with base 0."""
    for pattern, base in ((_DECIMAL, 10), (_HEXADECIMAL, 16), (_OCTAL, 8)):
        found = pattern.fullmatch(text)
        if found:
            return int(found[1] + found[2], base)
    return None


def _double(text: str) -> float | None:
    """As strtod, with YAML's infinity and NaN."""
    special = _NOT_FINITE.fullmatch(text) or _DOTTED.fullmatch(text)
    if special:
        return math.copysign(math.inf if special[2] else math.nan, -1 if special[1] == "-" else 1)
    try:
        if _DOUBLE.fullmatch(text):
            value = float(text)
        elif _HEXADECIMAL_DOUBLE.fullmatch(text):
            value = float.fromhex(text)
        else:
            return None
    except OverflowError:
        return None
    mantissa = re.split("[pP]" if "x" in text.lower() else "[eE]", text)[0].lower()
    is_zero = not re.search("[1-9a-f]", mantissa.replace("0x", ""))
    in_range = math.isfinite(value) and (is_zero or abs(value) >= _SMALLEST_NORMAL)
    return value if in_range else None  # strtod says ERANGE, and ROS takes it for a string


def _text(node: _Node) -> str:
    if isinstance(node.content, _Map):
        return "a mapping"
    if isinstance(node.content, _List):
        return "a list"
    return "nothing" if isinstance(node.content, _Nothing) else shown(node.content)
