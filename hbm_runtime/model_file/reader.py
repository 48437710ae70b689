# SPDX-License-Identifier: Apache-2.0
"""The reader: finds and opens the file; the compiled core checks every size before it is used."""

from __future__ import annotations

import os
import stat
from typing import Any

from hbm_runtime import _core
from hbm_runtime._whole_file import kind_unless_regular
from hbm_runtime.model_file.spec import MAGIC, ModelFile, ModelFileError, StrPath


def read(path: StrPath) -> ModelFile:
    """Read a model file, checking every size before it is used and every checksum.

    Args:
        path: the file.

    Returns:
        All that the file holds, graphs included.

    Raises:
        ModelFileError: with one sentence that names the file and, where there is one, the byte
            offset and the field.
    """
    content: ModelFile = _read(path, keep_graphs=True)
    return content


def why_unreadable(path: StrPath) -> str | None:
    """One sentence that says why `read(path)` fails, or None when it succeeds.

    Args:
        path: the file; it need not exist.
    """
    try:
        _read(path, keep_graphs=False)
    except ModelFileError as error:
        return str(error)
    return None


def is_simulator_file(path: StrPath) -> bool:
    """True when the file begins with the simulator's magic bytes, whatever follows them.

    Args:
        path: the file; False if it does not exist or cannot be read.
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return False
        with open(path, "rb") as stream:
            return stream.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def _read(path: StrPath, *, keep_graphs: bool) -> Any:
    name = os.fspath(path)
    try:
        mode = os.stat(name).st_mode
        if stat.S_ISDIR(mode):
            raise ModelFileError(f"{name} is a directory, not a model file", reason="directory")
        kind = kind_unless_regular(mode)
        if kind is not None:  # opening a pipe would wait for ever
            raise ModelFileError(f"{name} is {kind}, no regular file", reason="unreadable")
        with open(name, "rb") as stream:
            return _core.read_model_file(stream.fileno(), name, keep_graphs)
    except FileNotFoundError:
        raise ModelFileError(f"{name} does not exist", reason="missing") from None
    except ModelFileError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        text = f"{name} cannot be read ({getattr(error, 'strerror', None) or error})"
        raise ModelFileError(text, reason="unreadable") from error
