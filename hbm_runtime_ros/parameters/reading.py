# SPDX-License-Identifier: Apache-2.0
"""Makes settings of parameter values, or says everything that is wrong with them. Knows no ROS.

Values are a flat mapping with dotted keys, as ROS has them: `{"models": ["a"], "a.file": "x.hbm"}`.
A key that is absent has its default; a key `<model>.<image>.<parameter>` that is absent has the
model's value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from hbm_runtime._texts import nearest
from hbm_runtime_ros.parameters.checks import is_token, without_empty
from hbm_runtime_ros.parameters.rows import read
from hbm_runtime_ros.parameters.settings import (
    MAX_IMAGES,
    MAX_MODELS,
    ImageSettings,
    ModelSettings,
    NodeSettings,
)
from hbm_runtime_ros.parameters.spec import (
    ConfigurationError,
    ParameterSpec,
    Problem,
    check_values,
    did_you_mean,
    shortened,
    shown,
)
from hbm_runtime_ros.parameters.table import (
    IMAGE_PARAMETERS,
    MODEL_PARAMETERS,
    NODE_PARAMETERS,
    is_own_of_ros,
)

__all__ = [
    "ConfigurationError",
    "Problem",
    "check",
    "known_parameters",
    "names_of_images",
    "names_of_models",
    "settings",
    "value_of",
]

_OF_NODE = {spec.name: spec for spec in NODE_PARAMETERS}
_OF_MODEL = {spec.name: spec for spec in MODEL_PARAMETERS}
_OF_IMAGE = {spec.name: spec for spec in IMAGE_PARAMETERS}
_BELOW_MODEL = {**_OF_MODEL, **_OF_IMAGE}
_MOST_SUGGESTIONS = 20  # for more unknown keys no nearest names are looked for
_LONGEST_SUGGESTED = 128  # characters


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
    known = dict(_OF_NODE)
    for model in names_of_models(values):
        known.update((f"{model}.{name}", spec) for name, spec in _BELOW_MODEL.items())
        for image in names_of_images(values, model):
            known.update((f"{model}.{image}.{name}", spec) for name, spec in _OF_IMAGE.items())
    return known


def value_of(values: Mapping[str, Any], key: str) -> Any:
    """The value of a known parameter: the given one, else the model's for an image, else default.

    Args:
        values: Value per key.
        key: One of `known_parameters(values)`.
    """
    return values.get(_source(values, key), _spec(key).default)


def check(values: Mapping[str, Any]) -> tuple[Problem, ...]:
    """Say everything that is wrong with a configuration, as far as that goes without the models.

    Args:
        values: Value per key, of any types; those of ROS itself (`use_sim_time`) are passed over.

    Returns:
        Problems of keys, then what is missing, then what does not go together; () if all is well.
    """
    known = known_parameters(values)
    problems = check_values(known, values)
    problems += _unknown(values, known)
    problems += [
        Problem(key, f"{spec.demand}; it is not given")
        for key, spec in known.items()
        if key not in values and spec.demand
    ]
    problems += _disagreements(values)
    return tuple(dict.fromkeys(problems))  # images share what they have from their model


def settings(values: Mapping[str, Any]) -> NodeSettings:
    """Make settings of a configuration.

    Args:
        values: Value per key, of any types.

    Returns:
        The settings, checked as far as that goes without the models.

    Raises:
        ConfigurationError: With all problems.
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


# -- what does not go together ---------------------------------------------------------------------


def _disagreements(values: Mapping[str, Any]) -> Iterator[Problem]:
    for what in ("stale", "drop_rate", "latency"):
        yield from _check_thresholds(values, f"diagnostics.{what}")
    for model in names_of_models(values):
        images = names_of_images(values, model)
        prefixes = [f"{model}.{image}." for image in images] or [f"{model}."]
        for prefix in prefixes:
            yield from _check_roi(values, prefix)
            yield from _check_scale(values, prefix)
        yield from _check_different(values, model, images)
        anchor = _good(values, f"{model}.sync.anchor")
        if anchor and anchor not in images:
            names = ", ".join(images) or "nothing, for the model has one image"
            yield Problem(
                f"{model}.sync.anchor", f"must be one of images ({names}), got {shown(anchor)}"
            )


def _check_thresholds(values: Mapping[str, Any], prefix: str) -> Iterator[Problem]:
    warn, error = _good(values, f"{prefix}_warn"), _good(values, f"{prefix}_error")
    if warn and error and error < warn:
        yield Problem(
            f"{prefix}_error", f"must be 0.0 or at least {prefix}_warn, {warn:g}; got {error:g}"
        )


