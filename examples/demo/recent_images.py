# SPDX-License-Identifier: Apache-2.0
"""The latest images by stamp, kept until the results that were computed from them come."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sensor_msgs.msg import Image
    from std_msgs.msg import Header

COUNT = 60  # two seconds at 30 Hz: how late a result may be
MAX_BYTES = 256 * 1024 * 1024


class RecentImages:
    """Images by the stamp in their header, bounded in number and in bytes; for one thread."""

    def __init__(self, count: int = COUNT, max_bytes: int = MAX_BYTES) -> None:
        """Keep nothing yet.

        Args:
            count: Images kept at most.
            max_bytes: Of their data together; the latest image is kept in any case.
        """
        self._count = count
        self._max_bytes = max_bytes
        self._bytes = 0
        self._images: OrderedDict[tuple[int, int], Image] = OrderedDict()

    def __len__(self) -> int:
        return len(self._images)

    def add(self, image: Image) -> None:
        """Keep an image, and let go of the oldest where there are too many.

        Args:
            image: Takes the place of an earlier one with the same stamp.
        """
        key = _key(image.header)
        self._drop(key)
        self._images[key] = image
        self._bytes += len(image.data)
        while len(self._images) > 1 and (
            len(self._images) > self._count or self._bytes > self._max_bytes
        ):
            self._drop(next(iter(self._images)))

    def get(self, header: Header) -> Image | None:
        """Look up the image that a result names.

        Args:
            header: Of the image, as it stands in the result.

        Returns:
            The image, None if it was lost on the way or came too long ago.
        """
        return self._images.get(_key(header))

    def take(self, header: Header) -> Image | None:
        """Look up an image, and let go of it and of all that came before it.

        For a consumer of one model's results, which come in the order of their images.

        Args:
            header: Of the image, as it stands in the result.

        Returns:
            The image, None if it was lost on the way or came too long ago.
        """
        key = _key(header)
        image = self._images.get(key)
        if image is not None:
            while self._images and next(iter(self._images)) != key:
                self._drop(next(iter(self._images)))
            self._drop(key)
        return image

    def clear(self) -> None:
        """Let go of all."""
        self._images.clear()
        self._bytes = 0

    def _drop(self, key: tuple[int, int]) -> None:
        image = self._images.pop(key, None)
        if image is not None:
            self._bytes -= len(image.data)


def _key(header: Header) -> tuple[int, int]:
    return header.stamp.sec, header.stamp.nanosec
