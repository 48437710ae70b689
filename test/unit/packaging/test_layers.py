# SPDX-License-Identifier: Apache-2.0
"""A room imports only what the table in doc/architecture.md allows; the plan is drawn from it."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[3]

sys.path.insert(0, str(REPOSITORY / "scripts"))
sys.path.insert(0, str(Path(__file__).parent))
import generate_plan
import layers

# A small house: three floors of Python, two of C++, and a tool beside them.
TABLE = """
| floor | room | what lives there | may import |
| ---: | --- | --- | --- |
| 4 | `scripts/` | tools | `hbm_runtime_ros/` |
| 3 | `hbm_runtime_ros/node/` | wiring | `hbm_runtime_ros/`, ROS |
| 2 | `hbm_runtime_ros/pipeline/` | frames | `hbm_runtime_ros/` |
| 2 | `hbm_runtime_ros/check/` | files | `hbm_runtime_ros/pipeline`, `hbm_runtime_ros/` |
| 1 | `hbm_runtime_ros/parameters/` | the table | |
| 1 | faces: `hbm_runtime_ros/__init__.py` `hbm_runtime_ros/conv*.py` | names | |
| 2 | `src/core/` | the core | `src/abi` |
| 2 | `src/simulator/` | the simulator | `src/abi` |
| 1 | `src/abi/` | declarations | |
"""
SOUND = {
    "hbm_runtime_ros/__init__.py": '"""Nothing."""',
    "hbm_runtime_ros/conversions.py": "import json",
    "hbm_runtime_ros/parameters/__init__.py": "",
    "hbm_runtime_ros/parameters/derived_tables.py": 'NAME = "hbm_runtime_ros"',
    "hbm_runtime_ros/parameters/_rows.py": "",
    "hbm_runtime_ros/pipeline/__init__.py": "",
    "hbm_runtime_ros/pipeline/queue.py": "from hbm_runtime_ros.parameters import derived_tables",
    "hbm_runtime_ros/check/__init__.py": "",
    "hbm_runtime_ros/check/file.py": "import hbm_runtime_ros.pipeline.queue",
    "hbm_runtime_ros/node/__init__.py": "",
    "hbm_runtime_ros/node/main.py": "import rclpy\n"
    "from hbm_runtime_ros.parameters import derived_tables",
    "scripts/tool.py": "import neighbour",
    "scripts/neighbour.py": "import hbm_runtime_ros.node.main",
    "src/abi/abi.h": "#include <stdint.h>",
    "src/core/run.hpp": "#include <vector>",
    "src/core/run.cpp": '#include "run.hpp"\n#include "core/run.hpp"',
    "src/simulator/entry.cpp": '#  include "abi.h"\n#include "abi/abi.h"',
}


def test_every_import_and_include_is_one_that_the_table_allows() -> None:
    rooms = generate_plan.read_table(generate_plan.PAGE.read_text(encoding="utf-8"))
    tree = layers.read_tree(REPOSITORY)
    assert all(count > 50 for count in layers.counts(tree).values()), layers.counts(tree)
    found = layers.faults(rooms, tree)
    assert not found, "\n".join(sorted(found))


def test_plan_and_table_are_up_to_date() -> None:
    text = generate_plan.PAGE.read_text(encoding="utf-8")
    assert generate_plan.page() == text, "out of date: python scripts/generate_plan.py"
    for room in generate_plan.read_table(text):
        assert f"{room.floor:2} │" in text
        assert room.sentence, f"{room.name}: what lives there?"


def test_every_package_of_the_product_says_what_lives_there() -> None:
    files = sorted(REPOSITORY.glob("hbm_runtime*/**/__init__.py"))
    docstrings = {file: ast.get_docstring(ast.parse(file.read_text("utf-8"))) for file in files}
    assert len(files) > 10
    assert [file for file, docstring in docstrings.items() if not docstring] == []


def faults(root: Path, files: dict[str, str], table: str = TABLE) -> list[str]:
    """What contradicts the table in a house of these files."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return layers.faults(generate_plan.read_table(table), layers.read_tree(root))


def test_a_sound_house_has_no_fault(tmp_path: Path) -> None:
    assert faults(tmp_path, SOUND) == []


