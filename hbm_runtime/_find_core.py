# SPDX-License-Identifier: Apache-2.0
"""Finds the compiled core where it is not beside the package, or says why there is none."""

from __future__ import annotations

import importlib.util
import platform
import sys
import warnings
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from types import ModuleType

NAME = "hbm_runtime._core"
FOLDER = Path(__file__).parent


def find_core(folder: Path = FOLDER) -> ModuleType:
    """Load what `make build` installed, for a package that is imported from its source folder.

    Only a module of this very interpreter and processor is taken, as its file's name tells. The
    Python files stay those of the source folder.

    Args:
        folder: The package's folder, which holds no module for this interpreter.

    Raises:
        ImportError: There is no such module; the message says what to do.
    """
    root = folder.parent
    is_source = (root / "src" / "bindings").is_dir()
    installed = _modules(root, "install/*/**/hbm_runtime/_core.*") if is_source else []
    for file in installed:
        if file.name in {f"_core{suffix}" for suffix in EXTENSION_SUFFIXES}:
            _warn_if_old(file, root)
            return _load(file)
    others = [*_modules(folder, "_core.*"), *installed]
    raise ImportError(_why(folder, is_source, others), name=NAME, path=str(folder))


def _modules(folder: Path, pattern: str) -> list[Path]:
    return [
        file
        for file in sorted(folder.glob(pattern))
        if file.suffix != ".pyi" and file.exists()  # no link to what was removed
    ]


def _load(file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(NAME, file)
    assert spec is not None  # of a file with one of Python's own suffixes
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[NAME] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[NAME]
        raise
    sys.modules["hbm_runtime"].__dict__["_core"] = module  # as the import system does
    return module


def _warn_if_old(file: Path, root: Path) -> None:
    """Warn when the sources of the core are newer than the last build."""
    # Written by every build, while the module is only when it changes.
    manifest = root / "build" / "hbm_runtime_ros" / "install_manifest.txt"
    built = (manifest if manifest.exists() else file).stat().st_mtime
    for source in (root / "src").rglob("*.[ch]*"):
        if source.stat().st_mtime > built:
            warnings.warn(
                f"{source.relative_to(root)} is newer than the compiled {file}, which is used "
                f"nevertheless; run `make build` in {root}",
                RuntimeWarning,
                stacklevel=4,
            )
            return


def _why(folder: Path, is_source: bool, others: list[Path]) -> str:
    here = f"{platform.python_implementation()} {platform.python_version()}"
    reason = (
        f"hbm_runtime has no compiled core for this interpreter: {here} on {platform.machine()}, "
        f"{sys.executable}, which needs _core{EXTENSION_SUFFIXES[0]}"
    )
    if others:
        reason += f"; there is {', '.join(map(str, others))}, for another Python or processor"
    if not is_source:
        return f"{reason}. Install the package hbm-runtime again, with this interpreter's pip"
    root = folder.parent
    return (
        f"{reason}. {folder} is the source folder: run `make build` in {root} and use "
        f"{root / '.venv' / 'bin' / 'python'}, or leave this folder to import an installed "
        f"hbm_runtime"
    )
