# SPDX-License-Identifier: Apache-2.0
"""The table of the chips of the family."""

from __future__ import annotations

from typing import NamedTuple

from hbm_runtime import _core


class Chip(NamedTuple):
    """One chip.

    Attributes:
        name: as people and options say it; the accelerator's ``soc_name`` contains it.
        march: as the compiler and model files call it.
        cores: BPU cores.
        row_alignment: bytes that rows of tensors are padded to.
    """

    name: str
    march: str
    cores: int
    row_alignment: int


CHIPS = {row[0]: Chip(*row) for row in _core.CHIPS}
"""By name; the rows stand in ``src/abi/chips.hpp``."""
