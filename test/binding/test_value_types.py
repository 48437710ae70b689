# SPDX-License-Identifier: Apache-2.0
"""QuantParams, SchedParam, the enumerations and the errors: copied, pickled, compared, printed."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hbm_runtime
from hbm_runtime import (
    HB_HBMRuntime,
    HBMError,
    HBMInputError,
    HBMLibraryError,
    HBMMemoryError,
    HBMModelError,
    HBMTaskError,
    HBMTimeoutError,
    QuantParams,
    SchedParam,
    hbDNNDataType,
    hbDNNQuantiType,
)

QUANT = QuantParams(
    np.array([0.5, 0.25], np.float32), np.array([1, 2], np.int32), hbDNNQuantiType.SCALE, 3
)
SCHED = SchedParam(5, 1001, [0, 1], 0)
COPIES: list[Callable[[Any], Any]] = [
    copy.copy,
    copy.deepcopy,
    *(
        lambda value, protocol=protocol: pickle.loads(pickle.dumps(value, protocol))
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
    ),
]
copies = pytest.mark.parametrize("copied", COPIES)


@copies
@pytest.mark.parametrize(
    "value", [QUANT, QuantParams(), SCHED, SchedParam(), hbDNNDataType.F32, hbDNNQuantiType.SCALE],
    ids=repr,
)  # fmt: skip
def test_copies_are_equal_and_of_the_same_type(copied: Callable[[Any], Any], value: Any) -> None:
    again = copied(value)
    assert again == value and type(again) is type(value)
    assert repr(again) == repr(value)


@pytest.mark.parametrize("enum", [*hbDNNDataType, *hbDNNQuantiType])
@copies
def test_there_is_one_object_of_each_enumerator(copied: Callable[[Any], Any], enum: Any) -> None:
    assert copied(enum) is enum


@copies
def test_what_stands_for_something_outside_has_no_copy(
    copied: Callable[[Any], Any], doubling: HB_HBMRuntime, tmp_path: Path
) -> None:
    x = np.ones((1, 3, 4, 5), np.float32)
    future = doubling.run_async(x)
    with doubling.trace(tmp_path / "runs.json") as trace:
        for only, instead in (
            (doubling, "in each process"),
            (doubling.bind(), r"bind\(\)"),
            (future, r"result\(\)"),
            (trace, "the file"),
            (doubling.library, "in each process"),
        ):
            for value in (only, {"in": [only]}):
                if value is only or copied is not copy.copy:
                    with pytest.raises(TypeError, match=f"pickle.*{instead}"):
                        copied(value)
    assert (future.result()["doubling"]["y"] == 2).all()
    assert (doubling.run(x)["doubling"]["y"] == 2).all() and not doubling.closed


def test_deep_copies_do_not_share_arrays() -> None:
    again = copy.deepcopy(QUANT)
    again.scale[0] = 9
    assert QUANT.scale[0] == 0.5
    settings = copy.deepcopy(SCHED)
    settings.bpu_cores.append(3)
    assert SCHED.bpu_cores == [0, 1]


@pytest.mark.parametrize(
    "other",
    [
        QuantParams(),
        QuantParams(QUANT.scale * 2, QUANT.zero_point, QUANT.quant_type, QUANT.axis),
        QuantParams(QUANT.scale, QUANT.zero_point + 1, QUANT.quant_type, QUANT.axis),
        QuantParams(QUANT.scale, QUANT.zero_point, hbDNNQuantiType.NONE, QUANT.axis),
        QuantParams(QUANT.scale, QUANT.zero_point, QUANT.quant_type, 0),
        QuantParams(QUANT.scale[:1], QUANT.zero_point, QUANT.quant_type, QUANT.axis),
        None,
        "QuantParams",
    ],
)
def test_quantisations_that_differ_are_not_equal(other: Any) -> None:
    assert other != QUANT


@pytest.mark.parametrize(
    "other", [SchedParam(), SchedParam(6, 1001, [0, 1], 0), SchedParam(5, 1001, [1], 0), None]
)
def test_settings_that_differ_are_not_equal(other: Any) -> None:
    assert other != SCHED


@pytest.mark.parametrize("value", [QUANT, SCHED])
def test_values_that_change_have_no_hash(value: Any) -> None:
    with pytest.raises(TypeError, match="unhashable"):
        hash(value)


def test_values_print_what_they_hold() -> None:
    assert repr(SCHED) == "SchedParam(priority=5, customId=1001, bpu_cores=[0, 1], deviceId=0)"
    for text in (
        "QuantParams(",
        "scale=array([0.5 , 0.25]",
        "<hbDNNQuantiType.SCALE: 1>",
        "axis=3",
    ):
        assert text in repr(QUANT)


@pytest.mark.parametrize("enum", [*hbDNNDataType, *hbDNNQuantiType])
def test_enumerators_behave_as_integers(enum: Any) -> None:
    assert isinstance(enum, int) and enum == enum.value and hash(enum) == hash(enum.value)
    assert {enum.value: "found"}[enum] == "found"
    assert [*range(20)][enum] == enum.value
    assert json.dumps(enum) == str(enum.value)
    assert type(enum)[enum.name] is enum and type(enum)(enum.value) is enum
    assert str(enum) == f"{enum}" == f"{enum!s}" == f"{type(enum).__name__}.{enum.name}"
    assert f"{enum:>24}" == f"{enum!s:>24}"


ERRORS = [
    (HBMError, ()),
    (HBMInputError, (ValueError,)),
    (HBMLibraryError, (ImportError,)),
    (HBMModelError, ()),
    (HBMMemoryError, (MemoryError,)),
    (HBMTaskError, ()),
    (HBMTimeoutError, (TimeoutError,)),
]


@copies
@pytest.mark.parametrize(("kind", "builtins"), ERRORS)
def test_errors_cross_processes_whole(
    copied: Callable[[Any], Any], kind: type[HBMError], builtins: tuple[type, ...]
) -> None:
    where = {
        "call": "hbUCPSubmitTask", "status": -100001, "status_name": "HB_UCP_INVALID_ARGUMENT",
        "model": "m", "tensor": "x",
    }  # fmt: skip
    error = copied(kind("what happened", **where))
    assert type(error) is kind and isinstance(error, (RuntimeError, *builtins))
    assert str(error) == "what happened" and error.args == ("what happened",)
    assert {name: getattr(error, name) for name in where} == where


def test_a_missing_library_has_the_message_of_an_import_error() -> None:
    assert HBMLibraryError("no libdnn.so").msg == "no libdnn.so"


def test_the_package_exports_what_the_original_does() -> None:
    original = {"HB_HBMRuntime", "hbDNNDataType", "hbDNNQuantiType", "QuantParams", "SchedParam"}
    assert original | {kind.__name__ for kind, _ in ERRORS} <= set(hbm_runtime.__all__)
    assert all(hasattr(hbm_runtime, name) for name in hbm_runtime.__all__)
