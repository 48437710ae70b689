# SPDX-License-Identifier: Apache-2.0
"""Puts the images of several topics together by their stamps. Knows no ROS."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from hbm_runtime_ros.parameters.settings import SyncSettings

ItemT = TypeVar("ItemT")


@dataclass
class Matches(Generic[ItemT]):
    """What one image led to.

    Attributes:
        sets: Complete sets, in order; each has one item per image.
        unmatched: (index of the image, item) for each item that will not be in a set any more.
    """

    sets: list[tuple[ItemT, ...]] = field(default_factory=list)
    unmatched: list[tuple[int, ItemT]] = field(default_factory=list)


class _Topic(Generic[ItemT]):
    """The items of one image that wait for partners, oldest first; stamps never decrease."""

    def __init__(self) -> None:
        self.stamps: list[int] = []
        self.items: list[ItemT] = []
        self.since: list[float] = []
        self.last: int | None = None  # stamp of the newest item that came
        self.gap = 0  # nanoseconds between the two newest of different stamps, 0 if not known

    def append(self, item: ItemT, stamp: int, now: float) -> None:
        if self.last is not None and stamp > self.last:
            self.gap = stamp - self.last
        self.last = stamp
        self.stamps.append(stamp)
        self.items.append(item)
        self.since.append(now)

    def remove_first(self, count: int) -> list[ItemT]:
        removed = self.items[:count]
        del self.stamps[:count], self.items[:count], self.since[:count]
        return removed

    def remove_nearer_to(self, old: int, new: int) -> list[ItemT]:
        """Remove what belongs to the time of an old stamp rather than to that of a new one."""
        stays = [abs(stamp - new) < abs(stamp - old) for stamp in self.stamps]
        removed = [item for item, stay in zip(self.items, stays, strict=True) if not stay]
        self.stamps = [stamp for stamp, stay in zip(self.stamps, stays, strict=True) if stay]
        self.items = [item for item, stay in zip(self.items, stays, strict=True) if stay]
        self.since = [since for since, stay in zip(self.since, stays, strict=True) if stay]
        if self.last is not None and abs(self.last - new) >= abs(self.last - old):
            self.forget_time()
        return removed

    def forget_time(self) -> None:
        self.last, self.gap = None, 0

    def nearest(self, stamp: int) -> int:
        """Position of the nearest item, the earlier of two; there must be one."""
        after = bisect_left(self.stamps, stamp)
        if after == len(self.stamps):
            return after - 1
        if after > 0 and stamp - self.stamps[after - 1] <= self.stamps[after] - stamp:
            return after - 1
        return after

    def nearer_may_come(self, stamp: int) -> bool:
        """Whether an item still to come may be nearer to a stamp than all that wait here.

        It comes at least half of the latest gap after the newest one: what cameras keep to, and
        what saves a whole period of waiting where the newest is near enough.
        """
        newest = self.stamps[-1]
        return newest < stamp and newest + self.gap // 2 - stamp < stamp - newest


class Synchronizer(Generic[ItemT]):
    """Finds the sets of images that belong together. Not thread-safe.

    No item is in two sets, and sets come in the order of their stamps. With "approximate" a set is
    there as soon as each image has one within the tolerance; of several possible sets it is the
    one whose stamps are closest together. With "anchor" it is there as soon as nothing nearer to
    the anchor can come.

    Items may come in any order among the topics. A stamp that is smaller than the one before it
    on its topic (a bag starts over) ends the time of the greater ones: what waits and is nearer to
    them is dropped.

    Each item costs time in proportion to the depth.
    """

    def __init__(self, settings: SyncSettings, names: Sequence[str]) -> None:
        """Start with nothing waiting.

        Args:
            settings: Policy, tolerance, age (0 for any) and depth.
            names: Of the images, in order.

        Raises:
            ValueError: The anchor is none of the names.
        """
        if settings.policy == "anchor" and settings.anchor and settings.anchor not in names:
            raise ValueError(
                f"sync.anchor must be one of the images {', '.join(names)}, got {settings.anchor!r}"
            )
        self.reference = names.index(settings.anchor) if settings.anchor in names else 0
        self._policy = settings.policy
        self._tolerance = 0 if settings.policy == "exact" else round(settings.tolerance * 1e9)
        self._max_age = settings.max_age
        self._depth = max(1, settings.depth)
        self._topics: list[_Topic[ItemT]] = [_Topic() for _ in names]

    def __len__(self) -> int:
        """Items that wait."""
        return sum(len(topic.items) for topic in self._topics)

    def add(self, index: int, item: ItemT, stamp: int, now: float) -> Matches[ItemT]:
        """Take an item.

        Args:
            index: Which image.
            item: Anything.
            stamp: Of the image, nanoseconds.
            now: Steady time, seconds.

        Returns:
            The sets that are complete now, and what will never be in one.
        """
        matches: Matches[ItemT] = Matches(unmatched=self.expire(now))
        topic = self._topics[index]
        if topic.last is not None and stamp < topic.last:
            matches.unmatched += self._jump_back(topic, stamp)
        topic.append(item, stamp, now)
        if self._policy == "anchor":
            self._match_anchors(matches)
        else:
            positions = self._closest(index)
            if positions is not None:
                self._emit(positions, matches)
        excess = len(topic.items) - self._depth
        if excess > 0:
            matches.unmatched += [(index, lost) for lost in topic.remove_first(excess)]
        return matches

    def expire(self, now: float) -> list[tuple[int, ItemT]]:
        """Drop what has waited for the maximal age.

        Args:
            now: Steady time, seconds.

        Returns:
            (index of the image, item) of each.
        """
        if self._max_age <= 0.0:
            return []
        lost: list[tuple[int, ItemT]] = []
        for index, topic in enumerate(self._topics):
            if topic.since and topic.since[0] + self._max_age <= now:
                count = sum(since + self._max_age <= now for since in topic.since)
                lost += [(index, item) for item in topic.remove_first(count)]
        return lost

    def restart_ages(self, now: float) -> None:
        """Let all that wait be as if it had come now; for when their partners were held up.

        Args:
            now: Steady time, seconds.
        """
        for topic in self._topics:
            topic.since = [now] * len(topic.since)

    def clear(self) -> list[tuple[int, ItemT]]:
        """Drop all, and forget which stamps there were.

        Returns:
            (index of the image, item) of each that waited.
        """
        lost: list[tuple[int, ItemT]] = []
        for index, topic in enumerate(self._topics):
            lost += [(index, item) for item in topic.remove_first(len(topic.items))]
            topic.forget_time()
        return lost

    def _jump_back(self, jumped: _Topic[ItemT], stamp: int) -> list[tuple[int, ItemT]]:
        old = jumped.last
        assert old is not None
        lost: list[tuple[int, ItemT]] = []
        for index, topic in enumerate(self._topics):
            if topic is jumped:
                lost += [(index, item) for item in topic.remove_first(len(topic.items))]
                topic.forget_time()
            else:
                lost += [(index, item) for item in topic.remove_nearer_to(old, stamp)]
        return lost

    def _closest(self, index: int) -> list[int] | None:
        """Positions of the set with the newest item of one topic whose stamps are closest together.

        Only sets with the newest item are looked for: any other has been found before.
        """
        newest = self._topics[index].stamps[-1]
        positions = [bisect_left(topic.stamps, newest - self._tolerance) for topic in self._topics]
        positions[index] = len(self._topics[index].stamps) - 1
        best: list[int] | None = None
        best_spread = self._tolerance + 1
        while all(
            at < len(topic.stamps) for at, topic in zip(positions, self._topics, strict=True)
        ):
            stamps = [topic.stamps[at] for at, topic in zip(positions, self._topics, strict=True)]
            earliest = min(stamps)
            spread = max(stamps) - earliest
            if spread < best_spread:
                best, best_spread = positions.copy(), spread
            positions[stamps.index(earliest)] += 1
        return best

    def _match_anchors(self, matches: Matches[ItemT]) -> None:
        anchors = self._topics[self.reference]
        at = 0
        while at < len(anchors.stamps):
            stamp = anchors.stamps[at]
            positions = self._nearest(stamp)
            if positions is None:
                at += 1
                continue
            if any(topic.nearer_may_come(stamp) for topic in self._topics if topic is not anchors):
                return
            positions[self.reference] = at
            self._emit(positions, matches)
            at = 0

    def _nearest(self, stamp: int) -> list[int] | None:
        """Positions of the items nearest to a stamp; None if one is missing or too far."""
        positions = []
        for topic in self._topics:
            if not topic.stamps:
                return None
            at = topic.nearest(stamp)
            if abs(topic.stamps[at] - stamp) > self._tolerance:
                return None
            positions.append(at)
        return positions

    def _emit(self, positions: Sequence[int], matches: Matches[ItemT]) -> None:
        complete = []
        for index, (topic, at) in enumerate(zip(self._topics, positions, strict=True)):
            *passed, used = topic.remove_first(at + 1)
            complete.append(used)
            matches.unmatched += [(index, item) for item in passed]
        matches.sets.append(tuple(complete))
