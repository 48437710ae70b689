# SPDX-License-Identifier: Apache-2.0
"""set_scheduling_params and sched_params: checked as a whole, kept per model, used by run."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tiny_models

from hbm_runtime import HB_HBMRuntime, HBMInputError, SchedParam

X = np.zeros((1, 4), np.float32)


def test_defaults_are_the_accelerators(pair: HB_HBMRuntime) -> None:
    assert pair.sched_params == {"plus": SchedParam(), "sums": SchedParam()}
    assert pair.sched_params["plus"].bpu_cores == [-1]


def test_what_is_set_is_read_back(pair: HB_HBMRuntime) -> None:
    pair.set_scheduling_params(
        priority={"plus": 200}, bpu_cores={"plus": [0, 1]}, custom_id={"sums": 7},
        device_id={"sums": 0},
    )  # fmt: skip
    assert pair.sched_params["plus"] == SchedParam(200, 0, [0, 1], 0)
    assert pair.sched_params["sums"] == SchedParam(0, 7, [-1], 0)


def test_later_settings_keep_the_earlier_ones(pair: HB_HBMRuntime) -> None:
    pair.set_scheduling_params(priority={"plus": 200})
    pair.set_scheduling_params(bpu_cores={"plus": [1]})
    pair.set_scheduling_params(None, None, None, None)
    assert pair.sched_params["plus"] == SchedParam(200, 0, [1], 0)


@pytest.mark.parametrize("automatic", [[], [-1]])
def test_no_cores_mean_automatic(pair: HB_HBMRuntime, automatic: list[int]) -> None:
    pair.set_scheduling_params(bpu_cores={"plus": [2]})
    pair.set_scheduling_params(bpu_cores={"plus": automatic})
    assert pair.sched_params["plus"].bpu_cores == [-1]


@pytest.mark.parametrize(
    ("keywords", "said"),
    [
        ({"priority": {"plus": -1}}, "valid range [0, 255]: -1"),
        ({"priority": {"plus": 256}}, "valid range [0, 255]: 256"),
        ({"priority": {"nobody": 1}}, "'nobody' is not in the loaded model list"),
        ({"priority": 5}, "expected a dict"),
        ({"bpu_cores": {"plus": [9]}}, "has the cores 0, 1, 2, 3"),
        ({"bpu_cores": {"plus": 0}}, "expected a list"),
        ({"bpu_cores": {"plus": [0.5]}}, "expected an integer"),
        ({"custom_id": {"plus": 2**63}}, "out of range"),
        ({"device_id": {"plus": -1}}, "out of range"),
    ],
    ids=str,
)
def test_a_bad_value_changes_nothing(
    pair: HB_HBMRuntime, keywords: dict[str, Any], said: str
) -> None:
    before = pair.sched_params
    with pytest.raises(HBMInputError) as caught:
        pair.set_scheduling_params(**{"custom_id": {"sums": 3}, **keywords})
    assert said in str(caught.value)
    assert pair.sched_params == before


def test_a_returned_copy_changes_nothing(pair: HB_HBMRuntime) -> None:
    pair.sched_params["plus"].bpu_cores.append(3)
    pair.sched_params["plus"].priority = 99
    assert pair.sched_params["plus"] == SchedParam()


def test_numpy_integers_are_integers(pair: HB_HBMRuntime) -> None:
    pair.set_scheduling_params(priority={"plus": np.int64(3)}, bpu_cores={"plus": [np.int32(1)]})
    assert pair.sched_params["plus"] == SchedParam(3, 0, [1], 0)


def order_on_one_core(
    save: Callable[..., str], start: Callable[[HB_HBMRuntime, str], Any]
) -> list[str]:
    """Queue one run per priority behind a busy core; return the order in which they ended."""
    names = ["low", "high", "middle"]
    models = [tiny_models.pack(tiny_models.add(), name, latency_us=20_000) for name in names]
    rt = HB_HBMRuntime(
        save(tiny_models.pack(tiny_models.add(), "blocker", latency_us=300_000), *models)
    )
    ended: list[str] = []

    def run(name: str) -> None:
        start(rt, name)
        ended.append(name)

    threads = [threading.Thread(target=run, args=(name,)) for name in ["blocker", *names]]
    for thread in threads:
        thread.start()
        time.sleep(0.02)  # the blocker has the core before the others queue up
    for thread in threads:
        thread.join()
    return ended


PRIORITIES = {"blocker": 0, "low": 10, "middle": 100, "high": 200}


def test_the_priority_of_a_call_decides_the_order(save: Callable[..., str]) -> None:
    ended = order_on_one_core(
        save, lambda rt, name: rt.run(X, model_name=name, priority=PRIORITIES[name], bpu_cores=[0])
    )
    assert ended == ["blocker", "high", "middle", "low"]


def test_the_priority_that_was_set_decides_the_order(save: Callable[..., str]) -> None:
    def start(rt: HB_HBMRuntime, name: str) -> None:
        rt.set_scheduling_params(priority=PRIORITIES, bpu_cores={n: [0] for n in PRIORITIES})
        rt.run(X, model_name=name)

    assert order_on_one_core(save, start) == ["blocker", "high", "middle", "low"]


def test_the_call_overrides_what_was_set(save: Callable[..., str]) -> None:
    def start(rt: HB_HBMRuntime, name: str) -> None:
        rt.set_scheduling_params(priority=PRIORITIES)
        reverse = {n: 255 - priority for n, priority in PRIORITIES.items()}
        rt.run(X, model_name=name, priority=reverse, bpu_cores=[0])

    assert order_on_one_core(save, start) == ["blocker", "low", "middle", "high"]


def test_equal_priorities_go_by_custom_id(save: Callable[..., str]) -> None:
    ids = {"blocker": 0, "low": 3, "middle": 2, "high": 1}
    ended = order_on_one_core(
        save, lambda rt, name: rt.run(X, model_name=name, custom_id=ids, bpu_cores=[0])
    )
    assert ended == ["blocker", "high", "middle", "low"]
