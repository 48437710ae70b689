# SPDX-License-Identifier: Apache-2.0
"""Constants for the priorities that pre-empt, and a warning where they cannot."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable

import pytest
from async_models import X, plus_one

import hbm_runtime
from hbm_runtime import HB_HBMRuntime


def test_the_constants_are_priorities(save: Callable[..., str]) -> None:
    assert (hbm_runtime.PRIORITY_PREEMPT, hbm_runtime.PRIORITY_URGENT) == (254, 255)
    rt = HB_HBMRuntime(save(plus_one("m")))
    for priority in (hbm_runtime.PRIORITY_PREEMPT, hbm_runtime.PRIORITY_URGENT):
        assert (rt.run(X, priority=priority)["m"]["y"] == 1).all()


def test_models_that_cannot_be_interrupted_are_named(
    save: Callable[..., str], caplog: pytest.LogCaptureFixture
) -> None:
    told = '{"MAX_TIME_PER_FC": 0}'
    specs = [dataclasses.replace(plus_one(name), description=told) for name in ("a", "b")]
    rt = HB_HBMRuntime(save(*specs))
    with caplog.at_level(logging.WARNING, logger="hbm_runtime"):
        rt.set_scheduling_params(priority={"a": 253})
        assert caplog.records == []
        rt.set_scheduling_params(priority={"a": 254})
    assert len(caplog.records) == 1
    message = caplog.records[0].getMessage()
    assert "max_time_per_fc" in message and "'a', 'b'" in message
