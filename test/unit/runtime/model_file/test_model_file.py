# SPDX-License-Identifier: Apache-2.0
"""The model file: what is written is read again, and nothing broken is ever believed."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tiny_models
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hbm_runtime import _core, model_file
from hbm_runtime.model_file import CallSpec, ModelFile, ModelFileError, ModelSpec, TensorSpec

X = TensorSpec("x", 7, (1, 3), (32, 4), 128)
NV12_UV = TensorSpec("x_uv", 3, (1, 4, 6, 2), (-1, -1, 2, 1), -1, "chroma")
DYNAMIC_X = TensorSpec("x", 7, (-1, 3), (-1, 4), -1)
DYNAMIC_Y = TensorSpec("y", 7, (-1, 3), (-1, 4), 128)
S4 = TensorSpec("s4", 0, (2, 6), (32, 1), 128)
PER_TENSOR = TensorSpec("q", 2, (1, 3), (32, 1), 128, "", 1, -1, (0.1,), (3,))
PER_AXIS = TensorSpec("head", 8, (1, 2, 3), (24, 12, 4), 128, "", 1, 2, (0.5, 0.25, 2.0))
GRAPH = b"\x12\x07a graph"  # ModelProto.producer_name: the least that is no rubbish
Y = replace(X, name="y")
MODEL = ModelSpec("m", GRAPH, (X,), (Y,))
CALLS = (CallSpec(b"", 5), CallSpec(GRAPH, 7), CallSpec(b"", 0), CallSpec(GRAPH * 2, 9))
CUT = ModelSpec("cut", None, (X,), (Y,), core_count=2, max_time_per_fc_us=10, calls=CALLS)
CONTENT = ModelFile((MODEL,))


def u32(*numbers: int) -> bytes:
    return struct.pack(f"<{len(numbers)}I", *numbers)


def text(value: bytes) -> bytes:
    return u32(len(value)) + value


def tensor_bytes(name: bytes = b"x", **fields: bytes) -> bytes:
    """A tensor's metadata as doc/model_file.md lays it out; `fields` replace parts of it."""
    parts = {
        "name": text(name),
        "description": text(b""),
        "data_type": u32(7),
        "rank": u32(2),
        "shape": struct.pack("<2i", 1, 3),
        "strides": struct.pack("<2q", 32, 4),
        "aligned_byte_size": struct.pack("<q", 128),
        "quanti_type": u32(0),
        "quantize_axis": struct.pack("<i", 0),
        "scale_count": u32(0),
        "scale": b"",
        "zero_point_count": u32(0),
        "zero_point": b"",
    }
    return b"".join({**parts, **fields}.values())


