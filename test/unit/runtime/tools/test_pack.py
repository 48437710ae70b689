# SPDX-License-Identifier: Apache-2.0
"""Packing keeps what a network computes and describes it as a board would."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
import tiny_models
from onnx import ModelProto, TensorProto, helper, numpy_helper

from hbm_runtime.model_file import DATA_TYPE_NAMES, ModelSpec, TensorSpec
from hbm_runtime.tools.errors import ToolError
from hbm_runtime.tools.packing import agreement, engine, graph
from hbm_runtime.tools.packing.build import pack_model
from hbm_runtime.tools.packing.options import (
    InputQuantization,
    OutputQuantization,
    PackOptions,
    model_name_of,
)

onnxruntime = pytest.importorskip("onnxruntime", reason="runs the packed graphs")

Array = npt.NDArray[Any]
pack = tiny_models.pack


def run(model: bytes, inputs: dict[str, Array]) -> dict[str, Array]:
    """Every output of a serialised ONNX model."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    outputs = [output.name for output in session.get_outputs()]
    return dict(zip(outputs, session.run(outputs, inputs), strict=True))


def random_inputs(spec: ModelSpec) -> dict[str, Array]:
    random = np.random.default_rng(3)
    types = {
        "F32": np.float32, "F16": np.float16, "F64": np.float64, "S8": np.int8, "U8": np.uint8,
        "S16": np.int16, "U16": np.uint16, "S32": np.int32, "U32": np.uint32, "S64": np.int64,
        "U64": np.uint64, "BOOL8": np.bool_,
    }  # fmt: skip
    return {
        tensor.name: (random.standard_normal(tensor.shape) * 50).astype(
            types[DATA_TYPE_NAMES[tensor.data_type]]
        )
        for tensor in spec.inputs
    }


def tensors_of(spec: ModelSpec) -> dict[str, TensorSpec]:
    return {tensor.name: tensor for tensor in (*spec.inputs, *spec.outputs)}


# -- the graph stays the same ----------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:invalid value encountered in cast")
@pytest.mark.parametrize(
    "network",
    [
        tiny_models.identity(),
        tiny_models.add(),
        tiny_models.all_types(),
        tiny_models.two_inputs_three_outputs(),
        tiny_models.int32_255_channels(),
        tiny_models.conv(),
        tiny_models.slow(3, 16),
    ],
)
def test_a_packed_graph_computes_the_same_bits(network: ModelProto) -> None:
    spec = pack(network)
    inputs = random_inputs(spec)
    expected = run(network.SerializeToString(), inputs)
    found = run(spec.graph, inputs)
    assert list(found) == [tensor.name for tensor in spec.outputs] == list(expected)
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array)


def test_packing_leaves_the_source_alone() -> None:
    network = tiny_models.dynamic()
    before = network.SerializeToString()
    pack(network, shapes={"x": (1, 3, 4, 4)}, nv12_inputs=("x",), rename={"y": "z"})
    assert network.SerializeToString() == before


# -- types and layouts -----------------------------------------------------------------------------


def test_every_element_type_has_its_data_type() -> None:
    spec = pack(tiny_models.all_types())
    found = [DATA_TYPE_NAMES[tensor.data_type] for tensor in spec.inputs]
    assert found == ["S8", "U8", "F16", "S16", "U16", "F32", "S32", "U32", "F64", "S64", "U64",
                     "BOOL8"]  # fmt: skip
    assert [t.data_type for t in spec.outputs] == [t.data_type for t in spec.inputs]


@pytest.mark.parametrize("element_type", [TensorProto.STRING, TensorProto.BFLOAT16])
def test_an_element_type_that_no_board_has_is_refused(element_type: int) -> None:
    with pytest.raises(ToolError, match=r"tensor 'x' has elements of type (STRING|BFLOAT16)"):
        pack(tiny_models.identity((1, 4), element_type))


@pytest.mark.parametrize(
    ("dims", "element_type", "strides", "size"),
    [
        ((1, 84, 84, 255), TensorProto.INT32, (7225344, 86016, 1024, 4), 7225344),
        ((1, 21, 21, 255), TensorProto.INT32, (451584, 21504, 1024, 4), 451584),
        ((1, 1000), TensorProto.FLOAT, (4000, 4), 4096),
        ((1, 3, 224, 224), TensorProto.FLOAT, (602112, 200704, 896, 4), 602112),
        ((2, 5), TensorProto.UINT8, (32, 1), 128),
        ((5,), TensorProto.DOUBLE, (8,), 128),
    ],
)
def test_rows_are_padded_as_on_a_board(
    dims: tuple[int, ...], element_type: int, strides: tuple[int, ...], size: int
) -> None:
    spec = pack(tiny_models.identity(dims, element_type))
    for tensor in (*spec.inputs, *spec.outputs):
        assert (tensor.shape, tensor.strides, tensor.aligned_byte_size) == (dims, strides, size)
        assert (tensor.quanti_type, tensor.quantize_axis) == (0, 0)


