# SPDX-License-Identifier: Apache-2.0
"""Arrays of other libraries: DLPack and the buffer protocol, in and out."""

from __future__ import annotations

import array
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from async_models import X, plus_one

from hbm_runtime import HB_HBMRuntime, HBMInputError


class Foreign:
    """Another library's array, that has DLPack and nothing else."""

    def __init__(self, data: np.ndarray) -> None:
        self._data = data

    def __dlpack__(self, **how: Any) -> Any:
        return self._data.__dlpack__(**how)

    def __dlpack_device__(self) -> Any:
        return self._data.__dlpack_device__()


class Elsewhere(Foreign):
    """One in another device's memory."""

    def __dlpack__(self, **how: Any) -> Any:
        raise BufferError("not in this memory")


def test_the_buffer_protocol(save: Callable[..., str]) -> None:
    rt = HB_HBMRuntime(save(plus_one("m")))
    numbers = array.array("f", [1, 2, 3, 4])
    for given in (
        memoryview(numbers).cast("B").cast("f", (1, 4)),
        memoryview(bytes(numbers)).cast("f", (1, 4)),
        memoryview(bytearray(numbers)).cast("f", (1, 4)),
    ):
        for results in (rt.run(given), rt.run({"x": given}), rt.run_async(given).result()):
            assert results["m"]["y"].tolist() == [[2, 3, 4, 5]]


@pytest.mark.parametrize("wrong", [array.array("f", [1, 2, 3, 4]), b"1234", [[1.0] * 4], "x", 5])
def test_other_objects_are_refused_with_what_to_do(save: Callable[..., str], wrong: object) -> None:
    rt = HB_HBMRuntime(save(plus_one("m")))
    for call in (rt.run, rt.run_async):
        with pytest.raises(HBMInputError, match=r"model 'm'|model: m"):
            call(wrong)  # type: ignore[operator]


@pytest.mark.skipif(not hasattr(np, "from_dlpack"), reason="numpy before 1.22 has no DLPack")
def test_dlpack_in_and_out(save: Callable[..., str]) -> None:
    rt = HB_HBMRuntime(save(plus_one("m")))
    given = np.full((1, 4), 6, np.float32)
    y = rt.run(Foreign(given))["m"]["y"]
    assert (y == 7).all()
    shared = np.from_dlpack(y)
    assert np.shares_memory(shared, y)
    del y
    assert (rt.run_async(Foreign(X)).result()["m"]["y"] == 1).all()
    assert (shared == 7).all(), "the consumer keeps the device memory"


@pytest.mark.skipif(not hasattr(np, "from_dlpack"), reason="numpy before 1.22 has no DLPack")
def test_memory_of_another_device_is_refused(save: Callable[..., str]) -> None:
    rt = HB_HBMRuntime(save(plus_one("m")))
    with pytest.raises(HBMInputError, match=r"not in this memory.*numpy\.asarray"):
        rt.run(Elsewhere(X))


def test_without_dlpack_in_numpy_the_error_is_clear(
    save: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with numpy 1.21."""
    rt = HB_HBMRuntime(save(plus_one("m")))
    monkeypatch.delattr(np, "from_dlpack", raising=False)
    with pytest.raises(HBMInputError, match=r"numpy\.asarray"):
        rt.run(Foreign(X))
