# SPDX-License-Identifier: Apache-2.0
"""Pictures one after the other from a file, a folder or a video. Knows no ROS."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hbm_runtime._texts import one_line

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Picture = NDArray[np.uint8]

PICTURE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".webp", ".ppm", ".tif", ".tiff"})


class SourceError(ValueError):
    """A source that holds no images, or a broken one; the text names it."""

    def __init__(self, text: str) -> None:
        super().__init__(one_line(text))  # names come from files


def open_pictures(path: Path, loop: bool) -> Iterator[Picture]:
    """Read pictures, BGR uint8 [height, width, 3].

    Args:
        path: Picture, folder of pictures (in the order of their names), or video.
        loop: Start again after the last.

    Returns:
        The pictures. One that comes again may be the same array.

    Raises:
        SourceError: If there is nothing to read; also later, for a file that cannot be read.
    """
    if not path.exists():
        raise SourceError(
            f"'{path}' does not exist; give a picture, a folder of pictures or a video"
        )
    if path.is_dir():
        files = sorted(p for p in path.iterdir() if p.suffix.lower() in PICTURE_SUFFIXES)
        if not files:
            raise SourceError(
                f"folder '{path}' holds no picture ({', '.join(sorted(PICTURE_SUFFIXES))})"
            )
        return _pictures(files, loop)
    if path.suffix.lower() in PICTURE_SUFFIXES:
        return _pictures([path], loop)
    return _video(path, loop)


def _pictures(files: list[Path], loop: bool) -> Iterator[Picture]:
    if len(files) == 1:
        picture = _read(files[0])
        yield picture
        while loop:
            yield picture
        return
    while True:
        for file in files:
            yield _read(file)
        if not loop:
            return


def _read(file: Path) -> Picture:
    picture: Picture | None = _opencv().imread(str(file), _opencv().IMREAD_COLOR)
    if picture is None:
        raise SourceError(f"'{file}' is not a picture that OpenCV can read")
    return picture


def _video(path: Path, loop: bool) -> Iterator[Picture]:
    cv2 = _opencv()
    while True:
        capture = cv2.VideoCapture(str(path))
        try:
            ok, picture = capture.read()
            if not ok:
                raise SourceError(f"'{path}' is neither a picture nor a video that OpenCV can read")
            while ok:
                yield picture
                ok, picture = capture.read()
        finally:
            capture.release()
        if not loop:
            return


def _opencv() -> Any:
    """Typed as Any at one place: OpenCV's own annotations differ between versions."""
    import cv2

    return cv2
