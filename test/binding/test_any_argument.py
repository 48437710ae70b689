# SPDX-License-Identifier: Apache-2.0
"""Arguments of any kind: the documented errors and no others, and the runtime works on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_models
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from hbm_runtime import HB_HBMRuntime, HBMError, HBMInputError, SchedParam

A = np.arange(6, dtype=np.float32).reshape(2, 3)
X = np.arange(4, dtype=np.float32).reshape(1, 4)
MODELS = ("plus", "sums")

many = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

ELEMENTS: list[Any] = [
    *"?bBhHiIqQefdgFD", ">f4", ">i8", "O", "U3", ">U3", "S3", "V4", "M8[s]", ">m8[ns]",
    [("a", "f4")], [("\udcff", ">f4")],
]  # fmt: skip
arrays = st.builds(
    lambda dtype, shape, order: np.zeros(shape, dtype, order=order),
    st.sampled_from(ELEMENTS),
    st.one_of(
        st.sampled_from([(1, 4), (2, 3)]),
        npst.array_shapes(min_dims=0, max_dims=6, min_side=0, max_side=4),
    ),
    st.sampled_from("CF"),
)
VALUES: list[Any] = [
    int, len, object(), Ellipsis, range(3), Path("m.hbm"), SchedParam(), np.int8(3),
    np.bool_(True), np.float32(0.5), X, np.array([0, 1]), np.array(2),
]  # fmt: skip
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-300, 300),
    st.sampled_from([2**31, -(2**31) - 1, 2**32, 2**63, -(2**63) - 1]),
    st.floats(),
    st.complex_numbers(),
    st.text(max_size=8),
    st.text(st.characters(categories=["Cs"]), max_size=3),
    st.binary(max_size=8),
    st.sampled_from([*MODELS, "x", "a", "b", "y"]),
    st.sampled_from(VALUES),
)
keys = st.one_of(
    st.sampled_from([*MODELS, "x", "a", "b"]),
    st.text(max_size=5),
    st.integers(),
    st.none(),
    st.binary(max_size=3),
)
anything = st.recursive(
    st.one_of(scalars, arrays),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(keys, inner, max_size=3),
    ),
    max_leaves=5,
)


class OddPath:
    """A PathLike that gives no path."""

    def __fspath__(self) -> Any:
        return 3


class OddText:
    """Something that cannot be shown."""

    def __repr__(self) -> str:
        raise ValueError("no text")


# What hypothesis itself cannot show.
ODD = {"huge": 10**5000, "text": OddText(), "path": OddPath()}
odd = pytest.mark.parametrize("value", ODD.values(), ids=ODD)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(
        tiny_models.save(
            tmp_path_factory.mktemp("any") / "pair.hbm",
            tiny_models.pack(tiny_models.add(), "plus"),
            tiny_models.pack(tiny_models.two_inputs_three_outputs(), "sums"),
        )
    )


@pytest.fixture
def runtime(path: str) -> HB_HBMRuntime:
    return HB_HBMRuntime(path)


def outcome(call: Callable[..., Any], *arguments: Any, **keywords: Any) -> str:
    """Call it and tell what happened; any error but the documented ones ends the test."""
    try:
        call(*arguments, **keywords)
    except HBMError as error:
        return str(error)
    return "fine"


def assert_works(runtime: HB_HBMRuntime) -> None:
    results = runtime.run({"plus": {"x": X}, "sums": {"a": A, "b": A}})
    np.testing.assert_array_equal(results["plus"]["y"], X + 1)
    np.testing.assert_array_equal(results["sums"]["total"], A + A)


def check_constructor(path: str, value: Any) -> None:
    assert outcome(HB_HBMRuntime, value)
    assert outcome(HB_HBMRuntime, [path, value])
    assert outcome(HB_HBMRuntime, model_files=value)
    assert outcome(HB_HBMRuntime, path, library=value)


@many
@given(anything)
@example("x" * 5000 + ".hbm")
@example("\udcff.hbm")
@example(b"/tmp")
@example("a\0b.hbm")
def test_any_argument_of_the_constructor(path: str, value: Any) -> None:
    check_constructor(path, value)


@odd
def test_odd_arguments_of_the_constructor(path: str, value: Any) -> None:
    check_constructor(path, value)


def test_a_file_whose_name_is_not_utf8_is_named(path: str, tmp_path: Path) -> None:
    named = str(tmp_path / "\udcff.hbm")
    Path(named).symlink_to(path)
    assert "not UTF-8" in outcome(HB_HBMRuntime, named)


def check_input(runtime: HB_HBMRuntime, value: Any) -> None:
    assert outcome(runtime.run, value)
    assert outcome(runtime.run, {"plus": {"x": value}})
    for model in MODELS:
        assert outcome(runtime.run, value, model_name=model)
        assert outcome(runtime.run, {model: value})
    assert_works(runtime)


@many
@given(anything)
def test_any_input_of_run(runtime: HB_HBMRuntime, value: Any) -> None:
    check_input(runtime, value)


@odd
def test_odd_inputs_of_run(runtime: HB_HBMRuntime, value: Any) -> None:
    check_input(runtime, value)
    assert outcome(runtime.run, {value: X}) != "fine"
    assert outcome(runtime.run, {"plus": {value: X}}) != "fine"
    assert outcome(runtime.run, {value: {"x": X}, "plus": {"x": X}}) != "fine"


@many
@given(arrays)
def test_any_array_is_used_right_or_refused(runtime: HB_HBMRuntime, array: Any) -> None:
    fits = array.shape == (1, 4) and array.dtype.newbyteorder("=") == np.float32
    if fits:
        np.testing.assert_array_equal(runtime.run(array, "plus")["plus"]["y"], array + 1)
        return
    with pytest.raises(HBMInputError) as caught:
        runtime.run(array, "plus")
    assert caught.value.model == "plus" and caught.value.tensor == "x"


RUN_KEYWORDS = (
    "model_name", "priority", "bpu_cores", "custom_id", "device_id", "timeout", "dense",
)  # fmt: skip


def check_keyword(runtime: HB_HBMRuntime, name: str, value: Any) -> None:
    inputs = {"plus": {"x": X}}
    assert outcome(runtime.run, inputs, **{name: value})
    assert outcome(runtime.run, inputs, **{name: {"plus": value}})
    assert_works(runtime)


@pytest.mark.parametrize("name", RUN_KEYWORDS)
@many
@given(anything)
@example(float("nan"))
@example(np.array([0, 1]))
def test_any_keyword_of_run(runtime: HB_HBMRuntime, name: str, value: Any) -> None:
    check_keyword(runtime, name, value)


@pytest.mark.parametrize("name", RUN_KEYWORDS)
@odd
def test_odd_keywords_of_run(runtime: HB_HBMRuntime, name: str, value: Any) -> None:
    check_keyword(runtime, name, value)


def check_setting(runtime: HB_HBMRuntime, name: str, value: Any) -> None:
    for given_value in (value, {"sums": value}, {"plus": value}, {"plus": [value], "sums": value}):
        before = runtime.sched_params
        if outcome(runtime.set_scheduling_params, **{name: given_value}) != "fine":
            assert runtime.sched_params == before
    for params in runtime.sched_params.values():
        numbers = (params.priority, params.customId, params.deviceId, *params.bpu_cores)
        assert {type(number) for number in numbers} == {int}
    assert_works(runtime)


@pytest.mark.parametrize("name", ["priority", "bpu_cores", "custom_id", "device_id"])
@many
@given(anything)
@example({"plus": 1, "nobody": 2})
def test_any_setting_is_taken_whole_or_refused_whole(path: str, name: str, value: Any) -> None:
    check_setting(HB_HBMRuntime(path), name, value)


@pytest.mark.parametrize("name", ["priority", "bpu_cores", "custom_id", "device_id"])
@odd
def test_odd_settings_are_refused(path: str, name: str, value: Any) -> None:
    check_setting(HB_HBMRuntime(path), name, value)


@pytest.mark.parametrize(
    "call",
    [
        lambda runtime: runtime.run(X, "plus", 0, [0], 0, 0, "one too many"),
        lambda runtime: runtime.run(X, input=X),
        lambda runtime: runtime.set_scheduling_params(1, 2, 3, 4, 5),
        lambda runtime: runtime.set_scheduling_params(prio={}),
        lambda runtime: HB_HBMRuntime("a", "b", "c"),
        lambda runtime: HB_HBMRuntime(file="a"),
    ],
)
def test_pythons_own_call_syntax_raises_type_error(
    runtime: HB_HBMRuntime, call: Callable[[HB_HBMRuntime], object]
) -> None:
    with pytest.raises(TypeError):
        call(runtime)
