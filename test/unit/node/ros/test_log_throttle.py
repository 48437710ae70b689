# SPDX-License-Identifier: Apache-2.0
"""Repeated log lines: one per key and period, and the number left out."""

from __future__ import annotations

from hbm_runtime_ros.ros.log_throttle import LogThrottle


def test_repeated_reports_are_held_back_per_key_and_counted() -> None:
    now = [0.0]
    throttle = LogThrottle(5.0, clock=lambda: now[0])
    assert throttle.admit("a") == 0
    assert throttle.admit("b") == 0
    for now[0] in (1.0, 2.0, 4.9):
        assert throttle.admit("a") is None
    now[0] = 5.0
    assert throttle.admit("a") == 3
    now[0] = 10.0
    assert throttle.admit("a") == 0
