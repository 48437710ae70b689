# SPDX-License-Identifier: Apache-2.0
"""One message for many models: decoded once, fitted once per geometry, errors told to each."""

from __future__ import annotations

import array
import gc
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2 (rclpy)")
received_image = pytest.importorskip(
    "hbm_runtime_ros.messages.received_image",
    reason="needs the ROS package hbm_runtime_ros to be built",
)
pytest.importorskip("cv2", reason="needs OpenCV")

from sensor_msgs.msg import Image

from hbm_runtime.image import ImageError, ImageFault, NV12Frame, YUV422Frame, preprocessing
from hbm_runtime.image.preprocessing import InputSpec, Preprocessor
from hbm_runtime.image.settings import FitSettings
from hbm_runtime_ros.parameters.settings import ImageSettings

ReceivedImage = received_image.ReceivedImage

THREADS = 8
NV12 = (InputSpec("y", (1, 32, 48, 1), "U8"), InputSpec("uv", (1, 16, 24, 2), "U8"))
RGB = (InputSpec("x", (1, 3, 32, 48), "F32"),)


def message(encoding: str = "bgr8", width: int = 96, height: int = 64) -> Image:
    per_pixel = {"bgr8": 3, "rgb8": 3, "yuyv": 2}.get(encoding, 1)
    msg = Image(encoding=encoding, width=width, height=height, step=width * per_pixel)
    size = msg.step * height * (3 if encoding == "nv12" else 2) // 2
    msg.data = array.array("B", np.random.default_rng(1).bytes(size))
    msg.header.frame_id = "camera"
    return msg


def at_once(function: object, *arguments: object) -> list[object]:
    """Call in many threads that start together; exceptions come back as results."""
    barrier = threading.Barrier(THREADS)

    def call() -> object:
        barrier.wait(10)
        try:
            return function(*arguments)
        except Exception as error:
            return error

    with ThreadPoolExecutor(THREADS) as pool:
        return [future.result(30) for future in [pool.submit(call) for _ in range(THREADS)]]


def counted(monkeypatch: pytest.MonkeyPatch, module: object, name: str) -> list[object]:
    """Count the calls of a module's function; it takes its time, so that others come meanwhile."""
    calls: list[object] = []
    original = getattr(module, name)

    def counting(*arguments: object, **keywords: object) -> object:
        calls.append(arguments)
        time.sleep(0.02)
        return original(*arguments, **keywords)

    monkeypatch.setattr(module, name, counting)
    return calls


def test_nothing_is_looked_at_before_it_is_asked_for() -> None:
    image = ReceivedImage(Image(encoding="nonsense"))
    assert image.header is image.msg.header


def test_many_threads_decode_a_message_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = counted(monkeypatch, received_image, "image_to_frame")
    image = ReceivedImage(message("rgb8"))
    frames = at_once(image.frame)
    assert len(calls) == 1
    assert all(frame is frames[0] for frame in frames)