def test_padding_can_be_left_out_on_either_side() -> None:
    network = tiny_models.identity((1, 21, 21, 255), TensorProto.INT32)
    dense, padded = (449820, 21420, 1020, 4), (451584, 21504, 1024, 4)
    spec = pack(network, input_padding=False)
    assert (spec.inputs[0].strides, spec.outputs[0].strides) == (dense, padded)
    spec = pack(network, output_padding=False)
    assert (spec.inputs[0].strides, spec.outputs[0].strides) == (padded, dense)
    assert spec.outputs[0].aligned_byte_size == 449920  # 449820 rounded up to 128


def test_a_scalar_gets_one_dimension() -> None:
    spec = pack(tiny_models.scalar_output())
    assert (spec.outputs[0].shape, spec.outputs[0].strides) == ((1,), (4,))
    found = run(spec.graph, {"x": np.ones((2, 3), np.float32)})["y"]
    np.testing.assert_array_equal(found, np.float32([6]))

    spec = pack(tiny_models.identity(()))
    assert (spec.inputs[0].shape, spec.outputs[0].shape) == ((1,), (1,))
    np.testing.assert_array_equal(run(spec.graph, {"x": np.float32([2])})["y"], np.float32([2]))


# -- shapes ----------------------------------------------------------------------------------------


def test_a_dynamic_dimension_is_an_error_that_shows_the_option() -> None:
    with pytest.raises(ToolError) as caught:
        pack(tiny_models.dynamic())
    assert "input 'x'" in str(caught.value)
    assert "--shape x=N,3,N,N, or keep them with --dynamic" in str(caught.value)


def test_a_given_shape_is_fixed_through_to_the_outputs() -> None:
    spec = pack(tiny_models.dynamic(), shapes={"x": (1, 3, 4, 8)})
    assert tensors_of(spec)["x"].shape == tensors_of(spec)["y"].shape == (1, 3, 4, 8)
    packed = onnx.load_from_string(spec.graph)
    assert graph.dims_of(packed.graph.input[0]) == [1, 3, 4, 8]
    assert graph.dims_of(packed.graph.output[0]) == [1, 3, 4, 8]


def test_dynamic_dimensions_can_be_kept() -> None:
    spec = pack(tiny_models.dynamic(), dynamic=True, max_shapes={"x": (2, 3, 5, 7)})
    for tensor in (*spec.inputs, *spec.outputs):
        assert tensor.shape == (-1, 3, -1, -1)
        assert tensor.strides == (-1, -1, -1, 4)
    assert spec.inputs[0].aligned_byte_size == -1
    assert spec.outputs[0].aligned_byte_size == 896  # 2 * 3 * 5 * 7 * 4 = 840, rounded up to 128
    doubled = run(spec.graph, {"x": np.ones((2, 3, 4, 5), np.float32)})["y"]
    np.testing.assert_array_equal(doubled, np.full((2, 3, 4, 5), 2, np.float32))


def test_a_symbol_gets_its_value_in_every_input() -> None:
    node = helper.make_node("Add", ["a", "b"], ["y"])
    inputs = [tiny_models.value("a", ("N", 4)), tiny_models.value("b", ("N", 4))]
    network = tiny_models.model_of([node], inputs, [tiny_models.value("y", ("N", 4))])
    spec = pack(network, shapes={"a": (3, 4)})
    assert [tensor.shape for tensor in (*spec.inputs, *spec.outputs)] == [(3, 4)] * 3


def test_dimensions_that_all_have_the_same_symbol_can_differ() -> None:
    network = tiny_models.identity(("?", 3, "?", "?"))
    assert pack(network, shapes={"x": (1, 3, 4, 8)}).inputs[0].shape == (1, 3, 4, 8)


def test_a_negative_dimension_counts_as_dynamic() -> None:
    network = tiny_models.identity((-1, 4))
    assert pack(network, shapes={"x": (2, 4)}).outputs[0].shape == (2, 4)


def test_an_output_shape_that_the_values_decide_can_be_declared() -> None:
    network = tiny_models.nonzero()
    with pytest.raises(ToolError, match=r"output 'y' has the shape \[2, -1\] with dynamic"):
        pack(network)
    assert pack(network, shapes={"y": (2, 3)}).outputs[0].shape == (2, 3)
    with pytest.raises(ToolError, match=r"output 'y' has the shape \[2, -1\], --shape says \[3"):
        pack(network, shapes={"y": (3, 3)})


