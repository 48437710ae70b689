# SPDX-License-Identifier: Apache-2.0
"""What newer boards added: scheduling per call, concurrent runs, compile_bpu_core_num."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import tiny_models

from hbm_runtime import HB_HBMRuntime, HBMInputError, SchedParam, _core

A = np.arange(6, dtype=np.float32).reshape(2, 3)
X = np.arange(4, dtype=np.float32).reshape(1, 4)
BOTH = {"plus": {"x": X}, "sums": {"a": A, "b": A}}


class Spy:
    """Stands before the core and notes with which parameters it is asked to run."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.made: list[tuple[Any, ...]] = []
        real = _core.Scheduling

        def note(*values: Any) -> _core.Scheduling:
            self.made.append(values[:4])  # behind them come the model and what is ours
            return real(*values)

        monkeypatch.setattr(_core, "Scheduling", note)


@pytest.fixture
def spy(pair: HB_HBMRuntime, monkeypatch: pytest.MonkeyPatch) -> Spy:
    """Set up behind the loading of the models, which makes parameters too."""
    return Spy(monkeypatch)


DEFAULT = (0, 0, [-1], 0)


@pytest.mark.parametrize(
    ("keywords", "used"),
    [
        ({}, []),
        ({"priority": 9}, [(9, 0, [-1], 0)] * 2),
        ({"bpu_cores": [1, 2]}, [(0, 0, [1, 2], 0)] * 2),
        ({"bpu_cores": []}, [DEFAULT] * 2),
        ({"custom_id": -5}, [(0, -5, [-1], 0)] * 2),
        ({"device_id": 0}, [DEFAULT] * 2),
        ({"priority": {"plus": 9}}, [(9, 0, [-1], 0), DEFAULT]),
        ({"bpu_cores": {"sums": [3]}}, [DEFAULT, (0, 0, [3], 0)]),
        ({"custom_id": {"plus": 1, "sums": 2}}, [(0, 1, [-1], 0), (0, 2, [-1], 0)]),
        ({"device_id": {"plus": 0}}, [DEFAULT] * 2),
        (
            {"priority": {"plus": 1}, "bpu_cores": [0], "custom_id": {"sums": 7}, "device_id": 0},
            [(1, 0, [0], 0), (0, 7, [0], 0)],
        ),
    ],
    ids=str,
)
def test_parameters_of_a_call(
    pair: HB_HBMRuntime, spy: Spy, keywords: dict[str, Any], used: list[tuple[Any, ...]]
) -> None:
    """As {model: value}, or as one value for all models of the call."""
    results = pair.run(BOTH, **keywords)
    np.testing.assert_array_equal(results["plus"]["y"], X + 1)
    assert spy.made == used


def test_the_call_goes_before_the_settings_and_they_before_the_defaults(
    pair: HB_HBMRuntime, spy: Spy
) -> None:
    pair.set_scheduling_params(priority={"plus": 50}, bpu_cores={"plus": [1]})
    spy.made.clear()
    pair.run(BOTH, priority={"plus": 60}, custom_id={"plus": 3})
    assert spy.made == [(60, 3, [1], 0), DEFAULT]


def test_the_parameters_of_a_call_are_forgotten_after_it(pair: HB_HBMRuntime) -> None:
    pair.set_scheduling_params(priority={"plus": 50})
    pair.run(BOTH, priority=60, bpu_cores=[2], custom_id=3)
    assert pair.sched_params == {"plus": SchedParam(50), "sums": SchedParam()}


def test_parameters_may_name_models_that_do_not_run_now(pair: HB_HBMRuntime) -> None:
    """Programs pass one dict of all their models to every call."""
    everything = {"plus": 3, "sums": 4}
    assert list(pair.run(X, model_name="plus", priority=everything)) == ["plus"]
    with pytest.raises(HBMInputError, match="'nobody'"):
        pair.run(X, model_name="plus", priority={**everything, "nobody": 1})


@pytest.mark.parametrize("name", ["priority", "bpu_cores", "custom_id", "device_id"])
def test_none_is_as_good_as_nothing(pair: HB_HBMRuntime, name: str) -> None:
    assert list(pair.run(BOTH, **{name: None})) == ["plus", "sums"]


def test_arguments_may_be_passed_by_position(pair: HB_HBMRuntime) -> None:
    results = pair.run(X, "plus", {"plus": 5}, {"plus": [0]}, {"plus": 1}, {"plus": 0})
    np.testing.assert_array_equal(results["plus"]["y"], X + 1)
    names = list(inspect.signature(pair.run).parameters)
    assert names[:6] == ["input", "model_name", "priority", "bpu_cores", "custom_id", "device_id"]


def test_compile_bpu_core_num(pair: HB_HBMRuntime) -> None:
    assert pair.compile_bpu_core_num == {"plus": 1, "sums": 1}


def test_four_threads_share_one_object(pair: HB_HBMRuntime) -> None:
    """As in the documentation of the newer boards; the first generation raised an error."""

    def work(number: int) -> bool:
        outputs = [
            pair.run(
                {"x": X + number},
                model_name="plus",
                priority={"plus": 10 * number},
                bpu_cores={"plus": [number]},
                custom_id={"plus": frame},
            )["plus"]["y"]
            for frame in range(100)
        ]
        return all(np.array_equal(output, X + number + 1) for output in outputs)

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(4)))


def test_an_output_owns_its_memory(save: Callable[..., str]) -> None:
    """A view of device memory that is released with the array."""
    runtime = HB_HBMRuntime(save(tiny_models.pack(tiny_models.add(), "m")))
    first, second = (runtime.run(X)["m"]["y"] for _ in range(2))
    assert not np.shares_memory(first, second) and first.base is not None
