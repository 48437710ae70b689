# SPDX-License-Identifier: Apache-2.0
"""Bad input to run: an error that names model, tensor, what was expected and what came."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hbm_runtime import HB_HBMRuntime, HBMError, HBMInputError

X = np.zeros((1, 3, 4, 5), np.float32)
A = np.zeros((2, 3), np.float32)


def refused(rt: HB_HBMRuntime, *arguments: Any, **keywords: Any) -> HBMInputError:
    """Run, expect a refusal, and see that the next run works."""
    with pytest.raises(HBMInputError) as caught:
        rt.run(*arguments, **keywords)
    assert isinstance(caught.value, ValueError) and isinstance(caught.value, RuntimeError)
    return caught.value


@pytest.mark.parametrize("wrong", ["f8", "i4", "u1", "f2", "c8", "S3", "M8[s]", "O"])
def test_another_data_type_is_never_cast(doubling: HB_HBMRuntime, wrong: str) -> None:
    error = refused(doubling, np.zeros((1, 3, 4, 5), wrong))
    assert error.model == "doubling" and error.tensor == "x"
    assert "expected data type F32 (float32)" in str(error)
    assert (doubling.run(X)["doubling"]["y"] == 0).all()


@pytest.mark.parametrize(
    "shape", [(3, 4, 5), (1, 3, 4, 6), (1, 3, 4), (1, 3, 4, 5, 1), (0, 3, 4, 5), ()]
)
def test_another_shape_is_refused(doubling: HB_HBMRuntime, shape: tuple[int, ...]) -> None:
    error = refused(doubling, np.zeros(shape, np.float32))
    assert f"expected shape [1, 3, 4, 5], got {list(shape)}" in str(error)
    assert error.tensor == "x"


def test_a_shape_is_refused_before_anything_of_that_size_is_made(doubling: HB_HBMRuntime) -> None:
    for byte_order in "<>":
        endless = np.broadcast_to(np.zeros(1, f"{byte_order}f4"), (2_000_000, 2_000_000))
        assert "expected shape" in str(refused(doubling, endless))


def test_a_masked_array_is_refused(doubling: HB_HBMRuntime) -> None:
    assert "without its mask" in str(refused(doubling, np.ma.masked_array(X, X == 0)))


def test_an_unknown_input_is_named_with_the_nearest(sums: HB_HBMRuntime) -> None:
    error = refused(sums, {"a": A, "bb": A})
    assert 'Input name "bb" is invalid for model "sums"; did you mean \'b\'?' in str(error)


def test_a_missing_input_is_named(sums: HB_HBMRuntime) -> None:
    error = refused(sums, {"a": A})
    assert "missing input 'b'" in str(error)


def test_an_array_for_a_model_with_two_inputs_is_refused(sums: HB_HBMRuntime) -> None:
    assert "exactly 1 input" in str(refused(sums, A))


def test_several_models_need_a_name(pair: HB_HBMRuntime) -> None:
    assert "model_name is needed" in str(refused(pair, X))
    assert "'plus', 'sums'" in str(refused(pair, {"x": X}))


def test_an_unknown_model_is_named_with_the_nearest(pair: HB_HBMRuntime) -> None:
    assert "did you mean 'sums'?" in str(refused(pair, X, model_name="summs"))
    assert "'nobody'" in str(refused(pair, {"nobody": {"x": X}}))
    assert "str" in str(refused(pair, X, model_name=3))


def test_a_filter_that_leaves_nothing_is_refused(pair: HB_HBMRuntime) -> None:
    assert "'plus' only" in str(refused(pair, {"plus": {"x": X}}, model_name="sums"))


def test_a_model_without_a_dict_of_inputs_is_refused(pair: HB_HBMRuntime) -> None:
    assert "is invalid for model" in str(refused(pair, {"plus": X}, model_name="plus"))
    assert "expected a dict" in str(refused(pair, {"plus": X, "sums": {"a": A, "b": A}}))


@pytest.mark.parametrize("not_an_array", [None, 1.5, "x", [[0.0] * 4], object()])
def test_what_is_no_array_is_refused(doubling: HB_HBMRuntime, not_an_array: Any) -> None:
    assert "expected a numpy.ndarray" in str(refused(doubling, not_an_array))
    assert "expected a numpy.ndarray" in str(refused(doubling, {"x": not_an_array}))


def test_the_number_of_inputs_is_one(doubling: HB_HBMRuntime) -> None:
    assert "exactly one" in str(refused(doubling))
    assert '"model_name" must be a str' in str(refused(doubling, X, X))
    assert "exactly one" in str(refused(doubling, X, input_tensor=X))
    assert "unknown argument 'prio'" in str(refused(doubling, X, prio=1))


@pytest.mark.parametrize(
    "keywords",
    [
        {"priority": -1},
        {"priority": 256},
        {"priority": "high"},
        {"priority": 1.5},
        {"priority": {"nobody": 1}},
        {"bpu_cores": [9]},
        {"bpu_cores": [-2]},
        {"bpu_cores": "0"},
        {"bpu_cores": 0},
        {"bpu_cores": {"doubling": [0, 9]}},
        {"custom_id": 2**63},
        {"device_id": -1},
        {"timeout": -1},
        {"timeout": float("nan")},
        {"timeout": "soon"},
    ],
    ids=str,
)
def test_bad_parameters_of_a_call_are_refused(
    doubling: HB_HBMRuntime, keywords: dict[str, Any]
) -> None:
    refused(doubling, X, **keywords)
    assert (doubling.run(X)["doubling"]["y"] == 0).all()


def test_errors_have_one_base(doubling: HB_HBMRuntime) -> None:
    with pytest.raises(HBMError) as caught:
        doubling.run(X[0])
    error = caught.value
    assert error.call is None and error.status is None and error.status_name is None