def doubled_batch() -> ModelProto:
    """Fold x [N, 6] into y [2 N, 3]; the graph computes that shape."""
    nodes = [
        helper.make_node("Shape", ["x"], ["dims"]),
        helper.make_node("Gather", ["dims", "first"], ["batch"]),
        helper.make_node("Mul", ["batch", "two"], ["twice"]),
        helper.make_node("Concat", ["twice", "rest"], ["wanted"], axis=0),
        helper.make_node("Reshape", ["x", "wanted"], ["y"]),
    ]
    constants = {"first": np.array([0]), "two": np.array([2]), "rest": np.array([-1])}
    outputs = [tiny_models.value("y", ("a", "b"))]
    return tiny_models.model_of(nodes, [tiny_models.value("x", ("N", 6))], outputs, constants)


def test_an_output_shape_computed_in_the_graph_is_found() -> None:
    assert pack(doubled_batch(), shapes={"x": (3, 6)}).outputs[0].shape == (6, 3)


@pytest.mark.parametrize(
    ("shapes", "expected"),
    [
        ({"image": (1, 3, 4, 4)}, "--shape names 'image'; the model's inputs and outputs are x, y"),
        ({"x": (1, 3, 4)}, "input 'x' has 4 dimensions, --shape gives 3"),
        ({"x": (1, 4, 4, 4)}, "dimension 1 of input 'x' is 3 in the model, --shape says 4"),
    ],
)
def test_a_shape_that_contradicts_the_model_is_refused(
    shapes: dict[str, tuple[int, ...]], expected: str
) -> None:
    with pytest.raises(ToolError) as caught:
        pack(tiny_models.dynamic(), shapes=shapes)
    assert expected in str(caught.value)


# -- the largest shapes ----------------------------------------------------------------------------


def test_the_largest_output_follows_from_the_largest_input() -> None:
    spec = pack(doubled_batch(), dynamic=True, max_shapes={"x": (20, 6)})
    assert spec.outputs[0].shape == (-1, -1)
    assert spec.outputs[0].aligned_byte_size == 512  # 40 * 3 * 4 = 480, rounded up to 128


def test_the_largest_output_counts_its_stored_type() -> None:
    spec = pack(
        tiny_models.dynamic(),
        dynamic=True,
        max_shapes={"x": (2, 3, 5, 7)},
        output_quantization={"y": OutputQuantization("int8", None, (0.5,))},
        rename={"y": "small"},
    )
    assert spec.outputs[0].aligned_byte_size == 256  # 2 * 3 * 5 * 7 = 210, rounded up to 128


def test_a_fixed_input_beside_a_dynamic_one_needs_no_largest_shape() -> None:
    node = helper.make_node("Concat", ["a", "b"], ["y"], axis=0)
    inputs = [tiny_models.value("a", ("N", 4)), tiny_models.value("b", (3, 4))]
    network = tiny_models.model_of([node], inputs, [tiny_models.value("y", ("M", 4))])
    spec = pack(network, dynamic=True, max_shapes={"a": (30, 4)})
    assert [tensor.aligned_byte_size for tensor in spec.inputs] == [-1, 128]
    assert spec.outputs[0].aligned_byte_size == 640  # 33 * 4 * 4 = 528, rounded up to 128


def test_the_largest_output_that_the_values_decide_is_given() -> None:
    network = tiny_models.nonzero()
    expected = r"shape \[2, -1\] of output 'y' does not follow .* with --max-shape y=2,N"
    with pytest.raises(ToolError, match=expected):
        pack(network, dynamic=True)
    spec = pack(network, dynamic=True, max_shapes={"y": (2, 9)})
    assert (spec.outputs[0].shape, spec.outputs[0].aligned_byte_size) == ((2, -1), 256)
    with pytest.raises(ToolError, match=r"'y' has the shape \[2, -1\], --max-shape says \[3, 9\]"):
        pack(network, dynamic=True, max_shapes={"y": (3, 9)})


def test_a_largest_output_that_is_too_small_is_noticed() -> None:
    network = tiny_models.nonzero((1, 20))
    with pytest.raises(
        ToolError, match=r"'y' .* 320 bytes are more than the 128 declared; .*--max"
    ):
        compare(network, dynamic=True, max_shapes={"y": (2, 8)})


def test_the_comparison_runs_at_the_largest_shape() -> None:
    node = helper.make_node("Reshape", ["x", "rows"], ["y"])
    network = tiny_models.model_of(
        [node],
        [tiny_models.value("x", ("N",))],
        [tiny_models.value("y", ("rows", 7))],
        {"rows": np.array([-1, 7])},  # so that only multiples of 7 can be fed
    )
    assert compare(network, dynamic=True, max_shapes={"x": (21,)})[0].is_exact


