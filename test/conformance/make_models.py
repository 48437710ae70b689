# SPDX-License-Identifier: Apache-2.0
"""Writes the model files of the conformance suite, good ones and broken ones, into a folder."""

from __future__ import annotations

import argparse
import json
import sys
import types
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from onnx import NodeProto, TensorProto, helper, numpy_helper

ROOT = Path(__file__).resolve().parents[2]
try:
    import hbm_runtime._core  # noqa: F401
except ImportError:
    # The sanitizers' builds have no C++ part of the package. Its writer is Python, apart from the
    # check of what it wrote, which the simulator does here anyway.
    package = types.ModuleType("hbm_runtime")
    package.__path__ = [str(ROOT / "hbm_runtime")]
    core = types.ModuleType("hbm_runtime._core")
    core.MODEL_FILE_MAGIC = b"\x89HBMSIM\n"  # type: ignore[attr-defined]
    core.MODEL_FILE_VERSION = 2  # type: ignore[attr-defined]
    core.read_model_file = lambda *_: None  # type: ignore[attr-defined]
    core.__getattr__ = lambda _: 1 << 20  # type: ignore[method-assign]  # limits
    package._core = core  # type: ignore[attr-defined]
    sys.modules.update({"hbm_runtime": package, "hbm_runtime._core": core})

from hbm_runtime import model_file
from hbm_runtime.model_file import (
    DATA_TYPE_NAMES,
    ELEMENT_SIZES,
    QUANTI_SCALE,
    CallSpec,
    ModelFile,
    ModelSpec,
    TensorSpec,
    storage_shape,
)

# hbDNNDataType to ONNX; S4 and U4 have a model of their own.
ONNX_TYPES = {
    "S4": TensorProto.INT4,
    "U4": TensorProto.UINT4,
    "S8": TensorProto.INT8,
    "U8": TensorProto.UINT8,
    "F16": TensorProto.FLOAT16,
    "S16": TensorProto.INT16,
    "U16": TensorProto.UINT16,
    "F32": TensorProto.FLOAT,
    "S32": TensorProto.INT32,
    "U32": TensorProto.UINT32,
    "F64": TensorProto.DOUBLE,
    "S64": TensorProto.INT64,
    "U64": TensorProto.UINT64,
    "BOOL8": TensorProto.BOOL,
}
WHOLE_BYTES = DATA_TYPE_NAMES[2:]


