# SPDX-License-Identifier: Apache-2.0
"""The sample program of the type checkers leaves no public name out."""

from __future__ import annotations

import ast
import dataclasses
import inspect
from enum import Enum
from pathlib import Path
from types import ModuleType
from typing import get_origin

import pytest

import hbm_runtime
from hbm_runtime import _core, image, model_file, models

SAMPLE = Path(__file__).with_name("sample_program.py")


def public_names(thing: object) -> set[str]:
    """What a module exports, or a class has of ours."""
    if isinstance(thing, ModuleType):
        mine = set(thing.__all__)
    elif isinstance(thing, type) and issubclass(thing, Enum):
        mine = set(thing.__members__)
    elif dataclasses.is_dataclass(thing):
        mine = {field.name for field in dataclasses.fields(thing)} | set(vars(thing))
    else:
        ours = [base for base in type.mro(thing) if base.__module__.startswith("hbm_runtime")]
        mine = {name for base in ours for name in vars(base)}
    return {name for name in mine if not name.startswith("_")}


MODULES = (hbm_runtime, models, image, model_file)
CLASSES = (
    _core.Library,
    *(
        value
        for module in MODULES
        for name in sorted(public_names(module))
        # For Python 3.10 numpy's NDArray[...] is a class, too.
        if inspect.isclass(value := getattr(module, name)) and get_origin(value) is None
    ),
)


@pytest.fixture(scope="module")
def used() -> set[str]:
    """Every name, attribute and keyword argument in the sample program."""
    nodes = list(ast.walk(ast.parse(SAMPLE.read_text(encoding="utf-8"))))
    names = {node.id for node in nodes if isinstance(node, ast.Name)}
    names |= {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    names |= {node.arg for node in nodes if isinstance(node, ast.keyword) if node.arg}
    return names


@pytest.mark.parametrize("thing", [*MODULES, *CLASSES], ids=lambda thing: thing.__name__)
def test_the_sample_program_uses_every_public_name(thing: object, used: set[str]) -> None:
    unused = public_names(thing) - used - {"open"}  # Library.open is for the package itself
    assert unused == set()


def test_public_names_are_found() -> None:
    assert {"place", "NV12Frame", "CHROMA_GREY"} <= public_names(image)
    assert {"run", "input_names", "version"} <= public_names(hbm_runtime.HB_HBMRuntime)
    assert "customId" in public_names(hbm_runtime.SchedParam)
    assert "soc_name" in public_names(_core.Library)
    assert len(CLASSES) > 20
