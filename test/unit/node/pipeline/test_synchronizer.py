# SPDX-License-Identifier: Apache-2.0
"""Images of several topics: which belong together, which stay alone, against a plain reference."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from operations import operations

from hbm_runtime_ros.parameters.settings import SyncSettings
from hbm_runtime_ros.pipeline.synchronizer import Matches, Synchronizer

MS = 1_000_000
Item = tuple[int, int, int]  # index of the image, stamp in ms, number of the arrival


class Rig:
    """Names items by image and stamp, and keeps what came of them."""

    def __init__(self, images: int = 2, **settings: object) -> None:
        self.settings = SyncSettings(**{"tolerance": 0.02, "max_age": 0.0, **settings})
        names = [chr(ord("a") + i) for i in range(images)]
        self.sync: Synchronizer[Item] = Synchronizer(self.settings, names)
        self.sets: list[tuple[Item, ...]] = []
        self.unmatched: list[tuple[int, Item]] = []
        self.arrivals = 0

    def add(self, index: int, ms: int, now: float = 0.0) -> Matches[Item]:
        matches = self.sync.add(index, (index, ms, self.arrivals), ms * MS, now)
        self.arrivals += 1
        self.sets += matches.sets
        self.unmatched += matches.unmatched
        return matches

    def feed(self, text: str) -> Rig:
        """Take "a0 b3 a33": images by letter, stamps in milliseconds."""
        for word in text.split():
            self.add(ord(word[0]) - ord("a"), int(word[1:]))
        return self

    def shown(self) -> str:
        return ", ".join("+".join(word(item) for item in items) for items in self.sets)

    def alone(self) -> str:
        assert all(index == item[0] for index, item in self.unmatched)
        return " ".join(word(item) for _, item in self.unmatched)


def word(item: Item) -> str:
    return f"{'abcdef'[item[0]]}{item[1]}"


def test_exact_puts_equal_stamps_together_in_any_order_of_arrival() -> None:
    rig = Rig(policy="exact").feed("a0 b0 b33 a33 a66 a99 b66")
    assert rig.shown() == "a0+b0, a33+b33, a66+b66"
    assert rig.alone() == ""
    assert len(rig.sync) == 1


def test_exact_leaves_out_what_differs_by_a_nanosecond() -> None:
    sync: Synchronizer[str] = Synchronizer(SyncSettings("exact", tolerance=1.0), ["a", "b"])
    assert sync.add(0, "a", 1_000, 0.0).sets == []
    assert sync.add(1, "b", 1_001, 0.0).sets == []


def test_a_set_drops_what_came_before_it() -> None:
    rig = Rig(policy="exact").feed("a0 b10 a33 b33")
    assert rig.shown() == "a33+b33"
    assert rig.alone() == "a0 b10"


def test_three_images_wait_for_the_last_of_them() -> None:
    rig = Rig(3, policy="exact").feed("a0 c0 a33 c33")
    assert rig.shown() == ""
    assert rig.feed("b0 b33").shown() == "a0+b0+c0, a33+b33+c33"


def test_approximate_takes_stamps_within_the_tolerance() -> None:
    rig = Rig(policy="approximate").feed("a0 b20 a100 b121")
    assert rig.shown() == "a0+b20"


def test_the_tolerance_is_between_any_two_of_a_set() -> None:
    assert Rig(3, policy="approximate").feed("a0 b15 c30").shown() == ""
    assert Rig(3, policy="approximate").feed("a0 b15 c20").shown() == "a0+b15+c20"


def test_approximate_takes_the_closest_of_several() -> None:
    rig = Rig(policy="approximate").feed("a0 a12 a18 b11")
    assert rig.shown() == "a12+b11"
    assert rig.alone() == "a0"
    assert len(rig.sync) == 1  # a18 may still find a partner


def test_anchor_takes_the_nearest_of_each_other_image() -> None:
    rig = Rig(3, policy="anchor").feed("b0 b15 b30 c18 a16 c50")
    assert rig.shown() == "a16+b15+c18"
    assert rig.alone() == "b0"


def test_anchor_waits_while_something_nearer_may_come() -> None:
    rig = Rig(policy="anchor").feed("b0 a12")
    assert rig.shown() == ""
    assert rig.feed("b13").shown() == "a12+b13"


def test_anchor_does_not_wait_where_the_next_one_will_be_farther() -> None:
    rig = Rig(policy="anchor").feed("b0 b33 a35")
    assert rig.shown() == "a35+b33"  # the next b is expected at 66, at 49 at the earliest


def test_anchor_goes_by_the_named_image() -> None:
    rig = Rig(policy="anchor", anchor="b")
    assert rig.sync.reference == 1
    assert rig.feed("a0 b1 a5 b30 a31").shown() == "a0+b1, a31+b30"


def test_an_anchor_without_partner_is_passed_over() -> None:
    rig = Rig(policy="anchor").feed("a0 a33 b34")
    assert rig.shown() == "a33+b34"
    assert rig.alone() == "a0"


def test_an_unknown_anchor_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="one of the images a, b, got 'left'"):
        Rig(policy="anchor", anchor="left")


def test_an_image_waits_for_its_partners_for_the_maximal_age() -> None:
    rig = Rig(policy="exact", max_age=0.5)
    rig.add(0, 0, now=10.0)
    rig.add(0, 33, now=10.2)
    assert rig.sync.expire(10.4) == []
    assert rig.sync.expire(10.5) == [(0, (0, 0, 0))]
    rig.add(1, 33, now=10.6)
    assert rig.shown() == "a33+b33"


def test_an_image_that_comes_late_finds_the_aged_one_gone() -> None:
    rig = Rig(policy="exact", max_age=0.5)
    rig.add(0, 0, now=10.0)
    rig.add(1, 0, now=10.6)
    assert rig.shown() == ""
    assert rig.alone() == "a0"


def test_ages_can_begin_again() -> None:
    rig = Rig(policy="exact", max_age=0.5)
    rig.add(0, 0, now=10.0)
    rig.sync.restart_ages(20.0)
    rig.add(1, 0, now=20.4)
    assert rig.shown() == "a0+b0"


def test_at_most_depth_images_of_a_topic_wait() -> None:
    rig = Rig(policy="exact", depth=3).feed("a0 a1 a2 a3 a4")
    assert rig.alone() == "a0 a1"
    assert len(rig.sync) == 3


def test_a_bag_that_begins_anew_keeps_all_its_sets() -> None:
    once = "a0 b0 a33 b33 a66 b66"
    rig = Rig(policy="exact").feed(f"{once} {once} {once}")
    assert rig.shown() == ", ".join(["a0+b0, a33+b33, a66+b66"] * 3)
    assert rig.alone() == ""


def test_the_last_image_of_the_old_run_does_not_disturb_the_new_one() -> None:
    # the first of b's new run comes after the last of its old one, and after two of a's new run
    rig = Rig(policy="approximate").feed("a900 b900 a933 a0 b933 a33 b0 b33")
    assert rig.shown() == "a900+b900, a0+b0, a33+b33"
    assert rig.alone() == "a933 b933"


def test_a_camera_whose_clock_was_set_back_goes_on() -> None:
    rig = Rig(policy="exact").feed("a500 b500 a0 b533 a33 b0 b33")
    assert rig.shown() == "a500+b500, a0+b0, a33+b33"


def test_cameras_without_a_clock_are_put_together_in_their_order() -> None:
    rig = Rig(policy="exact").feed("a0 a0 b0 b0")
    assert [tuple(item[2] for item in items) for items in rig.sets] == [(0, 2), (1, 3)]


def test_clear_gives_back_all_and_forgets_the_time() -> None:
    rig = Rig(policy="exact").feed("a900 a933 b950")
    assert [item for _, item in rig.sync.clear()] == [(0, 900, 0), (0, 933, 1), (1, 950, 2)]
    assert len(rig.sync) == 0
    assert rig.feed("a0 b0").shown() == "a0+b0"


class Reference:
    """The same rules in the plainest way: all combinations of all that waits."""

    def __init__(self, images: int, settings: SyncSettings) -> None:
        self.settings = settings
        self.tolerance = 0 if settings.policy == "exact" else round(settings.tolerance * 1000)
        self.waiting: list[list[tuple[Item, float]]] = [[] for _ in range(images)]
        self.last: list[int | None] = [None] * images
        self.gap = [0] * images
        self.sets: list[tuple[Item, ...]] = []
        self.unmatched: list[Item] = []

    def add(self, item: Item, now: float) -> None:
        index, ms, _ = item
        old = self.last[index]
        for i in range(len(self.waiting)):
            self.keep(i, lambda _, since: since + self.settings.max_age > now)
        if old is not None and ms < old:
            for i in range(len(self.waiting)):
                self.keep(i, lambda it, _, i=i: i != index and abs(it[1] - ms) < abs(it[1] - old))
                last = self.last[i]
                if i == index or (last is not None and abs(last - ms) >= abs(last - old)):
                    self.last[i], self.gap[i] = None, 0
        last = self.last[index]
        if last is not None and ms > last:
            self.gap[index] = ms - last
        self.last[index] = ms
        self.waiting[index].append((item, now))
        if self.settings.policy == "anchor":
            while self.anchor():
                pass
        else:
            self.closest(item)
        while len(self.waiting[index]) > self.settings.depth:
            self.unmatched.append(self.waiting[index].pop(0)[0])

    def keep(self, index: int, stays: object) -> None:
        before = self.waiting[index]
        self.waiting[index] = [entry for entry in before if stays(*entry)]
        self.unmatched += [entry[0] for entry in before if entry not in self.waiting[index]]

    def emit(self, items: Sequence[Item]) -> None:
        self.sets.append(tuple(items))
        for index, item in enumerate(items):
            entries = [entry[0] for entry in self.waiting[index]]
            at = entries.index(item)
            self.unmatched += entries[:at]
            del self.waiting[index][: at + 1]

    def closest(self, newest: Item) -> None:
        best = None
        for items in itertools.product(*[[entry[0] for entry in w] for w in self.waiting]):
            if newest not in items:
                continue
            stamps = [item[1] for item in items]
            spread = max(stamps) - min(stamps)
            key = (spread, min(stamps), [item[2] for item in items])
            if spread <= self.tolerance and (best is None or key < best[0]):
                best = key, items
        if best is not None:
            self.emit(best[1])

    def anchor(self) -> bool:
        for (_, stamp, _), _ in (anchors := self.waiting[0]):
            choice: list[Item] = []
            settled = True
            for index, entries in enumerate(self.waiting[1:], start=1):
                near = [e[0] for e in entries if abs(e[0][1] - stamp) <= self.tolerance]
                if not near:
                    break
                nearest = min(near, key=lambda item: (abs(item[1] - stamp), item[1]))
                choice.append(nearest)
                newest = entries[-1][0][1]
                next_one = newest + self.gap[index] / 2
                settled &= newest >= stamp or next_one - stamp >= stamp - newest
            else:
                if not settled:
                    return False
                self.emit([next(item for (item, _) in anchors if item[1] == stamp), *choice])
                return True
        return False


def arrivals(images: int) -> st.SearchStrategy[list[tuple[int, int, float]]]:
    """(image, step of its stamp, seconds since the arrival before); sometimes time jumps back."""
    step = st.one_of(st.integers(0, 12), st.integers(0, 60), st.just(-300))
    pause = st.sampled_from([0.0, 0.01, 0.03, 0.2])
    return st.lists(st.tuples(st.integers(0, images - 1), step, pause), max_size=60)


@given(
    st.data(),
    st.integers(2, 4),
    st.sampled_from(["exact", "approximate", "anchor"]),
    st.sampled_from([0.0, 0.005, 0.02]),
    st.integers(1, 6),
)
def test_any_arrivals_give_what_the_reference_gives(
    data: st.DataObject, images: int, policy: str, tolerance: float, depth: int
) -> None:
    rig = Rig(images, policy=policy, tolerance=tolerance, depth=depth, max_age=0.5)
    reference = Reference(images, rig.settings)
    stamps = [0] * images
    now = 0.0
    for number, (index, step, pause) in enumerate(data.draw(arrivals(images))):
        now += pause
        if policy == "anchor" and step == 0:
            step = 1  # equal stamps on a topic: either may be the nearest
        stamps[index] = max(0, stamps[index] + step) if policy != "anchor" else stamps[index] + step
        reference.add((index, stamps[index], number), now)
        rig.add(index, stamps[index], now)
        assert rig.sets == reference.sets
        assert sorted(item for _, item in rig.unmatched) == sorted(reference.unmatched)
        assert len(rig.sync) == sum(map(len, reference.waiting))
        assert all(len(waiting) <= depth for waiting in reference.waiting)


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 40)), max_size=80),
    st.sampled_from(["exact", "approximate", "anchor"]),
)
def test_no_image_is_used_twice_none_is_lost_and_sets_come_in_order(
    steps: list[tuple[int, int]], policy: str
) -> None:
    rig = Rig(3, policy=policy, depth=4)
    stamps = [0, 0, 0]
    for index, step in steps:
        stamps[index] += step
        rig.add(index, stamps[index])
    used = [item for items in rig.sets for item in items]
    ended = [*used, *(item for _, item in rig.unmatched), *(item for _, item in rig.sync.clear())]
    assert sorted(item[2] for item in ended) == list(range(rig.arrivals))
    for earlier, later in itertools.pairwise(rig.sets):
        assert all(a[1] <= b[1] and a[2] < b[2] for a, b in zip(earlier, later, strict=True))
    limit = 0 if policy == "exact" else 20
    for items in rig.sets:
        apart = (
            max(abs(item[1] - items[0][1]) for item in items)
            if policy == "anchor"
            else max(item[1] for item in items) - min(item[1] for item in items)
        )
        assert apart <= limit


@pytest.mark.parametrize("policy", ["exact", "approximate", "anchor"])
def test_synchronised_cameras_with_jitter_lose_nothing(policy: str) -> None:
    noise = random.Random(7)
    rig = Rig(4, policy=policy, tolerance=0.01)
    for frame in range(300):
        jitter = 0 if policy == "exact" else 4
        order = noise.sample(range(4), 4)
        for index in order:
            rig.add(index, 100 + 33 * frame + noise.randint(-jitter, jitter))
    assert len(rig.sets) >= 299
    assert rig.unmatched == []


def test_the_work_grows_with_the_depth_and_no_faster() -> None:
    """The worst case: b and c are each near enough to a, and too far from each other."""

    def work(depth: int) -> int:
        sync: Synchronizer[int] = Synchronizer(
            SyncSettings("approximate", tolerance=2 * depth / 1e9, max_age=0.0, depth=depth),
            ["a", "b", "c"],
        )
        for stamp in range(depth):
            sync.add(1, stamp, stamp, 0.0)
        sync.add(2, 0, 3 * depth, 0.0)

        def add() -> None:
            for stamp in range(20):
                assert not sync.add(0, stamp, 3 * depth // 2 + stamp, 0.0).sets

        return operations(add)

    assert work(1000) > 3 * work(100)  # it is the worst case
    assert work(1000) < 20 * work(100)  # 10 times, 100 times if it were quadratic
