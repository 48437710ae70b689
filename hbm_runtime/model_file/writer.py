# SPDX-License-Identifier: Apache-2.0
"""The writer: lays out the bytes and puts the whole file in place at once."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterable, Sequence

from hbm_runtime._whole_file import whole_file
from hbm_runtime.model_file.rules import file_problem
from hbm_runtime.model_file.spec import (
    CALL,
    FORMAT_VERSION,
    HEADER,
    MAGIC,
    MAX_METADATA_SIZE,
    ModelFile,
    ModelFileError,
    StrPath,
    TensorSpec,
    aligned,
)


def write(path: StrPath, content: ModelFile) -> None:
    """Write a model file; the path holds the old file or the whole new one, never a part.

    Args:
        path: the file, usually named `*.hbm`; its folder must exist.
        content: what it will hold.

    Raises:
        ModelFileError: the content breaks a rule of the format (the message names the field).
        OSError: the file cannot be written.
    """
    problem = file_problem(content)
    if problem is not None:
        text = f"cannot write {os.fspath(path)}: {problem.field}: {problem.text}"
        raise ModelFileError(text, reason="invalid", field=problem.field)

    # The offsets have a fixed width, so a first pass with zeros gives the size of the metadata.
    graphs = [call.graph for model in content.models for call in model.calls]
    metadata_size = len(_metadata(content, [0] * len(graphs)))
    if metadata_size > MAX_METADATA_SIZE:
        text = f"cannot write {os.fspath(path)}: metadata: {metadata_size} bytes are too many"
        raise ModelFileError(text, reason="invalid", field="metadata")
    offsets: list[int] = []
    end = HEADER.size + metadata_size
    for graph in graphs:
        offsets.append(aligned(end) if graph else 0)
        end = offsets[-1] + len(graph) if graph else end
    metadata = _metadata(content, offsets)
    header = HEADER.pack(MAGIC, FORMAT_VERSION, zlib.crc32(metadata), end, metadata_size)

    def chunks() -> Iterable[bytes]:
        yield header + metadata
        position = len(header) + len(metadata)
        for graph, offset in zip(graphs, offsets, strict=True):
            if graph:
                yield bytes(offset - position)
                yield graph
                position = offset + len(graph)

    with whole_file(path) as stream:
        stream.writelines(chunks())


def _metadata(content: ModelFile, offsets: Sequence[int]) -> bytes:
    parts = [_string(content.description), _string(content.march), _u32(len(content.models))]
    offset_of_next = iter(offsets)
    for model in content.models:
        cores, most = model.core_count, model.max_time_per_fc_us
        parts += [
            _string(model.name),
            _string(model.description),
            struct.pack("<III", cores, most, len(model.calls)),
        ]
        for call in model.calls:
            crc32 = zlib.crc32(call.graph)  # 0 of no bytes
            parts.append(CALL.pack(next(offset_of_next), len(call.graph), crc32, call.latency_us))
        for tensors in (model.inputs, model.outputs):
            parts.append(_u32(len(tensors)))
            parts += [_tensor(tensor) for tensor in tensors]
    return b"".join(parts)


def _tensor(tensor: TensorSpec) -> bytes:
    rank, scales, zero_points = len(tensor.shape), len(tensor.scale), len(tensor.zero_point)
    return b"".join(
        (
            _string(tensor.name),
            _string(tensor.description),
            struct.pack(f"<II{rank}i", tensor.data_type, rank, *tensor.shape),
            struct.pack(f"<{rank}qq", *tensor.strides, tensor.aligned_byte_size),
            struct.pack("<Ii", tensor.quanti_type, tensor.quantize_axis),
            struct.pack(f"<I{scales}f", scales, *tensor.scale),
            struct.pack(f"<I{zero_points}i", zero_points, *tensor.zero_point),
        )
    )


def _string(text: str) -> bytes:
    data = text.encode()
    return _u32(len(data)) + data


def _u32(number: int) -> bytes:
    return struct.pack("<I", number)
