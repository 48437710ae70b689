# SPDX-License-Identifier: Apache-2.0
"""What is said when the compiled core is missing, old, or of another Python or processor."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

from hbm_runtime import _find_core
from hbm_runtime._find_core import find_core

MODULE = f"_core{EXTENSION_SUFFIXES[0]}"
INSTALLED = "install/hbm_runtime_ros/lib/python3/site-packages/hbm_runtime"
OTHER = "_core.cpython-39-sparc-linux-gnu.so"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """The folder of the package in a repository that was not built."""
    (tmp_path / "src" / "bindings").mkdir(parents=True)
    (tmp_path / "src" / "bindings" / "module.cpp").touch()
    (tmp_path / "hbm_runtime").mkdir()
    (tmp_path / "hbm_runtime" / "_core.pyi").touch()
    return tmp_path / "hbm_runtime"


@pytest.fixture
def built(source: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same after `make build`; its module is the path, as one process loads the real one once.

    `test/binding/test_source_folder.py` loads it.
    """
    file = source.parent / INSTALLED / MODULE
    file.parent.mkdir(parents=True)
    file.touch()
    os.utime(source.parent / "src" / "bindings" / "module.cpp", (1, 1))
    monkeypatch.setattr(_find_core, "_load", lambda file: file)
    return source


def refusal(folder: Path) -> str:
    """What the error of this folder says, on behalf of this interpreter."""
    with pytest.raises(ImportError) as info:
        find_core(folder)
    assert info.value.name == "hbm_runtime._core"
    message = str(info.value)
    assert f"{platform.python_version()} on {platform.machine()}, {sys.executable}" in message
    assert MODULE in message
    return message


def test_a_source_folder_that_was_not_built_says_how_to_build_it(source: Path) -> None:
    message = refusal(source)
    assert f"{source} is the source folder: run `make build` in {source.parent}" in message
    assert "for another Python or processor" not in message


def test_a_build_for_another_python_or_processor_is_named(source: Path) -> None:
    file = source.parent / INSTALLED / OTHER
    file.parent.mkdir(parents=True)
    file.touch()
    message = refusal(source)
    assert f"there is {file}, for another Python or processor" in message
    assert str(source.parent / ".venv" / "bin" / "python") in message


def test_an_installation_for_another_python_or_processor_is_named(tmp_path: Path) -> None:
    (tmp_path / OTHER).touch()
    message = refusal(tmp_path)
    assert f"there is {tmp_path / OTHER}, for another Python or processor" in message
    assert "Install the package hbm-runtime again" in message
    assert "source folder" not in message


def test_an_installation_takes_no_module_from_a_folder_beside_it(built: Path) -> None:
    shutil.rmtree(built.parent / "src")
    assert "Install the package hbm-runtime again" in refusal(built)


@pytest.mark.filterwarnings("error")
def test_a_built_module_is_taken(built: Path) -> None:
    (built.parent / INSTALLED / OTHER).touch()
    assert str(find_core(built)) == str(built.parent / INSTALLED / MODULE)


def test_a_module_that_cannot_be_loaded_leaves_nothing_behind(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "hbm_runtime._core")
    file = source.parent / INSTALLED / MODULE
    file.parent.mkdir(parents=True)
    file.write_bytes(b"no module")
    os.utime(source.parent / "src" / "bindings" / "module.cpp", (1, 1))
    with pytest.raises(ImportError):
        find_core(source)
    assert "hbm_runtime._core" not in sys.modules


def test_a_module_that_is_older_than_its_sources_is_taken_with_a_warning(built: Path) -> None:
    changed = built.parent / "src" / "bindings" / "module.cpp"
    os.utime(changed, (2**31, 2**31))
    with pytest.warns(RuntimeWarning, match=r"src/bindings/module\.cpp is newer .*`make build`"):
        find_core(built)


@pytest.mark.filterwarnings("error")
def test_a_build_that_had_nothing_to_compile_makes_a_module_new(built: Path) -> None:
    changed = built.parent / "src" / "bindings" / "module.cpp"
    os.utime(changed, (2**31, 2**31))
    manifest = built.parent / "build" / "hbm_runtime_ros" / "install_manifest.txt"
    manifest.parent.mkdir(parents=True)
    manifest.touch()
    os.utime(manifest, (2**31 + 1, 2**31 + 1))
    assert find_core(built)
