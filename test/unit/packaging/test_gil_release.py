# SPDX-License-Identifier: Apache-2.0
"""The binding lets go of the GIL through one class: its threads never come back into an end."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

BINDINGS = Path(__file__).parents[3] / "src" / "bindings"
# What the class itself is made of.
GUARDED = {"waiting.hpp", "exit.cpp"}
UNGUARDED = re.compile(
    r"gil_scoped_release|call_guard<(?!GilReleased<)|Py_(BEGIN|END)_ALLOW_THREADS"
    r"|Py_(UNBLOCK|BLOCK)_THREADS"
    r"|PyEval_(SaveThread|RestoreThread|ReleaseThread|AcquireThread|ReleaseLock)"
    r"|PyThreadState_Swap"
)


def code_of(text: str) -> str:
    """C++ without its comments."""
    return re.sub(r"//[^\n]*|/\*.*?\*/", "", text, flags=re.DOTALL)


def unguarded(text: str) -> list[str]:
    return [found.group() for found in UNGUARDED.finditer(code_of(text))]


def test_the_gil_is_released_by_the_guarded_class_only() -> None:
    files = [file for file in BINDINGS.iterdir() if file.suffix in {".cpp", ".hpp"}]
    assert len(files) > 15
    assert {file.name for file in files} >= GUARDED
    found = {
        file.name: names for file in files if (names := unguarded(file.read_text(encoding="utf-8")))
    }
    assert not {name: names for name, names in found.items() if name not in GUARDED}
    once = found["waiting.hpp"] + found["exit.cpp"]
    # exit.cpp parks a thread that came with the GIL.
    assert sorted(once) == ["PyEval_RestoreThread", "PyEval_SaveThread", "PyEval_SaveThread"]


@pytest.mark.parametrize(
    "line",
    [
        "const py::gil_scoped_release free_gil;",
        '.def("close", &close, py::call_guard<py::gil_scoped_release>())',
        "Py_BEGIN_ALLOW_THREADS work(); Py_END_ALLOW_THREADS",
        "PyThreadState* state = PyEval_SaveThread();",
    ],
)
def test_another_release_would_be_found(line: str) -> None:
    assert unguarded(line)


@pytest.mark.parametrize(
    "line",
    [
        "const GilReleased<> free_gil;",
        '.def("close", &close, py::call_guard<GilReleased<>>())',
        "const py::gil_scoped_acquire gil;",
        "// not a gil_scoped_release",
    ],
)
def test_what_is_guarded_passes(line: str) -> None:
    assert not unguarded(line)
