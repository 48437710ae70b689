# SPDX-License-Identifier: Apache-2.0
"""Image messages to frames, arrays to tensor messages and back."""

from __future__ import annotations

import array
import contextlib
import sys

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2 (rclpy)")
conversions = pytest.importorskip(
    "hbm_runtime_ros.messages.conversions",
    reason="needs the ROS package hbm_runtime_ros to be built",
)
cv2 = pytest.importorskip("cv2", reason="needs OpenCV")

from hbm_runtime_ros.msg import DropCount, ModelInfo, Quantization, Tensor, TensorInfo, TensorList
from hypothesis import given, settings
from hypothesis import strategies as st
from sensor_msgs.msg import CompressedImage, Image

from hbm_runtime import dequantize, hbDNNDataType, pack_four_bit
from hbm_runtime.image import (
    ImageError,
    ImageFault,
    NV12Frame,
    fit_bgr,
    fit_grey,
    fit_nv12,
    frame_size,
    place,
)
from hbm_runtime.image.encodings import KNOWN

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


def test_the_nodes_own_encodings_need_no_cv_bridge(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv_bridge", None)
    conversions._bridge.cache_clear()
    for encoding in KNOWN:
        conversions.image_to_frame(image(encoding, 4, 4, 16, bytes(96)))
    with pytest.raises(ImageError, match=r"'bayer_rggb8'.*without cv_bridge.*nv12, nv21") as caught:
        conversions.image_to_frame(image("bayer_rggb8", 4, 4, 4, bytes(16)))
    assert caught.value.fault is ImageFault.ENCODING


@pytest.mark.parametrize("padding", [0, 5])
def test_other_encodings_become_bgr_through_cv_bridge(padding: int) -> None:
    pytest.importorskip("cv_bridge", reason="needs cv_bridge")
    rows = np.full((6, 8 + padding), 77, np.uint8)
    rows[:, :8] = noise(6, 8)
    msg = image("bayer_rggb8", 8, 6, 8 + padding, rows.tobytes())
    frame = conversions.image_to_frame(msg)
    expected = cv2.cvtColor(np.ascontiguousarray(rows[:, :8]), cv2.COLOR_BAYER_BG2BGR)
    assert np.array_equal(frame, expected)


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
        (image("h264", 4, 4, 4, bytes(99)), ImageFault.ENCODING, "'h264'.*nv12.*yuyv.*mono8"),
        (image("", 4, 4, 4, bytes(99)), ImageFault.ENCODING, "accepted are nv12, nv21"),
        (image("NV12", 4, 4, 4, bytes(24)), ImageFault.ENCODING, "'NV12'"),
        (image("8UC3", 4, 4, 11, bytes(48)), ImageFault.BAD_STEP, "at least 12, got 11"),
        (image("8UC3", 4, 4, 12, bytes(47)), ImageFault.SHORT_DATA, "48 bytes, got 47"),
        (image("8UC3", 0, 4, 12, bytes(47)), ImageFault.ZERO_SIZE, "0x4"),
        (image("32FC1", 4, 4, 16, bytes(64)), ImageFault.ENCODING, "'32FC1'"),
    ],
)
def test_an_image_that_contradicts_itself_is_refused(
    msg: Image, fault: ImageFault, says: str
) -> None:
    if msg.encoding not in KNOWN:
        pytest.importorskip("cv_bridge", reason="needs cv_bridge")
    with pytest.raises(ImageError, match=says) as caught:
        conversions.image_to_frame(msg)
    assert caught.value.fault is fault


def test_only_the_accepted_encodings_are_read() -> None:
    msg = image("yuv422", 4, 4, 8, bytes(32))
    assert conversions.image_to_frame(msg, encodings=("uyvy",)).order == "uyvy"
    with pytest.raises(ImageError, match=r"'yuv422'.*accepted ones: nv12, yuyv") as caught:
        conversions.image_to_frame(msg, encodings=("nv12", "yuyv"))
    assert caught.value.fault is ImageFault.ENCODING


def test_a_compressed_image_is_decoded() -> None:
    pixels = noise(6, 8, 3)
    msg = CompressedImage(format="bgr8; png compressed bgr8")
    msg.data = array.array("B", cv2.imencode(".png", pixels)[1].tobytes())
    assert np.array_equal(conversions.image_to_frame(msg), pixels)
    assert np.array_equal(conversions.image_to_frame(msg, encodings=["png"]), pixels)
    for encodings in (["jpeg"], ["jpg", "bgr8"]):
        with pytest.raises(ImageError, match="'png' is not one of") as caught:
            conversions.image_to_frame(msg, encodings=encodings)
        assert caught.value.fault is ImageFault.ENCODING


