# SPDX-License-Identifier: Apache-2.0
"""One version of a model: found in its file, checked against its settings, ready to be run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hbm_runtime import HB_HBMRuntime, HBMError
from hbm_runtime.image import Preprocessor
from hbm_runtime.image.picture_inputs import input_specs
from hbm_runtime_ros.models.model_file_runtime import ModelFileRuntime
from hbm_runtime_ros.models.model_info import TopicNames, model_info
from hbm_runtime_ros.msg import ModelInfo
from hbm_runtime_ros.parameters.model_fit import choose_model, preprocessor_of
from hbm_runtime_ros.parameters.reading import ConfigurationError, Problem
from hbm_runtime_ros.parameters.settings import ModelSettings


@dataclass(frozen=True)
class ModelVersion:
    """One version of a model, with all that must change together when another one is loaded.

    Attributes:
        file: That it is in.
        model: Name inside the file.
        preprocessor: Makes its inputs.
        info: Its description for ~/model_info.
        output_types: Constant of Tensor.msg per output.
    """

    file: ModelFileRuntime
    model: str
    preprocessor: Preprocessor
    info: ModelInfo
    output_types: Mapping[str, int]


def load_model(
    file: ModelFileRuntime, settings: ModelSettings, topics: TopicNames, shared: bool
) -> ModelVersion:
    """Find a model in its file and check that the node can run it as configured.

    Args:
        file: Opened.
        settings: Of the model.
        topics: Its resolved names.
        shared: Whether other models of the node see the same images.

    Returns:
        The model, ready to be served.

    Raises:
        ConfigurationError: If the settings do not fit the file or the chip.
    """
    runtime = file.runtime
    name = choose_model(settings, runtime.model_names)
    preprocessor = preprocessor_of(settings, name, input_specs(runtime.models[name]), shared)
    problems = scheduling_problems(runtime, name, settings)
    if problems:
        raise ConfigurationError(problems)
    info = model_info(runtime, name, settings, preprocessor.images, topics)
    types = {tensor.name: tensor.data_type for tensor in info.outputs}
    return ModelVersion(file, name, preprocessor, info, types)


def scheduling_problems(
    runtime: HB_HBMRuntime, model: str, settings: ModelSettings
) -> tuple[Problem, ...]:
    """Let the runtime check scheduling parameters against the chip; each run passes them again.

    Args:
        runtime: That has loaded the model.
        model: Name inside the file.
        settings: To be checked.

    Returns:
        What does not fit.
    """
    live = settings.live
    values: dict[str, Any] = {
        "priority": live.priority,
        "bpu_cores": list(live.bpu_cores),
        "device_id": settings.device_id,
    }
    problems = []
    for key, value in values.items():
        try:
            runtime.set_scheduling_params(**{key: {model: value}})
        except HBMError as error:
            problems.append(Problem(f"{settings.name}.{key}", f"{value} cannot be used: {error}"))
    return tuple(problems)
