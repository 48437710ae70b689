# SPDX-License-Identifier: Apache-2.0
"""The bounded reader: no size or count is used before it is checked, every checksum counts."""

from __future__ import annotations

import os
import stat
import struct
import zlib
from dataclasses import replace
from typing import Any, BinaryIO, NamedTuple

from hbm_runtime.model_file.rules import Problem, call_graph_problem, metadata_problem
from hbm_runtime.model_file.spec import (
    CALL,
    DATA_TYPE_NAMES,
    FORMAT_VERSION,
    HEADER,
    MAGIC,
    MAX_CALLS,
    MAX_CORES,
    MAX_DESCRIPTION_SIZE,
    MAX_GRAPH_SIZE,
    MAX_LATENCY_US,
    MAX_METADATA_SIZE,
    MAX_MODELS,
    MAX_NAME_SIZE,
    MAX_RANK,
    MAX_SCALES,
    MAX_TENSORS,
    QUANTI_NONE,
    QUANTI_SCALE,
    CallSpec,
    ModelFile,
    ModelFileError,
    ModelSpec,
    StrPath,
    TensorSpec,
    aligned,
)


def read(path: StrPath) -> ModelFile:
    """Read a model file, checking every size before it is used and every checksum.

    Args:
        path: the file.

    Returns:
        All that the file holds, graphs included.

    Raises:
        ModelFileError: with one sentence that names the file and, where there is one, the byte
            offset and the field.
    """
    name = os.fspath(path)
    try:
        mode = os.stat(name).st_mode
        if stat.S_ISDIR(mode):
            raise _unreadable(name, "directory", "is a directory, not a model file")
        if not stat.S_ISREG(mode):  # opening a pipe would wait for ever
            raise _unreadable(name, "unreadable", "is not a regular file")
        with open(name, "rb") as stream:
            return _read_stream(name, stream)
    except FileNotFoundError:
        raise _unreadable(name, "missing", "does not exist") from None
    except ModelFileError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        text = f"cannot be read ({getattr(error, 'strerror', None) or error})"
        raise _unreadable(name, "unreadable", text) from error


def why_unreadable(path: StrPath) -> str | None:
    """One sentence that says why `read(path)` fails, or None when it succeeds.

    Args:
        path: the file; it need not exist.
    """
    try:
        read(path)
    except ModelFileError as error:
        return str(error)
    return None


def is_simulator_file(path: StrPath) -> bool:
    """True when the file begins with the simulator's magic bytes, whatever follows them.

    Args:
        path: the file; False if it does not exist or cannot be read.
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return False
        with open(path, "rb") as stream:
            return stream.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def _unreadable(name: str, reason: str, text: str) -> ModelFileError:
    return ModelFileError(f"{name} {text}", reason=reason)


class _Entry(NamedTuple):
    """Where a call's graph is in the file; `at` is where the file says so."""

    field: str
    at: int
    offset: int
    size: int
    crc32: int
    latency_us: int


def _read_stream(name: str, stream: BinaryIO) -> ModelFile:
    actual = os.fstat(stream.fileno()).st_size
    if actual == 0:
        raise _unreadable(name, "empty", "is empty (0 bytes); pack the model again")
    header = stream.read(HEADER.size)
    if not header.startswith(MAGIC[: len(header)]):
        raise _unreadable(
            name,
            "foreign",
            "is not a simulator model file; if it was compiled by the vendor's toolchain it runs"
            " on a board only; for the simulator pack the ONNX model with `hbm pack`",
        )
    if len(header) < HEADER.size:
        raise _unreadable(
            name,
            "truncated",
            f"is truncated: it ends at byte {len(header)}, inside the {HEADER.size}-byte header;"
            " copy or pack it again",
        )
    _, version, metadata_crc32, file_size, metadata_size = HEADER.unpack(header)
    cursor = _Cursor(name, b"", 0)
    if version > FORMAT_VERSION:
        raise cursor.error(
            8,
            "format_version",
            f"{version} is newer than this hbm_runtime reads ({FORMAT_VERSION});"
            " update hbm-runtime or pack the model again",
            reason="newer",
        )
    if version == 0:
        raise cursor.error(8, "format_version", "0 was never in use")
    if version < FORMAT_VERSION:
        raise cursor.error(
            8,
            "format_version",
            f"{version} is older than this hbm_runtime reads ({FORMAT_VERSION});"
            " pack the model again with `hbm pack`",
            reason="older",
        )
    if file_size > actual:
        raise cursor.error(
            16,
            "file_size",
            f"is {file_size} but the file has {actual} bytes: truncated, copy or pack it again",
            reason="truncated",
        )
    if file_size != actual:
        raise cursor.error(
            16, "file_size", f"is {file_size} but the file has {actual} bytes: bytes were added"
        )
    if metadata_size > min(MAX_METADATA_SIZE, file_size - HEADER.size):
        raise cursor.error(
            24,
            "metadata_size",
            f"{metadata_size} is more than the file holds or the {MAX_METADATA_SIZE} allowed",
        )
    metadata = stream.read(metadata_size)
    if len(metadata) != metadata_size or zlib.crc32(metadata) != metadata_crc32:
        raise cursor.error(12, "metadata_crc32", "does not match the metadata")
    return _read_metadata(_Cursor(name, metadata, HEADER.size), stream, file_size)


