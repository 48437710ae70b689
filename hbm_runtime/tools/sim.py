# SPDX-License-Identifier: Apache-2.0
"""`hbm sim env`: what a shell needs to compile programs for the simulator and to run them on it."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from pathlib import Path
from typing import Any

from hbm_runtime._loading.library import ENGINE_VARIABLE, SIMULATOR_FOLDER, find_engine
from hbm_runtime.tools.errors import ToolError

LIBRARIES = ("libhbucp.so", "libdnn.so")


def add_command(commands: Any) -> None:
    """Add `sim` to the subcommands of `hbm`."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "sim", help="prepare a shell for programs on the simulator"
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    environment: argparse.ArgumentParser = actions.add_parser(
        "env",
        help='print the settings; use it as: eval "$(hbm sim env)"',
        description="Print settings for sh, bash and zsh, with which any C or C++ program for the "
        "boards' ABI (-ldnn -lhbucp) is compiled with the simulator's headers and runs on the "
        'simulator: eval "$(hbm sim env)"',
    )
    environment.set_defaults(run=run_env)


def run_env(arguments: argparse.Namespace) -> None:
    """Carry out `hbm sim env`.

    Raises:
        ToolError: the simulator or its engine is not installed.
    """
    for name, value in settings(SIMULATOR_FOLDER).items():
        print(f"export {name}={shlex.quote(value)};")
    if sys.stdout.isatty():
        print('\nTo have this shell use them: eval "$(hbm sim env)"', file=sys.stderr)


def settings(folder: Path) -> dict[str, str]:
    """Return the variables and their new values; with those already set, nothing is added.

    Args:
        folder: the simulator's folder in the installed package.

    Raises:
        ToolError: the simulator or its engine is not installed.
    """
    missing = [name for name in LIBRARIES if not (folder / name).is_file()]
    if missing:
        raise ToolError(
            f"{folder} lacks {' and '.join(missing)}: this installation of hbm-runtime has no"
            " simulator; install a wheel of hbm-runtime, or build the package with `make build`"
        )
    engine = find_engine()
    if engine is None or not os.path.isfile(engine):
        where = f"{ENGINE_VARIABLE} names {engine!r}, which is no file" if engine else "not found"
        raise ToolError(
            f"the simulator computes with ONNX Runtime: {where}; pip install"
            f" 'hbm-runtime[simulator]', or set {ENGINE_VARIABLE} to its libonnxruntime.so"
        )
    additions = {
        "LD_LIBRARY_PATH": folder,  # the loader's search
        "LIBRARY_PATH": folder,  # the compiler's search for -ldnn -lhbucp
        "C_INCLUDE_PATH": folder / "include",
        "CPLUS_INCLUDE_PATH": folder / "include",
        "PKG_CONFIG_PATH": folder / "share" / "pkgconfig",
        "CMAKE_PREFIX_PATH": folder,
    }
    paths = {name: _prepended(name, str(path)) for name, path in additions.items()}
    return {**paths, ENGINE_VARIABLE: engine}


def _prepended(name: str, path: str) -> str:
    """The variable's value with the path before all others, and nowhere else."""
    if os.pathsep in path:
        raise ToolError(f"{path!r} holds a {os.pathsep!r}, which separates the entries of {name}")
    old = os.environ.get(name, "")
    others = [entry for entry in old.split(os.pathsep) if entry != path] if old else []
    return os.pathsep.join([path, *others])
