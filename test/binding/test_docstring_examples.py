# SPDX-License-Identifier: Apache-2.0
"""Each public name has an example in its docstring, and it does what it shows."""

from __future__ import annotations

import ast
import doctest
import inspect
import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
import tiny_models

import hbm_runtime
from hbm_runtime._loading import preemption

OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def docstring(name: str) -> str:
    """The docstring of a class or function, or the text below a constant in its source."""
    thing = getattr(hbm_runtime, name)
    if not isinstance(thing, int) or isinstance(thing, type):
        return inspect.getdoc(thing) or ""
    body = ast.parse(Path(preemption.__file__).read_text(encoding="utf-8")).body
    for statement, below in itertools.pairwise(body):
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == name:
            return inspect.cleandoc(ast.literal_eval(ast.unparse(below)))
    return ""


@pytest.mark.parametrize("name", hbm_runtime.__all__)
def test_the_example_of_a_public_name_runs(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, save: Callable[..., str]
) -> None:
    monkeypatch.chdir(tmp_path)
    save(tiny_models.pack(tiny_models.add(), "plus"), file="model.hbm")
    example = doctest.DocTestParser().get_doctest(docstring(name), {}, name, None, None)
    assert example.examples, f"{name} has no example"
    report: list[str] = []
    runner = doctest.DocTestRunner(optionflags=OPTIONS)
    runner.run(example, out=report.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(report)
