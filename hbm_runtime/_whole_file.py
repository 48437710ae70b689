# SPDX-License-Identifier: Apache-2.0
"""Writes a file as a whole or not at all, and never through a link."""

from __future__ import annotations

import errno
import os
import stat
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

_KINDS = (
    (stat.S_ISLNK, "a symbolic link"),
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


@contextmanager
def whole_file(path: str | os.PathLike[str], *, keep: bool = True) -> Iterator[BinaryIO]:
    """Open a new file that takes the place of `path` at the end, unless something goes wrong.

    It is made beside `path` under a name that nobody can foresee, is on the disk before it takes
    its name, and has the permissions of the file that it replaces. Several writers of one path,
    in threads or processes, each put a whole file there; the last one stays.

    Args:
        path: The file; its folder must exist. What stands there must be a regular file, if
            anything: to replace a device, a pipe or a link by a file would do harm.
        keep: False to try only whether it could be written.

    Yields:
        The new file, open for writing.

    Raises:
        OSError: It cannot be written; `path` is as before, and nothing is left beside it.
    """
    target = Path(path)
    if not target.name:
        raise OSError(errno.EISDIR, "is a folder; give the name of a file", str(target))
    # All that follows happens in this folder, even if its name means another one by then.
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    part = f".{uuid.uuid4().hex}.part"  # short: the target's own name may be as long as can be
    try:
        mode = _mode_of(folder, target)
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(part, flags, 0o666, dir_fd=folder)
        try:
            with os.fdopen(descriptor, "wb") as stream:
                yield stream
                stream.flush()
                if keep:
                    if mode is not None:
                        os.fchmod(stream.fileno(), mode)
                    os.fsync(stream.fileno())
            if keep:
                _mode_of(folder, target)
                os.replace(part, target.name, src_dir_fd=folder, dst_dir_fd=folder)
                with suppress(OSError):  # not every file system can; the file itself is written
                    os.fsync(folder)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(part, dir_fd=folder)
    finally:
        os.close(folder)


def kind_unless_regular(mode: int) -> str | None:
    """Return what a file with this `st_mode` is, e.g. ``"a pipe"``; None for a regular file."""
    return next((name for is_kind, name in _KINDS if is_kind(mode)), None)


def _mode_of(folder: int, target: Path) -> int | None:
    """Permissions of the file that is to be replaced, None where there is none.

    Raises:
        OSError: There is something else than a regular file.
    """
    try:
        found = os.stat(target.name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    kind = kind_unless_regular(found.st_mode)
    if kind is not None:
        text = f"is {kind}, no regular file; give the name of a regular or a new file"
        raise OSError(errno.EEXIST, text, str(target))
    return stat.S_IMODE(found.st_mode)
