# SPDX-License-Identifier: Apache-2.0
"""The presets of src/CMakePresets.json configure, build and test."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SOURCES = Path(__file__).parents[3] / "src"
FILE = SOURCES / "CMakePresets.json"
NAMES = {"dev", "release", "asan-ubsan", "tsan"}


def test_each_preset_configures_builds_and_tests() -> None:
    presets = json.loads(FILE.read_text(encoding="utf-8"))
    assert presets["version"] == 3  # the newest of CMake 3.22
    for kind in ("configurePresets", "buildPresets", "testPresets"):
        assert {p["name"] for p in presets[kind] if not p.get("hidden")} == NAMES
    for kind in ("buildPresets", "testPresets"):
        shown = [preset for preset in presets[kind] if not preset.get("hidden")]
        assert all(preset["configurePreset"] == preset["name"] for preset in shown)


def test_a_preset_configures_with_what_it_inherits(tmp_path: Path) -> None:
    cmake = shutil.which("cmake")
    if cmake is None:
        pytest.skip("needs CMake")
    done = subprocess.run(
        [cmake, "--preset", "tsan", "-B", str(tmp_path), f"-DPython3_EXECUTABLE={sys.executable}"],
        cwd=SOURCES,
        capture_output=True,
        text=True,
        timeout=120,
    )
    if "needs GoogleTest" in done.stderr:
        pytest.skip("needs GoogleTest")
    assert done.returncode == 0, done.stderr
    cache = (tmp_path / "CMakeCache.txt").read_text(encoding="utf-8")
    values = dict(re.findall(r"^(\w+):\w+=(.*)$", cache, re.MULTILINE))
    assert values["HBM_SANITIZE"] == "thread"
    assert values["HBM_BUILD_TESTS"] == values["HBM_WARNINGS_AS_ERRORS"] == "ON"
    assert values["CMAKE_BUILD_TYPE"] == "RelWithDebInfo"