@pytest.mark.parametrize(
    ("max_shapes", "expected"),
    [
        ({}, "the shape [-1, 3, -1, -1] of input 'x' stays dynamic; give the largest it will have"),
        ({}, "with --max-shape x=N,3,N,N"),
        ({"z": (1,)}, "--max-shape names 'z'; the inputs and outputs that stay dynamic: x, y"),
        ({"x": (1, 3, 4)}, "input 'x' has 4 dimensions, --max-shape gives 3"),
        ({"x": (1, 4, 4, 4)}, "dimension 1 of input 'x' is 3 in the model, --max-shape says 4"),
        (
            {"x": (1, 3, 4, 4), "y": (1, 3, 4, 5)},
            "output 'y' has the shape [1, 3, 4, 4], --max-shape says [1, 3, 4, 5]",
        ),
    ],
)
def test_a_missing_or_contradictory_largest_shape_is_refused(
    max_shapes: dict[str, tuple[int, ...]], expected: str
) -> None:
    with pytest.raises(ToolError) as caught:
        pack(tiny_models.dynamic(), dynamic=True, max_shapes=max_shapes)
    assert expected in str(caught.value)


def test_a_largest_shape_without_a_dynamic_dimension_is_refused() -> None:
    with pytest.raises(ToolError, match=r"--max-shape names 'x'; .* stay dynamic: none"):
        pack(tiny_models.add(), max_shapes={"x": (1, 4)})


def test_largest_shapes_that_do_not_fit_together_are_refused() -> None:
    node = helper.make_node("Add", ["a", "b"], ["y"])
    inputs = [tiny_models.value("a", ("N", 4)), tiny_models.value("b", ("N", 4))]
    network = tiny_models.model_of([node], inputs, [tiny_models.value("y", ("N", 4))])
    with pytest.raises(ToolError, match="cannot load the model at the shapes of --max-shape"):
        pack(network, dynamic=True, max_shapes={"a": (3, 4), "b": (5, 4)})


# -- 4-bit tensors ---------------------------------------------------------------------------------

FOUR_BIT_PAIRS = [(TensorProto.INT4, TensorProto.INT8), (TensorProto.UINT4, TensorProto.UINT8)]


@pytest.mark.parametrize(("narrow", "wide"), FOUR_BIT_PAIRS)
def test_a_4_bit_tensor_is_laid_out_in_bytes_of_two(narrow: int, wide: int) -> None:
    name = {TensorProto.INT4: "S4", TensorProto.UINT4: "U4"}[narrow]
    spec = pack(tiny_models.converted(narrow, wide, (3, 5, 66)))
    assert DATA_TYPE_NAMES[spec.inputs[0].data_type] == name
    assert spec.inputs[0].shape == (3, 5, 66)
    assert spec.inputs[0].strides == (320, 64, 1)  # rows of 33 bytes, padded to 32
    assert spec.inputs[0].aligned_byte_size == 1024
    spec = pack(tiny_models.converted(wide, narrow, (3, 5, 66)), output_padding=False)
    assert DATA_TYPE_NAMES[spec.outputs[0].data_type] == name
    assert spec.outputs[0].strides == (165, 33, 1)
    assert spec.outputs[0].aligned_byte_size == 512


def test_an_odd_number_of_4_bit_elements_is_only_possible_in_one_row() -> None:
    one_row = tiny_models.converted(TensorProto.INT4, TensorProto.INT8, (1, 5))
    assert pack(one_row).inputs[0].aligned_byte_size == 128
    several = tiny_models.converted(TensorProto.INT4, TensorProto.INT8, (2, 5))
    with pytest.raises(ToolError, match=r"4-bit tensor 'x' has the shape \[2, 5\]; two elements"):
        pack(several)


def test_a_dynamic_4_bit_output_says_its_largest_bytes() -> None:
    network = tiny_models.converted(TensorProto.INT8, TensorProto.INT4, ("N", 6))
    spec = pack(network, dynamic=True, max_shapes={"x": (100, 6)})
    output = spec.outputs[0]
    assert (output.shape, output.strides, output.aligned_byte_size) == ((-1, 6), (-1, 1), 384)


def test_4_bit_tensors_need_a_newer_opset_than_the_models() -> None:
    with pytest.raises(ToolError, match=r"'x' has 4-bit elements, which need .* 21 .* uses 13"):
        pack(tiny_models.identity((1, 4), TensorProto.INT4))


def test_a_model_with_4_bit_tensors_says_that_its_onnx_has_them() -> None:
    network = tiny_models.transposed(TensorProto.UINT4)
    network.ir_version = 8
    assert onnx.load_from_string(pack(network).graph).ir_version == 10


@pytest.mark.parametrize(("narrow", "wide"), FOUR_BIT_PAIRS)
@pytest.mark.parametrize("dims", [(2, 6), (1, 5), (7,), (16, 16)])
def test_the_engine_takes_and_gives_4_bit_values(
    narrow: int, wide: int, dims: tuple[int, ...]
) -> None:
    low = -8 if narrow == TensorProto.INT4 else 0
    dtype = helper.tensor_dtype_to_np_dtype(wide)
    values = (np.arange(np.prod(dims)) % 16 + low).astype(dtype).reshape(dims)
    for source, target in ((narrow, wide), (wide, narrow)):
        loaded = engine.load(tiny_models.converted(source, target, dims), "the model")
        assert loaded is not None
        found = loaded.run({"x": values})["y"]
        assert found.dtype == dtype
        np.testing.assert_array_equal(found, values)


