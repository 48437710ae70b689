# SPDX-License-Identifier: Apache-2.0
"""`hbm check`: whether inference_node could work with a configuration file, and if not, why not."""

from __future__ import annotations

import argparse
import importlib
import sys
from typing import Any

from hbm_runtime.tools.errors import ToolError

EXIT_PROBLEMS = 1
_PACKAGE = "hbm_runtime_ros"


def add_command(commands: Any) -> None:
    """Add `check` to the subcommands of `hbm`."""
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
        choices=("S100", "S100P", "S600"),
        help="chip that the models shall run on; else the one that the model files name",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Carry out `hbm check`.

    Returns:
        0, or 1 if there are problems.

    Raises:
        ToolError: the file cannot be read, has no clear section for the node, or the ROS package is
            not installed.
    """
    config_check = _module("check.checker")
    config_file = _module("check.yaml_file")
    name = arguments.file
    try:
        overrides = dict(_override(config_file, text) for text in arguments.param)
        report = config_check.check_file(
            name,
            arguments.node,
            overrides,
            with_models=not arguments.no_models,
            chip=config_check.CHIPS[arguments.soc] if arguments.soc else None,
        )
    except (config_check.UnclearSectionError, config_file.ConfigFileError) as error:
        raise ToolError(f"{name}: {error}") from None
    for line, key, text in report.findings:
        where = f"{name}:{line}" if line else name
        print(f"{where}: {key}: {text}" if key else f"{where}: {text}")
    for text in report.models:
        print(text)
    for text in report.notes:
        print(f"note: {text}")
    count = len(report.findings)
    if count:
        sys.stdout.flush()
        print(f"{name}: {count} problem{'s' if count > 1 else ''}", file=sys.stderr)
        return EXIT_PROBLEMS
    count = len(report.models)
    print(f"{name}: all is well with {count} model{'s' if count > 1 else ''}")
    return 0


def _module(name: str) -> Any:
    """A module of the ROS package, whose part this check is; the runtime does not need it."""
    try:
        return importlib.import_module(f"{_PACKAGE}.{name}")
    except ModuleNotFoundError as error:
        if error.name == "yaml":
            raise ToolError("this command needs PyYAML: pip install pyyaml") from None
        if error.name not in (_PACKAGE, f"{_PACKAGE}.{name}"):
            raise
        raise ToolError(
            f"this command needs the ROS package {_PACKAGE}, which knows the parameters: build it "
            "with colcon and source its setup.bash"
        ) from None


def _override(config_file: Any, text: str) -> tuple[str, Any]:
    """The key and the value of a KEY:=VALUE, read as a parameter file's."""
    key, separator, value = text.partition(":=")
    if not separator or not key:
        raise ToolError(f"--param must be KEY:=VALUE, got {text!r}")
    try:
        return key, config_file.parse_value(value)
    except config_file.ConfigFileError as error:
        raise ToolError(f"--param {text!r}: the value {error.text}") from None
