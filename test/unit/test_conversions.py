# SPDX-License-Identifier: Apache-2.0
"""Image messages to frames, arrays to tensor messages and back."""

from __future__ import annotations

import array

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2 (rclpy)")
conversions = pytest.importorskip(
    "hbm_runtime_ros.conversions", reason="needs the ROS package hbm_runtime_ros to be built"
)
cv2 = pytest.importorskip("cv2", reason="needs OpenCV")

from hbm_runtime_ros.msg import DropCount, Tensor, TensorList
from sensor_msgs.msg import Image

from hbm_runtime import hbDNNDataType
from hbm_runtime.image import ImageError, ImageFault, NV12Frame, place
from hbm_runtime_ros import counters, pipeline

NUMPY_TYPES = {
    Tensor.S4: np.uint8,
    Tensor.U4: np.uint8,
    Tensor.S8: np.int8,
    Tensor.U8: np.uint8,
    Tensor.F16: np.float16,
    Tensor.S16: np.int16,
    Tensor.U16: np.uint16,
    Tensor.F32: np.float32,
    Tensor.S32: np.int32,
    Tensor.U32: np.uint32,
    Tensor.F64: np.float64,
    Tensor.S64: np.int64,
    Tensor.U64: np.uint64,
    Tensor.BOOL8: np.bool_,
}


def image(encoding: str, width: int, height: int, step: int, data: bytes) -> Image:
    msg = Image(encoding=encoding, width=width, height=height, step=step)
    msg.data = array.array("B", data)
    return msg


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, shape, dtype=np.uint8)


# --- images


def test_nv12_is_seen_in_the_message_itself() -> None:
    msg = image("nv12", 4, 4, 6, noise(36).tobytes())
    frame = conversions.image_to_frame(msg)
    assert isinstance(frame, NV12Frame)
    msg.data[0] ^= 0xFF
    assert frame.y[0, 0] == msg.data[0]
    assert np.shares_memory(frame.uv, np.frombuffer(msg.data, np.uint8))


@pytest.mark.parametrize("padding", [0, 5])
@pytest.mark.parametrize(
    ("encoding", "to_bgr"),
    [
        ("bgr8", None),
        ("rgb8", cv2.COLOR_RGB2BGR),
        ("bgra8", cv2.COLOR_BGRA2BGR),
        ("rgba8", cv2.COLOR_RGBA2BGR),
        ("mono8", cv2.COLOR_GRAY2BGR),
    ],
)
def test_cv_bridge_encodings_become_bgr(encoding: str, to_bgr: int | None, padding: int) -> None:
    pytest.importorskip("cv_bridge", reason="needs cv_bridge")
    channels = {"mono8": 1, "bgra8": 4, "rgba8": 4}.get(encoding, 3)
    pixels = noise(6, 8, channels)
    row = 8 * channels
    rows = np.full((6, row + padding), 77, np.uint8)
    rows[:, :row] = pixels.reshape(6, row)
    msg = image(encoding, 8, 6, row + padding, rows.tobytes())
    expected = pixels if to_bgr is None else cv2.cvtColor(pixels, to_bgr)
    assert np.array_equal(conversions.image_to_frame(msg), expected)


@pytest.mark.parametrize(
    ("msg", "fault", "says"),
    [
        (image("nv12", 4, 4, 4, bytes(23)), ImageFault.SHORT_DATA, "at least 24 bytes.*got 23"),
        (image("nv12", 4, 4, 3, bytes(24)), ImageFault.BAD_STEP, "at least its width 4, got 3"),
        (image("nv12", 4, 3, 4, bytes(24)), ImageFault.ODD_SIZE, "even.*4x3"),
        (image("nv12", 0, 0, 0, b""), ImageFault.ZERO_SIZE, "0x0"),
        (image("bgr8", 4, 4, 12, bytes(47)), ImageFault.SHORT_DATA, "at least 48 bytes, got 47"),
        (image("bgr8", 4, 4, 11, bytes(48)), ImageFault.BAD_STEP, "at least 12, got 11"),
        (image("bgr8", 4, 0, 12, b""), ImageFault.ZERO_SIZE, "4x0"),
        (image("h264", 4, 4, 4, bytes(99)), ImageFault.ENCODING, "'h264'.*accepted are nv12, bgr8"),
        (image("", 4, 4, 4, bytes(99)), ImageFault.ENCODING, "accepted are nv12, bgr8"),
        (image("NV12", 4, 4, 4, bytes(24)), ImageFault.ENCODING, "'NV12'"),
    ],
)
def test_an_image_that_contradicts_itself_is_refused(
    msg: Image, fault: ImageFault, says: str
) -> None:
    if msg.encoding != "nv12":
        pytest.importorskip("cv_bridge", reason="needs cv_bridge")
    with pytest.raises(ImageError, match=says) as caught:
        conversions.image_to_frame(msg)
    assert caught.value.fault is fault


