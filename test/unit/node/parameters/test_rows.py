# SPDX-License-Identifier: Apache-2.0
"""Fields of dataclasses as rows of a table, and back: values of parameters as settings."""

from __future__ import annotations

import doctest
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, Literal

import pytest

from hbm_runtime_ros.parameters import known, reading, row_type
from hbm_runtime_ros.parameters import rows as row_module
from hbm_runtime_ros.parameters.rows import group, read, row, rows


@dataclass(frozen=True)
class Lens:
    kind: Literal["wide", "tele"] = row("wide", "Lens of {topic}.")
    focus: float = row(0.5, "Metres.", bounds=(0, 10), name="distance")


@dataclass(frozen=True)
class Foreign:
    gains: tuple[float, ...] = (1.0, 2.0)


@dataclass(frozen=True)
class Camera(Foreign):
    name: str = ""
    tags: tuple[str, ...] = row((), "Tags.")
    lens: Lens = group(Lens("tele"), prefix="lens.", live=True, topic="~/front")
    more: Lens = field(default_factory=Lens)


ELSEWHERE = {"gains": dict(description="Gains.", items=(2, 2))}


def table() -> dict[str, Any]:
    return {spec.name: spec for spec in rows(Camera(), ELSEWHERE)}


def test_a_field_carries_its_row_in_the_order_of_the_fields() -> None:
    assert [*table()] == ["gains", "tags", "lens.kind", "lens.distance", "kind", "distance"]
    assert table()["distance"].bounds == (0, 10)
    assert table()["distance"].description == "Metres."


def test_a_default_is_that_of_the_settings_as_a_file_has_it() -> None:
    assert {name: spec.default for name, spec in table().items()} == {
        "gains": [1.0, 2.0],
        "tags": [""],
        "lens.kind": "tele",
        "lens.distance": 0.5,
        "kind": "wide",
        "distance": 0.5,
    }


def test_settings_are_listed_by_their_names() -> None:
    @dataclass(frozen=True)
    class Rig:
        cameras: tuple[Camera, ...] = row((Camera(name="left"), Camera(name="right")), "Cameras.")

    (spec,) = rows(Rig())
    assert spec.default == ["left", "right"]


def test_a_literal_gives_the_choices() -> None:
    assert table()["kind"].choices == ("wide", "tele")
    assert table()["distance"].choices == ()


def test_a_group_says_what_its_rows_have_in_common() -> None:
    assert [name for name, spec in table().items() if spec.live] == ["lens.kind", "lens.distance"]
    assert table()["lens.kind"].description == "Lens of ~/front."


def test_a_field_that_nobody_describes_is_refused() -> None:
    with pytest.raises(KeyError, match="gains"):
        list(rows(Camera()))


def test_a_fact_that_no_row_has_is_refused() -> None:
    @dataclass(frozen=True)
    class Wrong:
        rate: float = row(30.0, "Hertz.", bound=(0, 1))

    with pytest.raises(TypeError, match="bound"):
        list(rows(Wrong()))


def test_settings_are_read_by_the_names_of_the_table() -> None:
    values = {f"eye.{name}": index for index, name in enumerate(table())}
    camera = read(Camera, values.__getitem__, "eye.", name="left")
    assert (camera.name, camera.gains, camera.tags) == ("left", 0, 1)
    assert (camera.lens, camera.more) == (Lens(2, 3), Lens(4, 5))


@pytest.mark.parametrize("module", [known, reading, row_module, row_type], ids=lambda m: m.__name__)
def test_the_examples_are_true(module: ModuleType) -> None:
    done = doctest.testmod(module)
    assert done.attempted > 0 and done.failed == 0
