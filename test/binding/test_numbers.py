# SPDX-License-Identifier: Apache-2.0
"""Numbers that a caller gives: each has a range, which both the package and its core keep."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tiny_models
from async_models import X, plus_one

from hbm_runtime import HB_HBMRuntime, HBMInputError, _core
from hbm_runtime._texts import shown

NO_COUNTS: list[Any] = [
    0, -1, 2**59, 2**63 - 1, 2**63, 2**64 - 1, 2**64, 10**5000, True, 1.5, float("nan"), "3", None,
]  # fmt: skip


def refused(what: str, most: int, value: object) -> str:
    return f"{what}: expected an int from 1 to {most}, got {shown(value)}"


@pytest.mark.parametrize("value", NO_COUNTS, ids=shown)
def test_counts_out_of_range_are_refused(
    save: Callable[..., str], tmp_path: Path, value: Any
) -> None:
    path = save(plus_one("m"))
    rt = HB_HBMRuntime(path)
    for call, what, most in (
        (lambda: rt.trace(tmp_path / "t.json", max_runs=value), "max_runs", 100_000_000),
        (lambda: HB_HBMRuntime(path, max_in_flight=value), "max_in_flight", 2**31 - 1),
        (lambda: rt.warm_up(runs=value), "runs", 2**31 - 1),
    ):
        with pytest.raises(HBMInputError) as caught:
            call()
        assert str(caught.value) == refused(what, most, value)
    assert (rt.run(X)["m"]["y"] == 1).all()


@pytest.mark.parametrize("value", [0, 2**31, 2**59, 2**63, 2**64 - 1])
def test_the_core_keeps_the_ranges_on_its_own(value: int) -> None:
    with pytest.raises(HBMInputError) as caught:
        _core.RunLimit(value)
    assert str(caught.value) == refused("max_in_flight", 2**31 - 1, value)
    recorder = _core.RunTrace()
    with pytest.raises(HBMInputError) as caught:
        recorder.start(value)
    assert str(caught.value) == refused("max_runs", 100_000_000, value)
    assert not recorder.on


def test_the_largest_limit_works(save: Callable[..., str]) -> None:
    rt = HB_HBMRuntime(save(plus_one("m")), max_in_flight=2**31 - 1)
    assert (rt.run_async(X).result(20)["m"]["y"] == 1).all()


@pytest.mark.parametrize(
    "dim", [2**31, 2**63, 2**64, 10**5000, float("inf"), float("nan"), None], ids=shown
)
def test_dimensions_out_of_range_are_refused(save: Callable[..., str], dim: Any) -> None:
    rt = HB_HBMRuntime(
        save(
            tiny_models.pack(
                tiny_models.dynamic(), "any", dynamic=True, max_shapes={"x": (2, 3, 8, 8)}
            )
        )
    )
    for call in (
        lambda: rt.input_buffers(shapes={"x": [1, 3, dim, 4]}),
        lambda: rt.bind(shapes={"x": [1, 3, dim, 4]}),
        lambda: rt.warm_up("any", shapes={"x": [1, 3, dim, 4]}),
    ):
        with pytest.raises(HBMInputError, match="each at most 2147483647") as caught:
            call()
        assert (caught.value.model, caught.value.tensor) == ("any", "x")