class _Cursor:
    """Reads fields from metadata, never past its end; knows the byte offset in the file."""

    def __init__(self, name: str, data: bytes, base: int) -> None:
        self._name = name
        self._data = data
        self._base = base
        self._position = 0
        self.starts: dict[str, int] = {}

    def at(self) -> int:
        return self._base + self._position

    def error(
        self, at: int, field: str, problem: str, *, reason: str = "corrupt"
    ) -> ModelFileError:
        text = f"{self._name}: byte {at}, {field}: {problem}"
        return ModelFileError(text, reason=reason, field=field, offset=at)

    def refuse(self, problem: Problem | None) -> None:
        if problem is not None:
            raise self.error(self.starts.get(problem.field, self.at()), problem.field, problem.text)

    def take(self, field: str, size: int) -> bytes:
        left = len(self._data) - self._position
        if size > left:
            raise self.error(self.at(), field, f"needs {size} bytes, the metadata has {left} left")
        self.starts[field] = self.at()
        chunk = self._data[self._position : self._position + size]
        self._position += size
        return chunk

    def values(self, field: str, code: str, count: int) -> tuple[Any, ...]:
        size = count * struct.calcsize("<" + code)
        return struct.unpack(f"<{count}{code}", self.take(field, size))

    def value(self, field: str, code: str) -> Any:
        return self.values(field, code, 1)[0]

    def count(self, field: str, low: int, high: int) -> int:
        at = self.at()
        count: int = self.value(field, "I")
        if not low <= count <= high:
            raise self.error(at, field, f"{count} is outside {low}..{high}")
        return count

    def string(self, field: str, low: int, high: int) -> str:
        at = self.at()
        size = self.count(f"{field}.length", low, high)
        try:
            text = self.take(field, size).decode()
        except UnicodeDecodeError as error:
            raise self.error(at, field, f"is not UTF-8 ({error.reason})") from None
        self.starts[field] = at
        return text

    def done(self) -> bool:
        return self._position == len(self._data)


def _read_metadata(cursor: _Cursor, stream: BinaryIO, file_size: int) -> ModelFile:
    description = cursor.string("file_description", 0, MAX_DESCRIPTION_SIZE)
    march = cursor.string("march", 0, MAX_NAME_SIZE)
    models: list[ModelSpec] = []
    entries: list[list[_Entry]] = []
    for index in range(cursor.count("model_count", 1, MAX_MODELS)):
        model, calls = _read_model(cursor, f"models[{index}]")
        models.append(model)
        entries.append(calls)
    if not cursor.done():
        raise cursor.error(cursor.at(), "metadata", "has bytes after the last model")
    content = ModelFile(tuple(models), description, march)
    cursor.refuse(metadata_problem(content))

    end = cursor.at()
    for index, model in enumerate(models):
        calls_read: list[CallSpec] = []
        for entry in entries[index]:
            calls_read.append(_read_call(cursor, stream, entry, end, file_size))
            end = entry.offset + entry.size if entry.size else end
        models[index] = replace(model, calls=tuple(calls_read))
    if end != file_size:
        raise cursor.error(end, "graphs", f"end here, but the file goes on to byte {file_size}")
    return ModelFile(tuple(models), description, march)


