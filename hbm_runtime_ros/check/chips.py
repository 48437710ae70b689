# SPDX-License-Identifier: Apache-2.0
"""The chips that a configuration can be checked against."""

from __future__ import annotations

from typing import NamedTuple

from hbm_runtime.tools.packing.options import MARCH_OF_SOC


class Chip(NamedTuple):
    """What is checked against: its name, its march in model files, its cores."""

    name: str
    march: str
    cores: int


_CORES = {"S100": 1, "S100P": 1, "S600": 4}
CHIPS = {name: Chip(name, march, _CORES[name]) for name, march in MARCH_OF_SOC.items()}