def test_the_engine_refuses_what_4_bits_cannot_hold() -> None:
    network = tiny_models.converted(TensorProto.INT4, TensorProto.INT8, (1, 2))
    loaded = engine.load(network, "the model")
    assert loaded is not None
    for array in (np.int8([[0, 8]]), np.int8([[-9, 0]]), np.uint8([[0, 1]])):
        with pytest.raises(ToolError, match=r"'x' has 4-bit elements: give them as int8 of -8..7"):
            loaded.run({"x": array})


@pytest.mark.parametrize("element_type", [TensorProto.INT4, TensorProto.UINT4])
def test_4_bit_tensors_are_compared_with_the_source(element_type: int) -> None:
    (output,) = compare(tiny_models.transposed(element_type))
    assert output.is_exact
    assert output.largest > 0


# -- names -----------------------------------------------------------------------------------------


def test_tensors_can_be_renamed_even_in_a_circle() -> None:
    network = tiny_models.two_inputs_three_outputs()
    names = {"a": "b", "b": "a", "total": "difference", "difference": "total"}
    spec = pack(network, rename=names)
    assert [tensor.name for tensor in spec.inputs] == ["b", "a"]
    a, b = np.full((2, 3), 5, np.float32), np.full((2, 3), 3, np.float32)
    found = run(spec.graph, {"b": a, "a": b})
    assert (found["difference"][0, 0], found["total"][0, 0]) == (8, 2)


def test_a_new_name_may_be_one_that_the_network_uses_inside() -> None:
    spec = pack(tiny_models.int32_255_channels(), rename={"image": "levels", "head": "weights"})
    inputs = random_inputs(spec)
    source = tiny_models.int32_255_channels().SerializeToString()
    expected = run(source, {"image": inputs["levels"]})["head"]
    np.testing.assert_array_equal(run(spec.graph, inputs)["weights"], expected)


def test_names_inside_branches_follow() -> None:
    branches = [
        helper.make_graph(
            [helper.make_node(operator, ["x", "x"], [f"{operator}_result"])],
            operator,
            [],
            [tiny_models.value(f"{operator}_result", (2,))],
        )
        for operator in ("Add", "Mul")
    ]
    node = helper.make_node(
        "If", ["choose"], ["y"], then_branch=branches[0], else_branch=branches[1]
    )
    inputs = [tiny_models.value("choose", (), TensorProto.BOOL), tiny_models.value("x", (2,))]
    network = tiny_models.model_of([node], inputs, [tiny_models.value("y", (2,))])
    spec = pack(network, rename={"x": "picture", "choose": "add"})
    x = np.float32([3, 4])
    for choice, expected in ((True, [6, 8]), (False, [9, 16])):
        found = run(spec.graph, {"add": np.array([choice]), "picture": x})["y"]
        np.testing.assert_array_equal(found, np.float32(expected))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"rename": {"z": "y"}}, "--rename names 'z'; the tensors are a, b, total"),
        ({"rename": {"a": "b"}}, "--rename would leave two tensors named 'b'"),
        ({"tensor_descriptions": {"c": "?"}}, "--tensor-description names 'c'"),
        (
            {"output_quantization": {"a": OutputQuantization("int8", None, (1.0,))}},
            "names 'a'; the",
        ),
        ({"input_quantization": {"total": InputQuantization("int8", 1.0)}}, "names 'total'; the"),
        (
            {"nv12_inputs": ("a",), "input_quantization": {"a": InputQuantization("int8", 1.0)}},
            "cannot be --nv12 and --quantize-input at once",
        ),
    ],
)
def test_an_unknown_or_contradictory_name_is_refused(
    options: dict[str, Any], expected: str
) -> None:
    with pytest.raises(ToolError) as caught:
        pack(tiny_models.two_inputs_three_outputs(), **options)
    assert expected in str(caught.value)


def test_descriptions_and_latency_are_kept() -> None:
    spec = pack(
        tiny_models.add(),
        "adder",
        description="adds",
        tensor_descriptions={"x": "before", "y": "after"},
        rename={"x": "input"},
        latency_us=2000,
    )
    assert (spec.name, spec.description, spec.latency_us) == ("adder", "adds", 2000)
    assert (spec.inputs[0].description, spec.outputs[0].description) == ("before", "after")


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("yolov8n.onnx", "yolov8n"),
        ("ch_PP-OCRv4 det.infer.onnx", "ch_PP_OCRv4_det_infer"),
        ("3d.onnx", "model_3d"),
        ("检测.onnx", "model_"),
    ],
)
def test_a_model_name_comes_from_the_file_name(file: str, name: str) -> None:
    assert model_name_of(Path(file)) == name


