# SPDX-License-Identifier: Apache-2.0
"""Lets the launch tests import what they share."""

from __future__ import annotations

import sys
from pathlib import Path

for folder in (Path(__file__).parent, Path(__file__).parents[1]):
    sys.path.insert(0, str(folder))
