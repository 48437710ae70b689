# SPDX-License-Identifier: Apache-2.0
"""Commands that other packages offer to `hbm` by an entry point."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from hbm_runtime.tools import cli

GREET = """
def add_command(commands):
    parser = commands.add_parser("greet", help="say something kind")
    parser.add_argument("name")
    parser.set_defaults(run=lambda arguments: print(f"good morning, {arguments.name}"))
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str, str], None]:
    """Install a distribution with one module and one entry point for `hbm`."""

    def distribution(name: str, code: str, command: str) -> None:
        (tmp_path / f"{name}.py").write_text(code)
        about = tmp_path / f"{name}-1.0.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (about / "entry_points.txt").write_text(f"[{cli.COMMANDS}]\n{command} = {name}:add_command")

    monkeypatch.syspath_prepend(tmp_path)
    return distribution


def test_a_command_of_another_package_is_listed_and_runs(
    install: Callable[[str, str, str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    install("politeness", GREET, "greet")
    assert cli.main(["--help"]) == 0
    assert "say something kind" in capsys.readouterr().out
    assert cli.main(["greet", "chips"]) == 0
    assert capsys.readouterr().out == "good morning, chips\n"


def test_a_command_that_cannot_be_imported_does_not_stop_the_others(
    install: Callable[[str, str, str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    install("rudeness", "import a_module_that_nobody_has", "shout")
    assert cli.main(["--help"]) == 0
    assert "shout" not in capsys.readouterr().out
    assert cli.main(["shout"]) == 2


@pytest.mark.parametrize(
    "code",
    [
        "",  # it has no add_command
        "add_command = 7",
        "def add_command(commands): raise RuntimeError('broken')",
        "def add_command(commands): commands.add_parser('shout'); raise RuntimeError('broken')",
        "def add_command(commands): commands.add_parser('inspect')",  # which is ours
    ],
)
def test_a_command_that_fails_does_not_stop_the_others(
    install: Callable[[str, str, str], None], capsys: pytest.CaptureFixture[str], code: str
) -> None:
    install("rudeness", code, "shout")
    assert cli.main(["--help"]) == 0
    assert cli.main(["sim", "env"]) == 0
    capsys.readouterr()
    assert cli.main(["shout"]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_of_two_commands_of_one_name_the_first_counts(
    install: Callable[[str, str, str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    install("politeness", GREET, "greet")
    install("praise", GREET.replace("good morning", "well done"), "greet")
    assert cli.main(["greet", "chips"]) == 0
    assert capsys.readouterr().out in ("good morning, chips\n", "well done, chips\n")


def test_check_is_offered_where_this_package_is_installed() -> None:
    found = {entry.name: entry for entry in entry_points(group=cli.COMMANDS)}
    assert found["check"].load().__module__ == "hbm_runtime_ros.check.command"
