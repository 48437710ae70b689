# SPDX-License-Identifier: Apache-2.0
"""Makes what is said of inference_node in several places of its tables: references and schema.

The tables are hbm_runtime_ros/parameters/derived_tables.py and
hbm_runtime_ros/node/interface.py. Made of them are parts of README.md and doc/node.md, between
markers, and config/inference_node.schema.json.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import generated_file

from hbm_runtime_ros.node.interface import INTERFACES, Interface
from hbm_runtime_ros.parameters.derived_tables import (
    IMAGE_PARAMETERS,
    MODEL_PARAMETERS,
    NODE_PARAMETERS,
)
from hbm_runtime_ros.parameters.row_type import ELEMENT_TYPES, ParameterSpec, ParameterType, number

ROOT = generated_file.ROOT
README = ROOT / "README.md"
REFERENCE = ROOT / "doc" / "node.md"
SCHEMA = ROOT / "config" / "inference_node.schema.json"
MARKER = re.compile(
    r"(<!-- generated: (?P<name>[\w-]+) .*?-->\n).*?(<!-- end of generated -->)", re.DOTALL
)
# Types as tables have them, without advice.
SHORT_TYPES = {
    ParameterType.BOOL: "bool",
    ParameterType.INTEGER: "integer",
    ParameterType.DOUBLE: "double",
    ParameterType.STRING: "string",
    ParameterType.INTEGER_ARRAY: "integers",
    ParameterType.DOUBLE_ARRAY: "doubles",
    ParameterType.STRING_ARRAY: "strings",
}
OUR_MESSAGES = re.compile(r"hbm_runtime_ros/(msg|srv)/(\w+)")

Table = Iterable[ParameterSpec]


def fill(file: Path, names: Sequence[str]) -> Callable[[], str]:
    """Returns a function that returns a file's text with what stands between markers replaced."""

    def generate() -> str:
        text = file.read_text(encoding="utf-8")
        there = [found["name"] for found in MARKER.finditer(text)]
        if sorted(there) != sorted(names):
            sys.exit(f"{file.name} has markers for {there}, expected {list(names)}")
        folder = "" if file.parent == ROOT else "../"
        return MARKER.sub(
            lambda found: f"{found[1]}\n{PARTS[found['name']](folder)}\n{found[3]}", text
        )

    return generate


# -- references ------------------------------------------------------------------------------------


def interfaces(folder: str, services: bool) -> str:
    """Returns the table of the topics, or of the services."""
    rows = [each for each in INTERFACES if (each.direction == "service") == services]
    if services:
        return table(
            ("service", "type", "meaning"), ([_name(r), _link(r, folder), r.meaning] for r in rows)
        )
    return table(
        ("topic", "type", "QoS", "meaning"),
        ([_name(row), _link(row, folder), row.qos, row.meaning] for row in rows),
    )


def parameters(rows: Table) -> str:
    """Returns the table of the parameters."""
    return table(
        ("parameter", "type", "default", "range", "live", "meaning"),
        (
            [
                f"`{spec.name}`",
                SHORT_TYPES[spec.type],
                default_text(spec),
                allowed_text(spec),
                "yes" if spec.live else "",
                _escaped(spec.description),
            ]
            for spec in rows
        ),
    )


def default_text(spec: ParameterSpec) -> str:
    """Returns a default as a parameter file has it."""
    return "required" if spec.demand else f"`{json.dumps(spec.default)}`"


