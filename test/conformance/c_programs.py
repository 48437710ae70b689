# SPDX-License-Identifier: Apache-2.0
"""What a C programmer has: a shell prepared with `hbm sim env`, a compiler, a model file."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import hbm_runtime

ROOT = Path(__file__).resolve().parents[2]
SIMULATOR = Path(hbm_runtime.__file__).parent / "simulator"
EXAMPLE = ROOT / "examples" / "c"
PREPARE = 'eval "$(eval "$HBM sim env")"'


def need(*tools: str) -> None:
    """Skips the test when a tool is not on this machine."""
    for tool in tools:
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")


def bash(
    script: str, folder: Path, *, check: bool = True, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Runs a script in bash, in `folder`; `$HBM` is the command hbm of this Python."""
    need("bash")
    # Nothing that this run was prepared with may help: only what `hbm sim env` gives counts.
    foreign = ("LIBRARY_PATH", "INCLUDE_PATH", "PKG_CONFIG_PATH", "CMAKE_PREFIX_PATH", "HBM_SIM_")
    clean = {name: text for name, text in os.environ.items() if not any(f in name for f in foreign)}
    answer = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env={**clean, "HBM": f"'{sys.executable}' -m hbm_runtime", **environment},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert not check or answer.returncode == 0, answer.stdout + answer.stderr
    return answer
