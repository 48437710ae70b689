# SPDX-License-Identifier: Apache-2.0
"""Images kept by their stamp until their results come."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from recent_images import RecentImages


def image(second: int, size: int = 1) -> Any:
    stamp = SimpleNamespace(sec=second, nanosec=7)
    return SimpleNamespace(header=SimpleNamespace(stamp=stamp), data=bytes(size))


def test_an_image_is_found_by_its_stamp() -> None:
    recent = RecentImages()
    first, second = image(1), image(2)
    recent.add(first)
    recent.add(second)
    assert recent.get(first.header) is first
    assert recent.get(image(3).header) is None
    assert len(recent) == 2


def test_taking_one_lets_go_of_all_before_it() -> None:
    recent = RecentImages()
    images = [image(second) for second in range(5)]
    for each in images:
        recent.add(each)
    assert recent.take(images[2].header) is images[2]
    assert [recent.get(each.header) for each in images] == [None, None, None, *images[3:]]


def test_a_result_without_its_image_lets_go_of_nothing() -> None:
    recent = RecentImages()
    recent.add(image(1))
    assert recent.take(image(9).header) is None
    assert len(recent) == 1


def test_the_oldest_goes_when_there_are_too_many() -> None:
    recent = RecentImages(count=3)
    images = [image(second) for second in range(5)]
    for each in images:
        recent.add(each)
    assert [recent.get(each.header) for each in images] == [None, None, *images[2:]]


def test_the_oldest_goes_when_there_are_too_many_bytes_but_never_the_latest() -> None:
    recent = RecentImages(max_bytes=100)
    for second in range(3):
        recent.add(image(second, size=40))
    assert [recent.get(image(second).header) is not None for second in range(3)] == [
        False,
        True,
        True,
    ]
    large = image(9, size=1000)
    recent.add(large)
    assert len(recent) == 1
    assert recent.take(large.header) is large
    for second in range(2):
        recent.add(image(second, size=50))
    assert len(recent) == 2


def test_the_same_stamp_again_takes_the_earlier_ones_place() -> None:
    recent = RecentImages(max_bytes=100)
    for _ in range(5):
        recent.add(image(1, size=60))
    newest = image(1, size=40)
    recent.add(newest)
    assert len(recent) == 1
    assert recent.get(newest.header) is newest
    recent.add(image(2, size=60))
    assert len(recent) == 2
