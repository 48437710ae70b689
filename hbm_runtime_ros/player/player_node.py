# SPDX-License-Identifier: Apache-2.0
"""A camera for those who have none: plays a picture, a folder, a video or a bag as images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rosgraph_msgs.msg import Clock as ClockTime
from sensor_msgs.msg import CompressedImage, Image

from hbm_runtime.image import ImageError, bgr_resize, bgr_to_nv12
from hbm_runtime_ros.messages.conversions import bytes_to_field, time_msg
from hbm_runtime_ros.parameters.row_type import ConfigurationError, ParameterSpec, not_empty
from hbm_runtime_ros.player.bag import SUFFIX, Bag, PlayedImage
from hbm_runtime_ros.player.pace import Pace, ResultGate
from hbm_runtime_ros.player.pictures import SourceError, open_pictures
from hbm_runtime_ros.ros import qos
from hbm_runtime_ros.ros.declared import declare
from hbm_runtime_ros.ros.run_node import Finished, run_node

if TYPE_CHECKING:
    from hbm_runtime.image import ColorRange
    from hbm_runtime_ros.player.pictures import Picture

PICTURE_RATE = 30.0  # images per second where the source has no times
POLL_PERIOD = 2_000_000  # ns between two looks for the result that is waited for

PARAMETERS = (
    ParameterSpec(
        "source",
        "",
        f"Picture, folder of pictures, video file, or bag ({SUFFIX}).",
        check=not_empty("the path of a picture, a folder of pictures, a video or a bag"),
        constraint="not empty",
    ),
    ParameterSpec("topic", "", "Topic in the bag; empty for the only one with images."),
    ParameterSpec(
        "rate",
        0.0,
        f"Images per second; 0 for as recorded in a bag, {PICTURE_RATE:g} of anything else.",
        bounds=(0.0, 1000.0),
    ),
    ParameterSpec("loop", True, "Start again after the last image, instead of ending."),
    ParameterSpec(
        "stamps",
        "now",
        "Stamps of the images: of the time they are played at, or those of the source, a bag.",
        choices=("now", "source"),
    ),
    ParameterSpec(
        "clock", False, "Publish the times of a bag on /clock, for nodes with use_sim_time."
    ),
    ParameterSpec(
        "wait_for",
        "",
        "Topic of TensorList: each image waits for the result of the one before. Empty: no wait.",
    ),
    ParameterSpec(
        "encoding",
        "nv12",
        "Encoding of the images published; a bag is played as it is.",
        choices=("nv12", "bgr8"),
    ),
    ParameterSpec("color_range", "full", "BT.601 range of nv12.", choices=("full", "limited")),
    ParameterSpec("width", 0, "Pixels per row, 0 for the source's.", bounds=(0, 16384)),
    ParameterSpec("height", 0, "Rows, 0 for the source's.", bounds=(0, 16384)),
    ParameterSpec("frame_id", "camera", "header.frame_id of the images; a bag has its own."),
)
ONLY_OF_BAGS = {"topic": "", "stamps": "now", "clock": False}  # and what others must have


class ImagePlayer(Node):
    """Publishes `image_raw`, or `image_raw/compressed` of a bag that holds such, like a camera.

    Example:
        >>> import rclpy
        >>> from rclpy.parameter import Parameter
        >>> rclpy.init()
        >>> values = {"source": "picture.png", "rate": 10.0, "encoding": "bgr8"}
        >>> parameters = [Parameter(name, value=value) for name, value in values.items()]
        >>> player = ImagePlayer(parameter_overrides=parameters)
        >>> player.count_publishers("image_raw")  # spun by an executor, it plays ten per second
        1
        >>> player.destroy_node()
        >>> rclpy.shutdown()
    """

    def __init__(self, **options: Any) -> None:
        """Open the source and start.

        Args:
            options: For rclpy's Node.

        Raises:
            ConfigurationError: If a parameter or the source cannot be used.
        """
        super().__init__("image_player", **options)
        values = declare(self, "", PARAMETERS)
        try:
            self._images = _open(values)
            self._next: PlayedImage | None = next(self._images)
        except SourceError as error:
            raise ConfigurationError(f"parameter 'source': {error}") from error
        except ImageError as error:
            raise ConfigurationError(
                f"parameter 'source': {error}; set width and height, or encoding to bgr8"
            ) from error
        self._keeps_stamps = values["stamps"] == "source"
        is_raw = isinstance(self._next.msg, Image)
        self._publisher = self.create_publisher(
            Image if is_raw else CompressedImage,
            "image_raw" if is_raw else "image_raw/compressed",
            # where each result is waited for, no image may be lost
            qos.TENSORS if values["wait_for"] else qos.IMAGES,
        )
        self._gate = (
            ResultGate(self, values["wait_for"], self._publisher) if values["wait_for"] else None
        )
        self._clock_publisher = (
            self.create_publisher(ClockTime, "/clock", qos.TENSORS) if values["clock"] else None
        )
        rate = values["rate"] or (PICTURE_RATE if self._next.time is None else 0.0)
        self._pace = Pace(rate, self._next.time)
        # the pace is by a clock that nobody sets, this node's own /clock least of all
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = self.create_timer(1 / PICTURE_RATE, self._on_timer, clock=self._steady)
        self.get_logger().info(
            f"{values['source']} {f'at {rate:g} Hz' if rate else 'as recorded'} "
            f"on {self._publisher.topic_name}"
        )

    def _on_timer(self) -> None:
        now = self._steady.now().nanoseconds
        if self._gate is not None and not self._gate.is_open(now):
            self._again_at(now + POLL_PERIOD)
            return
        if self._next is None:
            self.get_logger().info("that was the last image")
            raise Finished
        self._publish(self._next)
        if self._gate is not None:
            self._gate.close(self._next.msg.header.stamp, now)
        self._next = self._read()
        self._again_at(self._pace.next_due(self._next and self._next.time, now))

    def _again_at(self, due: int) -> None:
        self._timer.timer_period_ns = max(1, due - self._steady.now().nanoseconds)
        self._timer.reset()

    def _read(self) -> PlayedImage | None:
        """Read the next image, or None at the end; what cannot be played is skipped."""
        while True:
            try:
                return next(self._images, None)
            except (SourceError, ImageError) as error:
                self.get_logger().error(f"{error}; skipped", throttle_duration_sec=5.0)

    def _publish(self, image: PlayedImage) -> None:
        stamp = self.get_clock().now().to_msg()
        if self._clock_publisher is not None and image.time is not None:
            stamp = time_msg(image.time)
            self._clock_publisher.publish(ClockTime(clock=stamp))
        if not self._keeps_stamps:
            image.msg.header.stamp = stamp
        self._publisher.publish(image.msg)


def _open(values: Mapping[str, Any]) -> Iterator[PlayedImage]:
    """Open the source that the parameters name."""
    source = Path(values["source"])
    if source.suffix.lower() == SUFFIX:
        return Bag(source, values["topic"]).images(values["loop"])
    for name, needed in ONLY_OF_BAGS.items():
        if values[name] != needed:
            raise ConfigurationError(
                f"parameter '{name}' must be {needed!r} where the source is no bag (*{SUFFIX}), "
                f"got {values[name]!r}"
            )
    return _PictureImages(values)


class _PictureImages(Iterator[PlayedImage]):
    """Pictures as messages; a picture that comes again and again is converted once."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._pictures = open_pictures(Path(values["source"]), values["loop"])
        self._values = values
        self._last: tuple[Picture, PlayedImage] | None = None

    def __next__(self) -> PlayedImage:
        picture, values = next(self._pictures), self._values
        if self._last is None or self._last[0] is not picture:
            msg = to_image(
                picture,
                values["encoding"],
                cast("ColorRange", values["color_range"]),
                values["width"],
                values["height"],
            )
            msg.header.frame_id = values["frame_id"]
            self._last = (picture, PlayedImage(msg, None))
        return self._last[1]


