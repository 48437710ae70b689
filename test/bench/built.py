# SPDX-License-Identifier: Apache-2.0
"""Where the build put what the bench needs beside the package."""

from __future__ import annotations

import os
from pathlib import Path

FOLDER_VARIABLE = "HBM_BENCH_BUILD"
ROOT = Path(__file__).resolve().parents[2]


def built(name: str) -> Path:
    """A file or folder of it.

    Raises:
        FileNotFoundError: It was not built.
    """
    default = ROOT / "build" / "hbm_runtime_ros" / "bench"
    path = Path(os.environ.get(FOLDER_VARIABLE) or default) / name
    if not path.exists():
        raise FileNotFoundError(
            f"{path} is missing: run `make build`, or set {FOLDER_VARIABLE} to the folder "
            f"'bench' of a build with tests"
        )
    return path