PIPELINE = "hbm_runtime_ros/pipeline/extra.py"
UPWARD = (
    f"{PIPELINE} imports hbm_runtime_ros/node/main.py upward: "
    "hbm_runtime_ros/pipeline is below hbm_runtime_ros/node"
)


@pytest.mark.parametrize(
    "text",
    [
        "import hbm_runtime_ros.node.main",
        "from hbm_runtime_ros.node import main",
        "from hbm_runtime_ros.node.main import Node as N",
        "from ..node import main",
        "from ..node.main import Node",
        "def late():\n    from hbm_runtime_ros.node import main",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import hbm_runtime_ros.node.main",
        'import importlib\nimportlib.import_module("hbm_runtime_ros.node.main")',
        'import importlib\nimportlib.import_module("..node.main", __package__)',
        'from importlib import import_module as load\nload("hbm_runtime_ros.node.main")',
        '__import__("hbm_runtime_ros.node.main")',
        'NAME = "hbm_runtime_ros.node.main"\n__import__(NAME)',
        'import_string("hbm_runtime_ros.node.main:Node")',
        'from hbm_runtime._renamed import forward\nforward(__name__, "hbm_runtime_ros.node.main")',
        'import subprocess\nsubprocess.run(["python", "-m", "hbm_runtime_ros.node.main"])',
    ],
)
def test_an_upward_import_is_found_however_it_is_written(tmp_path: Path, text: str) -> None:
    assert faults(tmp_path, {**SOUND, PIPELINE: text}) == [UPWARD]


def test_a_name_that_is_put_together_counts_as_its_package(tmp_path: Path) -> None:
    text = 'def part(name):\n    return __import__(f"hbm_runtime_ros.node.{name}")'
    (fault,) = faults(tmp_path, {**SOUND, PIPELINE: text})
    assert "imports hbm_runtime_ros/node/__init__.py upward" in fault
    text = 'from hbm_runtime._renamed import forward\nforward(__name__, f"{__name__}.main")'
    assert faults(tmp_path, {**SOUND, PIPELINE: "", "hbm_runtime_ros/node/__init__.py": text}) == []


def test_the_name_of_a_logger_is_no_import(tmp_path: Path) -> None:
    text = 'import logging\nlogging.getLogger("hbm_runtime_ros.node.main")'
    assert faults(tmp_path, {**SOUND, PIPELINE: text}) == []


@pytest.mark.parametrize(
    ("file", "text", "fault"),
    [
        (
            "hbm_runtime_ros/convert.py",
            "import hbm_runtime_ros.parameters.derived_tables",
            "sideways: faces is beside hbm_runtime_ros/parameters",
        ),
        (
            "hbm_runtime_ros/node/extra.py",
            "import hbm_runtime_ros.parameters._rows",
            "imports hbm_runtime_ros/parameters/_rows.py, which is private to "
            "hbm_runtime_ros/parameters/",
        ),
        (PIPELINE, "import rclpy.node", "needs ROS, which the row of hbm_runtime_ros/pipeline"),
        (PIPELINE, "from hbm_runtime_ros.msg import TensorList", "needs ROS"),
        (PIPELINE, "from sensor_msgs.msg import Image", "needs ROS"),
        ("hbm_runtime_ros/attic.py", "", "hbm_runtime_ros/attic.py lies in no room of the table"),
        ("src/attic/old.hpp", "", "src/attic/old.hpp lies in no room of the table"),
        (
            "src/abi/extra.h",
            '#include "core/run.hpp"',
            "src/abi/extra.h imports src/core/run.hpp upward",
        ),
        (
            "src/abi/extra.h",
            "  #  include <core/run.hpp>",
            "src/abi/extra.h imports src/core/run.hpp upward",
        ),
        (
            "src/core/extra.c",
            '#include "../simulator/entry.cpp"',
            "sideways: src/core is beside src/simulator",
        ),
        ("src/core/extra.cpp", '#include "gone.hpp"', "needs gone.hpp, which does not exist"),
        (
            "src/core/extra.cpp",
            'py::module_::import("hbm_runtime.gone");',
            "needs hbm_runtime.gone, which does not exist",
        ),
        ("src/core/extra.cpp", "#include <pybind11/pybind11.h>", "needs pybind11"),
        ("src/core/extra.cpp", "#include <Python.h>", "needs pybind11"),
    ],
)
def test_one_fault_in_one_file_is_found(tmp_path: Path, file: str, text: str, fault: str) -> None:
    (found,) = faults(tmp_path, {**SOUND, file: text})
    assert fault in found