def tensor(
    name: str,
    data_type: str,
    shape: Sequence[int],
    strides: Sequence[int] | None = None,
    size: int | None = None,
    **more: object,
) -> TensorSpec:
    """A tensor with dense strides and a size in multiples of 128 bytes unless given."""
    number = DATA_TYPE_NAMES.index(data_type)
    if strides is None:
        step = ELEMENT_SIZES[number]
        dense = []
        for dim in reversed(storage_shape(number, shape)):
            dense.append(step)
            step *= dim
        strides = dense[::-1]
    if size is None:
        size = -(-strides[0] * shape[0] // 128) * 128
    return replace(TensorSpec(name, number, tuple(shape), tuple(strides), size), **more)


def graph(
    nodes: Sequence[NodeProto],
    inputs: Sequence[TensorSpec],
    outputs: Sequence[TensorSpec],
    opset: int = 13,
    **constants: np.ndarray,
) -> bytes:
    """The ONNX model of these nodes on these tensors."""

    def value(spec: TensorSpec, side: str) -> object:
        dims = [f"{side}_{axis}" if dim == -1 else dim for axis, dim in enumerate(spec.shape)]
        return helper.make_tensor_value_info(
            spec.name, ONNX_TYPES[DATA_TYPE_NAMES[spec.data_type]], dims
        )

    body = helper.make_graph(
        nodes,
        "conformance",
        [value(spec, spec.name) for spec in inputs],
        [value(spec, spec.name) for spec in outputs],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    made = helper.make_model(body, opset_imports=[helper.make_opsetid("", opset)])
    made.ir_version = 10 if opset >= 21 else 8
    return made.SerializeToString()


def description(name: str, march: str, cores: int = 1, call_us: int = 0) -> str:
    """The JSON that boards give as a model's description, with the keys that programs read."""
    return json.dumps(
        {
            "BUILDER_VERSION": "conformance",
            "MARCH": march or "any",
            "MODEL_PREFIX": name,
            "CORE_NUM": cores,
            "MAX_TIME_PER_FC": call_us,
        }
    )


def double(
    name: str,
    shape: Sequence[int] = (1, 4),
    latencies_us: Sequence[int] = (0,),
    cores: int = 1,
    call_us: int = 0,
    **texts: str,
) -> ModelSpec:
    """Give x + x on F32, in function calls of these latencies; the first one computes."""
    x = tensor("x", "F32", shape, description=texts.get("x", ""))
    y = tensor("y", "F32", shape, description=texts.get("y", ""))
    bytes_ = graph([helper.make_node("Add", ["x", "x"], ["y"])], [x], [y])
    first, *others = latencies_us
    calls = (CallSpec(bytes_, first), *(CallSpec(b"", us) for us in others))
    return ModelSpec(
        name, inputs=(x,), outputs=(y,), calls=calls, core_count=cores, max_time_per_fc_us=call_us,
        description=description(name, "", cores, call_us),
    )  # fmt: skip


def one_node(
    name: str, node: NodeProto, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec],
    opset: int = 13,
) -> ModelSpec:  # fmt: skip
    """A model of one node."""
    return ModelSpec(name, graph([node], inputs, outputs, opset), inputs, outputs)


def identities(name: str, pairs: Sequence[tuple[TensorSpec, TensorSpec]]) -> ModelSpec:
    """Each output is the input beside it."""
    inputs = [source for source, _ in pairs]
    outputs = [target for _, target in pairs]
    nodes = [helper.make_node("Identity", [source.name], [target.name]) for source, target in pairs]
    return ModelSpec(name, graph(nodes, inputs, outputs), inputs, outputs)


def basic() -> ModelFile:
    """Two models, descriptions with NULs and without any text."""
    x = tensor("x", "F32", (2, 3))
    negate = one_node("negate", helper.make_node("Neg", ["x"], ["y"]), [x], [replace(x, name="y")])
    first = double("double", x="four\0inputs", y="\0doubled\0")
    return ModelFile((first, negate), "two models in one file")


def twin() -> ModelFile:
    """The name of another file's model again, and a new one."""
    return ModelFile((double("double", (1, 8)), double("other")))


def nv12(height: int = 6, width: int = 70) -> ModelFile:
    """The planes of an NV12 picture with the caller's strides, given out densely."""
    luma, chroma = (1, height, width, 1), (1, height // 2, width // 2, 2)
    pairs = [
        (tensor("image_y", "U8", luma, (-1, -1, 1, 1), -1), tensor("luma", "U8", luma)),
        (tensor("image_uv", "U8", chroma, (-1, -1, 2, 1), -1), tensor("chroma", "U8", chroma)),
    ]
    return ModelFile((identities("camera", pairs),))


def head() -> ModelFile:
    """A detector's head as boards pad it, and a classifier's scores with their larger size."""
    shape, strides = (1, 21, 21, 255), (451584, 21504, 1024, 4)
    x, y = (tensor(name, "S32", shape, strides, 451584) for name in "xy")
    scores = [tensor(name, "F32", (1, 1000), size=4096) for name in "xy"]
    return ModelFile(
        (
            one_node("head", helper.make_node("Add", ["x", "x"], ["y"]), [x], [y]),
            one_node("scores", helper.make_node("Neg", ["x"], ["y"]), scores[:1], scores[1:]),
        )
    )


def all_types() -> ModelFile:
    """Every type of whole bytes in one model; S4 and U4, which the engine only transposes."""
    pairs = [
        (tensor(f"in_{name}", name, (1, 5)), tensor(f"out_{name}", name, (1, 5)))
        for name in WHOLE_BYTES
    ]
    models = [identities("types", pairs)]
    for name in ("S4", "U4"):
        x, y = tensor("x", name, (2, 6)), tensor("y", name, (6, 2))
        swap = helper.make_node("Transpose", ["x"], ["y"], perm=[1, 0])
        models.append(one_node(name.lower(), swap, [x], [y], opset=21))
    return ModelFile(models)


def quantized() -> ModelFile:
    """Scales per tensor and per axis, with zero points and without."""
    per_tensor = {"quanti_type": QUANTI_SCALE, "quantize_axis": -1, "scale": (0.5,)}
    per_axis = {"quanti_type": QUANTI_SCALE, "quantize_axis": 1, "scale": (0.25, 0.5, 1.0)}
    pairs = [
        (tensor("a", "S8", (1, 4), **per_tensor, zero_point=(3,)), tensor("a_out", "S8", (1, 4))),
        (
            tensor("b", "S8", (2, 3), (64, 1), **per_axis),
            tensor("b_out", "S8", (2, 3), **per_axis, zero_point=(-1, 0, 4)),
        ),
    ]
    return ModelFile((identities("quantized", pairs),))


def dynamic() -> ModelFile:
    """Rows by the caller's choice, with room and without, and a shape that the values decide."""
    add = helper.make_node("Add", ["x", "x"], ["y"])
    rows = tensor("x", "F32", (-1, 4), (-1, 4), -1)
    six = tensor("x", "F32", (1, 6))
    found = tensor("y", "S64", (2, -1), (-1, 8), 2 * 6 * 8)
    return ModelFile(
        (
            one_node("rows", add, [rows], [tensor("y", "F32", (-1, 4), (-1, 4), 1024)]),
            one_node("tight", add, [rows], [tensor("y", "F32", (-1, 4), (-1, 4), 16)]),
            one_node("found", helper.make_node("NonZero", ["x"], ["y"]), [six], [found]),
        )
    )


def slow() -> ModelFile:
    """Models that keep a core busy."""
    return ModelFile(
        (
            double("slow_200ms", latencies_us=[200_000]),
            double("slow_10s", latencies_us=[10_000_000]),
            double("quick"),
        )
    )


def calls() -> ModelFile:
    """Models with function-call boundaries and one without, for the order of running."""
    x, middle, y = (tensor(name, "F32", (1, 4)) for name in ("x", "middle", "y"))
    halves = (
        CallSpec(graph([helper.make_node("Add", ["x", "x"], ["middle"])], [x], [middle])),
        CallSpec(b"", 1000),
        CallSpec(graph([helper.make_node("Add", ["middle", "middle"], ["y"])], [middle], [y])),
    )
    chained = ModelSpec("chained", inputs=[x], outputs=[y], calls=halves, max_time_per_fc_us=1000)
    cut = double("cut", latencies_us=[50_000] * 12, call_us=50_000)
    return ModelFile((cut, double("whole", latencies_us=[600_000]), double("quick"), chained))


def cores() -> ModelFile:
    """Models for two cores, for four and for one."""
    return ModelFile(
        (
            double("pair", latencies_us=[100_000], cores=2),
            double("quad", latencies_us=[50_000], cores=4),
            double("single", latencies_us=[50_000]),
        )
    )


def broken(folder: Path) -> None:
    """Files that must be refused."""
    good = (folder / "basic.hbm").read_bytes()
    x, y = (tensor(name, "F32", (1, 4)) for name in "xy")
    other = one_node("t", helper.make_node("Neg", ["x"], ["y"]), [x], [y])
    integers = [replace(spec, data_type=DATA_TYPE_NAMES.index("S32")) for spec in (x, y)]
    no_graph = replace_graph(other, b"\x0a\x03abc")
    model_file.write(folder / "no_graph.hbm", ModelFile((no_graph,)))
    wrong_type = ModelSpec("t", other.graph, integers[:1], integers[1:])
    model_file.write(folder / "other_type.hbm", ModelFile((wrong_type,)))
    (folder / "empty.hbm").write_bytes(b"")
    (folder / "foreign.hbm").write_bytes(b"no model of the simulator " * 40)
    (folder / "truncated.hbm").write_bytes(good[:-40])
    (folder / "longer.hbm").write_bytes(good + b"\0")
    (folder / "damaged_metadata.hbm").write_bytes(good[:60] + bytes([good[60] ^ 1]) + good[61:])
    (folder / "damaged_graph.hbm").write_bytes(good[:-3] + bytes([good[-3] ^ 1]) + good[-2:])
    for name, version in (("older", 1), ("newer", 99)):
        changed = good[:8] + version.to_bytes(4, "little") + good[12:]
        (folder / f"{name}.hbm").write_bytes(changed)


def replace_graph(model: ModelSpec, bytes_: bytes) -> ModelSpec:
    """The model with another graph."""
    return ModelSpec(model.name, bytes_, model.inputs, model.outputs)


def write_all(folder: Path) -> None:
    """Writes every file of the suite into the folder, which is made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    makers = (basic, twin, nv12, head, quantized, dynamic, slow, calls, cores)
    files = {maker.__name__: maker() for maker in makers}
    files["types"] = all_types()
    for letter in "empb":
        march = f"nash-{letter}"
        files[f"march_{letter}"] = ModelFile((double("double"),), march=march)
    for name, content in files.items():
        model_file.write(folder / f"{name}.hbm", content)
    broken(folder)


def main() -> None:
    """Writes the files into the folder of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    write_all(parser.parse_args().folder)


if __name__ == "__main__":
    main()
