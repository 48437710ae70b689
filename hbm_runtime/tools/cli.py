# SPDX-License-Identifier: Apache-2.0
"""The command `hbm`: its subcommands, its version and its exit codes."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, entry_points, version
from typing import Any, NoReturn

from hbm_runtime._texts import one_line, said
from hbm_runtime.model_file import ModelFileError
from hbm_runtime.tools import inspect, pack, sim
from hbm_runtime.tools.errors import ToolError

EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130  # as a shell reports SIGINT
# Entry points of functions that add a command to argparse's subparsers, by the command's name.
COMMANDS = "hbm_runtime.commands"
# Commands that come from elsewhere, and what to do where they are missing.
_REMEDIES = {
    "check": "pip install 'hbm-runtime[check]', or build the ROS package hbm_runtime_ros with "
    "colcon and source its setup.bash",
}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ToolError(f"{message} (see `{self.prog} --help`)")

    def convert_arg_line_to_args(self, arg_line: str) -> list[str]:
        """The options in one line of a file of options: shell words, comments behind #."""
        try:
            return shlex.split(arg_line, comments=True)
        except ValueError as error:
            self.error(f"{arg_line.strip()!r}: {error}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: the arguments after the command's name; None takes those of the process.

    Returns:
        0 when all went well, 1 when `hbm check` found problems, 2 for bad usage or a bad file, 130
        after Ctrl-C.
    """
    try:
        arguments = _parser().parse_args(argv)
        code: int | None = arguments.run(arguments)
        sys.stdout.flush()
    except SystemExit as leave:  # argparse leaves this way after --help and --version
        return int(leave.code or 0)
    except (ToolError, ModelFileError) as error:
        print(f"hbm: error: {one_line(str(error))}", file=sys.stderr)
        return EXIT_BAD_INPUT
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # the reader has left, as in `hbm inspect … | head`
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115  # for the interpreter's last flush
        return 0
    return code or 0


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="hbm", description="Models for the runtime of D-Robotics' BPU.")
    parser.add_argument("--version", action="version", version=f"hbm {_version()}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    pack.add_command(commands)
    inspect.add_command(commands)
    _add_from_elsewhere(commands)
    sim.add_command(commands)
    return parser


def _add_from_elsewhere(commands: Any) -> None:
    """Add the commands that other packages offer; those that are missing say how to get them."""
    remedies = dict(_REMEDIES)
    for entry in entry_points(group=COMMANDS):
        if entry.name in commands.choices:  # the first one of a name counts
            continue
        try:
            entry.load()(commands)
        except ImportError:
            continue
        except Exception as error:  # of anybody's package: the other commands shall work
            remedies[entry.name] = f"{entry.value} cannot be used ({said(error)})"
        else:
            remedies.pop(entry.name, None)
    for name, remedy in remedies.items():
        if name in commands.choices:  # it failed after it had begun
            continue
        # no option has a NUL: all arguments are taken, whatever they are
        absent = commands.add_parser(
            name, help="(not installed)", prefix_chars="\0", add_help=False
        )
        absent.add_argument("arguments", nargs="*")
        absent.set_defaults(run=_refuse, text=f"`hbm {name}` is not installed here: {remedy}")


def _refuse(arguments: argparse.Namespace) -> NoReturn:
    raise ToolError(arguments.text)


def _version() -> str:
    try:
        return version("hbm-runtime")
    except PackageNotFoundError:
        return "(not installed)"