def test_a_lower_room_that_the_row_does_not_name_is_a_fault(tmp_path: Path) -> None:
    table = TABLE.replace("| frames | `hbm_runtime_ros/` |", "| frames | |")
    assert faults(tmp_path, SOUND, table) == [
        "hbm_runtime_ros/pipeline/queue.py imports hbm_runtime_ros/parameters/derived_tables.py: "
        "the row of hbm_runtime_ros/pipeline does not name hbm_runtime_ros/parameters"
    ]


def test_circles_of_files_are_found(tmp_path: Path) -> None:
    circles = {
        "hbm_runtime_ros/pipeline/a.py": "def late():\n    from hbm_runtime_ros.pipeline import b",
        "hbm_runtime_ros/pipeline/b.py": "from . import c",
        "hbm_runtime_ros/pipeline/c.py": "from hbm_runtime_ros.pipeline.a import thing",
        "src/core/a.hpp": '#include "b.hpp"',
        "src/core/b.hpp": '#include "core/a.hpp"',
    }
    found = faults(tmp_path, {**SOUND, **circles})
    assert len(found) == 2
    assert all(fault.startswith("files import each other in a circle: ") for fault in found)
    assert all(any(file in fault for fault in found) for file in circles)


def test_a_circle_of_rooms_is_found(tmp_path: Path) -> None:
    """Two rooms of one floor that may import each other, as the table says, may still not."""
    table = TABLE.replace("| frames | ", "| frames | `hbm_runtime_ros/check`, ")
    extra = {PIPELINE: "import hbm_runtime_ros.check"}
    (found,) = faults(tmp_path, {**SOUND, **extra}, table)
    assert found.startswith("rooms import each other in a circle: hbm_runtime_ros/")


def test_a_room_without_files_is_a_fault(tmp_path: Path) -> None:
    table = f"{TABLE}| 9 | `hbm_runtime_ros/attic/` | dust | |\n"
    assert faults(tmp_path, SOUND, table) == ["the room hbm_runtime_ros/attic holds no file"]


@pytest.mark.parametrize(
    ("entry", "fault"),
    [
        ("`hbm_runtime_ros/node`", "allows hbm_runtime_ros/node, which is above it"),
        ("`hbm_runtime_ros/attic`", "allows hbm_runtime_ros/attic, which is no room"),
    ],
)
def test_a_row_names_only_rooms_that_it_could_use(tmp_path: Path, entry: str, fault: str) -> None:
    (found,) = faults(tmp_path, SOUND, TABLE.replace("| frames | ", f"| frames | {entry}, "))
    assert fault in found


def test_two_rooms_of_one_name_are_a_fault(tmp_path: Path) -> None:
    found = faults(tmp_path, SOUND, f"{TABLE}| 9 | `src/abi/` | again | |\n")
    assert "two rooms of the table have one name" in found


def test_an_empty_tree_is_a_fault_not_a_success(tmp_path: Path) -> None:
    found = faults(tmp_path, {})
    assert "no Python file was read" in found
    assert "no C or C++ file was read" in found
    python = {file: text for file, text in SOUND.items() if file.endswith(".py")}
    found = faults(tmp_path, python)
    assert "no Python file was read" not in found
    assert "no C or C++ file was read" in found


def test_a_page_without_a_table_is_an_error() -> None:
    with pytest.raises(ValueError, match="no table"):
        generate_plan.read_table("| room | floor |\n")


def test_the_plan_has_a_box_for_each_room_of_a_floor() -> None:
    plan = generate_plan.draw(generate_plan.read_table(TABLE))
    rows = [line for line in plan.splitlines() if "│" in line]
    assert [line.split()[-2] for line in rows] == ["scripts", "node", "src/simulator", "src/abi"]
    assert len({len(line) for line in plan.splitlines()}) == 1
    assert rows[2].count("│") == 5  # four rooms


def test_a_floor_that_the_plan_is_too_narrow_for_is_an_error() -> None:
    rooms = [generate_plan.Room(1, "x" * 30, ("src/",), "", ())] * 4
    with pytest.raises(ValueError, match="raise DRAWING_WIDTH"):
        generate_plan.draw(rooms)
