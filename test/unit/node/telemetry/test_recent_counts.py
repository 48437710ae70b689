# SPDX-License-Identifier: Apache-2.0
"""What counters have gained lately: the window slides, a reset is no gain."""

from __future__ import annotations

from hbm_runtime_ros.telemetry.recent_counts import RecentCounts


def test_nothing_is_gained_before_there_is_a_second_look() -> None:
    counts = RecentCounts(5.0)
    counts.add(100.0, {"images": 7})
    assert counts.gained() == {}
    assert counts.seconds > 0


def test_the_gain_is_that_of_the_window() -> None:
    counts = RecentCounts(5.0)
    for second in range(20):
        counts.add(100.0 + second, {"images": 10 * second, "lost": 0})
    assert counts.seconds == 5.0
    assert counts.gained() == {"images": 50}


def test_a_gain_is_forgotten_once_it_is_older_than_the_window() -> None:
    counts = RecentCounts(5.0)
    counts.add(0.0, {"faults": 0})
    counts.add(1.0, {"faults": 3})
    counts.add(5.0, {"faults": 3})
    assert counts.gained() == {"faults": 3}
    counts.add(6.0, {"faults": 3})
    assert counts.gained() == {}


def test_samples_rarer_than_the_window_are_compared_with_the_previous_one() -> None:
    counts = RecentCounts(5.0)
    for now, images in ((0.0, 0), (60.0, 10), (120.0, 30)):
        counts.add(now, {"images": images})
    assert (counts.seconds, counts.gained()) == (60.0, {"images": 20})


def test_a_counter_that_comes_later_counts_from_zero() -> None:
    counts = RecentCounts(5.0)
    counts.add(0.0, {})
    counts.add(1.0, {"drops.timeout": 2})
    assert counts.gained() == {"drops.timeout": 2}
    assert counts.gained("drops.") == {"timeout": 2}


def test_a_reset_of_the_counters_is_no_gain_and_no_loss() -> None:
    counts = RecentCounts(5.0)
    counts.add(0.0, {"images": 100, "lost": 1})
    counts.add(1.0, {"images": 3})
    assert counts.gained() == {}
    counts.add(2.0, {"images": 5})
    assert counts.gained() == {"images": 2}


def test_it_does_not_grow_with_time() -> None:
    counts = RecentCounts(5.0)
    for second in range(1000):
        counts.add(float(second), {"images": second})
    assert len(counts._samples) < 10
