# SPDX-License-Identifier: Apache-2.0
"""What the tests of types share: tools that run away from the source tree."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def repository() -> Path:
    """The source tree; a copy of the tests alone does not have what is compared here."""
    root = Path(__file__).resolve().parents[2]
    if not (root / "scripts").is_dir():
        pytest.skip(f"{root} is not the source tree")
    return root


@pytest.fixture
def run_tool(tmp_path: Path) -> Run:
    """Run a Python module or script as a program, in an empty folder, and return how it ended."""
    # pyright looks at the packages of the first Python in PATH.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

    def run(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *command],
            cwd=tmp_path,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            timeout=110,
        )

    return run
