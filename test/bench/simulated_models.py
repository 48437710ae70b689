# SPDX-License-Identifier: Apache-2.0
"""Tiny models that keep a simulated core busy for a fixed time."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import tiny_models

from hbm_runtime import HB_HBMRuntime
from hbm_runtime._loading import library
from hbm_runtime.model_file import CallSpec, ModelSpec

CORES = 4


def fixed_latency(folder: Path, latency_us: int) -> HB_HBMRuntime:
    """Model "fixed": y = x + 1, a core is busy for at least `latency_us`."""
    spec = tiny_models.pack(tiny_models.add(), "fixed", latency_us=latency_us)
    path = tiny_models.save(folder / "fixed.hbm", spec)
    return HB_HBMRuntime(path, library=library.SIMULATOR_FOLDER)


def one_input() -> dict[str, Any]:
    """Its input."""
    return {"x": np.zeros((1, 4), np.float32)}


def short_and_long(folder: Path, calls: int, call_us: int) -> Path:
    """A file with "short" (one tiny operation) and "long": so many function calls of that length.

    Both are compiled with function-call boundaries, so that "short" may preempt "long".
    """
    tiny = tiny_models.pack(tiny_models.add(), "short")
    lasting = [CallSpec(tiny.graph, call_us), *[CallSpec(b"", call_us)] * (calls - 1)]
    short = _with_calls(tiny, "short", [CallSpec(tiny.graph)], call_us)
    long = _with_calls(tiny, "long", lasting, call_us)
    return tiny_models.save(folder / "short_and_long.hbm", short, long)


def _with_calls(
    spec: ModelSpec, name: str, calls: list[CallSpec], max_time_per_fc_us: int
) -> ModelSpec:
    return ModelSpec(
        name,
        inputs=spec.inputs,
        outputs=spec.outputs,
        calls=calls,
        max_time_per_fc_us=max_time_per_fc_us,
    )
