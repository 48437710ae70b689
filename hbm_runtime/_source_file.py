# SPDX-License-Identifier: Apache-2.0
"""A model file as it was when it was loaded, and the hash of what is in it."""

from __future__ import annotations

import hashlib
import os
from functools import cached_property

from hbm_runtime.errors import HBMModelError

_PIECE = 1 << 20  # bytes: large enough for hashlib and read to release the GIL


class SourceFile:
    """Remembers which file lies at a path; make it before the file is loaded.

    Args:
        path: The path as given; the working directory may change later.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._absolute = os.path.abspath(path)
        self._identity = _identity(os.stat(path))

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 of the file's bytes, read when first asked for, a little at a time.

        Raises:
            HBMModelError: The file is gone, cannot be read, or is not the one that was loaded.
        """
        try:
            with open(self._absolute, "rb", buffering=0) as file:
                self._check(os.fstat(file.fileno()))
                sha = hashlib.sha256()
                piece = memoryview(bytearray(_PIECE))
                while count := file.readinto(piece):
                    sha.update(piece[:count])
                self._check(os.fstat(file.fileno()))
        except OSError as error:
            raise HBMModelError(
                f"{self.path} cannot be read any more ({error.strerror}), so that its content "
                f"hash is unknown; keep model files in place while they are loaded"
            ) from error
        return sha.digest()

    def _check(self, status: os.stat_result) -> None:
        if _identity(status) != self._identity:
            raise HBMModelError(
                f"{self.path} was changed since it was loaded, so that its content hash is not "
                f"that of the loaded model; reload the model"
            )


def _identity(status: os.stat_result) -> tuple[int, ...]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
