# SPDX-License-Identifier: Apache-2.0
"""Queue policies and the rate limit: which frames stay, which go, and for what reason."""

from __future__ import annotations

import itertools
import random
from collections import Counter, deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hbm_runtime_ros.pipeline.frame_queue import MARGIN, FrameQueue
from hbm_runtime_ros.pipeline.rate_limit import RateLimiter

SECOND = 1_000_000_000
POLICIES = ("latest", "oldest", "block", "every_nth")


def filled(policy: str, depth: int, frames: int) -> tuple[FrameQueue[int], list[tuple[int, str]]]:
    queue: FrameQueue[int] = FrameQueue()
    dropped = []
    for frame in range(frames):
        dropped += queue.put(frame, policy, depth)
    return queue, dropped


def contents(queue: FrameQueue[int]) -> list[int]:
    return queue.clear()


def test_latest_keeps_the_newest_and_says_replaced() -> None:
    queue, dropped = filled("latest", depth=2, frames=5)
    assert contents(queue) == [3, 4]
    assert dropped == [(0, "replaced"), (1, "replaced"), (2, "replaced")]


def test_oldest_keeps_the_oldest_and_says_queue_full() -> None:
    queue, dropped = filled("oldest", depth=2, frames=5)
    assert contents(queue) == [0, 1]
    assert dropped == [(2, "queue_full"), (3, "queue_full"), (4, "queue_full")]


def test_block_says_when_it_is_full_and_keeps_a_few_that_come_nevertheless() -> None:
    queue, dropped = filled("block", depth=2, frames=2)
    assert queue.blocks("block", 2)
    assert dropped == []
    for frame in range(2, 2 + MARGIN):
        assert queue.put(frame, "block", 2) == []
    assert queue.put(99, "block", 2) == [(99, "queue_full")]
    assert contents(queue) == list(range(2 + MARGIN))


def test_only_block_blocks() -> None:
    for policy in POLICIES:
        queue, _ = filled(policy, depth=1, frames=1)
        assert queue.blocks(policy, 1) == (policy == "block")


def test_block_has_room_again_below_its_depth() -> None:
    queue, _ = filled("block", depth=2, frames=3)
    queue.take()
    assert queue.blocks("block", 2)
    queue.take()
    assert not queue.blocks("block", 2)


def test_every_nth_takes_the_first_and_every_nth_after_it() -> None:
    queue: FrameQueue[int] = FrameQueue()
    assert [i for i in range(1, 11) if not queue.skips("every_nth", 3)] == [1, 4, 7, 10]


def test_every_nth_of_one_takes_all() -> None:
    queue: FrameQueue[int] = FrameQueue()
    assert not any(queue.skips("every_nth", 1) for _ in range(5))


def test_a_smaller_n_counts_from_the_last_frame_taken() -> None:
    queue: FrameQueue[int] = FrameQueue()
    assert [queue.skips("every_nth", 10) for _ in range(3)] == [False, True, True]
    assert [queue.skips("every_nth", 3) for _ in range(4)] == [False, True, True, False]


def test_other_policies_skip_nothing_and_every_nth_begins_anew_after_them() -> None:
    queue: FrameQueue[int] = FrameQueue()
    assert [queue.skips("every_nth", 3) for _ in range(2)] == [False, True]
    assert not queue.skips("latest", 3)
    assert not queue.skips("every_nth", 3)


@pytest.mark.parametrize(
    ("policy", "left", "reason"),
    [
        ("latest", [3, 4], "replaced"),
        ("every_nth", [3, 4], "replaced"),
        ("oldest", [0, 1], "queue_full"),
        ("block", [0, 1, 2, 3, 4], None),
    ],
)
def test_a_smaller_depth_drops_by_the_new_policy(
    policy: str, left: list[int], reason: str | None
) -> None:
    queue, _ = filled("oldest", depth=5, frames=5)
    dropped = queue.fit(policy, 2)
    assert contents(queue) == left
    assert [why for _, why in dropped] == [reason] * (5 - len(left))


class Model:
    """What the queue should do, in the plainest way."""

    def __init__(self) -> None:
        self.items: list[int] = []

    def put(self, item: int, policy: str, depth: int) -> list[tuple[int, str]]:
        if policy == "block":
            if len(self.items) >= depth + MARGIN:
                return [(item, "queue_full")]
            self.items.append(item)
            return []
        everything = [*self.items, item]
        if policy == "oldest":
            self.items, gone = everything[:depth], everything[depth:]
            return [(i, "queue_full") for i in gone]
        surplus = max(0, len(everything) - depth)
        self.items = everything[surplus:]
        return [(i, "replaced") for i in everything[:surplus]]


