# SPDX-License-Identifier: Apache-2.0
"""`hbm check`: whether inference_node could work with a configuration file, and if not, why not."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from hbm_runtime._texts import one_line
from hbm_runtime.chips import CHIPS
from hbm_runtime.tools.errors import ToolError

EXIT_PROBLEMS = 1


def add_command(commands: Any) -> None:
    """Add `check` to the subcommands of `hbm`, which finds this function by its entry point.

    Args:
        commands: What `ArgumentParser.add_subparsers` returned.
    """
    parser: argparse.ArgumentParser = commands.add_parser(
        "check",
        help="check a configuration file of inference_node",
        description="Check a ROS parameter file of inference_node as the node would, without ROS "
        "and without an accelerator: every key and value, what does not go together, and whether "
        "the models' files fit. Prints one line per problem, file:line: key: what is allowed, what "
        "came. Exits with 0 if there is none, with 1 if there are some.",
    )
    parser.add_argument("file", metavar="FILE.yaml")
    parser.add_argument(
        "--node",
        default="inference_node",
        metavar="NAME",
        help="whose parameters: a name, or with its namespace (/camera/inference_node) where the "
        "file holds those of several",
    )
    parser.add_argument(
        "-p",
        "--param",
        action="append",
        default=[],
        metavar="KEY:=VALUE",
        help="a parameter that does not come from the file, as for `ros2 run --ros-args -p`",
    )
    parser.add_argument(
        "--no-models", action="store_true", help="do not look into the models' files"
    )
    parser.add_argument(
        "--soc",
        choices=tuple(CHIPS),
        help="chip that the models shall run on; else the one that the model files name",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Carry out `hbm check`.

    Returns:
        0, or 1 if there are problems.

    Raises:
        ToolError: the file cannot be read or has no clear section for the node, or PyYAML is not
            installed.
    """
    try:
        from hbm_runtime_ros.check import checker, yaml_file
    except ModuleNotFoundError as error:
        if error.name != "yaml":
            raise
        raise ToolError("this command needs PyYAML: pip install 'hbm-runtime[check]'") from None
    name = arguments.file
    try:
        report = checker.check_file(
            name,
            arguments.node,
            dict(_override(yaml_file, text) for text in arguments.param),
            with_models=not arguments.no_models,
            chip=CHIPS[arguments.soc] if arguments.soc else None,
        )
    except (checker.UnclearSectionError, yaml_file.ConfigFileError) as error:
        raise ToolError(f"{name}: {error}") from None
    for line, key, text in report.findings:
        where = f"{name}:{line}" if line else name
        print(one_line(f"{where}: {key}: {text}" if key else f"{where}: {text}"))
    for text in report.models:
        print(one_line(text))
    for text in report.notes:
        print(one_line(f"note: {text}"))
    count = len(report.findings)
    if count:
        sys.stdout.flush()
        print(f"{name}: {count} problem{'s' if count > 1 else ''}", file=sys.stderr)
        return EXIT_PROBLEMS
    count = len(report.models)
    print(f"{name}: all is well with {count} model{'s' if count > 1 else ''}")
    return 0


def _override(yaml_file: Any, text: str) -> tuple[str, Any]:
    """The key and the value of a KEY:=VALUE, read as a parameter file's."""
    key, separator, value = text.partition(":=")
    if not separator or not key:
        raise ToolError(f"--param must be KEY:=VALUE, got {text!r}")
    try:
        return key, yaml_file.parse_value(value)
    except yaml_file.ConfigFileError as error:
        raise ToolError(f"--param {text!r}: the value {error.text}") from None
