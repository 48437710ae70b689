# SPDX-License-Identifier: Apache-2.0
"""The runtime over libraries whose calls return at once, so that its own cost is all there is."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from bench.built import built
from hbm_runtime import HB_HBMRuntime


@contextmanager
def variables(values: dict[str, str]) -> Iterator[None]:
    """Environment variables for as long as the context lasts."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, text in before.items():
            os.environ.pop(name, None)
            if text is not None:
                os.environ[name] = text


def copy_of_libraries(folder: Path) -> Path:
    """A pair of its own: a library reads its environment once."""
    return Path(shutil.copytree(built("null_backend"), folder))


def open_runtime(folder: Path, *, elements: int = 1, callback: str = "submit") -> HB_HBMRuntime:
    """A runtime with the one model "null": a, b to first, second, sum; float32 [1, elements]."""
    libraries = copy_of_libraries(folder / f"null_{elements}_{callback}")
    settings = {"HBM_NULL_ELEMENTS": str(elements), "HBM_NULL_CALLBACK": callback}
    with variables(settings):
        rt = HB_HBMRuntime(model_path(folder), library=libraries)
        rt.run(inputs(elements))  # whatever a library reads late, it has read now
    return rt


def model_path(folder: Path) -> Path:
    """A file that only its name makes a model file: the null backend does not read it."""
    path = folder / "null.hbm"
    path.write_text("the null backend reads no files\n", encoding="utf-8")
    return path


def inputs(elements: int = 1) -> dict[str, Any]:
    """Both inputs of the model "null"."""
    return {
        "a": np.full((1, elements), 3, np.float32),
        "b": np.full((1, elements), 4, np.float32),
    }


def earlier_runtime(folder: Path) -> Any:
    """The imitation of the earlier generation over the same libraries."""
    sys.path.append(str(built("null_backend").parent))
    from _earlier_way import EarlierRuntime

    libraries = copy_of_libraries(folder / "null_earlier")
    return EarlierRuntime(str(libraries), str(model_path(folder)))
