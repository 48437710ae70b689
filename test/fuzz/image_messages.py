# SPDX-License-Identifier: Apache-2.0
"""Image messages as nobody should send them, from a seed: whole ones, broken ones, and noise."""

from __future__ import annotations

import array
import random
import struct
import zlib

import cv2
import numpy as np
from sensor_msgs.msg import CompressedImage, Image

from hbm_runtime.image.encodings import KNOWN

# By encoding, bytes per pixel of a row, or of a row of luma.
PIXEL_BYTES = {
    name: size
    for size, names in (
        (1, "nv12 nv21 nv24 mono8 bayer_rggb8 bayer_bggr8 bayer_gbrg8 bayer_grbg8 8UC1 8SC1"),
        (2, "yuyv uyvy yuv422_yuy2 yuv422 mono16 8UC2 16UC1"),
        (2, "bayer_rggb16 bayer_bggr16 bayer_gbrg16 bayer_grbg16"),
        (3, "rgb8 bgr8 8UC3 8SC3"),
        (4, "rgba8 bgra8 8UC4 32SC1 32FC1"),
        (5, "8UC5"),
        (6, "rgb16 bgr16 16SC3"),
        (8, "rgba16 bgra16 64FC1"),
        (12, "32FC3"),
        (32, "64FC4"),
    )
    for name in names.split()
}
TWO_PLANES = ("nv12", "nv21")
SUBSAMPLED = (*TWO_PLANES, "yuyv", "uyvy", "yuv422_yuy2", "yuv422")  # of even sizes
STRANGE_ENCODINGS = (
    *("", " ", "NV12", "nv12 ", "nv12\0", "Bgr8", "8UC", "8UC0", "8UC-1", "8UC99999", "8UC512"),
    *("99FC3", "32FC", "UC3", "jpeg", "mono", "bayer_", "..", "\U0001f4f7", "é" * 50, "x" * 5000),
    *("rgb8\nbgr8", "%s%n", "None", "bgr8; jpeg compressed bgr8", "\ufffd\ufffd"),
)
FORMATS = (
    *("jpeg", "png", "jpg", "bgr8; jpeg compressed bgr8", "rgb8; jpeg compressed rgb8", "JPEG"),
    *("mono8; png compressed ", "16UC1; compressedDepth png", "tiff", "", "\0", "h264"),
)
HUGE = (255, 256, 65535, 65536, 2**24, 2**31 - 1, 2**31, 2**32 - 2, 2**32 - 1)
assert set(KNOWN) <= set(PIXEL_BYTES), "an encoding that the node has learnt is not fuzzed"


