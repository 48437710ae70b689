# SPDX-License-Identifier: Apache-2.0
"""A camera for those who have none: plays a picture, a folder or a video as images."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import Image

from hbm_runtime.image import ImageError, bgr_resize, bgr_to_nv12
from hbm_runtime_ros import qos
from hbm_runtime_ros.conversions import bytes_to_field
from hbm_runtime_ros.declaration import declare
from hbm_runtime_ros.image_source import ImageSourceError, open_source
from hbm_runtime_ros.lifetime import Finished, run_node
from hbm_runtime_ros.parameter_table import ConfigurationError, ParameterSpec, not_empty

if TYPE_CHECKING:
    from hbm_runtime.image import ColorRange
    from hbm_runtime_ros.image_source import Picture

PARAMETERS = (
    ParameterSpec(
        "source",
        "",
        "Picture, folder of pictures, or video file.",
        check=not_empty("the path of a picture, a folder of pictures or a video"),
        constraint="not empty",
    ),
    ParameterSpec("rate", 30.0, "Images per second.", bounds=(0.01, 1000.0)),
    ParameterSpec("loop", True, "Start again after the last image, instead of ending."),
    ParameterSpec(
        "encoding", "nv12", "Encoding of the images published.", choices=("nv12", "bgr8")
    ),
    ParameterSpec("color_range", "full", "BT.601 range of nv12.", choices=("full", "limited")),
    ParameterSpec("width", 0, "Pixels per row, 0 for the source's.", bounds=(0, 16384)),
    ParameterSpec("height", 0, "Rows, 0 for the source's.", bounds=(0, 16384)),
    ParameterSpec("frame_id", "camera", "header.frame_id of the images."),
)


class ImagePlayer(Node):
    """Publishes `image_raw` with sensor-data QoS, like a camera driver."""

    def __init__(self, **options: Any) -> None:
        """Open the source and start.

        Args:
            options: For rclpy's Node.

        Raises:
            ConfigurationError: If a parameter or the source cannot be used.
        """
        super().__init__("image_player", **options)
        values = declare(self, "", PARAMETERS)
        self._encoding: str = values["encoding"]
        self._range = cast("ColorRange", values["color_range"])
        self._size = (values["width"], values["height"])
        self._frame_id: str = values["frame_id"]
        self._last: tuple[Picture, Image] | None = None
        try:
            pictures = open_source(Path(values["source"]), values["loop"])
            first = next(pictures)
            self._image(first)
        except ImageSourceError as error:
            raise ConfigurationError(f"parameter 'source': {error}") from error
        except ImageError as error:
            raise ConfigurationError(
                f"parameter 'source': {error}; set width and height, or encoding to bgr8"
            ) from error
        self._pictures = itertools.chain([first], pictures)
        self._publisher = self.create_publisher(Image, "image_raw", qos.IMAGES)
        self.create_timer(1.0 / values["rate"], self._publish_next)
        self.get_logger().info(
            f"{values['source']} as {self._encoding} at {values['rate']:g} Hz "
            f"on {self._publisher.topic_name}"
        )

    def _publish_next(self) -> None:
        try:
            picture = next(self._pictures)
            msg = self._image(picture)
        except StopIteration:
            self.get_logger().info("that was the last image")
            raise Finished from None
        except (ImageSourceError, ImageError) as error:
            self.get_logger().error(f"{error}; skipped", throttle_duration_sec=5.0)
            return
        msg.header.stamp = self.get_clock().now().to_msg()
        self._publisher.publish(msg)

    def _image(self, picture: Picture) -> Image:
        """Convert a picture; the one that comes again and again is converted once."""
        if self._last is not None and self._last[0] is picture:
            return self._last[1]
        msg = to_image(picture, self._encoding, self._range, *self._size)
        msg.header.frame_id = self._frame_id
        self._last = (picture, msg)
        return msg


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
