# SPDX-License-Identifier: Apache-2.0
"""No file leads the reader astray, in Python or in the simulator, or to another file."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import tiny_models
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import ModelProto, TensorProto, helper

from hbm_runtime import model_file
from hbm_runtime._loading import library as library_choice
from hbm_runtime.model_file import CallSpec, ModelFileError, ModelSpec, writer
from hbm_runtime.tools.packing.options import OutputQuantization

pytest.importorskip("onnxruntime", reason="the simulator loads the models that are good")

MODEL_INVALID = -600002
_PROGRAM = """
import ctypes, sys
dnn = ctypes.CDLL(sys.argv[1])
for line in sys.stdin:
    handle = ctypes.c_void_p()
    files = (ctypes.c_char_p * 1)(line.strip().encode())
    print("file", file=sys.stderr, flush=True)
    status = dnn.hbDNNInitializeFromFiles(ctypes.byref(handle), files, 1)
    if status == 0:
        dnn.hbDNNRelease(handle)
    print(status, flush=True)
"""


class Simulator:
    """The simulator's reader in a process of its own, with nothing of Python before it."""

    def __init__(self, folder: Path, engine: Path) -> None:
        library = Path(library_choice.SIMULATOR_FOLDER) / "libdnn.so"
        self._log = folder / "log.txt"
        self._path = folder / "m.hbm"
        environment = {**os.environ, "HBM_SIM_ENGINE": str(engine), "HB_UCP_LOG_LEVEL": "3"}
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM, str(library)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
                env=environment,
            )  # fmt: skip

    def why_refused(self, data: bytes) -> tuple[int, str]:
        """The status, and what the log says of this file."""
        self._path.write_bytes(data)
        return self.load(str(self._path))

    def load(self, path: str) -> tuple[int, str]:
        """The same of the file at a path."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        before = self._log.stat().st_size
        self._process.stdin.write(f"{path}\n")
        self._process.stdin.flush()
        status = int(self._process.stdout.readline())
        return status, self._log.read_text(encoding="utf-8", errors="replace")[before:]

    def close(self) -> None:
        self._process.communicate(timeout=60)
        assert self._process.returncode == 0


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    import onnxruntime

    folder = Path(onnxruntime.__file__).parent / "capi"
    engine = max(folder.glob("libonnxruntime.so.*"))
    running = Simulator(tmp_path_factory.mktemp("simulator"), engine)
    yield running
    running.close()


def bytes_of(*models: ModelSpec) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return tiny_models.save(Path(folder) / "m.hbm", *models).read_bytes()


def resealed(data: bytes) -> bytes:
    """The same bytes with the checksum of the metadata made to fit again."""
    size = struct.unpack_from("<Q", data, 24)[0]
    return data[:12] + struct.pack("<I", zlib.crc32(data[32 : 32 + size])) + data[16:]


def is_read(path: Path, data: bytes) -> bool:
    """Whether the bytes are read, and would be written as they are; or refused."""
    path.write_bytes(data)
    if model_file.why_unreadable(path) is not None:  # any other exception ends the test
        return False
    assert b"".join(writer._chunks(model_file.read(path))) == data
    return True


def good_file() -> bytes:
    quantization = {"y": OutputQuantization("int8", 1, (0.5, 0.25, 1.0, 2.0))}
    cut = tiny_models.pack(
        tiny_models.conv(4, 6), "cut", output_quantization=quantization, latency_us=3_000_000,
        max_time_per_fc_us=1_000_000, tensor_descriptions={"x": "ü"},
    )  # fmt: skip
    return bytes_of(cut, tiny_models.pack(tiny_models.dynamic(), "d", dynamic=True,
                                          max_shapes={"x": (1, 3, 4, 5)}))  # fmt: skip


GOOD_FILE = good_file()


def test_a_good_file_is_read_and_one_that_is_cut_off_refused(tmp_path: Path) -> None:
    data = GOOD_FILE
    assert is_read(tmp_path / "m.hbm", data)
    for size in range(0, len(data), 7):
        assert not is_read(tmp_path / "m.hbm", data[:size])
    assert not is_read(tmp_path / "m.hbm", data + b"\0")


def test_a_flipped_bit_of_the_metadata_is_refused_or_read_as_it_is(tmp_path: Path) -> None:
    data = GOOD_FILE
    size = struct.unpack_from("<Q", data, 24)[0]
    verdicts = []
    for position in range(32, 32 + size):
        for bit in (0, 2, 6, 7):
            flipped = bytearray(data)
            flipped[position] ^= 1 << bit
            verdicts.append(is_read(tmp_path / "m.hbm", resealed(bytes(flipped))))
    assert 0 < sum(verdicts) < len(verdicts)


numbers = st.sampled_from([
    0, 1, 2, 3, 4, 64, 127, 255, 4096, 65536, 2**31 - 1, 2**31, 2**32 - 1,
])  # fmt: skip


@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    edits=st.lists(
        st.tuples(st.integers(0, 1000), numbers, st.sampled_from("IQ")), min_size=1, max_size=4
    )
)
def test_numbers_at_any_place_are_refused_or_read_as_they_are(
    tmp_path: Path, edits: list[tuple[int, int, str]]
) -> None:
    data = bytearray(GOOD_FILE)
    size = struct.unpack_from("<Q", data, 24)[0]
    for place, number, code in edits:
        at = 32 + place % (size - 8)
        struct.pack_into(f"<{code}", data, at, number)
    is_read(tmp_path / "m.hbm", resealed(bytes(data)))


# -- graphs ----------------------------------------------------------------------------------------


def external(path: str) -> TensorProto:
    """A tensor whose data would be in another file."""
    tensor = TensorProto(name="constant", data_type=TensorProto.FLOAT, dims=[1])
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=path)
    return tensor


def in_initializer(model: ModelProto, tensor: TensorProto) -> None:
    model.graph.initializer[0].CopyFrom(tensor)


def in_attribute(model: ModelProto, tensor: TensorProto) -> None:
    del model.graph.initializer[:]
    model.graph.node.insert(0, helper.make_node("Constant", [], ["constant"], value=tensor))


def in_branch(model: ModelProto, tensor: TensorProto) -> None:
    inner = helper.make_graph([], "inner", [], [], [tensor])
    model.graph.node.append(helper.make_node("If", ["x"], ["z"], then_branch=inner))


def in_list(model: ModelProto, tensor: TensorProto) -> None:
    model.graph.node.append(helper.make_node("Any", ["x"], ["z"], many=[tensor, tensor]))


def in_function(model: ModelProto, tensor: TensorProto) -> None:
    node = helper.make_node("Constant", [], ["c"], value=tensor)
    model.functions.append(
        helper.make_function("d", "f", [], ["c"], [node], [helper.make_opsetid("", 13)])
    )


def in_training(model: ModelProto, tensor: TensorProto) -> None:
    model.training_info.add().algorithm.initializer.append(tensor)


def in_sparse(model: ModelProto, tensor: TensorProto) -> None:
    model.graph.sparse_initializer.add().indices.CopyFrom(tensor)


PLACES = [in_initializer, in_attribute, in_branch, in_list, in_function, in_training, in_sparse]


def with_graph(graph: bytes) -> bytes:
    """A file with this graph, whatever the writer would say of it."""
    good = tiny_models.pack(tiny_models.add())
    odd = b"\x12\x01p" if len(graph) % 2 else b""
    placeholder = odd + b"\x12\x00" * ((len(graph) - len(odd)) // 2)  # empty producer names
    data = bytes_of(replace(good, calls=(CallSpec(placeholder),)))
    crc = struct.pack("<I", zlib.crc32(placeholder))
    data = data.replace(crc, struct.pack("<I", zlib.crc32(graph)))
    return resealed(data[: -len(graph)] + graph)


@pytest.mark.parametrize("put", PLACES)
def test_data_in_another_file_is_refused_and_the_file_never_opened(
    simulator: Simulator, tmp_path: Path, put: Callable[[ModelProto, TensorProto], None]
) -> None:
    os.mkfifo(tmp_path / "pipe")  # whoever opens it waits for ever, and the test fails
    model = tiny_models.add()
    put(model, external(str(tmp_path / "pipe")))
    data = with_graph(model.SerializeToString())
    path = tmp_path / "m.hbm"
    path.write_bytes(data)
    with pytest.raises(ModelFileError, match=r"calls\[0\].graph: keeps data of a tensor in anoth"):
        model_file.read(path)
    status, log = simulator.why_refused(data)
    assert status == MODEL_INVALID
    assert "keeps data of a tensor in another file" in log
    spec = tiny_models.pack(tiny_models.add())
    with pytest.raises(ModelFileError, match="keeps data of a tensor in another file"):
        tiny_models.save(path, replace(spec, calls=(CallSpec(model.SerializeToString()),)))


@pytest.mark.parametrize(
    ("graph", "expected"),
    [
        (b"rubbish", "is no ONNX model"),
        (b"\x08\x08\x12\x7f", "ends inside a field"),
        (b"\x12\x06..ORTM..", "own format"),
        (b"\x3b\x3c", "wire type"),
    ],
)
def test_what_is_no_onnx_model_never_reaches_the_engine(
    simulator: Simulator, tmp_path: Path, graph: bytes, expected: str
) -> None:
    data = with_graph(graph)
    (tmp_path / "m.hbm").write_bytes(data)
    why = model_file.why_unreadable(tmp_path / "m.hbm")
    assert why is not None
    assert expected in why
    status, log = simulator.why_refused(data)
    assert status == MODEL_INVALID
    assert why.removeprefix(f"{tmp_path / 'm.hbm'}: ") in log


@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.data())
def test_damaged_graphs_are_refused_or_read_as_they_are(
    tmp_path: Path, data: st.DataObject
) -> None:
    graph = bytearray(tiny_models.conv(4, 4).SerializeToString())
    for _ in range(data.draw(st.integers(1, 3))):
        graph[data.draw(st.integers(0, len(graph) - 1))] = data.draw(st.integers(0, 255))
    is_read(tmp_path / "m.hbm", with_graph(bytes(graph)))


_PEAK_PROGRAM = """
import resource, sys
from hbm_runtime import model_file
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
assert model_file.why_unreadable(sys.argv[1]) is None
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_a_graph_of_millions_of_empty_messages_costs_no_memory(tmp_path: Path) -> None:
    inner = b"\x0a\x00" * 4_000_000  # nodes
    size, length = len(inner), bytearray()
    while size >= 0x80:
        length.append(size & 0x7F | 0x80)
        size >>= 7
    data = with_graph(b"\x3a" + bytes([*length, size]) + inner)
    (tmp_path / "m.hbm").write_bytes(data)
    program = [sys.executable, "-c", _PEAK_PROGRAM, tmp_path / "m.hbm"]
    grown = int(subprocess.run(program, check=True, capture_output=True).stdout)  # KiB
    assert grown < len(data) / 1024 + 4096  # the bytes themselves, not a word for each message


def test_the_simulator_prints_no_control_character_of_a_path(simulator: Simulator) -> None:
    status, log = simulator.load("/missing\x1b[31m\x7f.hbm")
    assert status != 0
    assert r"/missing\x1b[31m\x7f.hbm: there is no such file" in log
    assert all(line.isprintable() for line in log.split("\n"))
