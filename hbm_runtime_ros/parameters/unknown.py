# SPDX-License-Identifier: Apache-2.0
"""Keys that are no parameters, and what was probably meant. Knows no ROS."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hbm_runtime._texts import nearest
from hbm_runtime_ros.parameters.checks import is_token
from hbm_runtime_ros.parameters.derived_tables import is_own_of_ros
from hbm_runtime_ros.parameters.known import (
    BELOW_MODEL,
    OF_IMAGE,
    OF_MODEL,
    OF_NODE,
    names_of_images,
    names_of_models,
)
from hbm_runtime_ros.parameters.row_type import ParameterSpec, Problem, did_you_mean, shortened

_MOST_SUGGESTIONS = 20  # for more unknown keys no nearest names are looked for
_LONGEST_SUGGESTED = 128  # characters


def unknown_keys(
    values: Mapping[str, Any], known: Mapping[str, ParameterSpec]
) -> Iterator[Problem]:
    """Find keys that are no parameters.

    Args:
        values: Value per key, of any types.
        known: The parameters that there are with these values.
    """
    suggestions = 0
    # else what belongs to a model is not known
    models_are_known = "models" in values and not OF_NODE["models"].problem(values["models"])
    for key in values:
        if key in known or is_own_of_ros(key):
            continue
        if not models_are_known and "." in key and not key.startswith("diagnostics."):
            continue
        suggestions += 1
        search = suggestions <= _MOST_SUGGESTIONS and len(key) <= _LONGEST_SUGGESTED
        yield Problem(key, f"is unknown{_suggestion(values, key) if search else ''}")


def _suggestion(values: Mapping[str, Any], key: str) -> str:
    """Why a key is unknown, and the nearest known one."""
    models = names_of_models(values)
    first, _, rest = key.partition(".")
    if first in models:
        return _suggestion_below(first, names_of_images(values, first), rest)
    if key in BELOW_MODEL and models:
        return f"; it belongs to a model: did you mean {models[0]}.{key}?"
    near = did_you_mean(key, OF_NODE)
    if near:
        return near
    if rest:
        model = _nearest(first, models)
        if model:
            return f"; did you mean {model}.{_nearest(rest, [*BELOW_MODEL]) or rest}?"
        return f"; models does not list {shortened(first)}"
    return ""


def _suggestion_below(model: str, images: Sequence[str], rest: str) -> str:
    """Why a key below a model is unknown, and the nearest known one."""
    image, _, name = rest.partition(".")
    if image in images and name in OF_MODEL:
        return f"; it belongs to the model: did you mean {model}.{name}?"
    if name in OF_IMAGE and is_token(image) and image not in images:
        near = _nearest(image, images)
        known = f"did you mean {model}.{near}.{name}?" if near else ""
        return f"; {known or f'{model}.images does not list {image}'}"
    names = [*BELOW_MODEL, *(f"{image}.{name}" for image in images for name in OF_IMAGE)]
    near = _nearest(rest, names)
    return f"; did you mean {model}.{near}?" if near else ""


def _nearest(name: str, names: Sequence[str]) -> str:
    return next(iter(nearest(name, names)), "")
