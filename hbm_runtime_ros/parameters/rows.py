# SPDX-License-Identifier: Apache-2.0
"""Parameters as fields of dataclasses: a field carries its row of the table. Knows no ROS.

A dataclass of settings has three kinds of fields: parameters, made with `row`; groups, which are
dataclasses of settings themselves; and `name`, which says whose settings they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, Field, field, fields, is_dataclass
from types import MappingProxyType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from hbm_runtime_ros.parameters.row_type import ParameterSpec

T = TypeVar("T")
Facts = Mapping[str, Any]
_NO_FACTS: Facts = MappingProxyType({})


def row(default: T, description: str, **facts: Any) -> T:
    """Make a field that is a parameter.

    The choices of a field whose type is a Literal are those of the type.

    Args:
        default: Of the field. The parameter's is the same, but a list instead of a tuple; see
            `rows`.
        description: What it means, with its unit.
        **facts: Other attributes of `ParameterSpec`; `name` where it is not the field's.

    Example:
        >>> from dataclasses import dataclass
        >>> @dataclass(frozen=True)
        ... class Camera:
        ...     rate: float = row(30.0, "Images per second.", bounds=(0.1, 1000))
        >>> Camera().rate
        30.0
        >>> [(spec.name, spec.default, spec.allowed) for spec in rows(Camera())]
        [('rate', 30.0, '0.1 to 1000')]
    """
    return field(default=default, metadata={"description": description, **facts})


def group(default: T, prefix: str = "", *, live: bool = False, topic: str = "") -> T:
    """Make a field that holds settings of its own.

    Args:
        default: The settings without configuration.
        prefix: Before the names of their parameters, e.g. "sync.".
        live: Whether all of them may change while the node runs.
        topic: What `{topic}` stands for in their descriptions.
    """
    return field(default=default, metadata={"prefix": prefix, "live": live, "topic": topic})


def rows(
    settings: Any,
    elsewhere: Mapping[str, Facts] = _NO_FACTS,
    *,
    prefix: str = "",
    live: bool = False,
    topic: str = "",
) -> Iterator[ParameterSpec]:
    """Make the rows of a table.

    Args:
        settings: Instance of a dataclass, whose values are the defaults. A parameter file has
            lists instead of tuples, [""] for (), and the names of settings instead of settings.
        elsewhere: Facts, as `row` takes them, per name of a field that carries none itself.
        prefix: Before all names.
        live: Whether all may change while the node runs.
        topic: What `{topic}` stands for in descriptions.

    Returns:
        A row per parameter, in the order of the fields.
    """
    types = get_type_hints(type(settings))
    for each in fields(settings):
        value = getattr(settings, each.name)
        if is_dataclass(value):
            yield from rows(value, elsewhere, **each.metadata)
        elif each.name != "name":
            facts = {"live": live, **(each.metadata or elsewhere[each.name])}
            facts["name"] = prefix + _parameter(each)
            facts["description"] = facts["description"].replace("{topic}", topic)
            if get_origin(types[each.name]) is Literal:
                facts["choices"] = get_args(types[each.name])
            yield ParameterSpec(default=_listed(value), **facts)


def read(kind: type[T], value: Callable[[str], Any], prefix: str = "", **given: Any) -> T:
    """Make settings of the values of parameters.

    Args:
        kind: Dataclass of the settings.
        value: Returns the value of a parameter, as the settings hold it.
        prefix: Before the names of all parameters.
        **given: Fields that are not read.
    """
    for each in fields(kind):  # type: ignore[arg-type]  # a dataclass
        if each.name in given:
            continue
        default = each.default if each.default_factory is MISSING else each.default_factory()
        if is_dataclass(default):
            inner = prefix + each.metadata.get("prefix", "")
            given[each.name] = read(type(default), value, inner)
        else:
            given[each.name] = value(prefix + _parameter(each))
    return kind(**given)


def _parameter(each: Field[Any]) -> str:
    name: str = each.metadata.get("name", each.name)
    return name


def _listed(value: Any) -> Any:
    if not isinstance(value, tuple):
        return value
    return [getattr(entry, "name", entry) for entry in value] or [""]
