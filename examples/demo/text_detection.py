# SPDX-License-Identifier: Apache-2.0
"""Text boxes from the probability map of a DB detector (PP-OCR and others). Knows no ROS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hbm_runtime.image import ImageTransform


@dataclass(frozen=True)
class DetectionOptions:
    """Thresholds of the detector's post-processing; the defaults are PP-OCR's.

    Attributes:
        pixel_threshold: A pixel with at least this probability is text, 0..1.
        box_threshold: A box must reach this mean probability, 0..1.
        unclip_ratio: The network marks the core of each text; how much boxes grow around it.
        min_size: Boxes with a shorter side of fewer model pixels are dropped.
    """

    pixel_threshold: float = 0.3
    box_threshold: float = 0.6
    unclip_ratio: float = 1.5
    min_size: float = 3.0


@dataclass(frozen=True)
class TextBox:
    """A rotated rectangle around text.

    Attributes:
        corners: float64 [4, 2], x and y in pixels of the source image.
        score: Mean probability inside, 0..1.
    """

    corners: NDArray[np.float64]
    score: float


def find_text_boxes(
    probabilities: NDArray[Any], transform: ImageTransform, options: DetectionOptions | None = None
) -> list[TextBox]:
    """Turn a probability map into boxes on the source image.

    Args:
        probabilities: The detector's output, float [1, 1, H, W] or [H, W], 0..1.
        transform: From pixels of the model's input to the source image; the map may be smaller than
            the input.
        options: Thresholds; None for the defaults.

    Returns:
        The boxes, from the top of the picture down.

    Raises:
        ValueError: If the map has another shape.
    """
    import cv2

    options = options or DetectionOptions()
    heat = np.asarray(probabilities, dtype=np.float32)
    if heat.ndim < 2 or heat.size == 0 or heat.size != heat.shape[-2] * heat.shape[-1]:
        raise ValueError(f"probability map must be [1, 1, H, W], got {list(heat.shape)}")
    height, width = heat.shape[-2:]
    heat = heat.reshape(height, width)
    to_model = (transform.model_width / width, transform.model_height / height)
    mask = (heat >= options.pixel_threshold).astype(np.uint8)
    contours, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    boxes = []
    for contour in contours:
        center, (width, height), angle = cv2.minAreaRect(contour)
        if min(width, height) < options.min_size:
            continue
        score = _mean_inside(heat, contour)
        if score < options.box_threshold:
            continue
        grow = 2 * options.unclip_ratio * width * height / (2 * (width + height))
        corners = cv2.boxPoints((center, (width + grow, height + grow), angle))
        # contours name pixels by index: their centres are half a pixel further
        on_source = transform.to_source((corners.astype(np.float64) + 0.5) * to_model)
        boxes.append(TextBox(on_source, score))
    return sorted(boxes, key=lambda box: float(box.corners[:, 1].min()))


def _mean_inside(heat: NDArray[np.float32], contour: NDArray[np.int32]) -> float:
    import cv2

    x, y, width, height = cv2.boundingRect(contour)
    inside = np.zeros((height, width), dtype=np.uint8)
    cv2.drawContours(inside, [contour - (x, y)], -1, 1, cv2.FILLED)
    return float(heat[y : y + height, x : x + width][inside > 0].mean())
