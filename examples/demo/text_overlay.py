# SPDX-License-Identifier: Apache-2.0
"""An example of using the node's tensors: draws the text that a detector found on its image.

It shows all that a consumer of `~/<model>/tensors` does:

1. remember the latest images by their stamp, which a result carries along (`recent_images.py`);
2. see the tensors as numpy arrays, without copies (`tensors_to_numpy`);
3. decode them, here a probability map into boxes (`text_detection.py`);
4. map pixels of the model's input back to the image (`images[0].transform`);
5. cost nothing while nobody looks: without a subscriber it subscribes nothing, and so a model with
   the parameter `lazy` does not run for it either.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from hbm_runtime_ros.msg import InputImage, TensorList
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image

from hbm_runtime.image import ImageError, frame_to_bgr
from hbm_runtime_ros.messages.conversions import (
    bytes_to_field,
    image_to_frame,
    tensors_to_numpy,
    transform_from_msg,
)
from hbm_runtime_ros.parameters.row_type import ParameterSpec
from hbm_runtime_ros.ros import qos
from hbm_runtime_ros.ros.declared import declare
from hbm_runtime_ros.ros.run_node import run_node
from recent_images import RecentImages
from text_detection import DetectionOptions, TextBox, find_text_boxes

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from rclpy.subscription import Subscription

PARAMETERS = (
    ParameterSpec(
        "save_path", "", "PNG file for the first overlay with a box in it; empty for none."
    ),
    ParameterSpec(
        "pixel_threshold", 0.3, "Probability that makes a pixel text.", bounds=(0.0, 1.0)
    ),
    ParameterSpec("box_threshold", 0.6, "Mean probability that makes a box.", bounds=(0.0, 1.0)),
)

# Reliable: rviz and others that ask for it match, and those that do not match as well.
OVERLAY_QOS = QoSProfile(depth=2, reliability=ReliabilityPolicy.RELIABLE)
DEMAND_PERIOD = 0.25  # seconds between two looks at who subscribes
GREEN = (60, 220, 60)  # blue, green, red


class TextOverlay(Node):
    """Subscribes `image_raw` and `tensors` while somebody looks, publishes `~/overlay` (bgr8)."""

    def __init__(self, **options: Any) -> None:
        """Wait for somebody who looks.

        Args:
            options: For rclpy's Node.

        Raises:
            ConfigurationError: If a parameter is not allowed.
        """
        super().__init__("text_overlay", **options)
        values = declare(self, "", PARAMETERS)
        self._save_path: str = values["save_path"]
        self._options = DetectionOptions(
            pixel_threshold=values["pixel_threshold"], box_threshold=values["box_threshold"]
        )
        self._images = RecentImages()
        self._subscriptions_in_use: list[Subscription] = []
        self._publisher = self.create_publisher(Image, "~/overlay", OVERLAY_QOS)
        self.create_timer(DEMAND_PERIOD, self._follow_demand)
        self._follow_demand()

    def _is_wanted(self) -> bool:
        return bool(self._save_path) or self._publisher.get_subscription_count() > 0

    def _follow_demand(self) -> None:
        """Subscribe when somebody wants the overlay, and no longer than that.

        By a timer: not every ROS 2 calls back when a subscriber comes or goes.
        """
        if self._is_wanted() == bool(self._subscriptions_in_use):
            return
        if self._subscriptions_in_use:
            for subscription in self._subscriptions_in_use:
                self.destroy_subscription(subscription)
            self._subscriptions_in_use = []
            self._images.clear()
        else:
            self._subscriptions_in_use = [
                self.create_subscription(Image, "image_raw", self._images.add, qos.IMAGES),
                self.create_subscription(TensorList, "tensors", self._on_tensors, qos.TENSORS),
            ]

    def _on_tensors(self, msg: TensorList) -> None:
        if not self._is_wanted():
            return
        try:
            source = self._source(msg)
            image = self._images.take(source.header)
            if image is None:
                return  # lost on the way, or older than what is kept
            tensors = tensors_to_numpy(msg)
            if len(tensors) != 1:
                raise ValueError(f"expected one tensor, a probability map, got {list(tensors)}")
            (probabilities,) = tensors.values()
            transform = transform_from_msg(source.transform)
            boxes = find_text_boxes(probabilities, transform, self._options)
            overlay = draw_boxes(_bgr(image), boxes)
        except (ValueError, ImageError) as error:
            self.get_logger().error(f"no overlay: {error}", throttle_duration_sec=5.0)
            return
        self._publisher.publish(_overlay_message(image, overlay))
        if boxes and self._save_path:
            self._save(overlay)

    def _source(self, msg: TensorList) -> InputImage:
        """Which image of a result is drawn on: the one of our topic, else the first."""
        if not msg.images:
            raise ValueError(f"a result of model '{msg.model}' names no image it came from")
        topic = self.resolve_topic_name("image_raw")
        return next((image for image in msg.images if image.topic == topic), msg.images[0])

    def _save(self, overlay: NDArray[np.uint8]) -> None:
        import cv2

        path, self._save_path = Path(self._save_path), ""
        # whole or not at all: somebody may be waiting for the file
        part = path.with_name(f".{path.stem}.part{path.suffix}")
        if cv2.imwrite(str(part), overlay):
            os.replace(part, path)
            self.get_logger().info(f"saved {path}")
        else:
            self.get_logger().error(f"cannot write {path}")


def draw_boxes(image: NDArray[np.uint8], boxes: Sequence[TextBox]) -> NDArray[np.uint8]:
    """Draw boxes with their scores.

    Args:
        image: BGR uint8 [height, width, 3]; stays as it is.
        boxes: In its pixels.

    Returns:
        A copy with the drawing.
    """
    import cv2

    canvas: NDArray[np.uint8] = image.copy()
    for box in boxes:
        corners = np.round(box.corners).astype(np.int32)
        cv2.polylines(canvas, [corners], True, GREEN, 2, cv2.LINE_AA)
        x, y = (int(v) for v in corners.min(axis=0))
        cv2.putText(
            canvas,
            f"{box.score:.2f}",
            (x, max(y - 4, 12)),
            cv2.FONT_HERSHEY_SIMPLEX,
            0.45,
            GREEN,
            1,
            cv2.LINE_AA,
        )
    return canvas


def _bgr(msg: Image) -> NDArray[np.uint8]:
    return frame_to_bgr(image_to_frame(msg))


def _overlay_message(image: Image, overlay: NDArray[np.uint8]) -> Image:
    height, width = overlay.shape[:2]
    msg = Image(header=image.header, width=width, height=height, encoding="bgr8", step=width * 3)
    msg.data = bytes_to_field(overlay)
    return msg


def main(args: Sequence[str] | None = None) -> int:
    """Run the overlay until a signal comes.

    Args:
        args: Command line with ROS arguments; None for the process's own.

    Returns:
        Exit code.
    """
    return run_node("text_overlay", TextOverlay, args)


if __name__ == "__main__":
    sys.exit(main())
