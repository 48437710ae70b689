# SPDX-License-Identifier: Apache-2.0
"""Keys with code of their own: it may change the dictionaries of the call, or raise."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tiny_models
from async_models import X, plus_one

from hbm_runtime import HB_HBMRuntime

A, B = np.full((2, 3), 5, np.float32), np.full((2, 3), 2, np.float32)


class Key(str):
    """A str whose comparisons call a function first."""

    __slots__ = ("_compared",)

    def __new__(cls, text: str, compared: Callable[[], object]) -> Key:
        key = super().__new__(cls, text)
        key._compared = compared
        return key

    def __hash__(self) -> int:
        return super().__hash__()

    def __eq__(self, other: object) -> bool:
        self._compared()
        return super().__eq__(other)

    def __ne__(self, other: object) -> bool:
        return not self == other


class Mine(Exception):
    """What only a caller's own code raises."""


def refuse() -> None:
    raise Mine


CALLS: dict[str, Callable[[HB_HBMRuntime, Any], Any]] = {
    "run": lambda rt, inputs: rt.run(inputs),
    "run with time-out": lambda rt, inputs: rt.run(inputs, timeout=20),
    "run_async": lambda rt, inputs: rt.run_async(inputs).result(20),
    "run_many": lambda rt, inputs: rt.run_many([inputs])[0],
}


# In a process of its own: with a borrowed reference to what was freed the first comparison would
# read freed memory, which is filled with other objects here.
@pytest.mark.parametrize("call", ["rt.run(outer)", "rt.run_async(outer).result(20)"])
@pytest.mark.parametrize("change", ["outer.clear()", "inner.clear()", "inner.update(more)"])
def test_a_key_may_change_the_dictionaries(
    save: Callable[..., str], run_python: Callable[..., str], call: str, change: str
) -> None:
    printed = run_python(
        f"""
        import sys, numpy as np
        from hbm_runtime import HB_HBMRuntime
        class Key(str):
            __hash__ = str.__hash__
            def __eq__(self, other):
                inner = outer.get("m", {{}})
                {change}
                del inner
                rubbish.extend({{number: b"*" * number}} for number in range(300))
                return str.__eq__(self, other)
        x = np.zeros((1, 4), np.float32)
        rt = HB_HBMRuntime(sys.argv[1])
        rubbish, more = [], {{str(number): x for number in range(100)}}
        for _ in range(10):
            outer = {{"m": {{Key("x"): x.copy()}}}}
            assert ({call}["m"]["y"] == 1).all()
        print("end")
        """,
        save(plus_one("m")),
    )
    assert printed == "end\n"


@pytest.mark.parametrize("call", CALLS)
def test_a_change_between_two_inputs_has_no_effect(save: Callable[..., str], call: str) -> None:
    rt = HB_HBMRuntime(save(tiny_models.pack(tiny_models.two_inputs_three_outputs(), "sums")))
    given: dict[str, dict[str, Any]] = {}

    def change() -> None:
        given.clear()
        gc.collect()

    given["sums"] = {Key("a", change): A.copy(), Key("b", change): B.copy()}
    np.testing.assert_array_equal(CALLS[call](rt, given)["sums"]["total"], A + B)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    "inputs", [{Key("x", refuse): X}, {"m": {Key("x", refuse): X}}], ids=["by name", "by model"]
)
def test_what_a_key_raises_reaches_the_caller(
    save: Callable[..., str], call: str, inputs: dict[str, Any]
) -> None:
    rt = HB_HBMRuntime(save(plus_one("m")))
    with pytest.raises(Mine):
        CALLS[call](rt, inputs)
    assert (rt.run(X)["m"]["y"] == 1).all()


def test_what_is_no_number_is_no_time_out(save: Callable[..., str]) -> None:
    bound = HB_HBMRuntime(save(plus_one("m"))).bind()
    with pytest.raises(TypeError):  # and not a SystemError; Binding.run checks it before
        bound._run("soon")
