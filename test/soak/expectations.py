# SPDX-License-Identifier: Apache-2.0
"""The models of the soak, inputs that carry a number, and results that must show it."""

from __future__ import annotations

import itertools
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import tiny_models

Array = npt.NDArray[Any]

LARGEST = 1 << 22  # all numbers and their sums are exact in float32


@dataclass(frozen=True)
class Kind:
    """A model, and what its outputs are for inputs that are all `number`."""

    name: str
    shape: tuple[int, ...]
    inputs: tuple[str, ...]
    outputs: Mapping[str, tuple[float, float]]  # output = factor * number + constant
    latency_us: int = 0

    def make_inputs(self, number: int) -> dict[str, Array]:
        """New arrays, every element the number."""
        return {name: np.full(self.shape, number, np.float32) for name in self.inputs}

    def check(self, number: int, outputs: Mapping[str, Array]) -> str:
        """What is wrong with the outputs; "" when nothing is."""
        if list(outputs) != list(self.outputs):
            return f"{self.name}: outputs {list(outputs)} instead of {list(self.outputs)}"
        for name, (factor, constant) in self.outputs.items():
            wanted = factor * number + constant
            if not np.all(outputs[name] == wanted):
                found = np.unique(outputs[name])[:4]
                return f"{self.name}, {name}: expected {wanted} everywhere, found {found}"
        return ""


PLUS = Kind("plus", (1, 4), ("x",), {"y": (1, 1)})
SUMS = Kind("sums", (2, 3), ("a", "b"), {"total": (2, 0), "difference": (0, 0), "flat": (2, 0)})
BLOCK = Kind("block", (1, 3, 64, 64), ("x",), {"y": (1, 0)})
SLOW = Kind("slow", (1, 4), ("x",), {"y": (1, 1)}, latency_us=3000)
EXTRA = Kind("extra", (1, 4), ("x",), {"y": (1, 1)})
KINDS = (PLUS, SUMS, BLOCK, SLOW)


def save_models(folder: Path) -> tuple[Path, Path]:
    """The file of `KINDS`, and that of `EXTRA`, which is loaded and unloaded."""
    specs = [
        tiny_models.pack(tiny_models.add(), PLUS.name),
        tiny_models.pack(tiny_models.two_inputs_three_outputs(), SUMS.name),
        tiny_models.pack(tiny_models.identity(BLOCK.shape), BLOCK.name),
        tiny_models.pack(tiny_models.add(), SLOW.name, latency_us=SLOW.latency_us),
    ]
    extra = tiny_models.pack(tiny_models.add(), EXTRA.name)
    return (
        tiny_models.save(folder / "models.hbm", *specs),
        tiny_models.save(folder / "extra.hbm", extra),
    )


class Numbers:
    """Hands out numbers that come again only after millions of others; any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)

    def take(self) -> int:
        """The next one."""
        with self._lock:
            return next(self._numbers) % LARGEST + 1