def file_bytes(graph: bytes = GRAPH, **fields: bytes) -> bytes:
    """A whole file as the document lays it out, with checksums that fit; `fields` replace parts."""
    order = {
        "file_description": text(b""),
        "march": text(b""),
        "model_count": u32(1),
        "name": text(b"m"),
        "description": text(b""),
        "core_count": u32(1),
        "max_time_per_fc_us": u32(0),
        "call_count": u32(1),
        "offset": bytes(8),
        "size": struct.pack("<Q", len(graph)),
        "crc32": u32(zlib.crc32(graph)),
        "latency_us": struct.pack("<Q", 0),
        "more_calls": b"",
        "inputs": u32(1) + tensor_bytes(b"x"),
        "outputs": u32(1) + tensor_bytes(b"y"),
        "trailing": b"",
    }
    parts = {**order, **{name: data for name, data in fields.items() if name in order}}
    metadata_size = sum(map(len, parts.values()))
    offset = -(-(32 + metadata_size) // 64) * 64
    if "offset" not in fields:
        parts["offset"] = struct.pack("<Q", offset)
    metadata = b"".join(parts.values())
    header = {
        "magic": b"\x89HBMSIM\n",
        "format_version": u32(2),
        "metadata_crc32": u32(zlib.crc32(metadata)),
        "file_size": struct.pack("<Q", offset + len(graph)),
        "metadata_size": struct.pack("<Q", metadata_size),
    }
    header.update({name: data for name, data in fields.items() if name in header})
    padding = fields.get("padding", b"\0") * (offset - 32 - metadata_size)
    return b"".join(header.values()) + metadata + padding + graph


def resealed(data: bytes) -> bytes:
    """The same bytes with the checksum of the metadata made to fit again."""
    size = struct.unpack_from("<Q", data, 24)[0]
    crc = u32(zlib.crc32(data[32 : 32 + size]))
    return data[:12] + crc + data[16:]


@pytest.fixture
def put(tmp_path: Path) -> Callable[[bytes], Path]:
    """Writes bytes to a file and returns its path."""
    path = tmp_path / "m.hbm"

    def write(data: bytes) -> Path:
        path.write_bytes(data)
        return path

    return write


def test_the_writer_writes_the_bytes_of_the_document(tmp_path: Path) -> None:
    path = tmp_path / "m.hbm"
    model_file.write(path, CONTENT)
    assert path.read_bytes() == file_bytes()


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(CONTENT, id="smallest"),
        pytest.param(
            ModelFile((MODEL, replace(MODEL, name="n", graph=GRAPH * 99)), "both", "b"),
            id="two models",
        ),
        pytest.param(
            ModelFile((replace(MODEL, inputs=(replace(X, name="x_y"), NV12_UV)),)), id="NV12"
        ),
        pytest.param(
            ModelFile((replace(MODEL, inputs=(DYNAMIC_X,), outputs=(DYNAMIC_Y,)),)), id="dynamic"
        ),
        pytest.param(
            ModelFile((replace(MODEL, outputs=(S4, replace(S4, name="u4", data_type=1))),)),
            id="4-bit",
        ),
        pytest.param(ModelFile((replace(MODEL, outputs=(PER_TENSOR, PER_AXIS)),)), id="quantised"),
        pytest.param(ModelFile((CUT, MODEL, replace(CUT, name="n"))), id="function calls"),
        pytest.param(
            ModelFile((replace(CUT, calls=(*CALLS, *[CallSpec()] * 4092)),)), id="4096 calls"
        ),
        pytest.param(
            ModelFile((replace(MODEL, name="模型", description="a\0b ü", latency_us=60_000_000),)),
            id="unicode and NUL in a description",
        ),
        pytest.param(
            ModelFile((replace(MODEL, inputs=(TensorSpec("x", 3, (1,) * 10, (1,) * 10, 128),)),)),
            id="rank 10",
        ),
        pytest.param(
            ModelFile((replace(MODEL, inputs=tuple(replace(X, name=f"x{i}") for i in range(64))),)),
            id="64 inputs",
        ),
    ],
)
def test_what_is_written_is_read(tmp_path: Path, content: ModelFile) -> None:
    path = tmp_path / "m.hbm"
    model_file.write(path, content)
    assert model_file.read(path) == content
    assert model_file.why_unreadable(path) is None
    assert model_file.is_simulator_file(path)


def test_a_packed_model_survives_the_file(tmp_path: Path) -> None:
    spec = tiny_models.pack(tiny_models.all_types())
    assert model_file.read(tiny_models.save(tmp_path / "m.hbm", spec)).models == (spec,)


names = st.text(
    st.characters(exclude_characters="\0", exclude_categories=("Cs",)), min_size=1, max_size=60
)


@st.composite
def static_tensors(draw: st.DrawFn) -> TensorSpec:
    data_type = draw(st.integers(0, 13))
    shape = draw(st.lists(st.integers(1, 9), min_size=1, max_size=10))
    if model_file.rows_share_bytes(data_type, shape):
        shape[-1] += 1
    strides = [model_file.ELEMENT_SIZES[data_type]]
    units = model_file.storage_shape(data_type, shape)
    for dim in units[:0:-1]:
        strides.insert(0, strides[0] * dim + draw(st.integers(0, 3)))
    size = strides[0] * units[0] + draw(st.integers(0, 200))
    scales = draw(st.sampled_from([0, 1, shape[-1]]))
    axis = len(shape) - 1 if scales == shape[-1] and scales != 1 else -1
    scale = draw(
        st.lists(st.floats(2.0**-100, 2.0**100, width=32), min_size=scales, max_size=scales)
    )
    return TensorSpec(
        draw(names), data_type, tuple(shape), tuple(strides), size, draw(st.text(max_size=20)),
        int(scales > 0), axis if scales else 0, tuple(scale), (7,) * scales,
    )  # fmt: skip


