# SPDX-License-Identifier: Apache-2.0
"""Makes settings of parameter values, or says everything that is wrong with them. Knows no ROS."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hbm_runtime_ros.parameters.checks import without_empty
from hbm_runtime_ros.parameters.contradictions import disagreements
from hbm_runtime_ros.parameters.known import (
    known_parameters,
    names_of_images,
    names_of_models,
    value_of,
)
from hbm_runtime_ros.parameters.row_type import ConfigurationError, Problem, check_values
from hbm_runtime_ros.parameters.rows import read
from hbm_runtime_ros.parameters.settings import ImageSettings, ModelSettings, NodeSettings
from hbm_runtime_ros.parameters.unknown import unknown_keys

__all__ = ["ConfigurationError", "Problem", "check", "settings"]


def check(values: Mapping[str, Any]) -> tuple[Problem, ...]:
    """Say everything that is wrong with a configuration, as far as that goes without the models.

    Args:
        values: Value per key, of any types; those of ROS itself (`use_sim_time`) are passed over.

    Returns:
        Problems of keys, then what is missing, then what does not go together; () if all is well.

    Example:
        >>> for problem in check({"models": ["eye"], "eye.priorty": 300}):
        ...     print(problem)
        parameter 'eye.priorty' is unknown; did you mean eye.priority?
        parameter 'eye.file' must be the path of a model file; it is not given
    """
    known = known_parameters(values)
    problems = check_values(known, values)
    problems += unknown_keys(values, known)
    problems += [
        Problem(key, f"{spec.demand}; it is not given")
        for key, spec in known.items()
        if key not in values and spec.demand
    ]
    problems += disagreements(values)
    return tuple(dict.fromkeys(problems))  # images share what they have from their model


def settings(values: Mapping[str, Any]) -> NodeSettings:
    """Make settings of a configuration.

    Args:
        values: Value per key, of any types.

    Returns:
        The settings, checked as far as that goes without the models.

    Raises:
        ConfigurationError: With all problems.

    Example:
        >>> (model,) = settings({"models": ["eye"], "eye.file": "eye.hbm"}).models
        >>> model.name, model.live.timeout, model.images[0].topic
        ('eye', 5.0, 'image_raw')
    """
    problems = check(values)
    if problems:
        raise ConfigurationError(problems)
    value = _valued(values)
    models = tuple(_model(values, value, name) for name in names_of_models(values))
    return read(NodeSettings, value, models=models)


def _model(values: Mapping[str, Any], value: Callable[[str], Any], name: str) -> ModelSettings:
    images = {image: f"{name}.{image}." for image in names_of_images(values, name)}
    return read(
        ModelSettings,
        value,
        f"{name}.",
        name=name,
        images=tuple(
            read(ImageSettings, value, prefix, name=image)
            for image, prefix in (images or {"": f"{name}."}).items()
        ),
    )


def _valued(values: Mapping[str, Any]) -> Callable[[str], Any]:
    """Make what returns the value of a known parameter as settings hold it."""

    def value(key: str) -> Any:
        found = value_of(values, key)
        is_list = not isinstance(found, (bool, int, float, str))
        return tuple(without_empty(found)) if is_list else found

    return value
