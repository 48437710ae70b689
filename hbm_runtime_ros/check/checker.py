# SPDX-License-Identifier: Apache-2.0
"""Checks a configuration file as the node would, without ROS and without an accelerator.

Models are looked at as far as their files can be read: those of the simulator can, those of the
vendor's compiler only by the vendor's libraries.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from hbm_runtime import QuantParams, hbDNNQuantiType, model_file
from hbm_runtime.image.preprocessing import InputSpec, UnsupportedInputsError, make_preprocessor
from hbm_runtime.model_file import DATA_TYPE_NAMES, ModelFile, ModelFileError, ModelSpec
from hbm_runtime_ros.check import yaml_file
from hbm_runtime_ros.check.chips import CHIPS, Chip
from hbm_runtime_ros.check.yaml_file import ConfigFileError, ParameterFile, Section
from hbm_runtime_ros.parameters.reading import check, settings
from hbm_runtime_ros.parameters.settings import ImageSettings, ModelSettings
from hbm_runtime_ros.parameters.spec import Problem, shown

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
        check_one = _ModelCheck(model, content, chip)
        if check_one.problems:
            problems += check_one.problems
        else:
            report.models.append(check_one.summary)
    return problems


def _read(file: str) -> ModelFile | ModelFileError:
    try:
        return model_file.read(file)
    except ModelFileError as error:
        return error


class _ModelCheck:
    """One model against its file: problems, or a line about it."""

    def __init__(self, model: ModelSettings, content: ModelFile, chip: Chip | None) -> None:
        self.problems: list[Problem] = []
        self.summary = ""
        self._settings = model
        self._content = content
        spec = self._choose()
        if spec is None:
            return
        self._check_cores(spec, self._chip(chip))
        self._check_tensors(spec)
        if not self.problems:
            self._check_images(spec)

    def _found(self, name: str, text: str) -> None:
        key = f"{self._settings.name}.{name}" if name else self._settings.name
        self.problems.append(Problem(key, text))

    def _choose(self) -> ModelSpec | None:
        wanted = self._settings.model_name
        specs = {spec.name: spec for spec in self._content.models}
        if wanted in specs:
            return specs[wanted]
        if not wanted and len(specs) == 1:
            return self._content.models[0]
        self._found(
            "model_name",
            f"must be one of {', '.join(specs)} (the models in {self._settings.file}), got "
            f"{shown(wanted)}{_near(wanted, specs)}",
        )
        return None

    def _chip(self, chip: Chip | None) -> Chip | None:
        march = self._content.march
        if chip is not None and march not in ("", chip.march):
            self._found(
                "file", f"must be for the march {chip.march} of the {chip.name}, got {shown(march)}"
            )
        return chip or next((each for each in CHIPS.values() if each.march == march), None)

    def _check_cores(self, spec: ModelSpec, chip: Chip | None) -> None:
        cores = self._settings.live.bpu_cores
        got = f"got {shown(cores)}"
        if chip is not None and spec.core_count > chip.cores:
            self._found(
                "file",
                f"must be a model for at most {chip.cores} cores, as the {chip.name} has, got "
                f"{shown(spec.name)} for {spec.core_count}",
            )
        if cores == (-1,):
            return
        if chip is not None and max(cores) >= chip.cores:
            there = ", ".join(map(str, range(chip.cores)))
            self._found("bpu_cores", f"must be cores of the {chip.name}, {there}, {got}")
        elif spec.core_count > 1 and len(cores) != spec.core_count:
            self._found(
                "bpu_cores",
                f"must be [-1] or {spec.core_count} cores, which the model was compiled for, {got}",
            )

    def _check_tensors(self, spec: ModelSpec) -> None:
        names = [tensor.name for tensor in spec.inputs]
        for image in self._settings.images:
            for tensor in image.tensors:
                if tensor not in names:
                    self._found(
                        f"{image.name}.tensors" if image.name else "tensors",
                        f"must hold inputs of {spec.name}, some of {', '.join(names)}, got "
                        f"{shown(tensor)}{_near(tensor, names)}",
                    )

    def _check_images(self, spec: ModelSpec) -> None:
        inputs = [
            InputSpec(
                tensor.name,
                tensor.shape,
                DATA_TYPE_NAMES[tensor.data_type],
                quantization_of(tensor),
            )
            for tensor in spec.inputs
        ]
        try:
            images = make_preprocessor(inputs, self._settings.images).images
        except UnsupportedInputsError as error:
            self._found("", f"cannot feed {spec.name} of {self._settings.file}: {error}")
            return
        sizes = [f"{each.name} {each.width}x{each.height}".strip() for each in images]
        self.summary = _summary(self._settings, spec.name, sizes)


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
        f"{size} from {_topic(image)}".strip()
        for size, image in zip(sizes, model.images, strict=True)
    ]
    cores = model.live.bpu_cores
    where = "any core" if cores == (-1,) else f"core{'s' * (len(cores) > 1)} {_list(cores)}"
    return (
        f"{model.name}: {model.file} ({what}), {', '.join(images)}, "
        f"priority {model.live.priority}, {where}"
    )


def _topic(image: ImageSettings) -> str:
    return f"{image.topic}/compressed" if image.transport == "compressed" else image.topic


def _list(numbers: Iterable[int]) -> str:
    return ", ".join(map(str, numbers))


def _near(name: str, names: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(names), 1)
    return f"; did you mean {close[0]}?" if close else ""
