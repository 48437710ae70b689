# SPDX-License-Identifier: Apache-2.0
"""The JSON schema of the configuration: accepts what the node accepts, refuses what it refuses."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

jsonschema = pytest.importorskip("jsonschema", reason="needs jsonschema")
yaml = pytest.importorskip("yaml", reason="needs PyYAML")

from hbm_runtime_ros.parameters.derived_tables import (
    IMAGE_PARAMETERS,
    MODEL_PARAMETERS,
    NODE_PARAMETERS,
)
from hbm_runtime_ros.parameters.row_type import ELEMENT_TYPES, ParameterSpec, ParameterType

CONFIG = Path(__file__).parents[4] / "config"
MODEL, IMAGE = ("eye",), ("eye", "left")
PLACES = (
    ((), NODE_PARAMETERS),
    (MODEL, (*MODEL_PARAMETERS, *IMAGE_PARAMETERS)),
    (IMAGE, IMAGE_PARAMETERS),
)
ROWS = [
    pytest.param(place, spec, id=".".join((*place, spec.name)))
    for place, table in PLACES
    for spec in table
]


@pytest.fixture(scope="module")
def validator() -> Any:
    schema = json.loads((CONFIG / "inference_node.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def nested(*path_and_value: Any) -> dict[str, Any]:
    """A file that holds one value, at this path below the node's parameters."""
    *path, value = path_and_value
    for part in reversed(["/**/inference_node", "ros__parameters", *path]):
        value = {part: value}
    return value


@pytest.mark.parametrize("file", sorted(CONFIG.glob("*.yaml")), ids=lambda file: file.name)
def test_the_example_configurations_fit(validator: Any, file: Path) -> None:
    validator.validate(yaml.safe_load(file.read_text()))
    assert "# yaml-language-server: $schema=inference_node.schema.json\n" in file.read_text()


def test_the_example_of_the_readme_fits(validator: Any) -> None:
    readme = (CONFIG.parent / "README.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```yaml\n(.*?)```", readme, re.DOTALL)
    validator.validate(yaml.safe_load(example))


@pytest.mark.parametrize(("place", "spec"), ROWS)
def test_every_parameter_is_known_with_its_default(
    validator: Any, place: tuple[str, ...], spec: ParameterSpec
) -> None:
    value = spec.default if not spec.demand else (["eye"] if spec.name == "models" else "x.hbm")
    validator.validate(nested(*place, spec.name, value))
    validator.validate(nested(*place, *spec.name.split("."), value))
    assert not validator.is_valid(nested(*place, f"{spec.name}x", value))
    assert not validator.is_valid(nested(*place, spec.name, None))


def wrong_values() -> Iterator[Any]:
    for place, table in PLACES:
        for spec in table:
            scalar = ELEMENT_TYPES.get(spec.type, spec.type)
            wrong: list[Any] = [3 if scalar is ParameterType.STRING else "three"]
            if spec.bounds:
                wrong += [spec.bounds[0] - 1, spec.bounds[1] + 1]
            if spec.choices:
                wrong.append("none of them")
            if scalar is ParameterType.INTEGER:
                wrong.append(0.5)
            for value in wrong:
                name = f"{'.'.join((*place, spec.name))}-{value}"
                given = value if scalar is spec.type else [value]
                yield pytest.param(place, spec, given, id=name)


@pytest.mark.parametrize(("place", "spec", "value"), wrong_values())
def test_a_value_of_another_type_or_out_of_range_does_not_fit(
    validator: Any, place: tuple[str, ...], spec: ParameterSpec, value: Any
) -> None:
    assert not validator.is_valid(nested(*place, spec.name, value))
    assert spec.problem(value)  # and the node says so too


@pytest.mark.parametrize(
    "content",
    [
        nested("eye", "priorty", 3),
        nested("eye", "left", "priority", 3),
        nested("eye", "left", "resise", "roi"),
        nested("priority", 3),
        nested("eye", "sync", "polcy", "exact"),
        nested("2d", "file", "x.hbm"),
        nested("models", []),
        nested("models", ["eye"] * 65),
        {"ros__parameters": {"models": ["eye"]}},
        {"/**": {"models": ["eye"]}},
        {"camera": {"inference_node": {"ros__parameters": {"priority": 3}}}},
        ["models"],
        {"player": 3},
    ],
    ids=str,
)
def test_what_is_written_in_the_wrong_place_does_not_fit(validator: Any, content: Any) -> None:
    assert not validator.is_valid(content)


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"/player": {"ros__parameters": {"rate": 30.0, "deep": {"er": [1]}}}},
        {"camera": {"inference_node": {"ros__parameters": {"models": ["eye"]}}}},
        nested("use_sim_time", True),
        nested("qos_overrides", {"/image": {"subscription": {"depth": 3}}}),
    ],
    ids=str,
)
def test_other_nodes_and_ros_itself_fit(validator: Any, content: Any) -> None:
    validator.validate(content)