def _check_roi(values: Mapping[str, Any], prefix: str) -> Iterator[Problem]:
    resize, roi = _good(values, f"{prefix}resize"), _good(values, f"{prefix}roi")
    if resize is None or roi is None:
        return
    if resize == "roi" and not any(roi):
        yield Problem(
            _source(values, f"{prefix}roi"),
            f"must be left, top, width and height in pixels where resize is roi, got {shown(roi)}",
        )
    # an image that asks for another fit than its model need not take back the model's roi
    overridden = f"{prefix}resize" in values and f"{prefix}roi" not in values
    if resize != "roi" and any(roi) and not overridden:
        yield Problem(
            _source(values, f"{prefix}resize"),
            f"must be roi where roi is given, got {shown(resize)}",
        )


def _check_scale(values: Mapping[str, Any], prefix: str) -> Iterator[Problem]:
    mean, scale = _good(values, f"{prefix}mean"), _good(values, f"{prefix}scale")
    if mean is None or scale is None:
        return
    if len(mean) > 1 and len(scale) > 1 and len(mean) != len(scale):
        yield Problem(
            _source(values, f"{prefix}scale"),
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
        topic = _good(values, f"{prefix}image_topic")
        place = (topic, _good(values, f"{prefix}image_transport"))
        other = topics.setdefault(place, image)
        if other != image and None not in place:
            yield Problem(
                f"{prefix}image_topic",
                f"must be another topic than that of {model}.{other}, got {shown(topic)}",
            )
        for tensor in without_empty(_good(values, f"{prefix}tensors") or []):
            other = tensors.setdefault(tensor, image)
            if other != image:
                yield Problem(
                    f"{prefix}tensors",
                    f"must be other tensors than those of {model}.{other}, got {shown(tensor)}",
                )


def _good(values: Mapping[str, Any], key: str) -> Any:
    """The value of a known parameter, or None where it is wrong for itself."""
    value = value_of(values, key)
    return None if _spec(key).problem(value) else value


def _source(values: Mapping[str, Any], key: str) -> str:
    """The key that a known parameter's value comes from: its own, or the model's for an image."""
    model, _, rest = key.partition(".")
    if key in values or key in _OF_NODE or rest in _BELOW_MODEL:
        return key
    return f"{model}.{rest.partition('.')[2]}"


def _spec(key: str) -> ParameterSpec:
    """Row of a known parameter."""
    if key in _OF_NODE:
        return _OF_NODE[key]
    rest = key.partition(".")[2]
    return _BELOW_MODEL[rest] if rest in _BELOW_MODEL else _OF_IMAGE[rest.partition(".")[2]]


# -- unknown keys ----------------------------------------------------------------------------------


def _unknown(values: Mapping[str, Any], known: Mapping[str, ParameterSpec]) -> Iterator[Problem]:
    """Keys that are no parameters."""
    suggestions = 0
    # else what belongs to a model is not known
    models_are_known = "models" in values and not _OF_NODE["models"].problem(values["models"])
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
    if key in _BELOW_MODEL and models:
        return f"; it belongs to a model: did you mean {models[0]}.{key}?"
    near = did_you_mean(key, _OF_NODE)
    if near:
        return near
    if rest:
        model = _nearest(first, models)
        if model:
            return f"; did you mean {model}.{_nearest(rest, [*_BELOW_MODEL]) or rest}?"
        return f"; models does not list {shortened(first)}"
    return ""


def _suggestion_below(model: str, images: Sequence[str], rest: str) -> str:
    """Likewise for what stands below a model."""
    image, _, name = rest.partition(".")
    if image in images and name in _OF_MODEL:
        return f"; it belongs to the model: did you mean {model}.{name}?"
    if name in _OF_IMAGE and is_token(image) and image not in images:
        near = _nearest(image, images)
        known = f"did you mean {model}.{near}.{name}?" if near else ""
        return f"; {known or f'{model}.images does not list {image}'}"
    names = [*_BELOW_MODEL, *(f"{image}.{name}" for image in images for name in _OF_IMAGE)]
    near = _nearest(rest, names)
    return f"; did you mean {model}.{near}?" if near else ""


def _nearest(name: str, names: Sequence[str]) -> str:
    return next(iter(nearest(name, names)), "")


def _tokens(names: Any, most: int) -> list[str]:
    if not isinstance(names, (list, tuple)):
        return []
    return list(dict.fromkeys(filter(is_token, names[:most])))