any_call = st.builds(
    CallSpec,
    # ModelProto.producer_name of up to 120 bytes, or no graph.
    st.one_of(st.just(b""), st.binary(max_size=120).map(lambda b: bytes([0x12, len(b)]) + b)),
    st.integers(0, 60_000_000 // 4),
)


def any_graph(calls: list[CallSpec]) -> bool:
    return any(call.graph for call in calls)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    tensors=st.lists(static_tensors(), min_size=2, max_size=5, unique_by=lambda t: t.name),
    calls=st.lists(st.lists(any_call, min_size=1, max_size=4).filter(any_graph), max_size=3),
    most=st.integers(1, 60_000_000),
)
def test_any_valid_content_is_read_as_written(
    tmp_path_factory: pytest.TempPathFactory,
    tensors: list[TensorSpec],
    calls: list[list[CallSpec]],
    most: int,
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.hbm"
    models = [ModelSpec("whole", GRAPH, (tensors[0],), tensors, latency_us=most)]
    models += [
        ModelSpec(f"m{i}", None, tensors[:1], tensors, max_time_per_fc_us=most, calls=of_model)
        for i, of_model in enumerate(calls)
    ]
    model_file.write(path, ModelFile(tuple(models)))
    assert model_file.read(path).models == tuple(models)


# -- why a file cannot be read ---------------------------------------------------------------------


def test_each_reason_has_one_sentence(put: Callable[[bytes], Path], tmp_path: Path) -> None:
    good = file_bytes()
    os.mkfifo(tmp_path / "pipe.hbm")
    cases = {
        "missing": (tmp_path / "none.hbm", "does not exist"),
        "directory": (tmp_path, "is a directory"),
        "unreadable": (tmp_path / "pipe.hbm", "is a pipe, no regular file"),
        "empty": (b"", "is empty"),
        "foreign": (b"\x00\x01vendor", "not a simulator model file; if it was compiled by the ven"),
        "truncated": (good[:-1], "truncated"),
        "newer": (good[:8] + u32(3) + good[12:], "3 is newer than this hbm_runtime reads (2)"),
        "older": (
            good[:8] + u32(1) + good[12:],
            "1 is older than this hbm_runtime reads (2); pack",
        ),
        "corrupt": (good[:-1] + b"!", "models[0].calls[0].crc32"),
    }
    for reason, (source, expected) in cases.items():
        path = put(source) if isinstance(source, bytes) else source
        sentence = model_file.why_unreadable(path)
        assert sentence is not None, reason
        assert expected in sentence, reason
        assert str(path) in sentence, reason
        assert "\n" not in sentence, reason
        with pytest.raises(ModelFileError) as caught:
            model_file.read(path)
        assert caught.value.reason == reason


def test_a_path_through_a_file_is_unreadable(put: Callable[[bytes], Path]) -> None:
    with pytest.raises(ModelFileError, match="cannot be read"):
        model_file.read(put(file_bytes()) / "m.hbm")


def test_only_files_with_the_magic_are_the_simulators(
    put: Callable[[bytes], Path], tmp_path: Path
) -> None:
    assert model_file.is_simulator_file(put(b"\x89HBMSIM\n and then rubbish"))
    assert not model_file.is_simulator_file(put(b"\x89HBMSIM"))
    assert not model_file.is_simulator_file(tmp_path)
    assert not model_file.is_simulator_file(tmp_path / "none.hbm")


# -- broken files ----------------------------------------------------------------------------------


def test_a_file_cut_at_any_byte_is_truncated_or_empty(put: Callable[[bytes], Path]) -> None:
    data = file_bytes()
    for size in range(len(data)):
        with pytest.raises(ModelFileError) as caught:
            model_file.read(put(data[:size]))
        assert caught.value.reason == ("truncated" if size else "empty")


def test_bytes_after_the_end_are_refused(put: Callable[[bytes], Path]) -> None:
    with pytest.raises(ModelFileError, match=r"file_size.*bytes were added"):
        model_file.read(put(file_bytes() + b"\0"))


def test_no_flipped_bit_goes_unnoticed(put: Callable[[bytes], Path]) -> None:
    data = file_bytes()
    for position in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[position // 8] ^= 1 << position % 8
        with pytest.raises(ModelFileError):
            model_file.read(put(bytes(flipped)))


def test_a_flipped_bit_under_a_good_checksum_is_an_error_or_other_valid_content(
    put: Callable[[bytes], Path], tmp_path: Path
) -> None:
    data = file_bytes(inputs=u32(1) + tensor_bytes(**PER_AXIS_FIELDS))
    metadata = struct.unpack_from("<Q", data, 24)[0]
    refused = 0
    for position in range(8 * 32, 8 * (32 + metadata)):
        flipped = bytearray(data)
        flipped[position // 8] ^= 1 << position % 8
        path = put(resealed(bytes(flipped)))
        if model_file.why_unreadable(path):  # any other exception would end the test
            refused += 1
        else:
            content = model_file.read(path)
            model_file.write(tmp_path / "again.hbm", content)
            assert model_file.read(tmp_path / "again.hbm") == content
    assert refused > metadata  # most flips break a rule


PER_AXIS_FIELDS = {
    "quanti_type": u32(1),
    "quantize_axis": struct.pack("<i", 1),
    "scale_count": u32(3),
    "scale": struct.pack("<3f", 1, 2, 3),
    "zero_point_count": u32(3),
    "zero_point": struct.pack("<3i", 0, 1, 2),
}


@settings(max_examples=300, deadline=None)
@given(data=st.binary(max_size=400))
def test_rubbish_under_a_good_checksum_is_only_ever_a_model_file_error(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "rubbish.hbm"
    header = struct.pack("<8sIIQQ", b"\x89HBMSIM\n", 2, 0, 32 + len(data), len(data))
    path.write_bytes(resealed(header + data))
    with pytest.raises(ModelFileError):
        model_file.read(path)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"format_version": u32(0)}, "byte 8, format_version: 0"),
        ({"file_size": struct.pack("<Q", 7)}, "byte 16, file_size"),
        ({"metadata_size": struct.pack("<Q", 2**63)}, "byte 24, metadata_size"),
        ({"metadata_crc32": u32(0)}, "byte 12, metadata_crc32"),
        ({"file_description": u32(2**20 + 1)}, "byte 32, file_description.length"),
        ({"file_description": text(b"\xff")}, "byte 32, file_description: is not UTF-8"),
        ({"march": text(b"m" * 256)}, "march.length: 256 is outside 0..255"),
        ({"model_count": u32(0)}, "byte 40, model_count: 0 is outside 1..64"),
        ({"model_count": u32(65)}, "model_count: 65 is outside 1..64"),
        ({"model_count": u32(2)}, "models[1].name.length: needs 4 bytes, the metadata has 0 left"),
        ({"name": text(b"")}, "byte 44, models[0].name.length: 0 is outside 1..255"),
        ({"name": text(b"a\0b")}, "models[0].name: must have at least one character and no NUL"),
        ({"core_count": u32(0)}, "models[0].core_count: 0 is outside 1..4"),
        ({"core_count": u32(5)}, "models[0].core_count: 5 is outside 1..4"),
        ({"latency_us": struct.pack("<Q", 60_000_001)}, "models[0].calls[0].latency_us: 60000001"),
        (
            {"max_time_per_fc_us": u32(60_000_001)},
            "byte 57, models[0].max_time_per_fc_us: 60000001 is outside 0..60000000",
        ),
        ({"call_count": u32(0)}, "byte 61, models[0].call_count: 0 is outside 1..4096"),
        ({"call_count": u32(4097)}, "models[0].call_count: 4097 is outside 1..4096"),
        ({"call_count": u32(4096)}, "the metadata has"),
        (
            {"call_count": u32(2), "more_calls": bytes(28)},
            "byte 61, models[0].call_count: 2 calls, but without max_time_per_fc_us there is one",
        ),
        (
            {
                "max_time_per_fc_us": u32(1),
                "call_count": u32(2),
                "latency_us": struct.pack("<Q", 60_000_000),
                "more_calls": bytes(20) + struct.pack("<Q", 1),
            },
            "byte 65, models[0].latency_us: 60000001 is outside 0..60000000",
        ),
        (
            {
                "max_time_per_fc_us": u32(1),
                "call_count": u32(2),
                "more_calls": struct.pack("<QQIQ", 64, 0, 0, 0),
            },
            "byte 93, models[0].calls[1].offset: is 64 with the checksum 0x0: both are 0 of no",
        ),
        ({"offset": struct.pack("<Q", 0)}, "models[0].calls[0].offset: is 0, expected 256"),
        ({"offset": struct.pack("<Q", 2**64 - 64)}, "models[0].calls[0].offset"),
        ({"size": struct.pack("<Q", 0)}, "byte 65, models[0].calls: none of them has a graph"),
        (
            {"size": struct.pack("<Q", 10)},
            "models[0].calls[0].size: 10 is more than the file holds",
        ),
        ({"size": struct.pack("<Q", 8)}, "models[0].calls[0].crc32"),
        ({"padding": b"x"}, "models[0].calls[0].padding: is not zero"),
        ({"trailing": b"x"}, "metadata: has bytes after the last model"),
        ({"inputs": u32(0)}, "models[0].input_count: 0 is outside 1..64"),
        ({"outputs": u32(65)}, "models[0].output_count: 65 is outside 1..64"),
        ({"inputs": u32(2) + tensor_bytes() * 2}, "models[0].inputs[1].name: 'x' is there twice"),
    ],
)
def test_a_broken_field_is_named(
    put: Callable[[bytes], Path], fields: dict[str, bytes], expected: str
) -> None:
    sentence = model_file.why_unreadable(put(file_bytes(**fields)))
    assert sentence is not None
    assert expected in sentence


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"data_type": u32(14)}, "data_type: 14 is outside 0..13"),
        ({"rank": u32(0)}, "rank: 0 is outside 1..10"),
        ({"rank": u32(11)}, "rank: 11 is outside 1..10"),
        ({"shape": struct.pack("<2i", 0, 3)}, "shape: [0, 3]"),
        ({"shape": struct.pack("<2i", -2, 3)}, "shape: [-2, 3]"),
        ({"strides": struct.pack("<2q", 32, 3)}, "strides: the last is 3, below 4 bytes"),
        ({"strides": struct.pack("<2q", 32, -1)}, "strides: the last is -1"),
        ({"strides": struct.pack("<2q", 8, 4)}, "strides: [8, 4]: 8 of axis 0 is below the 12"),
        ({"strides": struct.pack("<2q", 2**41, 4)}, "strides: [2199023255552, 4]: each must be"),
        (
            {"strides": struct.pack("<2q", -1, 4)},
            "aligned_byte_size: is 128, but an input's must be -1 exactly when its shape or",
        ),
        (
            {"aligned_byte_size": struct.pack("<q", -1)},
            "aligned_byte_size: is -1, but an input's must be -1 exactly when its shape or",
        ),
        (
            {"data_type": u32(0), "shape": struct.pack("<2i", 2, 3)},
            "shape: [2, 3]: the last of a 4-bit tensor must be even unless all others are 1",
        ),
        (
            {"data_type": u32(1), "shape": struct.pack("<2i", 2, -1)},
            "shape: [2, -1]: the last of a 4-bit tensor must be even unless all others are 1",
        ),
        (
            {
                "data_type": u32(1),
                "shape": struct.pack("<2i", 2, 66),
                "strides": struct.pack("<2q", 32, 1),
            },
            "strides: [32, 1]: 32 of axis 0 is below the 33 inside it",
        ),
        ({"aligned_byte_size": struct.pack("<q", 31)}, "aligned_byte_size: 31 is outside 32.."),
        ({"aligned_byte_size": struct.pack("<q", 2**50)}, "aligned_byte_size: 1125899906842624"),
        ({"quanti_type": u32(2)}, "quanti_type: 2 is outside 0..1"),
        ({"quantize_axis": struct.pack("<i", -1)}, "quanti_type: none, yet there is an axis"),
        ({**PER_AXIS_FIELDS, "quantize_axis": struct.pack("<i", 2)}, "quantize_axis: 2 is outside"),
        ({**PER_AXIS_FIELDS, "quantize_axis": struct.pack("<i", 0)}, "scale_count: 3, expected 1"),
        ({"scale_count": u32(2**32 - 1)}, "scale_count: 4294967295 is outside 0..65536"),
        ({"scale_count": u32(65536)}, "scale: needs 262144 bytes, the metadata has"),
        ({**PER_AXIS_FIELDS, "scale": struct.pack("<3f", 1, -1, 1)}, "scale: each must be finite"),
        ({**PER_AXIS_FIELDS, "scale": struct.pack("<3f", 1, 0, 1)}, "scale: each must be finite"),
        (
            {**PER_AXIS_FIELDS, "scale": struct.pack("<3f", 1, float("nan"), 1)},
            "scale: each must be finite",
        ),
        (
            {**PER_AXIS_FIELDS, "zero_point_count": u32(2), "zero_point": bytes(8)},
            "zero_point_count: 2, expected 0 or 3",
        ),
    ],
)
def test_a_broken_field_of_a_tensor_is_named_with_its_offset(
    put: Callable[[bytes], Path], fields: dict[str, bytes], expected: str
) -> None:
    before = file_bytes(inputs=u32(1) + tensor_bytes()).index(text(b"x"))
    with pytest.raises(ModelFileError) as caught:
        model_file.read(put(file_bytes(inputs=u32(1) + tensor_bytes(**fields))))
    assert f", models[0].inputs[0].{expected}" in str(caught.value)
    assert caught.value.offset is not None
    assert caught.value.offset > before
    assert caught.value.field.startswith("models[0].inputs[0].")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"aligned_byte_size": struct.pack("<q", -1)}, "-1 is outside 32..1099511627776"),
        (
            {"shape": struct.pack("<2i", -1, 3), "aligned_byte_size": struct.pack("<q", -1)},
            "-1 is outside 1..1099511627776",
        ),
        (
            {"strides": struct.pack("<2q", -1, 4), "aligned_byte_size": struct.pack("<q", 0)},
            "0 is outside 1..1099511627776",
        ),
    ],
)
def test_an_output_must_say_how_large_it_gets(
    put: Callable[[bytes], Path], fields: dict[str, bytes], expected: str
) -> None:
    path = put(file_bytes(outputs=u32(1) + tensor_bytes(b"y", **fields)))
    with pytest.raises(ModelFileError) as caught:
        model_file.read(path)
    assert f", models[0].outputs[0].aligned_byte_size: {expected}" in str(caught.value)