def _read_call(
    cursor: _Cursor, stream: BinaryIO, entry: _Entry, end: int, file_size: int
) -> CallSpec:
    if entry.size == 0:
        if entry.offset != 0 or entry.crc32 != 0:
            text = f"is {entry.offset} with the checksum {entry.crc32:#x}: both are 0 of no graph"
            raise cursor.error(entry.at, f"{entry.field}.offset", text)
        return CallSpec(b"", entry.latency_us)
    if entry.offset != aligned(end):
        raise cursor.error(
            entry.at, f"{entry.field}.offset", f"is {entry.offset}, expected {aligned(end)}"
        )
    if entry.size > min(MAX_GRAPH_SIZE, max(0, file_size - entry.offset)):
        raise cursor.error(
            entry.at + 8,
            f"{entry.field}.size",
            f"{entry.size} is more than the file holds or the {MAX_GRAPH_SIZE} allowed",
        )
    if any(stream.read(entry.offset - end)):
        raise cursor.error(end, f"{entry.field}.padding", "is not zero")
    graph = stream.read(entry.size)
    if len(graph) != entry.size or zlib.crc32(graph) != entry.crc32:
        raise cursor.error(entry.at + 16, f"{entry.field}.crc32", "does not match the graph")
    call = CallSpec(graph, entry.latency_us)
    problem = call_graph_problem(entry.field, call)
    if problem is not None:
        raise cursor.error(entry.offset, problem.field, problem.text)
    return call


def _read_model(cursor: _Cursor, field: str) -> tuple[ModelSpec, list[_Entry]]:
    name = cursor.string(f"{field}.name", 1, MAX_NAME_SIZE)
    description = cursor.string(f"{field}.description", 0, MAX_DESCRIPTION_SIZE)
    core_count = cursor.count(f"{field}.core_count", 1, MAX_CORES)
    most = cursor.count(f"{field}.max_time_per_fc_us", 0, MAX_LATENCY_US)
    count = cursor.count(f"{field}.call_count", 1, MAX_CALLS)
    entries: list[_Entry] = []
    for index in range(count):
        at = cursor.at()
        raw = cursor.take(f"{field}.calls[{index}]", CALL.size)
        entries.append(_Entry(f"{field}.calls[{index}]", at, *CALL.unpack(raw)))
        cursor.starts[f"{field}.calls[{index}].latency_us"] = at + 20
    cursor.starts[f"{field}.latency_us"] = cursor.starts[f"{field}.calls"] = cursor.starts[
        f"{field}.calls[0]"
    ]
    inputs = _read_tensors(cursor, field, "input")
    outputs = _read_tensors(cursor, field, "output")
    # The graphs' bytes are read last; until then one byte stands for each.
    calls = [CallSpec(b"\0" if entry.size else b"", entry.latency_us) for entry in entries]
    model = ModelSpec(
        name,
        inputs=inputs,
        outputs=outputs,
        description=description,
        core_count=core_count,
        max_time_per_fc_us=most,
        calls=calls,
    )
    return model, entries


def _read_tensors(cursor: _Cursor, field: str, kind: str) -> tuple[TensorSpec, ...]:
    count = cursor.count(f"{field}.{kind}_count", 1, MAX_TENSORS)
    return tuple(_read_tensor(cursor, f"{field}.{kind}s[{index}]") for index in range(count))


def _read_tensor(cursor: _Cursor, field: str) -> TensorSpec:
    name = cursor.string(f"{field}.name", 1, MAX_NAME_SIZE)
    description = cursor.string(f"{field}.description", 0, MAX_DESCRIPTION_SIZE)
    data_type = cursor.count(f"{field}.data_type", 0, len(DATA_TYPE_NAMES) - 1)
    rank = cursor.count(f"{field}.rank", 1, MAX_RANK)
    shape = cursor.values(f"{field}.shape", "i", rank)
    strides = cursor.values(f"{field}.strides", "q", rank)
    aligned_byte_size = cursor.value(f"{field}.aligned_byte_size", "q")
    quanti_type = cursor.count(f"{field}.quanti_type", QUANTI_NONE, QUANTI_SCALE)
    quantize_axis = cursor.value(f"{field}.quantize_axis", "i")
    scale_count = cursor.count(f"{field}.scale_count", 0, MAX_SCALES)
    scale = cursor.values(f"{field}.scale", "f", scale_count)
    zero_point_count = cursor.count(f"{field}.zero_point_count", 0, MAX_SCALES)
    zero_point = cursor.values(f"{field}.zero_point", "i", zero_point_count)
    return TensorSpec(
        name,
        data_type,
        shape,
        strides,
        aligned_byte_size,
        description,
        quanti_type,
        quantize_axis,
        scale,
        zero_point,
    )
