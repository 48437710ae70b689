# SPDX-License-Identifier: Apache-2.0
"""The player: pictures, folders and videos as camera images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image

from hbm_runtime.image import bgr_to_nv12
from hbm_runtime_ros.messages.conversions import image_to_frame


def picture(seed: int, width: int = 32, height: int = 16) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.fixture
def play(start: Callable, observer: Any) -> Callable[..., tuple[Any, list[Image]]]:
    """Subscribe, then play."""

    def start_player(**parameters: Any) -> tuple[Any, list[Image]]:
        images = observer.collect(Image, "image_raw", qos_profile_sensor_data)
        return start("image_player", {"rate": 50.0, **parameters}), images

    return start_player


@pytest.mark.parametrize("color_range", ["full", "limited"])
def test_a_picture_becomes_nv12(
    play: Callable, observer: Any, tmp_path: Path, color_range: str
) -> None:
    cv2.imwrite(str(tmp_path / "p.png"), picture(1))
    _, images = play(source="p.png", color_range=color_range, frame_id="eye")
    observer.until(lambda: len(images) >= 3, "images")
    expected = bgr_to_nv12(picture(1), color_range)
    for image in images:
        frame = image_to_frame(image)
        assert (image.encoding, image.step, image.header.frame_id) == ("nv12", 32, "eye")
        assert np.array_equal(frame.y, expected.y)
        assert np.array_equal(frame.uv, expected.uv)
    times = [(image.header.stamp.sec, image.header.stamp.nanosec) for image in images]
    assert times == sorted(set(times))


def test_a_picture_becomes_bgr8_of_the_size_asked_for(
    play: Callable, observer: Any, tmp_path: Path
) -> None:
    cv2.imwrite(str(tmp_path / "p.png"), picture(2))
    _, images = play(source="p.png", encoding="bgr8", width=20, height=10)
    observer.until(lambda: images, "an image")
    assert (images[0].width, images[0].height, images[0].step) == (20, 10, 60)
    pixels = np.array(images[0].data, np.uint8).reshape(10, 20, 3)
    assert np.array_equal(pixels, cv2.resize(picture(2), (20, 10)))


def test_a_folder_is_played_in_the_order_of_names_again_and_again(
    play: Callable, observer: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "notes.txt").write_text("no picture")
    for name, level in (("b.png", 200), ("a.png", 100), ("c.png", 50)):
        cv2.imwrite(str(folder / name), np.full((4, 4, 3), level, np.uint8))
    _, images = play(source=str(folder), encoding="bgr8")
    observer.until(lambda: len(images) >= 8, "images")
    levels = [image.data[0] for image in images[:8]]
    first = levels.index(100)
    assert levels[first : first + 5] == [100, 200, 50, 100, 200]


def test_a_video_ends_the_player_where_it_does_not_loop(
    play: Callable, observer: Any, tmp_path: Path
) -> None:
    file = tmp_path / "v.avi"
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter_fourcc(*"MJPG"), 30, (64, 48))
    if not writer.isOpened():
        pytest.skip("this OpenCV cannot write a video")
    for level in range(0, 240, 4):
        writer.write(np.full((48, 64, 3), level, np.uint8))
    writer.release()
    player, images = play(source=str(file), loop=False, rate=20.0)
    # three seconds long: its first images may go before anybody listens
    observer.until(lambda: player.process.poll() is not None, "the player's end")
    assert player.process.returncode == 0
    assert "that was the last image" in player.log
    assert images
    assert {(image.width, image.height) for image in images} == {(64, 48)}


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({}, "'source' must be the path of a picture"),
        ({"source": "nowhere.png"}, "'nowhere.png' does not exist"),
        ({"source": "empty"}, "folder 'empty' holds no picture"),
        ({"source": "broken.png"}, "'broken.png' is not a picture that OpenCV can read"),
        ({"source": "broken.mp4"}, "'broken.mp4' is neither a picture nor a video"),
        ({"source": "nowhere.png", "rate": -1.0}, "'rate' must be 0 to 1000, got -1.0"),
        ({"source": "odd.png"}, "needs an even width and height, got 5x4"),
    ],
)
def test_a_source_that_cannot_be_played_is_named(
    start: Callable, tmp_path: Path, parameters: dict[str, Any], says: str
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.png").write_bytes(b"\x89PNG broken")
    (tmp_path / "broken.mp4").write_bytes(b"broken")
    cv2.imwrite(str(tmp_path / "odd.png"), picture(3, 5, 4))
    player = start("image_player", parameters)
    assert player.wait() == 1
    fatal = [line for line in player.log.splitlines() if "FATAL" in line]
    assert len(fatal) == 1
    assert says in fatal[0]
