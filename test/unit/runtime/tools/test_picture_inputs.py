# SPDX-License-Identifier: Apache-2.0
"""Inputs fed with RGB, BGR or grey pixels show a network what numpy would show it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tiny_models
from onnx import TensorProto, helper

from hbm_runtime.model_file import DATA_TYPE_NAMES, ModelSpec
from hbm_runtime.tools.errors import ToolError
from hbm_runtime.tools.packing import agreement
from hbm_runtime.tools.packing.build import pack_model
from hbm_runtime.tools.packing.options import InputQuantization, PackOptions, PictureOptions

onnxruntime = pytest.importorskip("onnxruntime", reason="runs the packed graphs")

Array = npt.NDArray[Any]
MEAN, SCALE = (10.0, 20.0, 30.0), (0.5, 0.25, 0.125)


def run(spec: ModelSpec, **inputs: Array) -> Array:
    session = onnxruntime.InferenceSession(spec.graph, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, inputs)[0])


def random_pixels(*shape: int) -> Array:
    return np.random.default_rng(1).integers(0, 256, shape, np.uint8)


@pytest.mark.parametrize("fed", ["rgb", "bgr"])
@pytest.mark.parametrize("fed_layout", ["nhwc", "nchw"])
@pytest.mark.parametrize("color", ["rgb", "bgr"])
@pytest.mark.parametrize("layout", ["nhwc", "nchw"])
def test_colours_layouts_and_normalisation_are_as_in_numpy(
    fed: str, fed_layout: str, color: str, layout: str
) -> None:
    dims = (2, 5, 7, 3) if layout == "nhwc" else (2, 3, 5, 7)
    how = PictureOptions(color, "full", MEAN, SCALE, "", fed, fed_layout)
    spec = tiny_models.pack(tiny_models.identity(dims), pictures={"x": how})

    pixels = random_pixels(2, 5, 7, 3)  # in the order that is fed
    network = pixels if fed == color else pixels[..., ::-1]
    expected = (network.astype(np.float32) - np.float32(MEAN)) * np.float32(SCALE)
    if layout == "nchw":
        expected = expected.transpose(0, 3, 1, 2)
    given = pixels if fed_layout == "nhwc" else pixels.transpose(0, 3, 1, 2)
    np.testing.assert_array_equal(run(spec, x=np.ascontiguousarray(given)), expected)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("fed_layout", ["nhwc", "nchw"])
@pytest.mark.parametrize("layout", ["nhwc", "nchw"])
def test_grey_levels_fit_one_and_three_channels(
    channels: int, fed_layout: str, layout: str
) -> None:
    dims = (1, 5, 7, channels) if layout == "nhwc" else (1, channels, 5, 7)
    how = PictureOptions("rgb", "full", (4.0,), (0.5,), "", "gray", fed_layout)
    spec = tiny_models.pack(tiny_models.identity(dims), pictures={"x": how})
    pixels = random_pixels(1, 5, 7, 1)
    given = pixels if fed_layout == "nhwc" else pixels.transpose(0, 3, 1, 2)
    found = run(spec, x=given)
    found = found if layout == "nhwc" else found.transpose(0, 2, 3, 1)
    expected = (np.repeat(pixels, channels, axis=3).astype(np.float32) - 4) * np.float32(0.5)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("element_type", "dtype"), [(TensorProto.FLOAT16, np.float16), (TensorProto.UINT8, np.uint8)]
)
def test_networks_of_other_types_get_theirs(element_type: int, dtype: Any) -> None:
    how = PictureOptions(fed="rgb")
    spec = tiny_models.pack(tiny_models.identity((1, 3, 4, 4), element_type), pictures={"x": how})
    pixels = random_pixels(1, 4, 4, 3)
    found = run(spec, x=pixels)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, pixels.transpose(0, 3, 1, 2).astype(dtype))


def test_a_row_of_pixels_is_padded_with_its_channels() -> None:
    network = tiny_models.identity((1, 3, 10, 21))
    spec = tiny_models.pack(network, pictures={"x": PictureOptions(fed="rgb")})
    (tensor,) = spec.inputs
    assert DATA_TYPE_NAMES[tensor.data_type] == "U8"
    assert (tensor.shape, tensor.strides) == ((1, 10, 21, 3), (640, 64, 3, 1))
    assert tensor.aligned_byte_size == 640
    assert tensor.description == "rgb pixels, NHWC, levels of 0..255"
    planar = PictureOptions(fed="bgr", fed_layout="nchw")
    spec = tiny_models.pack(
        network, pictures={"x": planar}, tensor_descriptions={"x": "the left camera"}
    )
    (tensor,) = spec.inputs
    assert (tensor.shape, tensor.strides) == ((1, 3, 10, 21), (960, 320, 32, 1))
    assert tensor.description == "bgr pixels, NCHW, levels of 0..255; the left camera"
    spec = tiny_models.pack(network, pictures={"x": PictureOptions(fed="rgb")}, input_padding=False)
    assert spec.inputs[0].strides == (630, 63, 3, 1)


def test_an_s600_pads_rows_to_64_bytes() -> None:
    network = tiny_models.identity((1, 3, 10, 21))
    for march, pitch in (("nash-e", 96), ("nash-m", 96), ("", 96), ("nash-p", 128)):
        spec = tiny_models.pack(network, march=march)
        assert spec.inputs[0].strides[2] == spec.outputs[0].strides[2] == pitch


def test_every_input_has_its_own_picture() -> None:
    dims = (1, 3, 4, 6)
    node = helper.make_node("Concat", ["a", "b", "c"], ["y"], axis=0)
    network = tiny_models.model_of(
        [node],
        [tiny_models.value(name, dims) for name in "abc"],
        [tiny_models.value("y", (3, *dims[1:]))],
    )
    spec = tiny_models.pack(
        network,
        nv12_inputs=("a",),
        pictures={
            "b": PictureOptions(fed="bgr", scale=(2.0,)),
            "c": PictureOptions(fed="featuremap"),
        },
    )
    assert [tensor.name for tensor in spec.inputs] == ["a_y", "a_uv", "b", "c"]
    assert [DATA_TYPE_NAMES[tensor.data_type] for tensor in spec.inputs] == ["U8"] * 3 + ["F32"]
    pixels = random_pixels(1, 4, 6, 3)
    found = run(
        spec,
        a_y=np.full((1, 4, 6, 1), 9, np.uint8),
        a_uv=np.full((1, 2, 3, 2), 128, np.uint8),
        b=pixels,
        c=np.full(dims, 7, np.float32),
    )
    np.testing.assert_array_equal(found[0], np.full(dims[1:], 9))
    np.testing.assert_array_equal(found[1], pixels[0, ..., ::-1].transpose(2, 0, 1) * 2.0)
    np.testing.assert_array_equal(found[2], np.full(dims[1:], 7))


@pytest.mark.parametrize("fed", ["nv12", "rgb", "bgr", "gray"])
def test_the_comparison_sees_through_the_front(fed: str) -> None:
    network = tiny_models.conv(8, 12)
    options = PackOptions("m", pictures={"x": PictureOptions("bgr", "full", MEAN, SCALE, fed=fed)})
    (output,) = agreement.compare(network, pack_model(network, options), options).outputs
    assert output.difference <= 1e-4 * output.largest
    assert output.cosine == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("dims", "how", "expected"),
    [
        ((1, 4, 4), {"fed": "rgb"}, "--input x=rgb: needs four fixed dimensions, the input has"),
        ((1, 2, 4, 4), {"fed": "rgb"}, "there are no three channels in the shape [1, 2, 4, 4]"),
        ((1, 2, 4, 4), {"fed": "gray"}, "no one or three channels in the shape [1, 2, 4, 4]"),
        ((1, 3, 4, 3), {"fed": "bgr"}, "may be either; say --layout nchw or nhwc"),
        (
            (1, 1, 4, 4),
            {"fed": "gray", "mean": (1.0, 2.0, 3.0)},
            "--mean has 3 numbers for 1 channel",
        ),
    ],
)
def test_an_input_that_takes_no_such_picture_is_refused(
    dims: tuple[int, ...], how: dict[str, Any], expected: str
) -> None:
    with pytest.raises(ToolError) as caught:
        tiny_models.pack(tiny_models.identity(dims), pictures={"x": PictureOptions(**how)})
    assert expected in str(caught.value)


def test_an_input_is_a_picture_or_an_integer_not_both() -> None:
    with pytest.raises(ToolError, match="cannot be --input x=rgb and --quantize-input at once"):
        tiny_models.pack(
            tiny_models.identity((1, 3, 4, 4)),
            pictures={"x": PictureOptions(fed="rgb")},
            input_quantization={"x": InputQuantization("int8", 1.0)},
        )
