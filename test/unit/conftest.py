# SPDX-License-Identifier: Apache-2.0
"""What the unit tests share."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Away from the source tree, where a child's Python would find the package without its core."""
    monkeypatch.chdir(tmp_path)