@given(
    st.lists(st.tuples(st.sampled_from(POLICIES), st.integers(1, 4), st.booleans()), max_size=60)
)
def test_any_changes_of_policy_and_depth_do_what_the_plain_model_does(
    steps: list[tuple[str, int, bool]],
) -> None:
    queue: FrameQueue[int] = FrameQueue()
    model = Model()
    for item, (policy, depth, take) in enumerate(steps):
        if take:
            assert queue.take() == (model.items.pop(0) if model.items else None)
        assert sorted(queue.put(item, policy, depth)) == sorted(model.put(item, policy, depth))
        assert len(queue) == len(model.items)
    assert queue.clear() == model.items


def admitted(times: list[float], rate: float) -> list[float]:
    limiter = RateLimiter()
    return [t for t in times if limiter.admit(1 + round(t * SECOND), rate)]


def camera(rate: float, seconds: float, jitter: float = 0.0, seed: int = 1) -> list[float]:
    """Times of frames; `jitter` is a share of the period, either way."""
    noise = random.Random(seed)
    return [1.0 + (i + noise.uniform(-jitter, jitter)) / rate for i in range(round(rate * seconds))]


@pytest.mark.parametrize("jitter", [0.0, 0.05, 0.2, 0.4])
@pytest.mark.parametrize("limit", [1, 7, 10, 15, 20, 25, 29, 30])
def test_a_camera_of_30_hz_gives_just_the_rate_asked_for(limit: int, jitter: float) -> None:
    frames = admitted(camera(30, 100, jitter), limit)
    assert len(frames) == pytest.approx(100 * limit, rel=0.02, abs=1.5)


@pytest.mark.parametrize("limit", [30, 31, 60, 1000])
def test_a_limit_above_the_camera_holds_nothing_back(limit: int) -> None:
    frames = camera(30, 20)
    assert admitted(frames, limit) == frames


def test_frames_are_evenly_spaced() -> None:
    frames = admitted(camera(30, 20), 15)
    gaps = [later - earlier for earlier, later in itertools.pairwise(frames)]
    assert {round(gap * 30) for gap in gaps} == {2}
    frames = admitted(camera(30, 20), 20)
    gaps = [later - earlier for earlier, later in itertools.pairwise(frames)]
    assert {round(gap * 30) for gap in gaps} == {1, 2}


@given(st.lists(st.floats(0.0, 0.5), min_size=1, max_size=200), st.floats(0.5, 50.0))
def test_never_more_than_the_rate_and_one_frame_to_catch_up(gaps: list[float], rate: float) -> None:
    now, times = 1.0, []
    for gap in gaps:
        now += gap
        times.append(now)
    window = deque(admitted(times, rate))
    while window:
        first = window[0]
        for count, last in enumerate(window, start=1):
            assert count <= (last - first) * rate + 2.2 + 1e-6 * rate
        window.popleft()


def test_a_pause_is_followed_by_no_burst() -> None:
    before = camera(30, 2)
    after = admitted(before + [t + 60.0 for t in before], 2)
    first, second = [t for t in after if t > 60.0][:2]
    assert second - first >= 0.45


def test_a_clock_that_jumps_back_begins_a_new_schedule() -> None:
    limiter = RateLimiter()
    assert limiter.admit(100 * SECOND, 1.0)
    assert limiter.admit(5 * SECOND, 1.0)
    assert not limiter.admit(5 * SECOND + SECOND // 2, 1.0)
    assert limiter.admit(6 * SECOND, 1.0)


def test_a_paused_simulation_holds_back_and_one_not_begun_does_not() -> None:
    limiter = RateLimiter()
    assert [limiter.admit(7 * SECOND, 1.0) for _ in range(3)] == [True, False, False]
    assert [limiter.admit(0, 1.0) for _ in range(3)] == [True, True, True]


def test_a_new_rate_counts_from_the_last_frame() -> None:
    limiter = RateLimiter()
    assert limiter.admit(SECOND, 0.01)
    assert not limiter.admit(2 * SECOND, 0.01)
    assert limiter.admit(2 * SECOND + 1, 1.0)
    assert all(limiter.admit(2 * SECOND + 2 + i, 0.0) for i in range(3))


def test_the_plain_rule_would_give_10_instead_of_15() -> None:
    """Why there is a schedule: with jitter, "a period has passed since the last" loses a third."""
    counts: Counter[str] = Counter()
    last = None
    times = camera(30, 100, 0.1)
    for t in times:
        if last is None or t - last >= 1 / 15:
            counts["plain"] += 1
            last = t
    counts["schedule"] = len(admitted(times, 15))
    assert counts["plain"] < 0.9 * counts["schedule"]
