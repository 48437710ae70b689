# SPDX-License-Identifier: Apache-2.0
"""The NV12 front of a packed graph shows a network the pixels that OpenCV shows."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tiny_models
from onnx import TensorProto, helper

from hbm_runtime.model_file import ModelSpec
from hbm_runtime.tools.errors import ToolError
from hbm_runtime.tools.packing.nv12_front import color_matrix
from hbm_runtime.tools.packing.options import PictureOptions
from hbm_runtime.tools.packing.sample_input import picture_from_nv12

cv2 = pytest.importorskip("cv2", reason="OpenCV is the reference for colours")
onnxruntime = pytest.importorskip("onnxruntime", reason="runs the packed graphs")

Array = npt.NDArray[Any]


def opencv_rgb(luma: Array, chroma: Array, levels: str) -> Array:
    """The picture as OpenCV sees it: uint8 [H, W, 3], red first."""
    if levels == "limited":
        return np.asarray(cv2.cvtColorTwoPlane(luma, chroma, cv2.COLOR_YUV2RGB_NV12))
    full_size = chroma.repeat(2, axis=0).repeat(2, axis=1)
    ycrcb = np.dstack([luma, full_size[..., 1], full_size[..., 0]])
    return np.asarray(cv2.cvtColor(ycrcb, cv2.COLOR_YCrCb2RGB))


def run(spec: ModelSpec, luma: Array, chroma: Array) -> Array:
    """The first output of a packed model for one NV12 picture."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(spec.graph, options, providers=["CPUExecutionProvider"])
    luma_name, chroma_name = [tensor.name for tensor in spec.inputs]
    inputs = {luma_name: luma[np.newaxis, ..., np.newaxis], chroma_name: chroma[np.newaxis]}
    return np.asarray(session.run(None, inputs)[0])


def pixels_in_the_graph(luma: Array, chroma: Array, **options: Any) -> Array:
    """The pixels that a float32 NCHW network gets: [H, W, 3] in the network's channel order."""
    network = tiny_models.identity((1, 3, *luma.shape))
    spec = tiny_models.pack(network, nv12_inputs=("x",), picture=PictureOptions(**options))
    return np.asarray(run(spec, luma, chroma)[0].transpose(1, 2, 0))


def random_picture() -> tuple[Array, Array]:
    random = np.random.default_rng(1)
    luma = random.integers(0, 256, (90, 130), np.uint8)
    return luma, random.integers(0, 256, (45, 65, 2), np.uint8)


def grey_picture() -> tuple[Array, Array]:
    """All 256 grey levels, two columns each."""
    luma = np.arange(256, dtype=np.uint8).repeat(2)[np.newaxis].repeat(2, axis=0)
    return luma, np.full((1, 256, 2), 128, np.uint8)


def colour_cube() -> tuple[Array, Array]:
    """Every fifth level of luma with every fifth level of U and V, 0 and 255 included."""
    steps = np.arange(0, 256, 5, dtype=np.uint8)
    y, u, v = (axis.ravel() for axis in np.meshgrid(steps, steps, steps))
    chroma = np.dstack([u, v])
    luma = y.repeat(2)[np.newaxis].repeat(2, axis=0)
    return luma, chroma


def saturated_picture() -> tuple[Array, Array]:
    """The corners of the RGB cube, in limited range as OpenCV writes it, and beyond the gamut."""
    corners = np.array([[[r, g, b] for r in (0, 255) for g in (0, 255) for b in (0, 255)]])
    rgb = corners.astype(np.uint8).repeat(2, axis=0).repeat(2, axis=1)
    planes = cv2.cvtColor(rgb, cv2.COLOR_RGB2YUV_I420).ravel()
    luma = planes[:32].reshape(2, 16)
    chroma = np.dstack([planes[32:40], planes[40:48]])
    extreme_luma = np.array([0, 0, 255, 255] * 4, np.uint8)[np.newaxis].repeat(2, axis=0)
    extreme_chroma = np.array([[[0, 0], [255, 0], [0, 255], [255, 255]] * 2], np.uint8)
    return np.hstack([luma, extreme_luma]), np.hstack([chroma, extreme_chroma])


