# SPDX-License-Identifier: Apache-2.0
"""What the installed wheel of the distribution holds and asks for; run by `make test-pythons`."""

from __future__ import annotations

import importlib.metadata
from pathlib import PurePosixPath

import pytest

DISTRIBUTION = "hbm-runtime"


@pytest.fixture(scope="module")
def distribution() -> importlib.metadata.Distribution:
    try:
        return importlib.metadata.distribution(DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:
        pytest.skip(f"the wheel of {DISTRIBUTION} is not installed here")


@pytest.fixture(scope="module")
def files(distribution: importlib.metadata.Distribution) -> set[str]:
    return {str(PurePosixPath(file)) for file in distribution.files or ()}


def test_it_holds_the_compiled_core_and_the_simulator(files: set[str]) -> None:
    libraries = {file for file in files if ".so" in PurePosixPath(file).suffixes}
    core = {file for file in libraries if file.startswith("hbm_runtime/_core.")}
    assert len(core) == 1
    assert libraries - core == {
        "hbm_runtime/simulator/libdnn.so",
        "hbm_runtime/simulator/libhbucp.so",
    }


def test_it_holds_what_c_programs_are_compiled_with(files: set[str]) -> None:
    folder = "hbm_runtime/simulator/"
    found = {file.removeprefix(folder) for file in files if file.startswith(folder)}
    assert {
        "include/hobot/dnn/hb_dnn.h",
        "include/hobot/hb_ucp.h",
        "share/cmake/hbm_simulator/hbm_simulatorConfig.cmake",
        "share/pkgconfig/hbm_simulator.pc",
    } <= found


def test_it_holds_the_types(files: set[str]) -> None:
    assert {"hbm_runtime/py.typed", "hbm_runtime/_core.pyi"} <= files


def test_it_holds_the_schema_of_its_json(files: set[str]) -> None:
    assert "hbm_runtime/schema/model.schema.json" in files


@pytest.mark.parametrize(
    "file",
    [
        "__init__.py",
        "image/__init__.py",
        "model_file/__init__.py",
        "tools/cli.py",
        "tools/packing/build.py",
    ],
)
def test_it_holds_every_package(files: set[str], file: str) -> None:
    assert f"hbm_runtime/{file}" in files


def test_it_holds_what_checks_configurations_without_ros(files: set[str]) -> None:
    parts = {file for file in files if file.startswith("hbm_runtime_ros/")}
    assert {
        f"hbm_runtime_ros/{part}" for part in ("check/command.py", "parameters/derived_tables.py")
    } <= parts
    # without the package itself: an installed ROS package is preferred then, wherever it is
    assert "hbm_runtime_ros/__init__.py" not in parts


def test_it_holds_nothing_else_of_ros_and_no_sources(files: set[str]) -> None:
    checking = ("hbm_runtime_ros/check/", "hbm_runtime_ros/parameters/")
    others = {
        file
        for file in files
        if not file.startswith(("hbm_runtime/", "hbm_runtime-", *checking))
        and PurePosixPath(file).name != "hbm"
    }
    assert others == set()
    endings = {PurePosixPath(file).suffix for file in files if file.startswith("hbm_runtime/")}
    assert {PurePosixPath(file).suffix for file in files if file.startswith(checking)} <= {
        ".py",
        ".pyc",
    }
    assert endings <= {
        *(".json", ".py", ".pyi", ".pyc", ".typed", ".so"),
        *(".h", ".pc", ".cmake"),
    }


def test_it_needs_numpy_and_offers_the_rest(distribution: importlib.metadata.Distribution) -> None:
    needed = [text for text in distribution.requires or () if "extra" not in text]
    assert [text.partition(">")[0] for text in needed] == ["numpy"]
    assert set(distribution.metadata.get_all("Provides-Extra") or ()) == {
        "check",
        "image",
        "simulator",
        "tools",
    }


def test_it_brings_the_command_line(distribution: importlib.metadata.Distribution) -> None:
    assert {(entry.group, entry.name, entry.value) for entry in distribution.entry_points} == {
        ("console_scripts", "hbm", "hbm_runtime.tools.cli:main"),
        ("hbm_runtime.commands", "check", "hbm_runtime_ros.check.command:add_command"),
    }
