# SPDX-License-Identifier: Apache-2.0
"""Parameters as rows of a table that describes and checks them in one voice. Knows no ROS."""

from __future__ import annotations

import array
import enum
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from hbm_runtime import _texts

MAX_TEXT = 4096  # characters of a string, and of a string in a list
_MOST_SHOWN = 120  # characters of a value in a message
_INT64 = (-(2**63), 2**63 - 1)


class ParameterType(enum.IntEnum):
    """Types of parameters, numbered as in rcl_interfaces/msg/ParameterType."""

    BOOL = 1
    INTEGER = 2
    DOUBLE = 3
    STRING = 4
    BOOL_ARRAY = 6
    INTEGER_ARRAY = 7
    DOUBLE_ARRAY = 8
    STRING_ARRAY = 9


# What a message calls each type, and what the reference does.
TYPE_TEXTS = {
    ParameterType.BOOL: "bool",
    ParameterType.INTEGER: "integer",
    ParameterType.DOUBLE: "double (with a decimal point)",
    ParameterType.STRING: "string",
    ParameterType.BOOL_ARRAY: "list of bools",
    ParameterType.INTEGER_ARRAY: "list of integers",
    ParameterType.DOUBLE_ARRAY: "list of doubles (each with a decimal point)",
    ParameterType.STRING_ARRAY: "list of strings",
}
ELEMENT_TYPES = {
    ParameterType.BOOL_ARRAY: ParameterType.BOOL,
    ParameterType.INTEGER_ARRAY: ParameterType.INTEGER,
    ParameterType.DOUBLE_ARRAY: ParameterType.DOUBLE,
    ParameterType.STRING_ARRAY: ParameterType.STRING,
}
_UNQUOTED = (ParameterType.BOOL, ParameterType.INTEGER, ParameterType.DOUBLE)
_ARRAY_TYPES = {element: whole for whole, element in ELEMENT_TYPES.items()}


class Problem(NamedTuple):
    """What is wrong with one parameter.

    Attributes:
        key: Its whole name, e.g. "detector.priority"; "" where no single one is to blame.
        text: A clause that follows the name, e.g. "must be 0 to 255, got 300".
    """

    key: str
    text: str

    def __str__(self) -> str:
        text = f"parameter '{shortened(self.key)}' {self.text}" if self.key else self.text
        return _texts.one_line(text)


class ConfigurationError(ValueError):
    """A configuration that a node cannot work with.

    Attributes:
        problems: All that is wrong with it, at least one.
    """

    def __init__(self, problems: str | Iterable[Problem]) -> None:
        """Take the problems, or the text of a single one that is no parameter's."""
        self.problems = (Problem("", problems),) if isinstance(problems, str) else tuple(problems)
        super().__init__("; ".join(map(str, self.problems)))