def photograph() -> tuple[Array, Array]:
    package = importlib.util.find_spec("skimage")
    folders = (package.submodule_search_locations if package else None) or [""]
    picture = cv2.imread(str(Path(folders[0], "data", "coffee.png")))
    if picture is None:
        pytest.skip("the photographs of scikit-image are not installed (`make setup` does)")
    rows, columns = (size // 2 * 2 for size in picture.shape[:2])
    planes = cv2.cvtColor(picture[:rows, :columns], cv2.COLOR_BGR2YUV_I420).ravel()
    u, v = planes[rows * columns :].reshape(2, rows // 2, columns // 2)
    return planes[: rows * columns].reshape(rows, columns), np.dstack([u, v])


@pytest.mark.parametrize("levels", ["full", "limited"])
@pytest.mark.parametrize(
    "picture", [random_picture, grey_picture, colour_cube, saturated_picture, photograph]
)
def test_every_pixel_is_within_one_level_of_opencv(picture: Any, levels: str) -> None:
    luma, chroma = picture()
    found = pixels_in_the_graph(luma, chroma, range=levels)
    reference = opencv_rgb(luma, chroma, levels)
    gap = np.abs(found - reference)
    assert gap.max() <= 1
    assert gap.mean() < 0.1  # OpenCV rounds its coefficients, the graph does not


@pytest.mark.parametrize("levels", ["full", "limited"])
def test_every_pixel_is_the_rounded_definition(levels: str) -> None:
    luma, chroma = colour_cube()
    found = pixels_in_the_graph(luma, chroma, range=levels)
    gap = np.abs(found - picture_from_nv12(luma, chroma, color_matrix(levels)))
    assert gap.max() <= 1  # a level that ends in .5 may go either way in float32
    assert np.count_nonzero(gap) < gap.size / 10_000


def test_the_two_ranges_differ_by_far_more_than_rounding() -> None:
    luma, chroma = grey_picture()
    full = pixels_in_the_graph(luma, chroma, range="full")
    limited = pixels_in_the_graph(luma, chroma, range="limited")
    assert np.abs(full - limited).max() >= 16


def test_grey_stays_the_level_it_is_in_full_range() -> None:
    luma, chroma = grey_picture()
    found = pixels_in_the_graph(luma, chroma, range="full")
    np.testing.assert_array_equal(found, luma[..., np.newaxis].repeat(3, axis=2))


def test_bgr_is_rgb_backwards() -> None:
    luma, chroma = random_picture()
    rgb = pixels_in_the_graph(luma, chroma, color="rgb")
    np.testing.assert_array_equal(pixels_in_the_graph(luma, chroma, color="bgr"), rgb[..., ::-1])


@pytest.mark.parametrize("color", ["rgb", "bgr"])
def test_mean_and_scale_are_applied_per_channel_of_the_network(color: str) -> None:
    luma, chroma = random_picture()
    mean, scale = (123.675, 116.28, 103.53), (0.0171, 0.0175, 0.0174)
    pixels = pixels_in_the_graph(luma, chroma, color=color)
    expected = (pixels - np.float32(mean)) * np.float32(scale)
    found = pixels_in_the_graph(luma, chroma, color=color, mean=mean, scale=scale)
    np.testing.assert_array_equal(found, expected)


def test_one_mean_and_one_scale_serve_all_channels() -> None:
    luma, chroma = random_picture()
    expected = (pixels_in_the_graph(luma, chroma) - np.float32(127.5)) * np.float32(1 / 127.5)
    found = pixels_in_the_graph(luma, chroma, mean=(127.5,), scale=(1 / 127.5,))
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("channels_last", [False, True])
def test_a_network_computes_on_opencvs_picture(channels_last: bool) -> None:
    luma, chroma = random_picture()
    network = tiny_models.conv(*luma.shape, channels_last=channels_last)
    spec = tiny_models.pack(network, nv12_inputs=("x",), picture=PictureOptions(scale=(1 / 255,)))
    picture = opencv_rgb(luma, chroma, "full").astype(np.float32)[np.newaxis] / 255
    if not channels_last:
        picture = np.ascontiguousarray(picture.transpose(0, 3, 1, 2))
    session = onnxruntime.InferenceSession(
        network.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    expected = session.run(None, {"x": picture})[0]
    one_level_everywhere = 27 * 3 / 255  # taps times a generous weight
    np.testing.assert_allclose(run(spec, luma, chroma), expected, atol=one_level_everywhere)
    assert np.abs(run(spec, luma, chroma) - expected).mean() < one_level_everywhere / 20


@pytest.mark.parametrize("element_type", [TensorProto.FLOAT16, TensorProto.UINT8])
def test_networks_of_other_element_types_get_the_same_pixels(element_type: int) -> None:
    luma, chroma = random_picture()
    network = tiny_models.identity((1, 3, *luma.shape), element_type)
    found = run(tiny_models.pack(network, nv12_inputs=("x",)), luma, chroma)
    assert found.dtype == helper.tensor_dtype_to_np_dtype(element_type)
    pixels = pixels_in_the_graph(luma, chroma).transpose(2, 0, 1)[np.newaxis]
    np.testing.assert_array_equal(found.astype(np.float32), pixels)


@pytest.mark.parametrize("opset", [9, 11, 12, 15, 17])
def test_the_front_fits_networks_of_any_opset(opset: int) -> None:
    luma, chroma = random_picture()
    node = helper.make_node("Identity", ["x"], ["y"])
    dims = (1, 3, *luma.shape)
    network = tiny_models.model_of(
        [node], [tiny_models.value("x", dims)], [tiny_models.value("y", dims)], opset=opset
    )
    found = run(tiny_models.pack(network, nv12_inputs=("x",)), luma, chroma)
    pixels = pixels_in_the_graph(luma, chroma).transpose(2, 0, 1)[np.newaxis]
    np.testing.assert_array_equal(found, pixels)


def test_the_input_becomes_two_as_on_a_board() -> None:
    spec = tiny_models.pack(
        tiny_models.conv(8, 12),
        nv12_inputs=("x",),
        picture=PictureOptions(range="limited"),
        tensor_descriptions={"x_uv": "front camera"},
        rename={"x_y": "luma"},
    )
    luma, chroma = spec.inputs
    assert (luma.name, luma.shape, luma.strides) == ("luma", (1, 8, 12, 1), (-1, -1, 1, 1))
    assert (chroma.name, chroma.shape, chroma.strides) == ("x_uv", (1, 4, 6, 2), (-1, -1, 2, 1))
    for tensor in spec.inputs:
        assert tensor.data_type == 3  # U8
        assert tensor.aligned_byte_size == -1
        assert tensor.quanti_type == 0
    assert luma.description == "luma, NV12, BT.601 limited range"
    assert (
        chroma.description == "chroma (U, V interleaved), NV12, BT.601 limited range; front camera"
    )


def test_two_inputs_can_be_nv12() -> None:
    dims = (1, 3, 4, 6)
    node = helper.make_node("Add", ["a", "b"], ["y"])
    inputs = [tiny_models.value("a", dims), tiny_models.value("b", dims)]
    network = tiny_models.model_of([node], inputs, [tiny_models.value("y", dims)])
    spec = tiny_models.pack(network, nv12_inputs=("a", "b"))
    assert [tensor.name for tensor in spec.inputs] == ["a_y", "a_uv", "b_y", "b_uv"]


@pytest.mark.parametrize(
    ("dims", "options", "expected"),
    [
        ((1, 3, 7, 12), {}, "even height and width, the input has 7 rows and 12 columns"),
        ((1, 3, 8, 11), {}, "even height and width, the input has 8 rows and 11 columns"),
        ((4, 3, 8, 12), {}, "holds one picture, but the batch is 4; use --shape x=1,…"),
        ((1, 1, 8, 12), {}, "there are no three channels in the shape [1, 1, 8, 12]"),
        ((1, 3, 8, 12), {"layout": "nhwc"}, "no three channels where NHWC has them in the shape"),
        ((1, 3, 8, 3), {}, "may be either; say --layout nchw or nhwc"),
        ((3, 8, 12), {}, "needs four fixed dimensions, the input has [3, 8, 12]"),
    ],
)
def test_an_input_that_is_no_nv12_picture_is_refused(
    dims: tuple[int, ...], options: dict[str, Any], expected: str
) -> None:
    with pytest.raises(ToolError) as caught:
        tiny_models.pack(
            tiny_models.identity(dims), nv12_inputs=("x",), picture=PictureOptions(**options)
        )
    assert expected in str(caught.value)


def test_the_layout_option_settles_an_ambiguous_shape() -> None:
    spec = tiny_models.pack(
        tiny_models.identity((1, 3, 8, 3 + 1)),
        nv12_inputs=("x",),
        picture=PictureOptions(layout="nchw"),
    )
    assert spec.inputs[0].shape == (1, 8, 4, 1)


def test_other_refusals_name_the_reason() -> None:
    pack, identity = tiny_models.pack, tiny_models.identity
    with pytest.raises(ToolError, match="must be float32, float16 or uint8"):
        pack(identity((1, 3, 4, 4), TensorProto.INT32), nv12_inputs=("x",))
    with pytest.raises(ToolError, match="takes uint8 pixels; leave out --mean"):
        pack(
            identity((1, 3, 4, 4), TensorProto.UINT8),
            nv12_inputs=("x",),
            picture=PictureOptions(mean=(1.0,)),
        )
    with pytest.raises(ToolError, match="--nv12 names 'image'; the inputs are x"):
        pack(identity((1, 3, 4, 4)), nv12_inputs=("image",))
    with pytest.raises(ToolError, match="needs four fixed dimensions"):
        pack(tiny_models.dynamic(), nv12_inputs=("x",), dynamic=True)
