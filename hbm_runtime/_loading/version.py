# SPDX-License-Identifier: Apache-2.0
"""The runtime's version: on the class and on an object, a str that may also be called."""

from __future__ import annotations

from typing import Any

from hbm_runtime._loading.library import open_library


class Version(str):
    """A version string; calling it returns it, because older programs call ``version()``."""

    __slots__ = ()

    def __call__(self) -> str:
        return str(self)


class VersionProperty:
    """Reads the version of the libraries: an object's own, otherwise those found by default."""

    def __get__(self, instance: Any, owner: type | None = None) -> Version:
        library = open_library() if instance is None else instance.library
        return Version(library.dnn_version)

    def __set__(self, instance: Any, value: object) -> None:
        raise AttributeError("version is read-only")