# -- quantised outputs and inputs ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data_type", "low", "high"),
    [("int8", -128, 127), ("int16", -32768, 32767), ("int32", -(2**31), 2147483520)],
)
@pytest.mark.parametrize("zero_point", [0, -5])
def test_an_output_becomes_an_integer_by_the_formula(
    data_type: str, low: int, high: int, zero_point: int
) -> None:
    quantization = OutputQuantization(data_type, None, (0.25,), zero_point)
    spec = pack(tiny_models.identity((1, 8)), output_quantization={"y": quantization})
    x = np.float32([[0, 0.125, 0.375, -0.375, 10, -10, 1e12, -1e12]])
    expected = np.clip(np.rint(x.astype(np.float64) / 0.25) + zero_point, low, high)
    found = run(spec.graph, {"x": x})["y"]
    assert found.dtype == np.dtype(data_type)
    np.testing.assert_array_equal(found, expected)
    output = spec.outputs[0]
    assert DATA_TYPE_NAMES[output.data_type] == data_type.replace("int", "S")
    assert (output.quanti_type, output.quantize_axis) == (1, -1)
    assert (output.scale, output.zero_point) == ((0.25,), (zero_point,))


@pytest.mark.parametrize("axis", [3, -1])
@pytest.mark.parametrize("data_type", ["int8", "int16", "int32"])
def test_an_output_can_have_a_scale_per_channel(data_type: str, axis: int) -> None:
    scales = (0.5, 0.25, 2.0)
    quantization = OutputQuantization(data_type, axis, scales)
    spec = pack(tiny_models.identity((1, 2, 2, 3)), output_quantization={"y": quantization})
    x = np.arange(12, dtype=np.float32).reshape(1, 2, 2, 3) - 6
    expected = np.rint(x / np.float32(scales))
    np.testing.assert_array_equal(run(spec.graph, {"x": x})["y"], expected)
    output = spec.outputs[0]
    assert (output.quantize_axis, output.scale, output.zero_point) == (3, scales, (0, 0, 0))


def test_a_half_precision_output_can_be_quantised() -> None:
    network = tiny_models.identity((1, 4), TensorProto.FLOAT16)
    spec = pack(network, output_quantization={"y": OutputQuantization("int8", None, (0.5,))})
    found = run(spec.graph, {"x": np.float16([[1, 2, -3, 100]])})["y"]
    np.testing.assert_array_equal(found, np.int8([[2, 4, -6, 127]]))


def test_an_output_that_other_nodes_use_stays_float_for_them() -> None:
    spec = pack(
        tiny_models.two_inputs_three_outputs(),
        output_quantization={"total": OutputQuantization("int8", None, (1.0,))},
    )
    half = np.full((2, 3), 0.2, np.float32)
    found = run(spec.graph, {"a": half, "b": half})
    assert found["total"].dtype == np.int8
    np.testing.assert_array_equal(found["flat"], (half + half).ravel())


@pytest.mark.parametrize(
    ("quantization", "expected"),
    [
        (OutputQuantization("int8"), "gives no scale for y; write the scale there"),
        (OutputQuantization("int32", 4, (1.0,)), "no axis 4 in the shape [1, 4, 2, 3]"),
        (OutputQuantization("int32", 1, (1.0, 2.0)), "2 scales for the 4 entries of axis 1"),
    ],
)
def test_a_quantised_output_that_cannot_be_is_refused(
    quantization: OutputQuantization, expected: str
) -> None:
    with pytest.raises(ToolError) as caught:
        pack(tiny_models.conv(2, 3), output_quantization={"y": quantization})
    assert expected in str(caught.value)


def test_only_float_tensors_can_be_quantised() -> None:
    network = tiny_models.identity((1, 4), TensorProto.INT32)
    with pytest.raises(ToolError, match="the output is not float"):
        pack(network, output_quantization={"y": OutputQuantization("int8", None, (1.0,))})
    with pytest.raises(ToolError, match="the input is not float"):
        pack(network, input_quantization={"x": InputQuantization("int8", 1.0)})


@pytest.mark.parametrize("data_type", ["int8", "uint8"])
@pytest.mark.parametrize("element_type", [TensorProto.FLOAT, TensorProto.FLOAT16])
def test_an_input_can_be_an_integer(data_type: str, element_type: int) -> None:
    spec = pack(
        tiny_models.identity((1, 3), element_type),
        input_quantization={"x": InputQuantization(data_type, 0.5, 2)},
    )
    tensor = spec.inputs[0]
    assert DATA_TYPE_NAMES[tensor.data_type] == {"int8": "S8", "uint8": "U8"}[data_type]
    assert (tensor.quanti_type, tensor.quantize_axis) == (1, -1)
    assert (tensor.scale, tensor.zero_point) == ((0.5,), (2,))
    found = run(spec.graph, {"x": np.array([[0, 2, 100]], data_type)})["y"]
    np.testing.assert_array_equal(found, np.float32([[-1, 0, 49]]))


