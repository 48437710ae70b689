# SPDX-License-Identifier: Apache-2.0
"""A model cut into function calls computes what it computed whole, and takes the time it should."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
import tiny_models
from onnx import ModelProto, TensorProto, helper

from hbm_runtime.model_file import CallSpec, ModelSpec
from hbm_runtime.tools.errors import ToolError
from hbm_runtime.tools.packing import calls, engine
from hbm_runtime.tools.packing.build import pack_model
from hbm_runtime.tools.packing.calls import CallRunner, check_calls, plan_calls
from hbm_runtime.tools.packing.cut import Cutter
from hbm_runtime.tools.packing.options import OutputQuantization, PackOptions

pytest.importorskip("onnxruntime", reason="measures and runs the calls")

Array = npt.NDArray[Any]
AS_FINE_AS_POSSIBLE = 1  # microseconds: no graph is that quick


def graphs_of(spec: ModelSpec) -> list[ModelProto]:
    return [onnx.load_from_string(call.graph) for call in spec.calls if call.graph]


def operators(model: ModelProto) -> list[str]:
    return [node.op_type for node in model.graph.node]


def network(blocks: int = 3) -> ModelProto:
    """Blocks of Conv, Relu and a sum with what went in, with weights computed by a node."""
    random = np.random.default_rng(2)
    constants: dict[str, Any] = {"two": np.float32(2)}
    nodes = []
    value = "x"
    for i in range(blocks):
        weights = random.standard_normal((4, 4, 3, 3)).astype(np.float32) / 12
        constants[f"half_{i}"] = weights
        nodes += [
            helper.make_node("Mul", [f"half_{i}", "two"], [f"weights_{i}"]),
            helper.make_node("Conv", [value, f"weights_{i}"], [f"conv_{i}"], pads=[1, 1, 1, 1]),
            helper.make_node("Relu", [f"conv_{i}"], [f"relu_{i}"]),
            helper.make_node("Add", [f"relu_{i}", value], [f"sum_{i}"]),
        ]
        value = f"sum_{i}"
    nodes[-1].output[0] = "y"
    dims = (1, 4, 16, 16)
    return tiny_models.model_of(
        nodes, [tiny_models.value("x", dims)], [tiny_models.value("y", dims)], constants
    )


def random_input(dims: tuple[int, ...] = (1, 4, 16, 16)) -> dict[str, Array]:
    return {"x": np.random.default_rng(4).standard_normal(dims).astype(np.float32)}


def whole(model: ModelProto, inputs: dict[str, Array]) -> dict[str, Array]:
    loaded = engine.load(model, "the model")
    assert loaded is not None
    return loaded.run(inputs)


# -- where a graph is cut --------------------------------------------------------------------------


def test_a_chain_is_cut_into_its_nodes() -> None:
    source = tiny_models.slow(5, 64)
    spec = tiny_models.pack(source, max_time_per_fc_us=AS_FINE_AS_POSSIBLE)
    assert [operators(graph) for graph in graphs_of(spec)] == [["MatMul"]] * 5
    names = [
        ([v.name for v in g.graph.input], [v.name for v in g.graph.output]) for g in graphs_of(spec)
    ]
    assert names == [
        (["x"], ["v0"]), (["v0"], ["v1"]), (["v1"], ["v2"]), (["v2"], ["v3"]), (["v3"], ["y"]),
    ]  # fmt: skip


def test_the_calls_compute_what_the_whole_does() -> None:
    source = network()
    packed = pack_model(source, PackOptions("m", max_time_per_fc_us=AS_FINE_AS_POSSIBLE))
    assert len(packed.spec.calls) > 1
    inputs = random_input()
    found = CallRunner(packed.spec.calls).run(inputs)["y"]
    expected = whole(source, inputs)["y"]
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-6 * np.abs(expected).max())


def test_nodes_that_the_engine_computes_together_stay_together() -> None:
    source = network()
    cutter = Cutter(source)
    assert cutter.count == 9  # Conv, Relu and Add three times; the products of constants are none
    rows = [
        operators(cutter.part(begin, end))
        for begin, end in zip([0, *cutter.positions], [*cutter.positions, 9], strict=True)
    ]
    assert all(row[-1] != "Conv" for row in rows)


def test_computed_constants_are_copied_not_handed_over() -> None:
    spec = tiny_models.pack(network(), max_time_per_fc_us=AS_FINE_AS_POSSIBLE)
    for graph in graphs_of(spec):
        assert not any(value.name.startswith("weights") for value in graph.graph.input)
        assert operators(graph).count("Mul") == operators(graph).count("Conv")


def test_the_largest_intermediate_value_may_be_an_output_too() -> None:
    source = tiny_models.slow(3, 32)
    source.graph.output.append(tiny_models.value("v0", (32, 32)))
    spec = tiny_models.pack(source, max_time_per_fc_us=AS_FINE_AS_POSSIBLE)
    made = [value.name for graph in graphs_of(spec) for value in graph.graph.output]
    assert made.count("v0") == made.count("y") == 1
    inputs = random_input((32, 32))
    values = CallRunner(spec.calls).run(inputs)
    np.testing.assert_array_equal(values["v0"], inputs["x"])


def test_what_a_branch_reads_crosses_a_cut() -> None:
    size = (64, 64)
    branches = [
        helper.make_graph(
            [helper.make_node(operator, ["first", "x"], [f"{operator}_result"])],
            operator,
            [],
            [tiny_models.value(f"{operator}_result", size)],
        )
        for operator in ("Add", "Sub")
    ]
    nodes = [
        helper.make_node("MatMul", ["x", "x"], ["first"]),
        helper.make_node("MatMul", ["first", "x"], ["second"]),
        helper.make_node(
            "If", ["yes"], ["third"], then_branch=branches[0], else_branch=branches[1]
        ),
        helper.make_node("MatMul", ["third", "second"], ["y"]),
    ]
    inputs = [tiny_models.value("yes", (1,), TensorProto.BOOL), tiny_models.value("x", size)]
    source = tiny_models.model_of(nodes, inputs, [tiny_models.value("y", size)])
    spec = tiny_models.pack(source, max_time_per_fc_us=AS_FINE_AS_POSSIBLE)
    branch = next(graph for graph in graphs_of(spec) if "If" in operators(graph))
    assert {"first", "x", "yes"} <= {value.name for value in branch.graph.input}
    fed = {**random_input(size), "yes": np.array([True])}
    np.testing.assert_array_equal(CallRunner(spec.calls).run(fed)["y"], whole(source, fed)["y"])


def test_what_is_no_tensor_is_not_handed_over() -> None:
    nodes = [
        helper.make_node("MatMul", ["x", "x"], ["first"]),
        helper.make_node("SequenceConstruct", ["first", "x"], ["both"]),
        helper.make_node("ConcatFromSequence", ["both"], ["joined"], axis=1),
        helper.make_node("MatMul", ["x", "joined"], ["y"]),
    ]
    source = tiny_models.model_of(
        nodes, [tiny_models.value("x", (32, 32))], [tiny_models.value("y", (32, 64))]
    )
    spec = tiny_models.pack(source, max_time_per_fc_us=AS_FINE_AS_POSSIBLE)
    rows = [operators(graph) for graph in graphs_of(spec)]
    assert ["SequenceConstruct", "ConcatFromSequence"] in [row[:2] for row in rows]


def test_a_value_whose_type_only_the_engine_knows_is_handed_over() -> None:
    source = tiny_models.slow(4, 32)
    source.graph.node.insert(2, helper.make_node("FusedMatMul", ["v1", "one"], ["w"]))
    source.graph.node[2].domain = "com.microsoft"  # of which onnx infers nothing
    source.graph.node[3].input[0] = "w"
    source.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    spec = tiny_models.pack(source, max_time_per_fc_us=AS_FINE_AS_POSSIBLE)
    assert [operators(graph) for graph in graphs_of(spec)][2] == ["FusedMatMul"]


def test_nodes_that_no_output_needs_are_left_out() -> None:
    source = tiny_models.slow(3, 32)
    source.graph.node.append(helper.make_node("Relu", ["v0"], ["nowhere"]))
    spec = tiny_models.pack(source, max_time_per_fc_us=AS_FINE_AS_POSSIBLE)
    assert all("Relu" not in operators(graph) for graph in graphs_of(spec))


def test_renamed_nv12_and_quantised_models_can_be_cut() -> None:
    spec = tiny_models.pack(
        tiny_models.conv(32, 48),
        nv12_inputs=("x",),
        rename={"x_y": "luma", "y": "out"},
        output_quantization={"y": OutputQuantization("int8", None, (0.5,))},
        max_time_per_fc_us=AS_FINE_AS_POSSIBLE,
    )
    assert len(spec.calls) > 2
    random = np.random.default_rng(0)
    fed = {
        "luma": random.integers(0, 256, (1, 32, 48, 1), np.uint8),
        "x_uv": random.integers(0, 256, (1, 16, 24, 2), np.uint8),
    }
    assert CallRunner(spec.calls).run(fed)["out"].dtype == np.int8


def test_a_dynamic_model_can_be_cut() -> None:
    dims = ("N", 8)
    nodes = [
        helper.make_node("MatMul", ["x", "one"], ["a"]),
        helper.make_node("MatMul", ["a", "one"], ["y"]),
    ]
    source = tiny_models.model_of(
        nodes,
        [tiny_models.value("x", dims)],
        [tiny_models.value("y", dims)],
        {"one": np.eye(8, dtype=np.float32)},
    )
    spec = tiny_models.pack(
        source, dynamic=True, max_shapes={"x": (9, 8)}, max_time_per_fc_us=AS_FINE_AS_POSSIBLE
    )
    assert len(spec.calls) == 2
    for rows in (1, 9):
        inputs = random_input((rows, 8))
        np.testing.assert_array_equal(CallRunner(spec.calls).run(inputs)["y"], inputs["x"])


def test_an_input_that_nothing_uses_belongs_to_the_first_call(tmp_path: Path) -> None:
    from hbm_runtime import HB_HBMRuntime

    source = tiny_models.slow(3, 32)
    source.graph.input.append(tiny_models.value("spare", (2,)))
    spec = tiny_models.pack(source, max_time_per_fc_us=AS_FINE_AS_POSSIBLE)
    inputs = [[value.name for value in graph.graph.input] for graph in graphs_of(spec)]
    assert inputs == [["x", "spare"], ["v0"], ["v1"]]
    runtime = HB_HBMRuntime(str(tiny_models.save(tmp_path / "m.hbm", spec)))
    fed = {**random_input((32, 32)), "spare": np.zeros(2, np.float32)}
    np.testing.assert_array_equal(runtime.run(fed)["tiny"]["y"], fed["x"])


def test_an_output_that_is_a_constant_comes_from_the_last_call() -> None:
    source = tiny_models.slow(3, 32)
    source.graph.output.append(tiny_models.value("one", (32, 32)))
    spec = tiny_models.pack(source, max_time_per_fc_us=AS_FINE_AS_POSSIBLE)
    assert [value.name for value in graphs_of(spec)[-1].graph.output] == ["y", "one"]


def test_a_long_chain_is_divided_evenly() -> None:
    cutter = Cutter(tiny_models.slow(4000, 2))
    assert len(cutter.positions) == 3999
    assert cutter.split(0, 4000, 4) == [(0, 1000), (1000, 2000), (2000, 3000), (3000, 4000)]
    assert cutter.split(7, 8, 4) == [(7, 8)]


# -- time ------------------------------------------------------------------------------------------


def plan(source: ModelProto, most_us: int, latency_us: int) -> calls.CallPlan:
    shape = tuple(dim.dim_value for dim in source.graph.input[0].type.tensor_type.shape.dim)
    return plan_calls(source, most_us, latency_us, random_input(shape), lambda *_: None)


def test_without_a_limit_there_is_one_call() -> None:
    spec = tiny_models.pack(tiny_models.slow(5, 64), latency_us=5_000_000)
    assert (len(spec.calls), spec.latency_us, spec.max_time_per_fc_us) == (1, 5_000_000, 0)


def test_a_model_that_is_quick_enough_is_one_call_that_may_be_preempted() -> None:
    spec = tiny_models.pack(tiny_models.add(), max_time_per_fc_us=1_000_000)
    assert (len(spec.calls), spec.max_time_per_fc_us) == (1, 1_000_000)


def test_a_given_latency_becomes_calls_that_only_take_time() -> None:
    spec = tiny_models.pack(tiny_models.add(), latency_us=2_300_000, max_time_per_fc_us=1_000_000)
    assert [call.latency_us for call in spec.calls] == [1_000_000, 1_000_000, 300_000]
    assert [bool(call.graph) for call in spec.calls] == [True, False, False]


def test_a_slow_graph_shares_a_given_latency_out() -> None:
    spec = tiny_models.pack(
        tiny_models.slow(6, 64), latency_us=600, max_time_per_fc_us=AS_FINE_AS_POSSIBLE
    )
    assert len(graphs_of(spec)) == 6
    assert spec.latency_us == 600
    assert max(call.latency_us for call in spec.calls) <= 1


def test_too_many_calls_are_refused_before_anything_is_measured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(calls, "_measure", None)
    with pytest.raises(ToolError, match="--max-time-per-fc 1 would make 5000 function calls, more"):
        plan(tiny_models.add(), 1, 5000)


def test_a_call_that_cannot_be_cut_is_named() -> None:
    one = tiny_models.slow(1, 64)
    one.graph.node[0].name = "the_one"
    found = plan(one, AS_FINE_AS_POSSIBLE, 0)
    assert found.longest_node == "the_one"
    assert len(found.calls) == 1
    assert found.whole_us > AS_FINE_AS_POSSIBLE
    assert plan(one, 10_000_000, 0).longest_node == ""


def test_without_the_engine_nothing_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(ToolError, match=r"--max-time-per-fc runs the model: pip install"):
        plan(tiny_models.add(), 10, 0)


# -- the check -------------------------------------------------------------------------------------


def test_calls_that_compute_something_else_are_noticed() -> None:
    source = tiny_models.slow(4, 32)
    found = plan(source, AS_FINE_AS_POSSIBLE, 0)
    inputs = random_input((32, 32))
    assert check_calls(source, found, {}, [inputs]) == 0.0

    wrong = onnx.load_from_string(found.calls[2].graph)
    tensor = wrong.graph.initializer[0]
    tensor.CopyFrom(onnx.numpy_helper.from_array(np.eye(32, dtype=np.float32) * 1.001, tensor.name))
    changed = [*found.calls]
    changed[2] = CallSpec(wrong.SerializeToString())
    with pytest.raises(ToolError, match="output 'y' of the model cut into calls differs by"):
        check_calls(source, found._replace(calls=tuple(changed)), {}, [inputs])


# -- on the simulator ------------------------------------------------------------------------------


def test_the_simulator_runs_the_calls(tmp_path: Path) -> None:
    from hbm_runtime import HB_HBMRuntime

    source = network(6)
    cut = pack_model(source, PackOptions("cut", max_time_per_fc_us=AS_FINE_AS_POSSIBLE))
    assert len(cut.spec.calls) > 4
    timed = tiny_models.pack(source, "timed", latency_us=1000, max_time_per_fc_us=100)
    runtime = HB_HBMRuntime(str(tiny_models.save(tmp_path / "cut.hbm", cut.spec, timed)))
    inputs = random_input()
    expected = CallRunner(cut.spec.calls).run(inputs)["y"]
    np.testing.assert_array_equal(runtime.run(inputs, model_name="cut")["cut"]["y"], expected)
    found = runtime.run(inputs, model_name="timed")["timed"]["y"]
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-6 * np.abs(expected).max())