def test_an_output_with_a_fixed_shape_has_fixed_strides(put: Callable[[bytes], Path]) -> None:
    fields = {"strides": struct.pack("<2q", -1, 4)}
    with pytest.raises(ModelFileError, match=r"outputs\[0\].strides: .* has fixed strides"):
        model_file.read(put(file_bytes(outputs=u32(1) + tensor_bytes(b"y", **fields))))


@pytest.mark.parametrize(
    ("shape", "units"),
    [
        ((2, 6), (2, 3)),
        ((1, 1, 5), (1, 1, 3)),
        ((7,), (4,)),
        ((-1, 4), (-1, 2)),
        ((1, -1), (1, -1)),
    ],
)
def test_two_4_bit_elements_of_the_last_dimension_make_a_storage_unit(
    shape: tuple[int, ...], units: tuple[int, ...]
) -> None:
    for data_type in model_file.FOUR_BIT_TYPES:
        assert model_file.storage_shape(data_type, shape) == units
        assert not model_file.rows_share_bytes(data_type, shape)
    assert model_file.storage_shape(2, shape) == shape


def test_two_models_of_one_name_are_refused(put: Callable[[bytes], Path]) -> None:
    path = put(b"")
    model_file.write(path, ModelFile((MODEL, replace(MODEL, name="n"))))
    data = path.read_bytes().replace(text(b"n"), text(b"m"))
    with pytest.raises(ModelFileError, match=r"models\[1\].name: 'm' is there twice"):
        model_file.read(put(resealed(data)))