@dataclass(frozen=True)
class ParameterSpec:
    """One row of a parameter table.

    Attributes:
        name: Key, without the model's prefix.
        default: Value without configuration; its type is the parameter's type.
        description: What it means, with its unit.
        bounds: Smallest and largest number allowed; in a list, of each.
        choices: Strings allowed; in a list, for each.
        items: Least and most entries of a list.
        check: Returns what is wrong with a value of the right type as "must ...", or "" if nothing
            is.
        constraint: What `check` demands, for descriptor and reference.
        live: May change while the node runs.

    Example:
        >>> rate = ParameterSpec("rate", 30.0, "Images per second.", bounds=(0.01, 1000))
        >>> rate.problem(30)
        'must be of type double (with a decimal point), got 30; write 30.0'
        >>> rate.problem(60.0)
        ''
    """

    name: str
    default: Any
    description: str
    bounds: tuple[float, float] | None = None
    choices: tuple[str, ...] = ()
    items: tuple[int, int] = (0, 64)
    check: Callable[[Any], str] = lambda value: ""
    constraint: str = ""
    live: bool = False

    @property
    def type(self) -> ParameterType:
        """Type of the parameter."""
        found = type_of(self.default)
        assert found is not None, self.name
        return found

    @property
    def demand(self) -> str:
        """A clause "must ..." where the default is not allowed and a value must be given, or ""."""
        return self._clause(self.default)

    @property
    def allowed(self) -> str:
        """What is allowed beside the type, e.g. "0 to 255"; "" for everything."""
        parts = []
        if self.choices:
            parts.append(f"one of {', '.join(choice or _EMPTY for choice in self.choices)}")
        elif self.bounds:
            parts.append(f"{number(self.bounds[0])} to {number(self.bounds[1])}")
        if self.constraint:
            parts.append(self.constraint)
        return ", ".join(parts)

    def problem(self, value: Any) -> str:
        """Say what is wrong with a value.

        Args:
            value: As configured, of any type.

        Returns:
            A clause "must ..., got ...", or "" if the value is fine.
        """
        clause = self._clause(value)
        return f"{clause}, got {shown(value)}{self._hint(value)}" if clause else ""

    def _clause(self, value: Any) -> str:
        wanted = self.type
        if isinstance(value, (list, tuple, array.array)) and not len(value):
            # ROS has typed empty lists, but its parameter files have not: the default of each list
            # can be written down
            if wanted not in ELEMENT_TYPES or self.items[0] > 0:
                return f"must be of type {TYPE_TEXTS[wanted]}, not empty"
        elif type_of(value) != wanted:
            return f"must be of type {TYPE_TEXTS[wanted]}"
        entries = list(value) if wanted in ELEMENT_TYPES else [value]
        if wanted in ELEMENT_TYPES and not self.items[0] <= len(entries) <= self.items[1]:
            return f"must have {_count(self.items)}"
        return self._entries_clause(entries) or self.check(
            entries if wanted in ELEMENT_TYPES else value
        )

    def _entries_clause(self, entries: Sequence[Any]) -> str:
        each = "hold " if self.type in ELEMENT_TYPES else "be "
        if self.bounds and not all(self.bounds[0] <= entry <= self.bounds[1] for entry in entries):
            return f"must {each}{number(self.bounds[0])} to {number(self.bounds[1])}"
        if self.choices and not all(entry in self.choices for entry in entries):
            what = "some of" if self.type in ELEMENT_TYPES else "one of"
            return f"must {each}{what} {', '.join(choice or _EMPTY for choice in self.choices)}"
        for entry in entries:
            if isinstance(entry, str):
                if len(entry) > MAX_TEXT:
                    return f"must {each}at most {MAX_TEXT} characters"
                if not entry.isprintable():
                    return f"must {each}printable characters only"
        return ""

    def _hint(self, value: Any) -> str:
        """How to write what was probably meant."""
        given = type_of(value)
        if value is None:  # what ROS makes of an empty list
            text = self.type is ParameterType.STRING_ARRAY
            return "; leave the line out" + (', or write [""] for no strings' if text else "")
        if self.type is ParameterType.DOUBLE and given is ParameterType.INTEGER:
            return f"; write {float(value)!r}"
        if self.type is ParameterType.INTEGER and isinstance(value, float) and value.is_integer():
            return f"; write {int(value)}"
        if self.type is ParameterType.STRING and given in _UNQUOTED:
            return "; in a file, put it in quotes"
        # [y] and [on] are lists of bools
        if self.type is ParameterType.STRING_ARRAY != given and given in ELEMENT_TYPES:
            return "; in a file, put each in quotes"
        if given is not None and given is ELEMENT_TYPES.get(self.type):
            return "; put it in brackets"
        return ""


_EMPTY = '""'


def type_of(value: Any) -> ParameterType | None:
    """Find out what type of parameter holds a value; None for none, also for an empty list."""
    if isinstance(value, bool):
        return ParameterType.BOOL
    if isinstance(value, int):
        return ParameterType.INTEGER if _INT64[0] <= value <= _INT64[1] else None
    if isinstance(value, float):
        return ParameterType.DOUBLE
    if isinstance(value, str):
        return ParameterType.STRING
    if isinstance(value, (list, tuple, array.array)) and len(value):
        kinds = {type_of(entry) for entry in value}
        kind = kinds.pop()
        return _ARRAY_TYPES.get(kind) if kind is not None and not kinds else None
    return None


def check_values(table: Mapping[str, ParameterSpec], values: Mapping[str, Any]) -> list[Problem]:
    """Check each value alone; keys that the table lacks are left out.

    Args:
        table: Row per key.
        values: Value per key, of any type.

    Returns:
        At most one problem per key.
    """
    found = []
    for key, value in values.items():
        text = table[key].problem(value) if key in table else ""
        if text:
            found.append(Problem(key, text))
    return found


def not_empty(what: str) -> Callable[[str], str]:
    """Make a check for strings that must be given; `what` says what should be there."""
    return lambda value: "" if value.strip() else f"must be {what}"


def number(value: float) -> str:
    """Write a number of a table in full: 0.5, 255, 2147483647."""
    return str(int(value)) if float(value).is_integer() else f"{value:g}"


def shown(value: Any) -> str:
    """A value as a message shows it: bounded, whatever it is."""
    if isinstance(value, (tuple, array.array)):
        value = list(value[:_MOST_SHOWN])
    return _texts.shown(value, _MOST_SHOWN)


def shortened(text: str) -> str:
    """A text of bounded length."""
    return _texts.shortened(text, _MOST_SHOWN)


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """The end of a message about an unknown name: the nearest known one, or nothing."""
    near = _texts.nearest(name, names)
    return f"; did you mean {near[0]}?" if near else ""


def _count(items: tuple[int, int]) -> str:
    least, most = items
    if least == most:
        return f"{least} entries"
    return f"{least} to {most} entries" if least else f"at most {most} entries"