def test_more_bytes_than_allowed_are_not_looked_at() -> None:
    raw, packed = image("mono8", 8, 8, 8, bytes(64)), CompressedImage(format="jpeg")
    packed.data = array.array("B", bytes(64))
    for msg in (raw, packed):
        with pytest.raises(ImageError, match="64 bytes of data, more than the 63") as caught:
            conversions.image_to_frame(msg, max_bytes=63)
        assert caught.value.fault is ImageFault.TOO_LARGE


dimensions = st.one_of(
    st.integers(0, 9), st.sampled_from([16, 255, 1 << 16, (1 << 31) - 1, (1 << 32) - 1])
)


@settings(max_examples=1000, deadline=None)
@given(
    encoding=st.one_of(
        st.sampled_from([*KNOWN, "bayer_rggb8", "8UC3", "16UC1", "32FC3", "mono16", "nv24", ""]),
        st.text(st.characters(codec="ascii", exclude_characters="\0"), max_size=8),
    ),
    width=dimensions,
    height=dimensions,
    step=dimensions,
    size=st.integers(0, 600),
    big=st.integers(0, 255),
)
def test_any_header_of_an_image_is_refused_or_fits_its_data(
    encoding: str, width: int, height: int, step: int, size: int, big: int
) -> None:
    """Whatever width, height and step say, nothing outside the data is read."""
    msg = image(encoding, width, height, step, noise(size).tobytes())
    msg.is_bigendian = big
    try:
        frame = conversions.image_to_frame(msg)
    except ImageError as error:
        fault = error.fault
    else:
        fault = None
    if fault is not None:
        assert getattr(DropCount, fault.name) == fault.value
        return
    assert frame_size(frame) == (width, height)
    assert width * height <= len(msg.data)
    for fit in (fit_nv12, fit_bgr, fit_grey):
        fitted, _ = fit(frame, 16, 8, "letterbox")
        assert frame_size(fitted) == (16, 8)