def allowed_text(spec: ParameterSpec) -> str:
    """Returns the range of a parameter."""
    if spec.choices:
        return ", ".join(f"`{choice}`" if choice else "empty" for choice in spec.choices)
    text = f"{number(spec.bounds[0])} to {number(spec.bounds[1])}" if spec.bounds else ""
    return _escaped(", ".join(filter(None, (text, spec.constraint))))


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Returns a table of Markdown."""
    lines = [list(heads)]
    lines += [["---"] * len(lines[0]), *map(list, rows)]
    return "".join(
        f"|{'|'.join(f' {cell} ' if cell else ' ' for cell in line)}|\n" for line in lines
    )


def _name(row: Interface) -> str:
    return f"`{row.name}`" + (" (in)" if row.direction == "in" else "")


def _link(row: Interface, folder: str) -> str:
    found = OUR_MESSAGES.fullmatch(row.type)
    if found is None:
        return f"`{row.type}`"
    return f"[`{found[2]}`]({folder}{found[1]}/{found[2]}.{found[1]})"


def _escaped(text: str) -> str:
    return text.replace("<", "\\<").replace("|", "\\|")


PARTS: dict[str, Callable[[str], str]] = {
    "topics": lambda folder: interfaces(folder, services=False),
    "services": lambda folder: interfaces(folder, services=True),
    "node-parameters": lambda folder: parameters(NODE_PARAMETERS),
    "model-parameters": lambda folder: parameters(MODEL_PARAMETERS),
    "image-parameters": lambda folder: parameters(IMAGE_PARAMETERS),
}


# -- schema ----------------------------------------------------------------------------------------


def schema() -> str:
    """Returns the JSON schema of a configuration file."""
    names = {"pattern": r"^[A-Za-z][A-Za-z0-9_]{0,63}$|\."}  # dotted: one of the properties
    ours = r"^/\*\*$|(^|/)inference_node$"
    content = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Configuration of inference_node",
        "description": "A ROS parameter file. Sections of other nodes may hold anything. What does "
        "not go together, and whether the models' files fit, is for `hbm check` to say.",
        "$ref": "#/$defs/namespace",
        "not": {"required": ["ros__parameters"]},
        "$defs": {
            "namespace": {
                "type": "object",
                "properties": {"ros__parameters": True},
                "patternProperties": {ours: {"$ref": "#/$defs/section"}},
                "additionalProperties": {"$ref": "#/$defs/namespace"},
            },
            "section": {
                "type": "object",
                "properties": {"ros__parameters": {"$ref": "#/$defs/node"}},
                "required": ["ros__parameters"],
                "additionalProperties": False,
            },
            "node": {
                "type": "object",
                "properties": {
                    **properties(NODE_PARAMETERS),
                    "use_sim_time": {"type": "boolean"},
                    "start_type_description_service": {"type": "boolean"},
                    "qos_overrides": {"type": "object"},
                },
                "propertyNames": names,
                "additionalProperties": {"$ref": "#/$defs/model"},
            },
            "model": {
                "description": "A model, under its name in `models`.",
                "type": "object",
                "properties": properties((*MODEL_PARAMETERS, *IMAGE_PARAMETERS)),
                "propertyNames": names,
                "additionalProperties": {"$ref": "#/$defs/image"},
            },
            "image": {
                "description": "An image, under its name in the model's `images`; what is not "
                "given is the model's.",
                "type": "object",
                "properties": properties(IMAGE_PARAMETERS),
                "additionalProperties": False,
            },
        },
    }
    return json.dumps(content, indent=2) + "\n"


def properties(rows: Table) -> dict[str, Any]:
    """Returns the schema of each parameter; dotted ones also as objects within objects."""
    found: dict[str, Any] = {}
    for spec in rows:
        found[spec.name] = of_parameter(spec)
        outer, dot, inner = spec.name.partition(".")
        if dot:
            nested = found.setdefault(
                outer, {"type": "object", "properties": {}, "additionalProperties": False}
            )
            nested["properties"][inner] = of_parameter(spec)
    return found


def of_parameter(spec: ParameterSpec) -> dict[str, Any]:
    """Returns the schema of one value."""
    about: dict[str, Any] = {"description": spec.description}
    if not spec.demand:
        about["default"] = spec.default
    if spec.type not in ELEMENT_TYPES:
        return {**about, **of_entry(spec, spec.type)}
    least, most = spec.items
    return {
        **about,
        "type": "array",
        "items": of_entry(spec, ELEMENT_TYPES[spec.type]),
        # a parameter file cannot hold an empty list
        "minItems": max(least, 1),
        "maxItems": most,
    }


def of_entry(spec: ParameterSpec, kind: ParameterType) -> dict[str, Any]:
    """Returns the schema of a value that is no list."""
    names = {
        ParameterType.BOOL: "boolean",
        ParameterType.INTEGER: "integer",
        ParameterType.DOUBLE: "number",
        ParameterType.STRING: "string",
    }
    entry: dict[str, Any] = {"type": names[kind]}
    if spec.choices:
        entry["enum"] = list(spec.choices)
    elif kind is ParameterType.STRING:
        entry["maxLength"] = 4096
        if spec.demand and spec.type is kind:
            entry["minLength"] = 1
    if spec.bounds:
        entry["minimum"], entry["maximum"] = spec.bounds
    return entry


def main() -> int:
    """Makes or compares all three files."""
    whole = ("topics", "services", "node-parameters", "model-parameters", "image-parameters")
    makers = (
        (README, fill(README, ("topics",))),
        (REFERENCE, fill(REFERENCE, whole)),
        (SCHEMA, schema),
    )
    return max([generated_file.main(file, make, __doc__) for file, make in makers])


if __name__ == "__main__":
    sys.exit(main())
