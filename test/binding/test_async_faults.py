# SPDX-License-Identifier: Apache-2.0
"""Every call of an asynchronous run made to fail in turn: an error, no leak, no aftermath."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import simulator_live
import tiny_models
from async_models import X, plus_one, wait_until_idle, wait_until_nothing_is_held
from simulator_faults import faults

from hbm_runtime import HB_HBMRuntime, HBMError

A = np.ones((2, 3), np.float32)
INPUTS = {"plus": {"x": X}, "sums": {"a": A, "b": A}}
STATUS = -300001
CALLS = [
    "hbUCPMallocCached",
    "hbUCPMemFlush",
    "hbDNNInferV2",
    "hbUCPSetTaskDoneCb",
    "hbUCPSubmitTask",
]


@pytest.mark.parametrize("call", CALLS)
def test_a_failed_call_is_an_error_and_the_next_run_right(
    save: Callable[..., str], call: str
) -> None:
    before = simulator_live.count()
    sums = tiny_models.pack(tiny_models.two_inputs_three_outputs(), "sums")
    path = save(plus_one("plus", 1), sums)
    failures = 0
    for position in range(1, 30):
        rt = HB_HBMRuntime(path)
        with faults(f"{call}@{position}={STATUS}"):
            try:
                results = rt.run_async(INPUTS).result(timeout=20)
            except HBMError as error:
                if (error.call, error.status) != (call, STATUS):
                    raise
                failures += 1
                results = None
        again = rt.run_async(INPUTS).result(timeout=20)
        assert (again["plus"]["y"] == 1).all() and (again["sums"]["total"] == 2).all()
        counted = rt.stats().models
        failed = sum(counted[name].failed for name in counted)
        assert failed == 0 if results else failed >= 1
        wait_until_idle(rt)
        del rt, again
        if results is not None:
            break
    else:
        raise AssertionError(f"{call} was called 29 times")
    del results
    assert failures >= 2, "two models make at least two such calls"
    wait_until_nothing_is_held(before)


def test_a_release_that_fails_once_is_tried_again(save: Callable[..., str]) -> None:
    before = simulator_live.count()
    path = save(plus_one("m", 1))
    for call in ("hbUCPFree", "hbUCPReleaseTask", "hbDNNRelease"):
        with faults(f"{call}@1={STATUS}"):
            rt = HB_HBMRuntime(path)
            assert (rt.run_async(X).result()["m"]["y"] == 1).all()
            del rt
            wait_until_nothing_is_held(before)
