# SPDX-License-Identifier: Apache-2.0
"""One received image, shared by all models on its topic: each thing made of it is made once."""

from __future__ import annotations

import copy
import threading
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import TYPE_CHECKING, Any, TypeVar

from hbm_runtime.image import NV12Frame, YUV422Frame
from hbm_runtime.image.preprocessing import read_only
from hbm_runtime_ros.messages.conversions import MAX_IMAGE_BYTES, check_encoding, image_to_frame

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable

    from sensor_msgs.msg import CompressedImage, Image
    from std_msgs.msg import Header

    from hbm_runtime.image import Frame

T = TypeVar("T")

# Seconds that one thread waits for what another one makes, before it makes it itself.
MAKING_TIMEOUT = 5.0


class ReceivedImage:
    """A received message and what was made of it, for any number of threads.

    What `frame` and `once` return is shared: nobody may write to it. Arrays of `frame` refuse it.

    Attributes:
        msg: As received.

    Example:
        >>> from sensor_msgs.msg import Image
        >>> image = ReceivedImage(Image(width=2, height=1, step=6, encoding="bgr8", data=bytes(6)))
        >>> image.frame() is image.frame(encodings=["bgr8"])
        True
    """

    __slots__ = ("_lock", "_made", "_max_bytes", "msg")

    def __init__(self, msg: Image | CompressedImage, max_bytes: int = MAX_IMAGE_BYTES) -> None:
        """Take a message; nothing is looked at yet.

        Args:
            msg: As received.
            max_bytes: Data that is looked at, see `image_to_frame`.
        """
        self.msg = msg
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._made: dict[Hashable, Future[Any]] = {}

    @property
    def header(self) -> Header:
        """Of the message."""
        return self.msg.header

    def frame(self, encodings: Collection[str] = ()) -> Frame:
        """See or decode the image, once for all that ask.

        Args:
            encodings: That this asker accepts, see `image_to_frame`.

        Returns:
            The picture, not to be written to.

        Raises:
            ImageError: If it cannot be used; each caller gets it.
        """
        check_encoding(self.msg, encodings)
        return self.once(ReceivedImage, self._decode)

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """Make something of this image, unless that was done already.

        No lock is held while `make` runs. Who comes meanwhile waits for the result, at most
        `MAKING_TIMEOUT` seconds; then it makes its own.

        Args:
            key: What is made; equal keys mean equal results.
            make: Makes it; called in the thread of the first that asks.

        Returns:
            What the first call returned.

        Raises:
            Exception: Whatever `make` raised in the first call; the others get copies.
        """
        with self._lock:
            made: Future[Any] | None = self._made.get(key)
            mine = made is None
            if made is None:
                made = self._made[key] = Future()
        if mine:
            return self._make(made, make)
        try:
            error = made.exception(MAKING_TIMEOUT)
        except FutureTimeoutError:
            return make()
        if error is not None:
            raise _copy(error)
        result: T = made.result()
        return result

    def _decode(self) -> Frame:
        frame = image_to_frame(self.msg, self._max_bytes)
        if isinstance(frame, NV12Frame):
            return NV12Frame(read_only(frame.y), read_only(frame.uv))
        if isinstance(frame, YUV422Frame):
            return YUV422Frame(read_only(frame.packed), frame.order)
        return read_only(frame)

    @staticmethod
    def _make(made: Future[Any], make: Callable[[], T]) -> T:
        try:
            result = make()
        except BaseException as error:
            # A copy without the traceback: its frames hold this object, and so all its pixels.
            made.set_exception(_copy(error))
            raise
        made.set_result(result)
        return result


def _copy(error: BaseException) -> BaseException:
    try:
        return copy.copy(error).with_traceback(None)
    except Exception:  # an exception that cannot be copied is better shared than lost
        return error
