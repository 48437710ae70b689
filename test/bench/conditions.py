# SPDX-License-Identifier: Apache-2.0
"""Under what conditions a run of the bench took place."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from pathlib import Path

PACKAGES = ("numpy", "onnxruntime", "openvino")


def conditions() -> dict[str, str]:
    """Machine, load and versions as text by name."""
    versions = {name: _version(name) for name in PACKAGES}
    return {
        "processor": f"{_processor()}, {len(os.sched_getaffinity(0))} of {os.cpu_count()} CPUs",
        "load": f"{os.getloadavg()[0]:.2f} at the start",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "Python": platform.python_version(),
        **versions,
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith(("model name", "Model")):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "absent"