def test_any_header_of_an_image_is_refused_or_fits_its_data() -> None:
    """Whatever width, height and step say, nothing outside the data is read."""
    rng = np.random.default_rng(11)
    sizes = [0, 1, 2, 3, 4, 16, 17, 255, 1 << 16, (1 << 32) - 2]
    accepted = 0
    for _ in range(3000):
        encoding = str(rng.choice(["nv12", "bgr8", "mono8", "bayer_rggb8", "8UC3", "mono16", "x"]))
        width, height, step = (int(rng.choice(sizes)) for _ in range(3))
        msg = image(encoding, width, height, step, bytes(int(rng.integers(0, 600))))
        try:
            frame = conversions.image_to_frame(msg)
        except ImageError:
            continue
        accepted += 1
        shape = frame.y.shape if isinstance(frame, NV12Frame) else frame.shape[:2]
        assert shape == (height, width)
        assert width * height <= len(msg.data)
    assert accepted > 50


# --- tensors


def test_constants_of_the_message_are_the_runtimes() -> None:
    runtime = {kind.name: int(kind) for kind in hbDNNDataType if kind.name != "MAX"}
    assert {name: getattr(Tensor, name) for name in runtime} == runtime
    assert len(runtime) == 14


def test_every_reason_for_a_drop_is_in_the_message() -> None:
    reasons = {fault.value for fault in ImageFault} | {
        pipeline.REPLACED,
        pipeline.STOPPED,
        pipeline.TIMEOUT,
        pipeline.INFERENCE_ERROR,
        pipeline.PUBLISH_ERROR,
        pipeline.INTERNAL_ERROR,
    }
    assert {getattr(DropCount, reason.upper()) for reason in reasons} == reasons


def test_every_stage_is_in_the_message() -> None:
    from hbm_runtime_ros.msg import StageLatency

    for stage in counters.Stage:
        assert getattr(StageLatency, stage.name) == stage.value


@pytest.mark.parametrize("data_type", NUMPY_TYPES)
@pytest.mark.parametrize("shape", [(), (3,), (1, 2, 3, 4), (2, 0, 3)])
def test_an_array_survives_the_message(shape: tuple[int, ...], data_type: int) -> None:
    values = noise(*shape).astype(NUMPY_TYPES[data_type])
    msg = conversions.array_to_tensor("name", values, data_type)
    assert (msg.name, msg.data_type, tuple(msg.shape)) == ("name", data_type, shape)
    back = conversions.tensor_to_numpy(msg)
    assert back.dtype == values.dtype
    assert np.array_equal(back, values)


def test_padding_stays_behind_and_strides_say_so() -> None:
    padded = np.arange(2 * 8, dtype=np.int32).reshape(2, 8)[:, :5]
    assert padded.strides == (32, 4)
    msg = conversions.array_to_tensor("head", padded, Tensor.S32)
    assert list(msg.strides) == [20, 4]
    assert len(msg.data) == 40
    assert np.array_equal(conversions.tensor_to_numpy(msg), padded)


def test_arrays_are_views_of_the_message() -> None:
    msg = TensorList(
        tensors=[
            conversions.array_to_tensor(name, noise(4).astype(np.float32), Tensor.F32)
            for name in ("b", "a")
        ]
    )
    arrays = conversions.tensors_to_numpy(msg)
    assert list(arrays) == ["b", "a"]
    assert np.shares_memory(arrays["a"], np.frombuffer(msg.tensors[1].data, np.uint8))


def test_strides_of_other_publishers_are_respected() -> None:
    msg = Tensor(name="t", data_type=Tensor.U8, shape=[2, 2], strides=[4, 2])
    msg.data = array.array("B", range(8))
    assert conversions.tensor_to_numpy(msg).tolist() == [[0, 2], [4, 6]]


@pytest.mark.parametrize(
    ("shape", "strides", "data_type", "says"),
    [
        ([2, 3], [3, 1], Tensor.F32, "5 bytes of data"),
        ([2, 3], [1], Tensor.U8, "equal lengths"),
        ([2, -3], [3, 1], Tensor.U8, "no negative"),
        ([5], [-1], Tensor.U8, "no negative"),
        ([1 << 62, 1 << 62], [1 << 40, 1], Tensor.U8, "5 bytes of data"),
        ([5], [1], 14, "data_type 14 is unknown"),
    ],
)
def test_a_tensor_that_contradicts_itself_is_refused_by_name(
    shape: list[int], strides: list[int], data_type: int, says: str
) -> None:
    msg = Tensor(name="odd", data_type=data_type, shape=shape, strides=strides)
    msg.data = array.array("B", bytes(5))
    with pytest.raises(ValueError, match=f"tensor 'odd': .*{says}"):
        conversions.tensor_to_numpy(msg)


def test_a_transform_survives_the_message() -> None:
    transform = place(1280, 720, 640, 640, "letterbox").transform
    assert conversions.transform_from_msg(conversions.transform_to_msg(transform)) == transform


@pytest.mark.parametrize("nanoseconds", [0, 999_999_999, 1_700_000_000_123_456_789])
def test_times_keep_their_nanoseconds(nanoseconds: int) -> None:
    msg = conversions.time_msg(nanoseconds)
    assert msg.sec * 1_000_000_000 + msg.nanosec == nanoseconds