def test_models_of_one_geometry_share_one_conversion(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = {name: counted(monkeypatch, preprocessing, name) for name in ("fit_nv12", "fit_bgr")}
    letterbox = [ImageSettings(fit=FitSettings(resize="letterbox"))]
    stretch = [ImageSettings()]
    part = [ImageSettings(fit=FitSettings(resize="roi", roi=(1, 2, 40, 30)))]
    other_size = (InputSpec("y", (1, 32, 32, 1), "U8"), InputSpec("uv", (1, 16, 16, 2), "U8"))
    models = [
        *[Preprocessor(NV12, letterbox, shared=True) for _ in range(THREADS // 2)],
        *[Preprocessor(NV12, stretch, shared=True) for _ in range(THREADS // 2)],
        *[Preprocessor(RGB, stretch, shared=True) for _ in range(THREADS // 2)],
        Preprocessor(other_size, stretch, shared=True),
        Preprocessor(RGB, part, shared=True),
    ]
    image = ReceivedImage(message())
    with ThreadPoolExecutor(len(models)) as pool:
        made = [future.result(30) for future in [pool.submit(m, image) for m in models]]
    assert len(calls["fit_nv12"]) == 3
    assert len(calls["fit_bgr"]) == 2
    assert not np.array_equal(made[-1].tensors["x"], made[-3].tensors["x"])
    first, second, third = made[0], made[1], made[THREADS // 2]
    assert np.shares_memory(first.tensors["y"], second.tensors["y"])
    assert not np.shares_memory(first.tensors["y"], third.tensors["y"])
    alone = Preprocessor(NV12, letterbox)(ReceivedImage(message()))
    assert np.array_equal(first.tensors["y"], alone.tensors["y"])
    assert first.transforms == alone.transforms


def test_a_broken_message_is_looked_at_once_and_told_to_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = counted(monkeypatch, received_image, "image_to_frame")
    msg = message()
    msg.data = msg.data[:100]
    errors = at_once(ReceivedImage(msg).frame)
    assert len(calls) == 1
    assert {type(error) for error in errors} == {ImageError}
    assert {error.fault for error in errors} == {ImageFault.SHORT_DATA}
    assert len({str(error) for error in errors}) == 1
    assert len({id(error) for error in errors}) == THREADS


def test_no_lock_is_held_while_something_is_made() -> None:
    """Each waits for the other inside of its own making."""
    image = ReceivedImage(message())
    met = threading.Barrier(2)
    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(image.once, key, lambda: met.wait(10)) for key in "ab"]
        assert sorted(future.result(20) for future in futures) == [0, 1]


def test_what_is_made_may_need_something_else_of_the_same_image() -> None:
    image = ReceivedImage(message())
    assert image.once("outer", lambda: image.once("inner", lambda: 4) + 1) == 5
    assert image.once("inner", lambda: 0) == 4


def test_who_waits_too_long_makes_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(received_image, "MAKING_TIMEOUT", 0.05)
    image, end = ReceivedImage(message()), threading.Event()
    with ThreadPoolExecutor(1) as pool:
        stuck = pool.submit(image.once, "key", lambda: end.wait(20))
        while not image._made:
            time.sleep(0.001)
        assert image.once("key", lambda: "mine") == "mine"
        end.set()
        assert stuck.result(20) is True


def test_an_error_that_cannot_be_copied_is_told_all_the_same() -> None:
    class OddError(Exception):
        def __init__(self, one: int, two: int) -> None:
            super().__init__("text")

    def fail() -> None:
        raise OddError(1, 2)

    image = ReceivedImage(message())
    for _ in range(3):
        with pytest.raises(OddError):
            image.once("key", fail)


def test_a_broken_message_is_not_kept_alive_by_its_error() -> None:
    """Its pixels would wait for the garbage collector; a flood of them fills the memory."""
    msg = message()
    msg.data = msg.data[:100]
    gc.disable()
    try:
        image = ReceivedImage(msg)
        for _ in range(2):
            with pytest.raises(ImageError):
                image.frame()
        gone = weakref.ref(msg.data)
        del image, msg
        assert gone() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("encoding", ["nv12", "yuyv", "bgr8", "mono8"])
def test_nobody_can_write_to_a_shared_frame(encoding: str) -> None:
    image = ReceivedImage(message(encoding))
    before = bytes(image.msg.data)
    frame = image.frame()
    parts = frame if isinstance(frame, NV12Frame) else [frame]
    for part in [frame.packed] if isinstance(frame, YUV422Frame) else parts:
        with pytest.raises(ValueError, match="read-only"):
            part[:] = 0
    for inputs in (NV12, RGB, (InputSpec("x", (1, 32, 48, 1), "U8"),)):
        for shared in (False, True):
            for mode in ("stretch", "letterbox", "center_crop", "roi"):
                fit = FitSettings(resize=mode, roi=(10, 10, 48, 32), color_range="limited")
                Preprocessor(inputs, [ImageSettings(fit=fit)], shared=shared)(image)
    assert bytes(image.msg.data) == before


def test_each_asker_says_which_encodings_it_accepts() -> None:
    image = ReceivedImage(message("bgr8"))
    assert image.frame(("bgr8", "nv12")) is image.frame()
    with pytest.raises(ImageError, match="'bgr8' is not one of the accepted ones: nv12") as caught:
        image.frame(("nv12",))
    assert caught.value.fault is ImageFault.ENCODING
    only_nv12 = Preprocessor(NV12, [ImageSettings(encodings=("nv12",))], shared=True)
    with pytest.raises(ImageError, match="accepted ones: nv12"):
        only_nv12(image)


def test_the_limit_of_bytes_is_that_of_the_node() -> None:
    msg = message("mono8", 10, 10)
    assert ReceivedImage(msg, max_bytes=len(msg.data)).frame().shape == (10, 10)
    with pytest.raises(ImageError, match="max_image_bytes") as caught:
        ReceivedImage(msg, max_bytes=len(msg.data) - 1).frame()
    assert caught.value.fault is ImageFault.TOO_LARGE
