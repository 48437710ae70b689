# SPDX-License-Identifier: Apache-2.0
"""Boxes from probability maps that were drawn by hand."""

from __future__ import annotations

import numpy as np
import pytest

cv2 = pytest.importorskip("cv2", reason="needs OpenCV")

import text_detection as detection
from hbm_runtime.image import place

TO_SOURCE = place(1280, 720, 640, 640, "letterbox").transform


def heat_map(*rectangles: tuple[int, int, int, int, float]) -> np.ndarray:
    """Rectangles x, y, width, height, probability in a map of 320x320, half the model's size."""
    heat = np.zeros((1, 1, 320, 320), np.float32)
    for x, y, width, height, probability in rectangles:
        heat[0, 0, y : y + height, x : x + width] = probability
    return heat


def extent(box: object) -> list[float]:
    return [*box.corners.min(axis=0), *box.corners.max(axis=0)]


def test_a_rectangle_is_found_where_the_source_has_it() -> None:
    options = detection.DetectionOptions(unclip_ratio=0.0)
    (box,) = detection.find_text_boxes(heat_map((100, 120, 60, 20, 0.9)), TO_SOURCE, options)
    # in the model: x 200..320, y 240..280; the source lies in rows 140..500 at half its size
    assert extent(box) == pytest.approx([400, 200, 640, 280], abs=4)
    assert box.score == pytest.approx(0.9)


def test_boxes_grow_by_the_unclip_ratio() -> None:
    heat = heat_map((100, 120, 61, 21, 0.9))
    tight = detection.find_text_boxes(heat, TO_SOURCE, detection.DetectionOptions(unclip_ratio=0.0))
    grown = detection.find_text_boxes(heat, TO_SOURCE, detection.DetectionOptions(unclip_ratio=2.0))
    # area * ratio / perimeter on each side: 60 * 20 * 2 / 160 = 15 map pixels = 60 source pixels
    growth = np.subtract(extent(grown[0]), extent(tight[0]))
    assert growth == pytest.approx([-60, -60, 60, 60], abs=1)


def test_a_turned_rectangle_keeps_its_angle() -> None:
    heat = heat_map()[0, 0].copy()
    corners = cv2.boxPoints(((160, 160), (100, 20), 30)).astype(np.int32)
    cv2.fillPoly(heat, [corners], 1.0)
    (box,) = detection.find_text_boxes(heat, TO_SOURCE)
    sides = np.diff(np.vstack([box.corners, box.corners[:1]]), axis=0)
    longest = sides[np.argmax(np.hypot(*sides.T))]
    assert np.degrees(np.arctan2(longest[1], longest[0])) % 180 == pytest.approx(30, abs=1.5)


def test_weak_and_tiny_spots_are_no_text() -> None:
    heat = heat_map((10, 10, 50, 20, 0.5), (100, 100, 2, 2, 1.0), (200, 200, 40, 10, 0.95))
    assert [box.score for box in detection.find_text_boxes(heat, TO_SOURCE)] == [
        pytest.approx(0.95)
    ]


def test_boxes_come_from_the_top_down() -> None:
    heat = heat_map((10, 250, 50, 10, 1.0), (10, 100, 50, 10, 1.0), (150, 180, 50, 10, 1.0))
    tops = [box.corners[:, 1].min() for box in detection.find_text_boxes(heat, TO_SOURCE)]
    assert len(tops) == 3
    assert tops == sorted(tops)


def test_an_empty_map_has_no_boxes() -> None:
    assert detection.find_text_boxes(heat_map(), TO_SOURCE) == []


@pytest.mark.parametrize("shape", [(4,), (2, 3, 8, 8), (1, 1, 0, 8)])
def test_what_is_no_map_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"must be \[1, 1, H, W\]"):
        detection.find_text_boxes(np.zeros(shape, np.float32), TO_SOURCE)
