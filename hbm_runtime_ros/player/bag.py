# SPDX-License-Identifier: Apache-2.0
"""Images of a bag (MCAP), one after the other, in bounded memory whatever the file says."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from rclpy.serialization import deserialize_message
from sensor_msgs.msg import CompressedImage, Image

from hbm_runtime._texts import said
from hbm_runtime_ros.player.pictures import SourceError

SUFFIX = ".mcap"
IMAGE_TYPES: dict[str, Any] = {
    "sensor_msgs/msg/Image": Image,
    "sensor_msgs/msg/CompressedImage": CompressedImage,
}
# Of a record, and of a chunk unpacked; so of a message, too. An NV12 image of 8K has 50 MB.
MAX_BYTES = 1 << 28
_TIME_LIMIT = (1 << 31) * 10**9  # ns; builtin_interfaces/Time has signed 32 bits for seconds


class PlayedImage(NamedTuple):
    """One image to play.

    Attributes:
        msg: As recorded, or made of a picture.
        time: When it was recorded, ns of the recorder's clock; None if the source does not say.
    """

    msg: Image | CompressedImage
    time: int | None


class Bag:
    """The images of one topic of an MCAP file, in the order of the file.

    Attributes:
        topic: Whose images these are.
        type: Of the messages, Image or CompressedImage.
    """

    def __init__(self, path: Path, topic: str = "") -> None:
        """See what the file holds.

        Args:
            path: Of the file.
            topic: Whose images are read; "" for the only topic that has some.

        Raises:
            SourceError: If this is no bag, or holds no such topic.
        """
        self._path = path
        self._mcap = _Mcap()
        topics = self._topics()
        images = [name for name, kind in topics.items() if kind in IMAGE_TYPES]
        if not topic and len(images) == 1:
            topic = images[0]
        if topic not in images:
            held = ", ".join(f"{name} ({kind})" for name, kind in sorted(topics.items()))
            raise SourceError(
                f"'{path}' must hold {f'images on {topic}' if topic else 'one topic of images'} "
                f"(sensor_msgs Image or CompressedImage, cdr), it holds {held or 'no messages'}; "
                "the parameter 'topic' chooses one"
            )
        self.topic = topic
        self.type = IMAGE_TYPES[topics[topic]]

    def images(self, loop: bool) -> Iterator[PlayedImage]:
        """Read the messages.

        Args:
            loop: Start again after the last.

        Yields:
            The messages.

        Raises:
            SourceError: Where the file is broken.
        """
        while True:
            number = 0
            for channel, message in self._messages():
                if channel.topic == self.topic:
                    number += 1
                    if message.log_time >= _TIME_LIMIT:
                        raise SourceError(
                            f"'{self._path}': message {number} on {self.topic}: "
                            f"{message.log_time} ns is no time that ROS knows"
                        )
                    yield PlayedImage(self._image(message.data, number), message.log_time)
            if number == 0:
                raise SourceError(f"'{self._path}' holds no message on {self.topic}")
            if not loop:
                return

    def _image(self, data: bytes, number: int) -> Image | CompressedImage:
        try:
            msg: Image | CompressedImage = deserialize_message(data, self.type)
        except RuntimeError as error:
            raise SourceError(
                f"'{self._path}': message {number} on {self.topic} is no {self.type.__name__}: "
                f"{said(error)}"
            ) from error
        return msg

    def _topics(self) -> dict[str, str]:
        """Type of the messages per topic, "?" where they are not ROS 2's."""
        summary = None
        with self._open() as file:
            if file.ends_with(self._mcap.magic):
                reader = self._mcap.reader.SeekingReader(file, record_size_limit=MAX_BYTES)
                summary = reader.get_summary()
        if summary is not None and summary.channels:
            schemas, channels = summary.schemas, list(summary.channels.values())
        else:
            schemas, channels = self._scan()
        return {
            channel.topic: schemas[channel.schema_id].name
            if channel.message_encoding == "cdr" and channel.schema_id in schemas
            else "?"
            for channel in channels
        }

    def _scan(self) -> tuple[dict[int, Any], list[Any]]:
        """Schemas and channels of a file whose recorder did not come to write a summary."""
        schemas: dict[int, Any] = {}
        channels: list[Any] = []
        try:
            for record in self._records():
                if isinstance(record, self._mcap.records.Schema):
                    schemas[record.id] = record
                elif isinstance(record, self._mcap.records.Channel):
                    channels.append(record)
        except SourceError:  # it did not even come to end the file
            if not channels:
                raise
        return schemas, channels

    def _messages(self) -> Iterator[tuple[Any, Any]]:
        """Channel and message, in the order of the file."""
        channels: dict[int, Any] = {}
        for record in self._records():
            if isinstance(record, self._mcap.records.Channel):
                channels[record.id] = record
            elif isinstance(record, self._mcap.records.Message):
                if record.channel_id not in channels:
                    raise SourceError(f"'{self._path}' is broken: no channel {record.channel_id}")
                yield channels[record.channel_id], record

    def _records(self) -> Iterator[Any]:
        with self._open() as file:
            for record in self._mcap.stream(file):
                if not isinstance(record, self._mcap.records.Chunk):
                    yield record
                    continue
                content = self._mcap.stream(io.BytesIO(self._mcap.unpack(record)), skip_magic=True)
                try:
                    yield from content
                except self._mcap.too_early:
                    continue  # a chunk has no other end

    @contextmanager
    def _open(self) -> Iterator[_BoundedFile]:
        try:
            with self._path.open("rb") as file:
                yield _BoundedFile(file)
        except SourceError:
            raise
        except self._mcap.too_early as error:
            raise SourceError(
                f"'{self._path}' ends too early; `mcap recover` may save it"
            ) from error
        # what the library and its decompressors raise for what a broken file says
        except self._mcap.errors as error:
            raise SourceError(
                f"'{self._path}' is not an MCAP file that can be read: {said(error)}"
            ) from error


