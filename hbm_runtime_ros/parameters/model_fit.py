# SPDX-License-Identifier: Apache-2.0
"""Whether settings fit a model: for the node that loads it and for `hbm check`. Knows no ROS."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hbm_runtime.image import InputSpec, Preprocessor, UnsupportedInputsError
from hbm_runtime_ros.parameters.row_type import ConfigurationError, Problem, did_you_mean, shown
from hbm_runtime_ros.parameters.settings import ModelSettings


def choose_model(settings: ModelSettings, names: Sequence[str]) -> str:
    """Find the model in its file.

    Args:
        settings: Of the model.
        names: Models in the file.

    Returns:
        Its name inside the file.

    Raises:
        ConfigurationError: If it is not there, or not clear among several.
    """
    wanted = settings.model_name
    if wanted in names:
        return wanted
    if not wanted and len(names) == 1:
        return names[0]
    text = (
        f"must be one of {', '.join(names)} (the models in {settings.file}), got "
        f"{shown(wanted)}{did_you_mean(wanted, names)}"
    )
    raise ConfigurationError([Problem(f"{settings.name}.model_name", text)])


def preprocessor_of(
    settings: ModelSettings, model: str, inputs: Sequence[InputSpec], shared: bool = False
) -> Preprocessor:
    """Choose how the inputs of a model are made of its images.

    Args:
        settings: Of the model.
        model: Its name inside the file.
        inputs: All its inputs.
        shared: Whether other models of the node see the same images; see `Preprocessor`.

    Raises:
        ConfigurationError: If the model cannot be fed with images as configured.
    """
    problems = list(_unknown_tensors(settings, model, [tensor.name for tensor in inputs]))
    if problems:
        raise ConfigurationError(problems)
    try:
        return Preprocessor(inputs, settings.images, shared=shared)
    except UnsupportedInputsError as error:
        text = f"model '{model}' of {settings.file} cannot be fed with images: {error}"
        raise ConfigurationError([Problem(settings.name, text)]) from error


def _unknown_tensors(
    settings: ModelSettings, model: str, names: Sequence[str]
) -> Iterator[Problem]:
    for image in settings.images:
        for tensor in image.tensors:
            if tensor not in names:
                prefix = f"{settings.name}.{image.name}".rstrip(".")
                text = (
                    f"must hold inputs of {model}, some of {', '.join(names)}, got "
                    f"{shown(tensor)}{did_you_mean(tensor, names)}"
                )
                yield Problem(f"{prefix}.tensors", text)
