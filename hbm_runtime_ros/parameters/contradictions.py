# SPDX-License-Identifier: Apache-2.0
"""What does not go together in a configuration whose values are fine for themselves. No ROS."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hbm_runtime_ros.parameters.checks import without_empty
from hbm_runtime_ros.parameters.known import (
    good_value,
    names_of_images,
    names_of_models,
    source_of,
)
from hbm_runtime_ros.parameters.row_type import Problem, shown


def disagreements(values: Mapping[str, Any]) -> Iterator[Problem]:
    """Find what does not go together; a value that is wrong for itself is passed over.

    Args:
        values: Value per key, of any types.
    """
    for what in ("stale", "drop_rate", "latency"):
        yield from _check_thresholds(values, f"diagnostics.{what}")
    for model in names_of_models(values):
        images = names_of_images(values, model)
        prefixes = [f"{model}.{image}." for image in images] or [f"{model}."]
        for prefix in prefixes:
            yield from _check_roi(values, prefix)
            yield from _check_scale(values, prefix)
        yield from _check_different(values, model, images)
        anchor = good_value(values, f"{model}.sync.anchor")
        if anchor and anchor not in images:
            names = ", ".join(images) or "nothing, for the model has one image"
            yield Problem(
                f"{model}.sync.anchor", f"must be one of images ({names}), got {shown(anchor)}"
            )


def _check_thresholds(values: Mapping[str, Any], prefix: str) -> Iterator[Problem]:
    warn, error = good_value(values, f"{prefix}_warn"), good_value(values, f"{prefix}_error")
    if warn and error and error < warn:
        yield Problem(
            f"{prefix}_error", f"must be 0.0 or at least {prefix}_warn, {warn:g}; got {error:g}"
        )


def _check_roi(values: Mapping[str, Any], prefix: str) -> Iterator[Problem]:
    resize, roi = good_value(values, f"{prefix}resize"), good_value(values, f"{prefix}roi")
    if resize is None or roi is None:
        return
    if resize == "roi" and not any(roi):
        yield Problem(
            source_of(values, f"{prefix}roi"),
            f"must be left, top, width and height in pixels where resize is roi, got {shown(roi)}",
        )
    # an image that asks for another fit than its model need not take back the model's roi
    overridden = f"{prefix}resize" in values and f"{prefix}roi" not in values
    if resize != "roi" and any(roi) and not overridden:
        yield Problem(
            source_of(values, f"{prefix}resize"),
            f"must be roi where roi is given, got {shown(resize)}",
        )


def _check_scale(values: Mapping[str, Any], prefix: str) -> Iterator[Problem]:
    mean, scale = good_value(values, f"{prefix}mean"), good_value(values, f"{prefix}scale")
    if mean is None or scale is None:
        return
    if len(mean) > 1 and len(scale) > 1 and len(mean) != len(scale):
        yield Problem(
            source_of(values, f"{prefix}scale"),
            f"must have 1 entry or {len(mean)} as mean has, got {shown(scale)}",
        )


def _check_different(
    values: Mapping[str, Any], model: str, images: Sequence[str]
) -> Iterator[Problem]:
    """No two images of a model may come from the same place or go to the same."""
    topics: dict[Any, str] = {}
    tensors: dict[str, str] = {}
    for image in images:
        prefix = f"{model}.{image}."
        topic = good_value(values, f"{prefix}image_topic")
        place = (topic, good_value(values, f"{prefix}image_transport"))
        other = topics.setdefault(place, image)
        if other != image and None not in place:
            yield Problem(
                f"{prefix}image_topic",
                f"must be another topic than that of {model}.{other}, got {shown(topic)}",
            )
        for tensor in without_empty(good_value(values, f"{prefix}tensors") or []):
            other = tensors.setdefault(tensor, image)
            if other != image:
                yield Problem(
                    f"{prefix}tensors",
                    f"must be other tensors than those of {model}.{other}, got {shown(tensor)}",
                )
