# SPDX-License-Identifier: Apache-2.0
"""The writer: lays out the bytes, has the reader check them, and puts the whole file in place."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Sequence

from hbm_runtime import _core
from hbm_runtime._whole_file import whole_file
from hbm_runtime.model_file.spec import (
    FORMAT_VERSION,
    MAGIC,
    MAX_DESCRIPTION_SIZE,
    MAX_METADATA_SIZE,
    MAX_NAME_SIZE,
    ModelFile,
    ModelFileError,
    ModelSpec,
    StrPath,
    TensorSpec,
)

_HEADER_SIZE = 32
_GRAPH_ALIGNMENT = 64
# What the reader counts, and what of the content that is.
_COUNTED = {"model_count": "models", "input_count": "inputs", "output_count": "outputs"}


def write(path: StrPath, content: ModelFile) -> None:
    """Write a model file; the path holds the old file or the whole new one, never a part.

    Args:
        path: the file, usually named `*.hbm`; its folder must exist.
        content: what it will hold.

    Raises:
        ModelFileError: the content breaks a rule of the format (the message names the field).
        OSError: the file cannot be written.
    """
    name = os.fspath(path)
    try:
        chunks = _chunks(content)
        with whole_file(path) as stream:
            stream.writelines(chunks)
            stream.flush()
            _core.read_model_file(stream.fileno(), "", False)
    except ModelFileError as error:
        _, _, problem = str(error).partition(f"{error.field}: ")
        *model_and, last = error.field.split(".")
        field = ".".join([*model_and, _COUNTED.get(last, last)])
        text = f"cannot write {name}: {field}: {problem}"
        raise ModelFileError(text, reason="invalid", field=field) from None


def _chunks(content: ModelFile) -> list[bytes]:
    # The offsets have a fixed width, so a first pass with zeros gives the size of the metadata.
    graphs = [call.graph for model in content.models for call in model.calls]
    metadata_size = len(_metadata(content, [0] * len(graphs)))
    if metadata_size > MAX_METADATA_SIZE:
        raise _invalid("metadata", f"{metadata_size} bytes are too many")
    chunks: list[bytes] = []
    offsets: list[int] = []
    end = _HEADER_SIZE + metadata_size
    for graph in graphs:
        padding = -end % _GRAPH_ALIGNMENT if graph else 0
        offsets.append(end + padding if graph else 0)
        end += padding + len(graph)
        chunks += [bytes(padding), graph]
    metadata = _metadata(content, offsets)
    checksum = zlib.crc32(metadata)
    header = MAGIC + struct.pack("<IIQQ", FORMAT_VERSION, checksum, end, metadata_size)
    return [header, metadata, *chunks]


def _metadata(content: ModelFile, offsets: Sequence[int]) -> bytes:
    parts = [
        _string("file_description", content.description, MAX_DESCRIPTION_SIZE),
        _string("march", content.march, MAX_NAME_SIZE),
        struct.pack("<I", len(content.models)),
    ]
    offset_of_next = iter(offsets)
    for index, model in enumerate(content.models):
        field = f"models[{index}]"
        parts += [
            _names(field, model),
            _numbers(f"{field}.core_count", "I", [model.core_count]),
            _numbers(f"{field}.max_time_per_fc_us", "I", [model.max_time_per_fc_us]),
            struct.pack("<I", len(model.calls)),
        ]
        for number, call in enumerate(model.calls):
            crc32 = zlib.crc32(call.graph)  # 0 of no bytes
            parts.append(struct.pack("<QQI", next(offset_of_next), len(call.graph), crc32))
            parts.append(_numbers(f"{field}.calls[{number}].latency_us", "Q", [call.latency_us]))
        for kind, tensors in (("inputs", model.inputs), ("outputs", model.outputs)):
            parts.append(struct.pack("<I", len(tensors)))
            parts += [_tensor(f"{field}.{kind}[{i}]", tensor) for i, tensor in enumerate(tensors)]
    return b"".join(parts)


def _tensor(field: str, tensor: TensorSpec) -> bytes:
    rank, strides = len(tensor.shape), len(tensor.strides)
    if strides != rank:
        raise _invalid(f"{field}.strides", f"{strides} strides for {rank} dimensions")
    parts = [_names(field, tensor)]
    for name, code, counts in (
        ("data_type", "I", False),
        ("shape", "i", True),
        ("strides", "q", False),
        ("aligned_byte_size", "q", False),
        ("quanti_type", "I", False),
        ("quantize_axis", "i", False),
        ("scale", "f", True),
        ("zero_point", "i", True),
    ):
        value = getattr(tensor, name)
        numbers = value if counts or name == "strides" else (value,)
        parts += [struct.pack("<I", len(numbers))] if counts else []
        parts.append(_numbers(f"{field}.{name}", code, numbers))
    return b"".join(parts)


def _numbers(field: str, code: str, numbers: Sequence[float]) -> bytes:
    try:
        return struct.pack(f"<{len(numbers)}{code}", *numbers)
    except struct.error:
        bits = 8 * struct.calcsize(f"<{code}")
        kind = f"{'u' if code.isupper() else ''}int{bits}"
        shown = f"{list(numbers)}: each" if len(numbers) > 1 else str(numbers[0])
        raise _invalid(field, f"{shown} must fit {kind}") from None


def _names(field: str, named: ModelSpec | TensorSpec) -> bytes:
    if not named.name:
        raise _invalid(f"{field}.name", "must have at least one character and no NUL")
    name = _string(f"{field}.name", named.name, MAX_NAME_SIZE)
    return name + _string(f"{field}.description", named.description, MAX_DESCRIPTION_SIZE)


def _string(field: str, text: str, most: int) -> bytes:
    try:
        data = text.encode()
    except UnicodeEncodeError as error:
        raise _invalid(field, f"cannot be written as UTF-8 ({error.reason})") from None
    if len(data) > most:
        raise _invalid(field, f"{len(data)} bytes of UTF-8 are more than {most}")
    return struct.pack("<I", len(data)) + data


def _invalid(field: str, text: str) -> ModelFileError:
    return ModelFileError(f"{field}: {text}", reason="invalid", field=field)