def to_image(
    picture: Picture, encoding: str, color_range: ColorRange, width: int = 0, height: int = 0
) -> Image:
    """Make an image message of a picture.

    Args:
        picture: BGR uint8 [height, width, 3].
        encoding: "nv12" or "bgr8".
        color_range: BT.601 range of nv12.
        width: Pixels per row, 0 for the picture's.
        height: Rows, 0 for the picture's.

    Returns:
        The message, its header empty.

    Raises:
        ImageError: If nv12 is asked for with an odd size.
    """
    size = (width or picture.shape[1], height or picture.shape[0])
    pixels, _ = bgr_resize(picture, *size)
    msg = Image(width=size[0], height=size[1], encoding=encoding, is_bigendian=0)
    if encoding == "nv12":
        planes = bgr_to_nv12(pixels, color_range)
        data = bytes_to_field(np.concatenate([planes.y.reshape(-1), planes.uv.reshape(-1)]))
        msg.step = size[0]
    else:
        data = bytes_to_field(np.ascontiguousarray(pixels))
        msg.step = size[0] * 3
    msg.data = data
    return msg


def main(args: Sequence[str] | None = None) -> int:
    """Run the player until its source or its time ends.

    Args:
        args: Command line with ROS arguments; None for the process's own.

    Returns:
        Exit code.
    """
    return run_node("image_player", ImagePlayer, args)
