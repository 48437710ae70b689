# SPDX-License-Identifier: Apache-2.0
"""Writes a bag (MCAP) of NV12 images, for `ros2 bag play` and for the node image_player."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from ament_index_python.packages import get_package_share_directory
from mcap.well_known import MessageEncoding, Profile, SchemaEncoding
from mcap.writer import CompressionType, Writer
from numpy.typing import NDArray
from rclpy.serialization import serialize_message
from sensor_msgs.msg import Image

from hbm_runtime.image import bgr_resize, bgr_to_nv12
from hbm_runtime_ros.messages.conversions import bytes_to_field, time_msg

TYPE = "sensor_msgs/msg/Image"
# Of the definitions that are concatenated in a schema of encoding ros2msg.
SEPARATOR = "=" * 80
# What `ros2 bag play` publishes with: best effort, volatile, keep the last 5 (sensor data).
OFFERED_QOS = """\
- history: keep_last
  depth: 5
  reliability: best_effort
  durability: volatile
  deadline: {sec: 0, nsec: 0}
  lifespan: {sec: 0, nsec: 0}
  liveliness: automatic
  liveliness_lease_duration: {sec: 0, nsec: 0}
  avoid_ros_namespace_conventions: false
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path, help="file to write, *.mcap")
    parser.add_argument("--source", type=Path, help="picture to move the view over; else a pattern")
    parser.add_argument("--size", type=int, nargs=2, default=(1280, 720), metavar=("W", "H"))
    parser.add_argument("--count", type=int, default=90, help="of images (%(default)s)")
    parser.add_argument("--rate", type=float, default=30.0, help="per second (%(default)s)")
    parser.add_argument("--start", type=float, default=1.7e9, help="s since 1970 (%(default)s)")
    parser.add_argument("--topic", default="/camera/image_raw", help="(%(default)s)")
    parser.add_argument("--frame-id", default="camera", help="(%(default)s)")
    parser.add_argument("--compression", choices=["zstd", "lz4", "none"], default="zstd")
    chosen = parser.parse_args(arguments)
    width, height = chosen.size
    if width % 2 or height % 2 or min(width, height) < 2:
        parser.error(f"--size: NV12 needs an even width and height, got {width} {height}")
    if chosen.count < 1 or not 0.01 <= chosen.rate <= 1000:
        parser.error("--count must be at least 1, --rate 0.01 to 1000")
    frames = views(read_picture(chosen.source, width, height), width, height, chosen.count)
    times = [round((chosen.start + number / chosen.rate) * 1e9) for number in range(chosen.count)]
    write(
        chosen.output,
        chosen.topic,
        (
            (time, image(frame, time, chosen.frame_id))
            for time, frame in zip(times, frames, strict=True)
        ),
        CompressionType[chosen.compression.upper()],
    )
    print(f"{chosen.output}: {chosen.count} images of {width}x{height} on {chosen.topic}")
    return 0


def write(
    file: Path,
    topic: str,
    images: Iterator[tuple[int, Image]],
    compression: CompressionType = CompressionType.ZSTD,
) -> None:
    """Writes a bag.

    Args:
        file: To write.
        topic: Of the images.
        images: Time of the recording, ns, and message.
        compression: Of the chunks.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("wb") as output:
        writer = Writer(output, compression=compression)
        writer.start(profile=Profile.ROS2, library="hbm_runtime_ros")
        schema = writer.register_schema(TYPE, SchemaEncoding.ROS2, definition(TYPE).encode())
        channel = writer.register_channel(
            topic, MessageEncoding.CDR, schema, {"offered_qos_profiles": OFFERED_QOS}
        )
        for number, (time, msg) in enumerate(images):
            writer.add_message(channel, time, serialize_message(msg), time, number)
        writer.finish()


def definition(kind: str) -> str:
    """Returns the text of a message type and, below it, of all types that it needs."""
    texts: dict[str, str] = {}
    wanted = [kind]
    while wanted:
        package, name = wanted.pop(0).replace("/msg/", "/").split("/")
        if f"{package}/{name}" in texts:
            continue
        share = Path(get_package_share_directory(package))
        text = (share / "msg" / f"{name}.msg").read_text(encoding="utf-8")
        texts[f"{package}/{name}"] = text
        for line in text.splitlines():
            of_field = line.partition("#")[0].split("[")[0].split()
            if of_field and "/" in of_field[0]:
                wanted.append(of_field[0])
    (_, first), *others = texts.items()
    return first + "".join(f"\n{SEPARATOR}\nMSG: {name}\n{text}" for name, text in others)


def read_picture(source: Path | None, width: int, height: int) -> NDArray[np.uint8]:
    """Returns BGR pixels, half as large again as the images: room for the view to move."""
    large = (width * 3 // 2, height * 3 // 2)
    if source is None:
        rows, columns = np.indices((large[1], large[0]))
        pattern = np.stack([rows // 2, columns // 2, (rows ^ columns)], axis=-1)
        return (pattern % 256).astype(np.uint8)
    import cv2

    picture = cv2.imread(str(source), cv2.IMREAD_COLOR)
    if picture is None:
        sys.exit(f"make_bag: '{source}' is not a picture that OpenCV can read")
    pixels, _ = bgr_resize(picture, *large)
    return pixels


def views(
    picture: NDArray[np.uint8], width: int, height: int, count: int
) -> Iterator[NDArray[np.uint8]]:
    """Yields what is seen while the view moves along the diagonal."""
    room_y, room_x = picture.shape[0] - height, picture.shape[1] - width
    for number in range(count):
        way = number / max(1, count - 1)
        top, left = round(room_y * way), round(room_x * way)
        yield np.ascontiguousarray(picture[top : top + height, left : left + width])


def image(pixels: NDArray[np.uint8], time: int, frame_id: str) -> Image:
    """Returns an NV12 message of BGR pixels."""
    planes = bgr_to_nv12(pixels)
    msg = Image(width=pixels.shape[1], height=pixels.shape[0], encoding="nv12")
    msg.header.stamp, msg.header.frame_id = time_msg(time), frame_id
    msg.step = msg.width
    msg.data = bytes_to_field(np.concatenate([planes.y.reshape(-1), planes.uv.reshape(-1)]))
    return msg


if __name__ == "__main__":
    sys.exit(main())