_BOUNDED_PROGRAM = """
import resource, sys
from hbm_runtime import _core, model_file
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 2**26, used + 2**26))
try:
    model_file.read(sys.argv[1])
except model_file.ModelFileError as error:  # and no MemoryError
    print(error.field)
"""


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"inputs": u32(1) + tensor_bytes(scale_count=u32(2**31))}, "scale_count"),
        ({"file_size": struct.pack("<Q", 2**62)}, "file_size"),
        ({"metadata_size": struct.pack("<Q", 2**62)}, "metadata_size"),
        ({"size": struct.pack("<Q", 2**31 - 1)}, "size"),
    ],
)
def test_a_count_of_billions_allocates_nothing(
    put: Callable[[bytes], Path], fields: dict[str, bytes], field: str
) -> None:
    program = [sys.executable, "-c", _BOUNDED_PROGRAM, put(file_bytes(**fields))]
    result = subprocess.run(program, check=True, capture_output=True, text=True)
    assert result.stdout.strip().rpartition(".")[2] == field


# -- what the writer refuses -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "field"),
    [
        (ModelFile(()), "models"),
        (ModelFile((MODEL,) * 65), "models"),
        (ModelFile((MODEL, MODEL)), "models[1].name"),
        (replace(CONTENT, description="x" * (2**20 + 1)), "file_description"),
        (replace(CONTENT, march="x" * 256), "march"),
        (ModelFile((replace(MODEL, name=""),)), "models[0].name"),
        (ModelFile((replace(MODEL, name="ü" * 128),)), "models[0].name"),
        (ModelFile((replace(MODEL, name="\ud800"),)), "models[0].name"),
        (ModelFile((replace(MODEL, description="x" * (2**20 + 1)),)), "models[0].description"),
        (ModelFile((replace(MODEL, core_count=5),)), "models[0].core_count"),
        (ModelFile((replace(MODEL, latency_us=-1),)), "models[0].calls[0].latency_us"),
        (ModelFile((replace(MODEL, graph=b""),)), "models[0].calls"),
        (ModelFile((replace(MODEL, graph=b"rubbish"),)), "models[0].calls[0].graph"),
        (ModelFile((replace(CUT, max_time_per_fc_us=0),)), "models[0].call_count"),
        (ModelFile((replace(CUT, calls=(*CALLS, *[CallSpec()] * 4093)),)), "models[0].call_count"),
        (ModelFile((replace(CUT, max_time_per_fc_us=60_000_001),)), "models[0].max_time_per_fc_us"),
        (
            ModelFile(
                (
                    replace(
                        CUT,
                        calls=(*CALLS, CallSpec(b"", 59_999_980)),
                    ),
                )
            ),
            "models[0].latency_us",
        ),
        (ModelFile((replace(MODEL, inputs=()),)), "models[0].inputs"),
        (ModelFile((replace(MODEL, outputs=(X, X)),)), "models[0].outputs[1].name"),
        (ModelFile((replace(MODEL, inputs=(replace(X, data_type=14),)),)), "models[0].inputs[0]."),
        (ModelFile((replace(MODEL, inputs=(replace(X, strides=(4,)),)),)), "models[0].inputs[0]."),
        (
            ModelFile((replace(MODEL, inputs=(DYNAMIC_Y,)),)),
            "models[0].inputs[0].aligned_byte_size",
        ),
        (
            ModelFile((replace(MODEL, outputs=(replace(DYNAMIC_X, name="y"),)),)),
            "models[0].outputs[0].aligned_byte_size",
        ),
        (
            ModelFile((replace(MODEL, inputs=(replace(S4, shape=(2, 5)),)),)),
            "models[0].inputs[0].shape",
        ),
        (
            ModelFile((replace(MODEL, outputs=(replace(PER_TENSOR, scale=(1e39,)),)),)),
            "models[0].outputs[0].scale",
        ),
        (
            ModelFile((replace(MODEL, outputs=(replace(PER_TENSOR, zero_point=(2**31,)),)),)),
            "models[0].outputs[0].zero_point",
        ),
        (
            ModelFile((replace(MODEL, outputs=(replace(PER_TENSOR, quanti_type=2),)),)),
            "models[0].outputs[0].quanti_type",
        ),
    ],
)
def test_the_writer_refuses_what_the_reader_would(
    tmp_path: Path, content: ModelFile, field: str
) -> None:
    with pytest.raises(ModelFileError) as caught:
        model_file.write(tmp_path / "m.hbm", content)
    assert caught.value.reason == "invalid"
    assert caught.value.field.startswith(field)
    assert list(tmp_path.iterdir()) == []


