# SPDX-License-Identifier: Apache-2.0
"""Images that contradict themselves: counted by reason, logged, and the node lives."""

from __future__ import annotations

import array
from collections.abc import Callable
from pathlib import Path

import pytest

SHORT = array.array("B", bytes(100))

BAD = {
    "short_data": (dict(data=SHORT), "at least 144 bytes"),
    "bad_step": (dict(step=11), "at least its width 12, got 11"),
    "odd_size": (dict(height=7), "even width and height, got 12x7"),
    "zero_size": (dict(width=0), "0x8"),
    "encoding": (dict(encoding="jpeg2000"), "'jpeg2000' cannot be used; accepted are nv12"),
}


@pytest.mark.parametrize("reason", BAD)
def test_a_bad_image_is_counted_by_reason_and_the_next_good_one_is_served(
    embed: Callable, nv12_model: Path, make_image: Callable, reason: str
) -> None:
    if reason == "encoding":
        pytest.importorskip("cv_bridge", reason="needs cv_bridge")
    rig = embed(eye=dict(file=nv12_model)).until_active()
    changes, says = BAD[reason]
    rig.publish_until_received(make_image(**changes), "eye")
    rig.until(lambda: rig.drops("eye"), "the count")
    assert list(rig.drops("eye")) == [reason]
    rig.until(lambda: f"eye: {reason}: " in rig.log, "a line in the log")
    assert says in rig.log
    assert rig.publish_until_result(make_image(stamp=(5, 5)), "eye").model == "eye"
    assert rig.counters("eye").results >= 1


def test_repeated_faults_are_logged_once_per_period_and_all_counted(
    embed: Callable, nv12_model: Path, make_image: Callable
) -> None:
    rig = embed(eye=dict(file=nv12_model)).until_active()
    while rig.drops("eye").get("bad_step", 0) < 20:
        rig.publish_until_received(make_image(step=1), "eye")
    # all of them within seconds, the period is five
    assert 1 <= rig.log.count("bad_step") < 10