# -- calibration -----------------------------------------------------------------------------------


def save_samples(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


@pytest.mark.parametrize(("data_type", "steps"), [("int8", 127), ("int32", 2**24 - 1)])
def test_missing_scales_come_from_real_inputs(tmp_path: Path, data_type: str, steps: int) -> None:
    samples = np.float32([[1, -2, 3], [-8, 4, 0]])  # two samples of a batch of one
    spec = pack(
        tiny_models.identity((1, 3)),
        output_quantization={"y": OutputQuantization(data_type)},
        calibration=save_samples(tmp_path / "real.npz", x=samples),
    )
    assert spec.outputs[0].scale == pytest.approx((8 / steps,))


def test_calibration_per_axis_takes_each_channels_own_largest_value(tmp_path: Path) -> None:
    samples = np.float32([[[1, -2, 0], [3, 1, 0]], [[-4, 0, 0], [1, 1, 0]]])
    spec = pack(
        tiny_models.identity((2, 3)),
        output_quantization={"y": OutputQuantization("int8", 1)},
        calibration=save_samples(tmp_path / "real.npz", x=samples),
    )
    # The third channel is silent in the samples and takes the range of the loudest.
    assert spec.outputs[0].scale == pytest.approx((4 / 127, 2 / 127, 4 / 127))


@pytest.mark.parametrize(
    ("arrays", "expected"),
    [
        ({"z": np.zeros((1, 3), np.float32)}, "holds z; --calibrate needs one array for each"),
        ({"x": np.zeros((1, 4), np.float32)}, "'x' has the shape [1, 4], expected [1, 3]"),
        ({"x": np.zeros((0, 3), np.float32)}, "must hold equally many samples"),
        ({"x": np.zeros((1, 3), np.float32)}, "output 'y' is zero throughout"),
        ({"x": np.full((1, 3), np.nan, np.float32)}, "or not finite"),
        ({"x": np.zeros((1, 3), np.float64)}, "onnxruntime cannot run the model"),
        ({"x": np.array([[{}, {}, {}]])}, "cannot read"),
    ],
)
def test_a_calibration_file_that_does_not_fit_is_refused(
    tmp_path: Path, arrays: dict[str, Any], expected: str
) -> None:
    with pytest.raises(ToolError) as caught:
        pack(
            tiny_models.identity((1, 3)),
            output_quantization={"y": OutputQuantization("int8")},
            calibration=save_samples(tmp_path / "real.npz", **arrays),
        )
    assert expected in str(caught.value)


@pytest.mark.parametrize("content", [None, b"rubbish"])
def test_a_calibration_file_that_is_none_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "real.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ToolError, match=r"cannot read .*real.npz as .npz"):
        pack(
            tiny_models.identity((1, 3)),
            output_quantization={"y": OutputQuantization("int8")},
            calibration=path,
        )


# -- models that are not good enough ---------------------------------------------------------------


def save(path: Path, model: ModelProto) -> Path:
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize(
    "content", [b"", b"not a model", b"\x08\x08", bytes(range(256)) * 50, b"\x89HBMSIM\n"]
)
def test_a_file_that_is_no_onnx_model_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(content)
    with pytest.raises(ToolError, match="is not an ONNX model"):
        graph.load(path)


def test_a_missing_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match=r"cannot read .*m.onnx: No such file"):
        graph.load(tmp_path / "m.onnx")
    with pytest.raises(ToolError, match="cannot read"):
        graph.load(tmp_path)


def test_weights_in_another_file_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    onnx.save_model(
        tiny_models.slow(1, 64), path, save_as_external_data=True, location="weights.bin"
    )
    with pytest.raises(ToolError, match="keeps the data of 'one' in another file"):
        graph.load(path)


def test_initialisers_that_are_listed_as_inputs_are_none(tmp_path: Path) -> None:
    network = tiny_models.add()
    network.ir_version = 3
    network.opset_import[0].version = 7
    network.graph.input.append(tiny_models.value("constant", ()))
    network.graph.initializer.append(numpy_helper.from_array(np.float32(7), "unused"))
    network.graph.input.append(tiny_models.value("unused", ()))
    spec = pack(graph.load(save(tmp_path / "m.onnx", network)))
    assert [tensor.name for tensor in spec.inputs] == ["x"]
    found = run(spec.graph, {"x": np.zeros((1, 4), np.float32)})["y"]
    np.testing.assert_array_equal(found, np.ones((1, 4), np.float32))


def test_a_model_of_a_newer_onnx_is_refused(tmp_path: Path) -> None:
    network = tiny_models.add()
    network.ir_version = 99
    with pytest.raises(ToolError, match=r"m.onnx is not valid for the installed onnx"):
        graph.load(save(tmp_path / "m.onnx", network))


