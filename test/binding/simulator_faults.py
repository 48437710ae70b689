# SPDX-License-Identifier: Apache-2.0
"""Makes the simulator fail, for the length of a block."""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Iterator

from hbm_runtime._loading import library as library_choice


@contextlib.contextmanager
def faults(rules: str) -> Iterator[None]:
    """Install rules as HBM_SIM_FAULTS has them, and take them away at the end."""
    library = ctypes.CDLL(str(library_choice.SIMULATOR_FOLDER / "libhbucp.so"))
    assert library.hbSimSetFaults(rules.encode()) == 0, rules
    try:
        yield
    finally:
        library.hbSimSetFaults(b"")