class _BoundedFile:
    """Refuses to read what would not fit, before any memory is taken for it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.seek = file.seek

    def ends_with(self, magic: bytes) -> bool:
        """Tell whether the file was written to its end."""
        size = self._file.seek(0, io.SEEK_END)
        self._file.seek(max(0, size - len(magic)))
        ended = self._file.read() == magic
        self._file.seek(0)
        return ended

    def read(self, size: int) -> bytes:
        """Read exactly so many bytes."""
        if size > MAX_BYTES:
            raise ValueError(f"a record of {size} bytes, allowed are {MAX_BYTES}")
        data = self._file.read(size)
        if len(data) < size:
            raise EOFError
        return data


class _Mcap:
    """The library and what it unpacks with; imported late, since only bags need it."""

    def __init__(self) -> None:
        try:
            import lz4.frame
            import zstandard
            from mcap import exceptions, reader, records, stream_reader
        except ImportError as error:
            raise SourceError(
                f"playing a bag needs the Python package mcap: pip install 'mcap>=1.2.1' ({error})"
            ) from error
        self.magic = b"\x89MCAP0\r\n"
        self.reader: Any = reader
        self.records: Any = records
        self.too_early: tuple[type[Exception], ...] = (exceptions.EndOfFile, EOFError)
        self.errors: tuple[type[Exception], ...] = (
            *(exceptions.McapError, zstandard.ZstdError, struct.error),
            *(OSError, OverflowError, RuntimeError, ValueError),
        )
        self._stream_reader: Any = stream_reader.StreamReader
        self._zstd: Any = zstandard.ZstdDecompressor
        self._lz4: Any = lz4.frame.LZ4FrameDecompressor

    def stream(self, file: Any, skip_magic: bool = False) -> Iterator[Any]:
        """Records one after the other, chunks as they are."""
        records: Iterator[Any] = self._stream_reader(
            file, skip_magic=skip_magic, emit_chunks=True, record_size_limit=MAX_BYTES
        ).records
        return records

    def unpack(self, chunk: Any) -> bytes:
        """Content of a chunk; the library itself would unpack as much as the file likes."""
        data: bytes = chunk.data
        if chunk.compression == "zstd":
            data = self._zstd().stream_reader(io.BytesIO(data)).read(MAX_BYTES + 1)
        elif chunk.compression == "lz4":
            data = self._lz4().decompress(data, max_length=MAX_BYTES + 1)
        elif chunk.compression:
            raise ValueError(f"compression '{chunk.compression}' is unknown; known are zstd, lz4")
        if len(data) > MAX_BYTES:
            raise ValueError(f"a chunk of more than {MAX_BYTES} bytes")
        if chunk.uncompressed_crc and zlib.crc32(data) != chunk.uncompressed_crc:
            raise ValueError("a chunk's checksum is wrong")
        return data