def test_a_model_too_new_for_the_engine_is_refused() -> None:
    network = tiny_models.add()
    network.ir_version = 99
    expected = r"onnxruntime [\d.]+\) cannot load the model: [^/]*Unsupported model IR version: 99"
    with pytest.raises(ToolError, match=expected):
        engine.load(network, "the model")
    network = tiny_models.add()
    network.opset_import[0].version = 99
    with pytest.raises(ToolError, match=r"cannot load the model: .*Opset 99 is under development"):
        engine.load(network, "the model")


def test_operators_that_the_engine_lacks_are_refused() -> None:
    node = helper.make_node("Teleport", ["x"], ["y"], domain="far.away")
    network = tiny_models.model_of(
        [node], [tiny_models.value("x", (1,))], [tiny_models.value("y", (1,))]
    )
    network.opset_import.append(helper.make_opsetid("far.away", 1))
    options = PackOptions("m")
    packed = pack_model(network, options)
    with pytest.raises(ToolError, match=r"engine \(onnxruntime .*\) cannot load the packed graph"):
        agreement.compare(network, packed, options)


def test_what_is_no_tensor_is_refused() -> None:
    sequence = helper.make_tensor_sequence_value_info("y", TensorProto.FLOAT, (1,))
    node = helper.make_node("SequenceConstruct", ["x"], ["y"])
    network = tiny_models.model_of([node], [tiny_models.value("x", (1,))], [sequence])
    with pytest.raises(ToolError, match="'y' is not a tensor"):
        pack(network)


def test_an_output_that_is_an_input_is_refused() -> None:
    network = tiny_models.identity()
    network.graph.output.append(tiny_models.value("x", (1, 4)))
    with pytest.raises(ToolError, match="'x' is an input and an output at once"):
        pack(network)


def test_an_operator_set_too_old_to_convert_is_refused() -> None:
    node = helper.make_node("Upsample", ["x"], ["y"], mode="nearest", scales=[1.0, 1.0, 2.0, 2.0])
    inputs = [tiny_models.value("x", (1, 3, 4, 4))]
    outputs = [tiny_models.value("y", (1, 3, 8, 8))]
    network = tiny_models.model_of([node], inputs, outputs, opset=8)
    network.graph.node[0].op_type = "Gone"
    with pytest.raises(ToolError, match="--nv12 needs operators of opset 11 or newer, the model"):
        pack(network, nv12_inputs=("x",))


# -- comparison with the source --------------------------------------------------------------------


def compare(network: ModelProto, **options: Any) -> list[agreement.OutputAgreement]:
    chosen = PackOptions("m", **options)
    return agreement.compare(network, pack_model(network, chosen), chosen).outputs


def test_the_comparison_of_an_unchanged_graph_is_exact() -> None:
    for network in (tiny_models.all_types(), tiny_models.two_inputs_three_outputs()):
        assert all(output.is_exact and output.difference == 0 for output in compare(network))


def test_the_comparison_sees_through_nv12_quantisation_scalars_and_names() -> None:
    (output,) = compare(tiny_models.conv(8, 12), nv12_inputs=("x",), rename={"x_y": "luma"})
    assert output.difference <= 0.01 * output.largest

    per_axis = {"y": OutputQuantization("int32", 1, (0.5, 0.25, 0.125, 1.0))}
    (output,) = compare(tiny_models.conv(8, 12), output_quantization=per_axis)
    assert not output.is_exact
    assert 0 < output.difference <= output.step / 2

    (output,) = compare(
        tiny_models.identity((1, 40)), input_quantization={"x": InputQuantization("int8", 0.5, 3)}
    )
    assert output.is_exact

    assert all(output.is_exact for output in compare(tiny_models.scalar_output()))


def test_the_comparison_notices_a_graph_that_computes_something_else() -> None:
    network, options = tiny_models.add(constant=1), PackOptions("m")
    packed = pack_model(tiny_models.add(constant=1.5), options)
    (output,) = agreement.compare(network, packed, options).outputs
    assert not output.is_exact
    assert output.difference == pytest.approx(0.5, abs=1e-6)


def test_the_comparison_notices_a_declared_shape_that_is_wrong() -> None:
    network = tiny_models.nonzero()
    with pytest.raises(ToolError, match=r"'y' came out with the shape \[2, 3\], .* \[2, 7\]"):
        compare(network, shapes={"y": (2, 7)})


def test_a_network_that_refuses_random_input_is_not_compared() -> None:
    node = helper.make_node("Reshape", ["x", "shape"], ["y"])
    inputs = [tiny_models.value("x", (4,)), tiny_models.value("shape", (2,), TensorProto.INT64)]
    network = tiny_models.model_of([node], inputs, [tiny_models.value("y", (2, 2))])
    with pytest.raises(agreement.NotComparedError, match="onnxruntime cannot run the model"):
        compare(network)


def test_without_the_engine_nothing_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(agreement.NotComparedError, match="onnxruntime is not installed"):
        compare(tiny_models.add())
