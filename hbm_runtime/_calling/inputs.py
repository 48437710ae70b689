# SPDX-License-Identifier: Apache-2.0
"""Brings the three forms of run's input into one: per model, a list of arrays in its order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from hbm_runtime._checks import NO_MODEL, check_model_name
from hbm_runtime._texts import did_you_mean, shown
from hbm_runtime.errors import HBMInputError

Arrays = list[npt.NDArray[Any]]


def only_or_named_model(model_name: str | None, loaded: Sequence[str]) -> str:
    """Return the model that is meant, which may go without its name if it is the only one."""
    if model_name is not None:
        return check_model_name(model_name, loaded, "model_name")
    if len(loaded) == 1:
        return loaded[0]
    if not loaded:
        raise HBMInputError(NO_MODEL)
    raise HBMInputError(
        f"model_name is needed: it is not given, but multiple models are loaded "
        f"({', '.join(map(repr, loaded))}); or pass {{model: {{input: array}}}}"
    )


def arrange(
    inputs: object, model_name: str | None, input_names: Mapping[str, Sequence[str]]
) -> dict[str, Arrays]:
    """Return {model: arrays in the order of input_names}.

    Args:
        inputs: An array, {input: array} or {model: {input: array}}.
        model_name: Chooses the model of the first two forms, filters the third.
        input_names: {model: names of its inputs}, for all loaded models.

    Raises:
        HBMInputError: A name is unknown or missing, or the form does not fit.
    """
    loaded = list(input_names)
    if model_name is not None:
        check_model_name(model_name, loaded, "model_name")
    if isinstance(inputs, Mapping):
        inputs = dict(inputs)  # a key's own __eq__ may change the caller's
        if any(isinstance(value, Mapping) for value in inputs.values()):
            return _arrange_models(inputs, model_name, input_names)
        model = only_or_named_model(model_name, loaded)
        return {model: _arrange_model(inputs, model, input_names[model])}
    model = only_or_named_model(model_name, loaded)
    names = input_names[model]
    if len(names) != 1:
        raise HBMInputError(
            f"Single-input run() requires the model to have exactly 1 input, but model "
            f"{model!r} has {len(names)}: {', '.join(map(repr, names))}; pass a dict "
            f"{{input name: array}}",
            model=model,
        )
    return {model: [_as_array(inputs, model, names[0])]}


def _arrange_models(
    inputs: Mapping[Any, Any], model_name: str | None, input_names: Mapping[str, Sequence[str]]
) -> dict[str, Arrays]:
    wanted = list(inputs) if model_name is None else [model_name]
    arranged: dict[str, Arrays] = {}
    for model in wanted:
        check_model_name(model, list(input_names), "model_name")
        if model not in inputs:
            only = "Only one model provided" if len(inputs) == 1 else "These models are provided"
            raise HBMInputError(
                f'{only}, but model_name argument "{model}" is another one: the inputs are for '
                f"{', '.join(map(shown, inputs))} only",
                model=model,
            )
        of_model = inputs[model]
        if not isinstance(of_model, Mapping):
            raise HBMInputError(
                f"model {model!r}: expected a dict {{input name: array}}, got "
                f"{type(of_model).__name__}",
                model=model,
            )
        arranged[model] = _arrange_model(of_model, model, input_names[model])
    return arranged


def _arrange_model(given: Mapping[Any, Any], model: str, names: Sequence[str]) -> Arrays:
    inputs = dict(given)  # as above
    for name in inputs:
        if name not in names:
            text = name if isinstance(name, str) else shown(name)
            raise HBMInputError(
                f'Input name "{text}" is invalid for model "{model}"{did_you_mean(name, names)}',
                model=model,
                tensor=text,
            )
    missing = [name for name in names if name not in inputs]
    if missing:
        raise HBMInputError(
            f"model {model!r}: missing input{'s' if len(missing) > 1 else ''} "
            f"{', '.join(map(repr, missing))}; its inputs are {', '.join(map(repr, names))}",
            model=model,
            tensor=missing[0],
        )
    return [_as_array(inputs[name], model, name) for name in names]


def _as_array(value: object, model: str, name: str) -> npt.NDArray[Any]:
    if not isinstance(value, np.ndarray):
        value = _foreign_array(value, model, name)
    if isinstance(value, np.ma.MaskedArray):
        raise HBMInputError(
            f"model {model!r}, input {name!r}: a masked array would be read without its mask; "
            f"fill it first with filled()",
            model=model,
            tensor=name,
        )
    return value


def _foreign_array(value: object, model: str, name: str) -> npt.NDArray[Any]:
    """Return a view of an object with DLPack or the buffer protocol."""
    why = ""
    try:
        if hasattr(value, "__dlpack__") and hasattr(np, "from_dlpack"):  # from numpy 1.22 on
            return np.from_dlpack(value)
        if not isinstance(value, np.generic):
            return np.asarray(memoryview(value))  # type: ignore[arg-type]
    except Exception as error:  # another library's, of whatever kind
        why = f" ({shown(str(error))})"
    raise HBMInputError(
        f"model {model!r}, input {name!r}: expected a numpy.ndarray or an object with DLPack or "
        f"the buffer protocol in this memory, got {type(value).__name__}{why}; convert it with "
        f"numpy.asarray",
        model=model,
        tensor=name,
    )
