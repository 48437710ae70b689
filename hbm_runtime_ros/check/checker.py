# SPDX-License-Identifier: Apache-2.0
"""Checks a configuration file as the node would, without ROS and without an accelerator.

Models are looked at as far as their files can be read: those of the simulator can, those of the
vendor's compiler only by the vendor's libraries.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from hbm_runtime import QuantParams, hbDNNQuantiType, model_file
from hbm_runtime.chips import CHIPS, Chip
from hbm_runtime.image import InputSpec
from hbm_runtime.model_file import DATA_TYPE_NAMES, ModelFile, ModelFileError, ModelSpec
from hbm_runtime_ros.check import yaml_file
from hbm_runtime_ros.check.yaml_file import ConfigFileError, ParameterFile, Section
from hbm_runtime_ros.parameters.model_fit import choose_model, preprocessor_of
from hbm_runtime_ros.parameters.reading import check, settings
from hbm_runtime_ros.parameters.row_type import ConfigurationError, Problem, shown
from hbm_runtime_ros.parameters.settings import ModelSettings
from hbm_runtime_ros.parameters.topics import topic_of

NODE = "inference_node"


class UnclearSectionError(ValueError):
    """A file with no section for the node, or with those of several such nodes."""


class Finding(NamedTuple):
    """What is wrong, and where.

    Attributes:
        line: Counted from 1; 0 for the file as a whole, or what is not in the file.
        key: The parameter, section or "".
        text: A clause that follows the key: what is allowed, what came.
    """

    line: int
    key: str
    text: str


@dataclass
class Report:
    """What came out.

    Attributes:
        findings: In the order of the lines.
        models: One line per model, where nothing was found.
        notes: What could not be checked.
    """

    findings: list[Finding] = field(default_factory=list)
    models: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def check_file(
    path: str | os.PathLike[str],
    node: str = NODE,
    overrides: Mapping[str, Any] | None = None,
    with_models: bool = True,
    chip: Chip | None = None,
) -> Report:
    """Check a ROS parameter file.

    Args:
        path: Of the file.
        node: Whose parameters: its name from the root, or the last part of it if that is clear.
        overrides: Values that come from elsewhere, as a launch file gives them.
        with_models: Look into the model files; their relative paths start at the working folder.
        chip: That the models shall run on; None for the one that the model files name.

    Returns:
        What was found.

    Raises:
        UnclearSectionError: If the file has no section for the node, or those of several.
        ConfigFileError: If the file cannot be read at all.
    """
    try:
        content = yaml_file.read(path)
    except ConfigFileError as error:
        if not error.line and not error.text.startswith("is not YAML"):
            raise
        return Report([Finding(error.line, "", error.text)])
    report = Report([Finding(*problem) for problem in content.problems])
    sections = _sections_of(content, node)
    if not sections and not overrides:
        if report.findings:
            return report
        raise UnclearSectionError(_no_section(content, node))
    values: dict[str, Any] = {}
    for section in sections:
        values.update(section.values)
    values.update(overrides or {})
    problems = list(check(values))
    if not problems and not report.findings:
        problems = _check_models(values, with_models, chip, report)
    known = {(finding.line, finding.key) for finding in report.findings}
    for problem in problems:
        line = _line_of(problem.key, sections)
        if (line, problem.key) not in known:
            report.findings.append(Finding(line, problem.key, problem.text))
    report.findings.sort(key=lambda finding: finding.line)
    return report


# -- sections --------------------------------------------------------------------------------------


def _sections_of(content: ParameterFile, node: str) -> list[Section]:
    """The sections that a node gets its parameters from."""
    fitting = [section for section in content.sections if section.is_for(node)]
    names = list(dict.fromkeys(each.node for each in fitting if not each.is_pattern))
    if "/" in node or not names:
        return fitting
    if len(names) > 1:
        raise UnclearSectionError(
            f"holds parameters of {', '.join(names)}: choose one of them with --node"
        )
    return [section for section in content.sections if section.is_for(names[0])]


def _no_section(content: ParameterFile, node: str) -> str:
    names = list(dict.fromkeys(section.node for section in content.sections))
    if not names:
        return f"holds no parameters: expected /**: or {node}:, below it ros__parameters:"
    return f"holds no parameters of {node}, only of {', '.join(names)}: choose with --node"


def _line_of(key: str, sections: Sequence[Section]) -> int:
    """Line of a parameter, or of what would stand around it."""
    parts = key.split(".")
    for length in range(len(parts), 0, -1):
        beginning = ".".join(parts[:length])
        for section in reversed(sections):
            if beginning in section.lines:
                return section.lines[beginning]
    return sections[-1].line if sections else 0


# -- models ----------------------------------------------------------------------------------------


def _check_models(
    values: Mapping[str, Any], with_models: bool, chip: Chip | None, report: Report
) -> list[Problem]:
    """Check the models of a configuration that is fine for itself; write lines about them."""
    files: dict[str, ModelFile | ModelFileError] = {}
    problems: list[Problem] = []
    for model in settings(values).models:
        if not with_models:
            report.models.append(_summary(model, "not looked into", [i.name for i in model.images]))
            continue
        if model.file not in files:
            files[model.file] = _read(model.file)
        content = files[model.file]
        if isinstance(content, ModelFileError):
            if content.reason == "foreign":
                report.notes.append(
                    f"{model.name}: {content}: its tensors and cores were not checked"
                )
                names = [image.name for image in model.images]
                report.models.append(_summary(model, "not looked into", names))
            else:
                text = f"must be the path of a model file: {content}"
                problems.append(Problem(f"{model.name}.file", text))
            continue
        found, summary = _check_model(model, content, chip)
        problems += found
        if not found:
            report.models.append(summary)
    return problems


def _read(file: str) -> ModelFile | ModelFileError:
    try:
        return model_file.read(file)
    except ModelFileError as error:
        return error


def _check_model(
    model: ModelSettings, content: ModelFile, chip: Chip | None
) -> tuple[list[Problem], str]:
    """Compare a model with its file; returns problems, and a line about it if there are none."""
    specs = {spec.name: spec for spec in content.models}
    try:
        spec = specs[choose_model(model, list(specs))]
    except ConfigurationError as error:
        return list(error.problems), ""
    problems = list(_check_chip(model, spec, content.march, chip))
    try:
        images = preprocessor_of(model, spec.name, [_input(each) for each in spec.inputs]).images
    except ConfigurationError as error:
        return problems + list(error.problems), ""
    sizes = [f"{each.name} {each.width}x{each.height}".strip() for each in images]
    return problems, _summary(model, spec.name, sizes)


def _check_chip(
    model: ModelSettings, spec: ModelSpec, march: str, wanted: Chip | None
) -> Iterator[Problem]:
    """Compare march and cores with the wanted chip's, or with those of the file's own march."""
    file, cores_key = f"{model.name}.file", f"{model.name}.bpu_cores"
    if wanted is not None and march not in ("", wanted.march):
        text = f"must be for the march {wanted.march} of the {wanted.name}, got {shown(march)}"
        yield Problem(file, text)
    chip = wanted or next((each for each in CHIPS.values() if each.march == march), None)
    if chip is not None and spec.core_count > chip.cores:
        yield Problem(
            file,
            f"must be a model for at most {chip.cores} cores, as the {chip.name} has, got "
            f"{shown(spec.name)} for {spec.core_count}",
        )
    cores = model.live.bpu_cores
    if cores == (-1,):
        return
    got = f"got {shown(cores)}"
    if chip is not None and max(cores) >= chip.cores:
        there = _list(range(chip.cores))
        yield Problem(cores_key, f"must be cores of the {chip.name}, {there}, {got}")
    elif spec.core_count > 1 and len(cores) != spec.core_count:
        yield Problem(
            cores_key,
            f"must be [-1] or {spec.core_count} cores, which the model was compiled for, {got}",
        )


def _input(tensor: model_file.TensorSpec) -> InputSpec:
    """What preprocessing needs to know of an input."""
    type_name = DATA_TYPE_NAMES[tensor.data_type]
    return InputSpec(tensor.name, tensor.shape, type_name, quantization_of(tensor))


def quantization_of(tensor: model_file.TensorSpec) -> QuantParams | None:
    """A tensor's quantisation as the runtime has it; None for none."""
    if tensor.quanti_type == model_file.QUANTI_NONE:
        return None
    return QuantParams(
        scale=np.asarray(tensor.scale, np.float32),
        zero_point=np.asarray(tensor.zero_point, np.int32),
        quant_type=hbDNNQuantiType.SCALE,
        axis=tensor.quantize_axis,
    )


def _summary(model: ModelSettings, what: str, sizes: Sequence[str]) -> str:
    images = [
        f"{size} from {topic_of(image)}".strip()
        for size, image in zip(sizes, model.images, strict=True)
    ]
    cores = model.live.bpu_cores
    where = "any core" if cores == (-1,) else f"core{'s' * (len(cores) > 1)} {_list(cores)}"
    return (
        f"{model.name}: {model.file} ({what}), {', '.join(images)}, "
        f"priority {model.live.priority}, {where}"
    )


def _list(numbers: Iterable[int]) -> str:
    return ", ".join(map(str, numbers))