@settings(max_examples=300, deadline=None)
@given(
    data=st.one_of(
        st.binary(max_size=200),
        st.binary(max_size=200).map(b"\xff\xd8\xff".__add__),
        st.binary(max_size=200).map(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".__add__),
    ),
    format_=st.sampled_from(["", "jpeg", "png", "h264", "rgb8; jpeg compressed bgr8"]),
)
def test_any_compressed_data_are_refused_or_decoded(data: bytes, format_: str) -> None:
    msg = CompressedImage(format=format_)
    msg.data = array.array("B", data)
    with contextlib.suppress(ImageError):
        conversions.image_to_frame(msg)


# --- tensors


def test_constants_of_the_message_are_the_runtimes() -> None:
    runtime = {kind.name: int(kind) for kind in hbDNNDataType if kind.name != "MAX"}
    assert {name: getattr(Tensor, name) for name in runtime} == runtime
    assert len(runtime) == 14


def test_every_fault_of_an_image_is_in_the_message() -> None:
    faults = {fault.value for fault in ImageFault}
    assert {getattr(DropCount, fault.upper()) for fault in faults} == faults


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


def test_arrays_become_a_list_of_tensors_and_come_back() -> None:
    arrays = {
        f"t{kind}": noise(2, 3).astype(dtype)
        for kind, dtype in NUMPY_TYPES.items()
        if kind not in (Tensor.S4, Tensor.U4)
    }
    arrays["strided"] = np.arange(24, dtype=np.float32).reshape(4, 6)[::2, 1:4]
    msg = TensorList(tensors=conversions.numpy_to_tensors(arrays))
    assert [tensor.data_type for tensor in msg.tensors[:-1]] == [
        int(name[1:]) for name in list(arrays)[:-1]
    ]
    back = conversions.tensors_to_numpy(msg)
    assert list(back) == list(arrays)
    for name, values in arrays.items():
        assert back[name].dtype == values.dtype
        assert np.array_equal(back[name], values)


def test_types_that_an_array_does_not_tell_can_be_said() -> None:
    bytes_of_two = pack_four_bit(np.array([[1, -2, 3]], np.int8), hbDNNDataType.S4)
    (msg,) = conversions.numpy_to_tensors({"x": bytes_of_two}, {"x": Tensor.S4, "y": Tensor.F32})
    assert msg.data_type == Tensor.S4
    with pytest.raises(ValueError, match=r"tensor 'z'.*complex128"):
        conversions.numpy_to_tensors({"z": np.zeros(2, complex)})


# --- real values


def info_of(name: str, shape: list[int], scale: list[float], zero: list[int]) -> ModelInfo:
    quantization = Quantization(
        type=Quantization.SCALE if scale else Quantization.NONE,
        axis=1,
        scale=scale,
        zero_point=zero,
    )
    output = TensorInfo(name=name, shape=shape, quantization=quantization)
    return ModelInfo(name="model", hash="abc", outputs=[output])


def result_of(name: str, values: np.ndarray, data_type: int) -> TensorList:
    tensors = conversions.numpy_to_tensors({name: values}, {name: data_type})
    return TensorList(model="model", model_hash="abc", tensors=tensors)


@pytest.mark.parametrize(
    ("scale", "zero"), [([0.5], [3]), ([0.5, 0.25, 2.0], [0, 1, -2]), ([0.5, 1.0, 2.0], [])]
)
def test_quantised_tensors_become_real_values(scale: list[float], zero: list[int]) -> None:
    stored = noise(1, 3, 4).view(np.int8)
    real = conversions.dequantized(
        result_of("head", stored, Tensor.S8), info_of("head", [1, 3, 4], scale, zero)
    )
    by_channel = np.array(scale).reshape(-1, 1), np.array(zero or [0]).reshape(-1, 1)
    expected = (stored.astype(float) - by_channel[1]) * by_channel[0]
    assert list(real) == ["head"]
    assert real["head"].dtype == np.float32
    assert np.array_equal(real["head"], expected.astype(np.float32))


def test_tensors_without_quantisation_are_their_values() -> None:
    for values, kind in (
        (np.array([1.5, -2.0], np.float32), Tensor.F32),
        (np.array([1.5, -2.0], np.float16), Tensor.F16),
        (np.array([7, -2], np.int32), Tensor.S32),
        (np.array([True, False]), Tensor.BOOL8),
    ):
        real = conversions.dequantized(result_of("x", values, kind), info_of("x", [2], [], []))
        assert real["x"].dtype == np.float32
        assert np.array_equal(real["x"], values.astype(np.float32))


def test_four_bit_tensors_come_element_by_element() -> None:
    values = np.array([[1, -2, 3], [-8, 7, 0]], np.int8)
    msg = result_of("x", pack_four_bit(values, hbDNNDataType.S4), Tensor.S4)
    real = conversions.dequantized(msg, info_of("x", [2, 3], [0.5], []))
    assert real["x"].tolist() == (values * 0.5).tolist()


def test_information_of_another_model_is_refused() -> None:
    msg, info = result_of("x", noise(3), Tensor.U8), info_of("x", [3], [1.0], [])
    info.hash = "other"
    with pytest.raises(ValueError, match=r"hash 'abc'.*'model' with hash 'other'"):
        conversions.dequantized(msg, info)
    with pytest.raises(ValueError, match="'x' is none of the model's outputs y"):
        conversions.dequantized(msg, info_of("y", [3], [1.0], []))


def test_real_values_are_the_runtimes_own() -> None:
    from hbm_runtime import QuantParams, hbDNNQuantiType

    stored = noise(1, 5, 5, 3)
    scale, zero = [0.1, 0.2, 0.3], [1, 2, 3]
    info = info_of("x", [1, 5, 5, 3], scale, zero)
    info.outputs[0].quantization.axis = 3
    quant = QuantParams(
        np.array(scale, np.float32), np.array(zero, np.int32), hbDNNQuantiType.SCALE, 3
    )
    real = conversions.dequantized(result_of("x", stored, Tensor.U8), info)
    assert np.array_equal(real["x"], dequantize(stored, quant))


# --- the rest


def test_a_transform_survives_the_message() -> None:
    transform = place(1280, 720, 640, 640, "letterbox").transform
    assert conversions.transform_from_msg(conversions.transform_to_msg(transform)) == transform


@pytest.mark.parametrize("nanoseconds", [0, 999_999_999, 1_700_000_000_123_456_789])
def test_times_keep_their_nanoseconds(nanoseconds: int) -> None:
    msg = conversions.time_msg(nanoseconds)
    assert msg.sec * 1_000_000_000 + msg.nanosec == nanoseconds
