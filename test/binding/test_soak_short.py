# SPDX-License-Identifier: Apache-2.0
"""A short run of `make soak`, in a process of its own: random operations from nine threads."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SOAK = Path(__file__).parents[1] / "soak" / "random_operations.py"
OPERATIONS = 4000
DEADLINE_S = 100  # after which it shows where each thread hangs, and ends


def test_random_operations_neither_hang_nor_leak_nor_mix_up_results() -> None:
    done = subprocess.run(
        [
            *(sys.executable, SOAK, "--operations", str(OPERATIONS)),
            *("--deadline", str(DEADLINE_S), "--no-memory-check"),
        ],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S + 10,
    )
    assert done.returncode == 0, f"{done.stdout[-8000:]}\n{done.stderr[-8000:]}"
    assert "all is well" in done.stdout