class MessageMaker:
    """An endless row of messages, the same for each seed."""

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(seed)
        # slices of it are the pixels: noise for each message would take longer than all else
        self._noise = np.random.default_rng(seed).integers(0, 256, 1 << 21, np.uint8).tobytes()
        self._pictures = [self._picture(kind) for kind in (".jpg", ".png") for _ in range(24)]

    def message(self) -> Image | CompressedImage:
        """Make the next message."""
        dice = self._dice
        if dice.random() < 0.2:
            return self._compressed()
        msg = self._whole()
        for _ in range(dice.choice((0, 0, 0, 0, 0, 1, 1, 2, 4))):
            dice.choice(self._BREAKS)(self, msg)
        return msg

    # Raw images

    def _whole(self) -> Image:
        """A message that agrees with itself, but NV12 and 4:2:2 may have odd sizes."""
        dice = self._dice
        encoding = dice.choice(tuple(PIXEL_BYTES))
        if dice.random() < 0.4:
            encoding = dice.choice(KNOWN)
        msg = Image(encoding=encoding, is_bigendian=dice.randrange(2))
        msg.width, msg.height = self._size()
        if encoding in SUBSAMPLED and dice.random() < 0.8:
            msg.width, msg.height = (msg.width + 1) // 2 * 2, (msg.height + 1) // 2 * 2
        row = int(msg.width * PIXEL_BYTES[encoding])
        msg.step = row + dice.choice((0, 0, 0, 1, 2, 3, 16, 61))
        rows = msg.height * 3 // 2 if encoding in TWO_PLANES else msg.height
        extra = dice.choice((0, 0, 0, 0, 1, 7, 4096))
        # the last row need not be padded
        missing = msg.step - row if dice.random() < 0.2 else 0
        msg.data = self._bytes(max(0, msg.step * rows + extra - missing))
        self._head(msg)
        return msg

    def _size(self) -> tuple[int, int]:
        dice = self._dice
        kind = dice.random()
        if kind < 0.8:
            return dice.randrange(1, 33), dice.randrange(1, 33)
        if kind < 0.9:  # long and thin
            size = (dice.choice((1, 2, 3)), dice.randrange(1, 5000))
            return size if dice.random() < 0.5 else size[::-1]
        if kind < 0.99:
            return dice.randrange(2, 200, 2), dice.randrange(2, 200, 2)
        return dice.randrange(200, 700), dice.randrange(200, 500)

    def _bytes(self, count: int) -> array.array[int]:
        count = min(count, len(self._noise))
        begin = self._dice.randrange(len(self._noise) - count + 1)
        return array.array("B", self._noise[begin : begin + count])

    def _head(self, msg: Image | CompressedImage) -> None:
        dice = self._dice
        stamp = msg.header.stamp
        stamp.sec = dice.choice((0, 1, dice.randrange(-(2**31), 2**31)))
        stamp.nanosec = dice.choice((0, dice.randrange(2**32)))
        msg.header.frame_id = dice.choice(("", "camera", "\0", "\U0001f4f7" * 3, "x" * 300))

    # What is done to them

    def _break_size(self, msg: Image) -> None:
        name = self._dice.choice(("width", "height"))
        setattr(msg, name, self._dice.choice((0, 0, 1, getattr(msg, name) + 1, *HUGE)))

    def _break_step(self, msg: Image) -> None:
        row = int(msg.width * PIXEL_BYTES.get(msg.encoding, 1))
        changed = self._dice.choice((0, 1, row - 1, row + 1, msg.step * 2, *HUGE))
        msg.step = min(max(changed, 0), 2**32 - 1)

    def _break_encoding(self, msg: Image) -> None:
        dice = self._dice
        kind = dice.random()
        if kind < 0.4:
            msg.encoding = dice.choice(STRANGE_ENCODINGS)
        elif kind < 0.7:  # of another size or depth than the data
            msg.encoding = dice.choice(tuple(PIXEL_BYTES))
        else:
            letters = [
                chr(dice.choice((0, 10, 37, 56, 85, 67, 233, 0x4E2D, 0x1F4F7))) for _ in "ab"
            ]
            at = dice.randrange(len(msg.encoding) + 1)
            msg.encoding = msg.encoding[:at] + "".join(letters) + msg.encoding[at + 1 :]

    def _cut(self, msg: Image) -> None:
        length = len(msg.data)
        keep = self._dice.choice((0, 1, length - 1, length // 2, length * 2 // 3))
        msg.data = msg.data[: max(0, keep)]

    def _break_all(self, msg: Image) -> None:
        dice = self._dice
        for name in ("width", "height", "step"):
            setattr(msg, name, dice.choice((dice.randrange(64), dice.choice(HUGE))))
        msg.data = self._bytes(dice.randrange(4096))

    _BREAKS = (
        _break_size,
        _break_size,
        _break_step,
        _break_step,
        _cut,
        _break_encoding,
        _break_all,
    )

    # Compressed images

    def _compressed(self) -> CompressedImage:
        dice = self._dice
        msg = CompressedImage(format=dice.choice(FORMATS))
        kind = dice.random()
        if kind < 0.1:
            msg.data = self._bytes(dice.randrange(2000))
        else:
            data = bytearray(dice.choice(self._pictures))
            if kind < 0.7:
                self._damage(data)
            elif kind < 0.8:
                data = self._bomb(data)
            msg.data = array.array("B", bytes(data))
        self._head(msg)
        return msg

    def _damage(self, data: bytearray) -> None:
        dice = self._dice
        for _ in range(dice.choice((1, 1, 2, 5, 20))):
            if not data:
                return
            # mostly in the headers
            at = min(int(dice.expovariate(1 / 60)), len(data) - 1)
            at = at if dice.random() < 0.7 else dice.randrange(len(data))
            what = dice.randrange(4)
            if what == 0:
                data[at] ^= 1 << dice.randrange(8)
            elif what == 1:
                data[at] = dice.choice((0, 1, 0x7F, 0xFF, 0xC0, 0xC2, 0xD9, 0xDA))
            elif what == 2:
                del data[at : at + dice.choice((1, 2, 50, len(data)))]
            else:
                data[at:at] = data[: dice.randrange(40)]

    def _bomb(self, data: bytearray) -> bytearray:
        """A small file that says that it is a large picture."""
        size = struct.pack(">HH", *(self._dice.choice((3000, 30000, 65535)) for _ in "hw"))
        if data[:2] == b"\xff\xd8":
            for mark in (b"\xff\xc0", b"\xff\xc2"):
                at = data.find(mark)
                if at >= 0:
                    data[at + 5 : at + 9] = size
            return data
        header = bytearray(data[12:29])  # IHDR: its kind, width, height and five more bytes
        header[4:12] = b"".join(struct.pack(">I", self._dice.choice(HUGE)) for _ in "wh")
        return data[:12] + header + struct.pack(">I", zlib.crc32(header)) + data[33:]

    def _picture(self, kind: str) -> bytes:
        dice = self._dice
        size = (dice.randrange(1, 40), dice.randrange(1, 40))
        channels = (
            dice.choice(((), (3,), (3,), (4,))) if kind == ".png" else dice.choice(((), (3,)))
        )
        depth = np.uint16 if kind == ".png" and dice.random() < 0.3 else np.uint8
        pixels = np.frombuffer(self._bytes(size[0] * size[1] * 8), depth)
        count = size[0] * size[1] * (channels[0] if channels else 1)
        options = [cv2.IMWRITE_JPEG_PROGRESSIVE, dice.randrange(2)] if kind == ".jpg" else []
        ok, data = cv2.imencode(kind, pixels[:count].reshape(size + channels), options)
        assert ok
        return data.tobytes()
