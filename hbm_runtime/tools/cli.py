# SPDX-License-Identifier: Apache-2.0
"""The command `hbm`: its subcommands, its version and its exit codes."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import NoReturn

from hbm_runtime.model_file import ModelFileError
from hbm_runtime.tools import check, inspect, pack, sim
from hbm_runtime.tools.errors import ToolError

EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130  # as a shell reports SIGINT


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
        print(f"hbm: error: {error}", file=sys.stderr)
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
    check.add_command(commands)
    sim.add_command(commands)
    return parser


def _version() -> str:
    try:
        return version("hbm-runtime")
    except PackageNotFoundError:
        return "(not installed)"
