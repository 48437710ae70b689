# SPDX-License-Identifier: Apache-2.0
"""After `make build`, Python in the repository's root imports the source folder and runs models."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Callable
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest
import tiny_models

ROOT = Path(__file__).parents[2]
MODEL = "build/demo/models/detector.hbm"
PROGRAM = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)[0]

pytestmark = pytest.mark.skipif(
    not list(ROOT.glob(f"install/*/**/hbm_runtime/_core{EXTENSION_SUFFIXES[0]}")),
    reason="the repository was not built for this Python: make build",
)


def python(folder: Path, *arguments: str, program: str = "") -> subprocess.CompletedProcess[str]:
    """Run Python in a folder without the tests' own settings of paths and libraries."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("HBM_") and name != "PYTHONSAFEPATH"
    }
    return subprocess.run(
        [sys.executable, "-W", "error::RuntimeWarning", *arguments],
        cwd=folder,
        env=environment,
        input=program,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture
def root(tmp_path: Path, save: Callable[..., str]) -> Path:
    """Links to all of the repository's root, and the model of README's program."""
    for entry in ROOT.iterdir():
        if entry.name != "build":
            (tmp_path / entry.name).symlink_to(entry)
    (tmp_path / MODEL).parent.mkdir(parents=True)
    (tmp_path / "build" / "hbm_runtime_ros").symlink_to(ROOT / "build" / "hbm_runtime_ros")
    save(tiny_models.pack(tiny_models.conv(), "detector", nv12_inputs=("x",)), file=MODEL)
    return tmp_path


@pytest.mark.parametrize("arguments", [["-"], ["-i"]], ids=["from stdin", "interactively"])
def test_the_program_of_readme_runs_in_the_root_unchanged(root: Path, arguments: list[str]) -> None:
    assert MODEL in PROGRAM
    done = python(root, *arguments, program=f"{PROGRAM}\n")
    assert done.stdout == "y (1, 4, 8, 12) float32\n", done.stderr
    assert "Error" not in done.stderr
    assert "Warning" not in done.stderr


def test_it_is_the_source_folder_that_is_imported_with_the_built_core() -> None:
    show = "import hbm_runtime, hbm_runtime._core as c; print(hbm_runtime.__file__, c.__file__)"
    done = python(ROOT, "-c", f"{show}; print(c is hbm_runtime._core)")
    assert done.returncode == 0, done.stderr
    package, core, same = done.stdout.split()
    assert Path(package) == ROOT / "hbm_runtime" / "__init__.py"
    assert Path(core).is_relative_to(ROOT / "install")
    assert same == "True"


def test_elsewhere_the_installed_package_looks_for_no_other_core(tmp_path: Path) -> None:
    program = "import sys, hbm_runtime; print('hbm_runtime._find_core' in sys.modules)"
    assert importlib.util.find_spec("hbm_runtime") is not None
    done = python(tmp_path, "-c", program)
    assert done.stdout == "False\n", done.stderr
