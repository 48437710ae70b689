# SPDX-License-Identifier: Apache-2.0
"""Chooses and opens the accelerator's libraries: the board's, or the simulator's."""

from __future__ import annotations

import importlib.util
import logging
import os
from functools import cache, lru_cache
from pathlib import Path

from hbm_runtime import _core
from hbm_runtime._loading.model_paths import path_text
from hbm_runtime.errors import HBMLibraryError

_logger = logging.getLogger("hbm_runtime._library")

#: Folder that holds both libraries; overrides the search.
PATH_VARIABLE = "HBM_RUNTIME_LIBRARY_PATH"
#: Path of the simulator's engine, ``libonnxruntime.so``; otherwise the Python package's.
ENGINE_VARIABLE = "HBM_SIM_ENGINE"

BOARD_FOLDER = Path("/usr/hobot/lib")
SIMULATOR_FOLDER = Path(_core.__file__).parent / "simulator"
_NAMES = ("libhbucp.so", "libdnn.so")


def open_library(folder: str | os.PathLike[str] | None = None) -> _core.Library:
    """Open the pair of libraries.

    The first that applies: the argument, ``HBM_RUNTIME_LIBRARY_PATH``, the board's folder, the
    loader's path, the simulator (which is said in the log).

    Args:
        folder: Folder that holds ``libhbucp.so`` and ``libdnn.so``.

    Raises:
        HBMLibraryError: There is no usable pair; the message says what was tried.
    """
    if folder is not None:
        chosen: str | None = path_text(folder, "a folder")
    else:
        chosen = os.environ.get(PATH_VARIABLE) or None
    if chosen is not None:
        origin = "the argument 'library'" if folder is not None else PATH_VARIABLE
        missing = [name for name in _NAMES if not os.path.isfile(os.path.join(chosen, name))]
        if missing:
            raise HBMLibraryError(
                f"{origin} names the folder {chosen!r}, which lacks {' and '.join(missing)}; "
                f"it must hold both {' and '.join(_NAMES)}"
            )
        return _open(str(Path(chosen).absolute()))
    return _open_default()


@cache
def _open(folder: str) -> _core.Library:
    if folder and Path(folder).resolve() == SIMULATOR_FOLDER.resolve():
        _choose_engine()
    return _core.Library.open(folder)


@lru_cache(maxsize=1)
def _open_default() -> _core.Library:
    if all((BOARD_FOLDER / name).is_file() for name in _NAMES):
        return _open(str(BOARD_FOLDER))
    try:
        return _open("")
    except HBMLibraryError as error:
        not_on_path = error
    if all((SIMULATOR_FOLDER / name).is_file() for name in _NAMES):
        _logger.info(
            "no accelerator libraries on this machine: using the simulator in %s", SIMULATOR_FOLDER
        )
        return _open(str(SIMULATOR_FOLDER))
    raise HBMLibraryError(
        f"no accelerator libraries: {not_on_path}; {BOARD_FOLDER} does not hold them, and this "
        f"installation has no simulator in {SIMULATOR_FOLDER}. On a board install the package "
        f"hobot-dnn; elsewhere set {PATH_VARIABLE} to a folder with {' and '.join(_NAMES)}"
    )


def _choose_engine() -> None:
    """Tell the simulator where ONNX Runtime is; a missing one is said when a model is loaded."""
    engine = find_engine()
    if engine is not None:
        os.environ[ENGINE_VARIABLE] = engine


def find_engine() -> str | None:
    """Return the path of ONNX Runtime's library: the one of the environment, else the package's."""
    chosen = os.environ.get(ENGINE_VARIABLE)
    if chosen:
        return chosen
    found = importlib.util.find_spec("onnxruntime")
    for folder in (found.submodule_search_locations or []) if found else []:
        for library in sorted(Path(folder, "capi").glob("libonnxruntime.so.*")):
            return str(library)
    return None
