# SPDX-License-Identifier: Apache-2.0
"""`--quantize` makes a network int8 inside, calibrated on pictures, and says how well it did."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
import tiny_models
from onnx import ModelProto, TensorProto, helper

from hbm_runtime.model_file import DATA_TYPE_NAMES
from hbm_runtime.tools.errors import ToolError
from hbm_runtime.tools.packing import agreement, real_input
from hbm_runtime.tools.packing.build import Packed, pack_model
from hbm_runtime.tools.packing.calls import CallRunner
from hbm_runtime.tools.packing.network_quantization import name_nodes
from hbm_runtime.tools.packing.options import OutputQuantization, PackOptions, PictureOptions

cv2 = pytest.importorskip("cv2", reason="reads the pictures")
pytest.importorskip("onnxruntime", reason="calibrates and runs the network")

Array = npt.NDArray[Any]
PICTURE = PictureOptions("bgr", "full", (127.5,), (1 / 127.5,))


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder of ten photographs-like pictures, and a file that is none."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    random = np.random.default_rng(8)
    for index in range(10):
        coarse = random.integers(0, 256, (6, 8, 3), np.uint8)
        picture = cv2.resize(coarse, (80, 60), interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(folder / f"{index}.png"), picture)
    (folder / "notes.txt").write_text("no picture")
    return folder


def network(*, batch_norm: bool = False) -> ModelProto:
    """Conv, Relu, Conv, Add, MaxPool and Mul on an image [1, 3, 24, 32]."""
    random = np.random.default_rng(2)

    def weights(*shape: int) -> Array:
        wide = random.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))
        return wide.astype(np.float32)

    nodes = [
        helper.make_node("Conv", ["x", "w1", "b1"], ["c1"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c1"], ["r1"], name="activation"),
        helper.make_node("Conv", ["r1", "w2"], ["c2"], pads=[1, 1, 1, 1], name="second"),
        helper.make_node("Add", ["c2", "r1"], ["sum"]),
        helper.make_node("MaxPool", ["sum"], ["pooled"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Mul", ["pooled", "two"], ["y"]),
    ]
    constants: dict[str, Any] = {
        "w1": weights(8, 3, 3, 3), "b1": weights(8), "w2": weights(8, 8, 3, 3),
        "two": np.float32(2),
    }  # fmt: skip
    if batch_norm:
        nodes[0].output[0] = "raw"
        parameters = ["gain", "shift", "middle", "spread"]
        nodes.insert(1, helper.make_node("BatchNormalization", ["raw", *parameters], ["c1"]))
        constants.update({name: np.full(8, 0.9, np.float32) for name in parameters})
    return tiny_models.model_of(
        nodes,
        [tiny_models.value("x", (1, 3, 24, 32))],
        [tiny_models.value("y", (1, 8, 12, 16))],
        constants,
    )


def packed(source: ModelProto, pictures: Path, **options: Any) -> tuple[Packed, PackOptions]:
    chosen = PackOptions("m", quantize=pictures, picture=PICTURE, **options)
    return pack_model(source, chosen), chosen


def graph_of(result: Packed) -> onnx.GraphProto:
    return onnx.load_from_string(result.spec.graph).graph


def makers(graph: onnx.GraphProto) -> dict[str, onnx.NodeProto]:
    return {output: node for node in graph.node for output in node.output}


def quantized(graph: onnx.GraphProto) -> set[str]:
    """The operators whose outputs are stored as integers."""
    stored = {node.input[0] for node in graph.node if node.op_type == "QuantizeLinear"}
    made_by = makers(graph)
    return {made_by[name].op_type for name in stored if name in made_by}


# -- what becomes int8 -----------------------------------------------------------------------------


def test_weights_have_a_scale_per_channel_and_activations_one(pictures: Path) -> None:
    graph = graph_of(packed(network(), pictures, nv12_inputs=("x",))[0])
    made_by = makers(graph)
    constants = {tensor.name: tensor for tensor in graph.initializer}
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    assert len(convolutions) == 2
    for node in convolutions:
        activation, weight = (made_by[name] for name in node.input[:2])
        assert activation.op_type == weight.op_type == "DequantizeLinear"
        assert constants[weight.input[0]].data_type == TensorProto.INT8
        assert list(constants[weight.input[1]].dims) == [8]
        assert list(constants[activation.input[1]].dims) in ([], [1])
        assert constants[activation.input[2]].data_type == TensorProto.UINT8


def test_heavy_operators_and_the_activations_beside_them_are_chosen(pictures: Path) -> None:
    graph = graph_of(packed(network(), pictures)[0])
    assert quantized(graph) == {"Conv", "Add", "MaxPool"}  # Relu is in its Conv's range of values


def test_batch_normalisations_are_folded_before(pictures: Path) -> None:
    result, options = packed(network(batch_norm=True), pictures)
    operators = [node.op_type for node in graph_of(result).node]
    assert "BatchNormalization" not in operators
    (output,) = agreement.compare(network(batch_norm=True), result, options).outputs
    assert output.cosine > 0.999


def test_the_network_stays_itself_within_a_few_steps(pictures: Path) -> None:
    result, options = packed(network(), pictures, nv12_inputs=("x",))
    comparison = agreement.compare(network(), result, options)
    assert comparison.inputs == f"8 of {pictures}"
    (output,) = comparison.outputs
    assert not output.is_exact
    assert output.cosine > 0.999
    assert output.difference < 0.1 * output.largest


def test_excluded_nodes_and_operators_stay_float(pictures: Path) -> None:
    graph = graph_of(packed(network(), pictures, quantize_exclude=("second", "MaxPool"))[0])
    second = next(node for node in graph.node if node.name == "second")
    assert second.input[1] in {tensor.name for tensor in graph.initializer}
    assert "MaxPool" not in quantized(graph)
    assert "Add" in quantized(graph)


def test_every_node_gets_a_name_of_its_own() -> None:
    model = network()
    model.graph.node[0].name = "activation"
    name_nodes(model)
    names = [node.name for node in model.graph.node]
    assert len(set(names)) == len(names)
    assert names[0] == "activation"
    assert "second" in names


def test_the_log_of_the_quantiser_is_not_the_users(
    pictures: Path, caplog: pytest.LogCaptureFixture
) -> None:
    packed(network(), pictures)
    assert caplog.records == []
    assert logging.root.manager.disable == logging.NOTSET


# -- outputs ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("data_type", "full_scale"), [("int8", 127), ("int16", 32767)])
def test_small_outputs_have_one_calibrated_scale(
    pictures: Path, data_type: str, full_scale: int
) -> None:
    result, options = packed(
        network(), pictures, output_quantization={"y": OutputQuantization(data_type)}
    )
    (tensor,) = result.spec.outputs
    assert DATA_TYPE_NAMES[tensor.data_type] == data_type.replace("int", "S")
    assert (tensor.quantize_axis, len(tensor.scale)) == (-1, 1)
    (output,) = agreement.compare(network(), result, options).outputs
    assert tensor.scale[0] * full_scale == pytest.approx(output.largest, rel=0.1)
    assert output.cosine > 0.999


@pytest.mark.parametrize(("order", "axis"), [((0, 1, 2, 3), 1), ((0, 2, 3, 1), 3)])
def test_an_int32_output_has_a_scale_per_channel_wherever_they_are(
    pictures: Path, order: tuple[int, ...], axis: int
) -> None:
    source = network()
    source.graph.node[-1].output[0] = "channels_first"
    source.graph.node.append(
        helper.make_node("Transpose", ["channels_first"], ["y"], perm=list(order))
    )
    dims = (1, 8, 12, 16)
    source.graph.output[0].CopyFrom(tiny_models.value("y", [dims[i] for i in order]))
    result, _ = packed(
        source, pictures, output_quantization={"y": OutputQuantization("int32", per_channel=True)}
    )
    (tensor,) = result.spec.outputs
    assert DATA_TYPE_NAMES[tensor.data_type] == "S32"
    assert (tensor.quantize_axis, len(tensor.scale)) == (axis, 8)
    assert len(set(tensor.scale)) > 1


def test_an_int32_vector_has_one_scale(tmp_path: Path) -> None:
    np.savez(tmp_path / "real.npz", x=np.ones((3, 4), np.float32))
    spec = tiny_models.pack(
        tiny_models.identity((4,)),
        calibration=tmp_path / "real.npz",
        output_quantization={"y": OutputQuantization("int32", per_channel=True)},
    )
    assert (spec.outputs[0].quantize_axis, len(spec.outputs[0].scale)) == (-1, 1)


# -- function calls --------------------------------------------------------------------------------


def test_a_quantised_network_is_cut_at_stored_integers_only(pictures: Path) -> None:
    source = tiny_models.model_of(
        [
            helper.make_node("Conv", [f"v{i}", f"w{i}"], [f"v{i + 1}"], pads=[1, 1, 1, 1])
            for i in range(6)
        ],
        [tiny_models.value("v0", (1, 3, 48, 64))],
        [tiny_models.value("v6", (1, 3, 48, 64))],
        {
            f"w{i}": np.random.default_rng(i).standard_normal((3, 3, 3, 3)).astype(np.float32) / 5
            for i in range(6)
        },
    )
    result, options = packed(
        source, pictures, nv12_inputs=("v0",), max_time_per_fc_us=1,
        output_quantization={"v6": OutputQuantization("int8")},
    )  # fmt: skip
    graphs = [onnx.load_from_string(call.graph).graph for call in result.spec.calls]
    assert len(graphs) >= 5
    made_by = {name: node for graph in graphs for name, node in makers(graph).items()}
    for graph in graphs[1:]:
        assert all(
            made_by[value.name].op_type == "QuantizeLinear"
            for value in graph.input
            if value.name in made_by
        )
    comparison = agreement.compare(source, result, options)
    assert comparison.cut_difference == 0.0  # bit for bit

    sample = next(
        iter(real_input.RealInput(pictures, "--check", result.network_inputs, options))
    ).packed
    assert CallRunner(result.spec.calls).run(sample)["v6"].dtype == np.int8


# -- real input ------------------------------------------------------------------------------------


def test_arrays_calibrate_as_pictures_do(pictures: Path, tmp_path: Path) -> None:
    source = network()
    by_pictures, options = packed(source, pictures)
    samples = real_input.RealInput(pictures, "--quantize", by_pictures.network_inputs, options)
    np.savez(tmp_path / "real.npz", x=np.stack([sample.source["x"] for sample in samples]))
    by_arrays, options = packed(source, tmp_path / "real.npz")
    assert by_arrays.spec.graph == by_pictures.spec.graph
    assert agreement.compare(source, by_arrays, options).inputs == f"8 of {tmp_path / 'real.npz'}"


def test_a_picture_becomes_the_networks_input(tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "one.png"), picture)
    options = PackOptions("m", picture=PICTURE)
    (sample,) = real_input.RealInput(
        tmp_path / "one.png", "--check", network().graph.input, options
    )
    expected = (picture.astype(np.float32) - np.float32(127.5)) * np.float32(1 / 127.5)
    np.testing.assert_array_equal(sample.source["x"][0].transpose(1, 2, 0), expected)
    np.testing.assert_array_equal(sample.packed["x"], sample.source["x"])


def test_of_a_large_folder_some_pictures_of_all_of_it_are_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(real_input, "MOST_PICTURES", 3)
    for index in range(9):
        pixels = np.full((4, 4, 3), index * 10, np.uint8)
        cv2.imwrite(str(tmp_path / f"{index}.png"), pixels)
    samples = real_input.RealInput(tmp_path, "--check", network().graph.input, PackOptions("m"))
    assert len(samples) == 3
    assert [sample.source["x"].max() for sample in samples] == [0, 30, 60]


def test_a_real_check_is_made_of_an_unquantised_model_too(pictures: Path) -> None:
    options = PackOptions("m", check=pictures / "3.png", nv12_inputs=("x",), picture=PICTURE)
    source = tiny_models.conv(24, 32)
    comparison = agreement.compare(source, pack_model(source, options), options)
    assert comparison.inputs == f"1 of {pictures / '3.png'}"
    assert comparison.outputs[0].cosine == pytest.approx(1.0)


@pytest.mark.parametrize("fed", ["nv12", "rgb", "bgr", "gray", "featuremap"])
@pytest.mark.parametrize("channels_last", [False, True])
def test_real_pictures_reach_every_kind_of_input(
    pictures: Path, fed: str, channels_last: bool
) -> None:
    how = PictureOptions("bgr", "limited", (10.0, 20.0, 30.0), (0.02,), fed=fed)
    options = PackOptions("m", check=pictures, pictures={"x": how})
    source = tiny_models.conv(24, 32, channels_last=channels_last)
    (output,) = agreement.compare(source, pack_model(source, options), options).outputs
    assert output.largest > 1
    near = 0.01 if fed == "nv12" else 1e-6  # half a level may be rounded either way
    assert output.difference <= near * output.largest


def test_a_network_of_grey_levels_is_checked_on_colour_pictures(pictures: Path) -> None:
    how = PictureOptions(fed="gray", mean=(128.0,))
    options = PackOptions("m", check=pictures, pictures={"x": how})
    source = tiny_models.identity((1, 1, 24, 32))
    (output,) = agreement.compare(source, pack_model(source, options), options).outputs
    assert output.is_exact
    assert output.largest > 10


# -- errors ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("exclude", "expected"),
    [
        (("secnd",), "--quantize-exclude names 'secnd', the model has no such node or operator"),
        (("secnd",), "near it: second"),
        (("Conv", "Add", "MaxPool"), "no node to quantise"),
    ],
)
def test_a_wrong_exclusion_is_explained(
    pictures: Path, exclude: tuple[str, ...], expected: str
) -> None:
    with pytest.raises(ToolError) as caught:
        packed(network(), pictures, quantize_exclude=exclude)
    assert expected in str(caught.value)


def test_nothing_to_quantise_is_said(tmp_path: Path) -> None:
    np.savez(tmp_path / "real.npz", x=np.ones((1, 4), np.float32))
    with pytest.raises(ToolError, match="--quantize: the model has no node to quantise"):
        packed(tiny_models.identity(), tmp_path / "real.npz")


def test_what_is_no_real_input_is_refused(tmp_path: Path, pictures: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(ToolError, match=r"--quantize: the folder .*empty holds no pictures"):
        packed(network(), empty)
    (empty / "bad.png").write_bytes(b"no picture")
    with pytest.raises(ToolError, match=r"OpenCV cannot read the picture .*bad.png"):
        packed(network(), empty)
    with pytest.raises(ToolError, match=r"cannot read .*none as .npz"):
        packed(network(), tmp_path / "none")
    with pytest.raises(ToolError, match=r"input 'x' takes no pictures .* give real values of all"):
        packed(tiny_models.slow(2, 8), pictures)


def test_own_values_cannot_check_what_pixels_become(tmp_path: Path) -> None:
    np.savez(tmp_path / "real.npz", x=np.ones((2, 1, 3, 24, 32), np.float32))
    source = tiny_models.conv(24, 32)
    options = PackOptions("m", check=tmp_path / "real.npz", nv12_inputs=("x",))
    with pytest.raises(ToolError, match="from which no pixels can be told; give pictures"):
        agreement.compare(source, pack_model(source, options), options)


def test_without_opencv_the_extra_is_named(pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "cv2", None)  # as Python marks what cannot be imported
    with pytest.raises(ToolError, match=r"package cv2: pip install 'hbm-runtime\[image\]'"):
        packed(network(), pictures)
