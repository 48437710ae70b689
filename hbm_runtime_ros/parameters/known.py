# SPDX-License-Identifier: Apache-2.0
"""Which parameters there are with a configuration, and where their values come from. No ROS.

Values are a flat mapping with dotted keys, as ROS has them: `{"models": ["a"], "a.file": "x.hbm"}`.
A key that is absent has its default; a key `<model>.<image>.<parameter>` that is absent has the
model's value.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hbm_runtime_ros.parameters.checks import is_token
from hbm_runtime_ros.parameters.derived_tables import (
    IMAGE_PARAMETERS,
    MODEL_PARAMETERS,
    NODE_PARAMETERS,
)
from hbm_runtime_ros.parameters.row_type import ParameterSpec
from hbm_runtime_ros.parameters.settings import MAX_IMAGES, MAX_MODELS

OF_NODE = {spec.name: spec for spec in NODE_PARAMETERS}
OF_MODEL = {spec.name: spec for spec in MODEL_PARAMETERS}
OF_IMAGE = {spec.name: spec for spec in IMAGE_PARAMETERS}
BELOW_MODEL = {**OF_MODEL, **OF_IMAGE}


def names_of_models(values: Mapping[str, Any]) -> list[str]:
    """The models that `models` names, as far as they can be used."""
    return _tokens(values.get("models"), MAX_MODELS)


def names_of_images(values: Mapping[str, Any], model: str) -> list[str]:
    """The images that `<model>.images` names, as far as they can be used; [] for a nameless one."""
    return _tokens(values.get(f"{model}.images"), MAX_IMAGES)


def known_parameters(values: Mapping[str, Any]) -> dict[str, ParameterSpec]:
    """All parameters that there are with these `models` and `<model>.images`.

    Args:
        values: Value per key; all but those keys do not matter.

    Returns:
        Row of a table per key, in the order of the tables; its `name` lacks the prefix.
    """
    known = dict(OF_NODE)
    for model in names_of_models(values):
        known.update((f"{model}.{name}", spec) for name, spec in BELOW_MODEL.items())
        for image in names_of_images(values, model):
            known.update((f"{model}.{image}.{name}", spec) for name, spec in OF_IMAGE.items())
    return known


def value_of(values: Mapping[str, Any], key: str) -> Any:
    """The value of a known parameter: the given one, else the model's for an image, else default.

    Args:
        values: Value per key.
        key: One of `known_parameters(values)`.

    Example:
        >>> values = {"models": ["eye"], "eye.images": ["left"], "eye.resize": "letterbox"}
        >>> value_of(values, "eye.left.resize"), value_of(values, "eye.left.pad_value")
        ('letterbox', 127)
    """
    return values.get(source_of(values, key), spec_of(key).default)


def good_value(values: Mapping[str, Any], key: str) -> Any:
    """The value of a known parameter, or None where it is wrong for itself."""
    value = value_of(values, key)
    return None if spec_of(key).problem(value) else value


def source_of(values: Mapping[str, Any], key: str) -> str:
    """The key that a known parameter's value comes from: its own, or the model's for an image."""
    model, _, rest = key.partition(".")
    if key in values or key in OF_NODE or rest in BELOW_MODEL:
        return key
    return f"{model}.{rest.partition('.')[2]}"


def spec_of(key: str) -> ParameterSpec:
    """Row of a known parameter."""
    if key in OF_NODE:
        return OF_NODE[key]
    rest = key.partition(".")[2]
    return BELOW_MODEL[rest] if rest in BELOW_MODEL else OF_IMAGE[rest.partition(".")[2]]


def _tokens(names: Any, most: int) -> list[str]:
    if not isinstance(names, (list, tuple)):
        return []
    return list(dict.fromkeys(filter(is_token, names[:most])))