def test_the_writer_refuses_metadata_beyond_64_mebibytes(tmp_path: Path) -> None:
    large = tuple(replace(X, name=f"x{i}", description="d" * 2**20) for i in range(64))
    content = ModelFile((replace(MODEL, inputs=large),))
    with pytest.raises(ModelFileError, match=r"metadata: .* bytes are too many"):
        model_file.write(tmp_path / "m.hbm", content)


def test_a_write_that_fails_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "m.hbm"
    model_file.write(path, CONTENT)

    def fail(*_: Any, **folders: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        model_file.write(path, replace(CONTENT, description="new"))
    assert model_file.read(path) == CONTENT
    assert list(tmp_path.iterdir()) == [path]


def test_numbers_that_fit_no_field_are_refused(tmp_path: Path) -> None:
    for number in (-1, 5, 2**31, 2**70, -(2**70)):
        contents = [ModelFile((replace(MODEL, core_count=number),))]
        contents.append(ModelFile((replace(MODEL, inputs=(replace(X, data_type=3 * number),)),)))
        contents.append(ModelFile((replace(MODEL, inputs=(replace(X, strides=(number, 4)),)),)))
        for content in contents:
            with pytest.raises(
                ModelFileError, match=r"is outside|must fit|each must|is below|must be -1"
            ):
                model_file.write(tmp_path / "m.hbm", content)


def test_other_threads_run_while_a_large_file_is_read(tmp_path: Path) -> None:
    large = ModelSpec("m", b"\x12\x80\x80\x80\x08" + bytes(2**24), (X,), (Y,))
    model_file.write(tmp_path / "m.hbm", ModelFile((large,)))
    done = threading.Event()
    turns = 0

    def count_turns() -> None:
        nonlocal turns
        while not done.is_set():
            turns += 1
            time.sleep(0.001)  # seconds; lets the reader in

    interval = sys.getswitchinterval()
    other = threading.Thread(target=count_turns)
    other.start()
    try:
        sys.setswitchinterval(60)  # seconds: it gets its turn only where this thread gives way
        with open(tmp_path / "m.hbm", "rb") as stream:
            before = turns
            content = _core.read_model_file(stream.fileno(), "m.hbm", True)
            after = turns
    finally:
        sys.setswitchinterval(interval)
        done.set()
        other.join()
    assert content.models == (large,)
    assert after > before


# -- seams -----------------------------------------------------------------------------------------


def test_reading_needs_no_onnx() -> None:
    code = "import sys, hbm_runtime.model_file; sys.exit('onnx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_documents_example_is_a_real_file(tmp_path: Path) -> None:
    document = Path(__file__).parents[4] / "doc" / "model_file.md"
    spec = tiny_models.pack(tiny_models.add((1, 2)), "add", latency_us=1500)
    data = tiny_models.save(tmp_path / "add.hbm", spec).read_bytes()
    lines = []
    for at in range(0, len(data), 16):
        row = data[at : at + 16]
        pairs = " ".join(row[i : i + 2].hex() for i in range(0, len(row), 2))
        shown = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        lines.append(f"{at:08x}: {pairs:39}  {shown}")
    assert "\n".join(lines) in document.read_text(encoding="utf-8"), "\n".join(lines)
