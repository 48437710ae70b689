# SPDX-License-Identifier: Apache-2.0
"""Checks model paths before the accelerator sees them, so that the message says what is wrong."""

from __future__ import annotations

import os
import stat

from hbm_runtime import model_file
from hbm_runtime._whole_file import kind_unless_regular
from hbm_runtime.errors import HBMInputError, HBMModelError


def path_text(path: object, what: str) -> str:
    """Return a path as the text that the accelerator takes.

    Args:
        path: A str or PathLike.
        what: What it is the path of, for the message: ``"a model file"``.

    Raises:
        HBMInputError: It is something else, or text that no file can be called.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise HBMInputError(f"expected the path of {what}, got {type(path).__name__}")
    try:
        text = os.fspath(path)
    except TypeError as error:
        raise HBMInputError(f"expected the path of {what}: {error}") from None
    if not isinstance(text, str) or "\0" in text:
        raise HBMInputError(f"{text!r} is not the path of {what}")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise HBMInputError(f"the path {text!r} is not UTF-8; rename {what}") from None
    return text


def check_paths(files: object) -> list[str]:
    """Return the paths as given, as str.

    Args:
        files: A path, or a list or tuple of paths (str or PathLike).

    Raises:
        HBMInputError: It is something else, or an empty list.
        HBMModelError: A path leads to no readable .hbm file.
    """
    if isinstance(files, (str, os.PathLike)):
        files = [files]
    if not isinstance(files, (list, tuple)):
        raise HBMInputError(
            f"expected the path of a model file or a list of paths, got {type(files).__name__}"
        )
    if not files:
        raise HBMInputError("No input hbm model files provided.")
    return [_check_path(file) for file in files]


def _check_path(file: object) -> str:
    path = path_text(file, "a model file")
    try:
        status = os.stat(path)
    except PermissionError:
        raise HBMModelError(f"{path} cannot be read: permission denied") from None
    except OSError:  # a missing part of the path, a part that is no folder, a loop of links
        raise HBMModelError(f"The input hbm model {path} does not exist.") from None
    if stat.S_ISDIR(status.st_mode):
        raise HBMModelError(f"{path} is a folder; name the .hbm file in it")
    if not path.endswith(".hbm"):
        family = " A .bin file is for the X3/X5 family." if path.endswith(".bin") else ""
        raise HBMModelError(f"Invalid model file extension: {path}. Only .hbm supported.{family}")
    kind = kind_unless_regular(status.st_mode)
    if kind is not None:  # the accelerator would wait for ever at a pipe
        raise HBMModelError(f"{path} is {kind}, no regular file; give the path of a .hbm file")
    if not os.access(path, os.R_OK):
        raise HBMModelError(f"{path} cannot be read: permission denied")
    if status.st_size == 0:
        raise HBMModelError(f"{path} is empty; pack or copy the model again")
    return path


def check_origin(path: str, is_simulator: bool) -> None:
    """Refuse on a board what was packed for the simulator.

    Raises:
        HBMModelError: It was.
    """
    if not is_simulator and model_file.is_simulator_file(path):
        raise HBMModelError(
            f"{path} was packed for the simulator by 'hbm pack' and holds no code for a "
            f"board; compile the ONNX model with the vendor's toolchain, or use the simulator"
        )


def explain_refusal(path: str, error: HBMModelError, is_simulator: bool) -> HBMModelError:
    """Return an error that says more about a refused file, if there is more to say.

    Args:
        path: The file.
        error: What the accelerator's refusal became.
        is_simulator: Whether the simulator refused it: its format is known here.
    """
    why = model_file.why_unreadable(path) if is_simulator else None
    if why is None:
        return error
    return HBMModelError(why, call=error.call, status=-600002, status_name="HB_UCP_MODEL_INVALID")
