# SPDX-License-Identifier: Apache-2.0
"""Looks through a serialised ONNX model for references to other files, without parsing the rest.

The engine would open the path of a tensor with external data, so such a graph goes no further. The
same walk is in src/model_file/graph_bytes.cpp; what protobuf itself would refuse is refused too, so
that the two cannot read the same bytes differently.
"""

from __future__ import annotations

# Deeper nesting is refused by protobuf itself.
_DEEPEST = 100
_OTHER_FORMAT = b"ORTM"  # at byte 4: the engine would take the bytes for its own format

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5

# Message -> field number -> message in that field; only those that lead to a tensor.
_CHILDREN: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
_TENSOR_EXTERNAL_DATA, _TENSOR_DATA_LOCATION = 13, 14


class _MalformedError(Exception):
    pass


def graph_problem(graph: bytes) -> str | None:
    """Why the engine must not get these bytes, or None.

    Args:
        graph: a serialised ONNX model.
    """
    if graph[4:8] == _OTHER_FORMAT:
        return "is no ONNX model but one in the engine's own format"
    try:
        is_external = _refers_elsewhere(graph)
    except _MalformedError as error:
        return f"is no ONNX model: {error}"
    return "keeps data of a tensor in another file (external data)" if is_external else None


def _refers_elsewhere(data: bytes) -> bool:
    """True when a tensor of the model has external data.

    Raises:
        _MalformedError: the bytes are no protobuf message that the engine would read.
    """
    outer: list[tuple[str, int, int]] = []  # messages around the one being read
    message, at, end = "model", 0, len(data)
    while True:
        if at == end:
            if not outer:
                return False
            message, at, end = outer.pop()
            continue
        tag, at = _varint(data, at, end)
        field, wire_type = tag >> 3, tag & 7
        if field == 0 or tag >> 32:
            raise _MalformedError(f"field number {field} before byte {at}")
        value, begin = 0, at
        if wire_type == _VARINT:
            value, at = _varint(data, at, end)
        elif wire_type == _BYTES:
            value, begin = _varint(data, at, end)
            at = begin + value
        elif wire_type in (_FIXED32, _FIXED64):
            at += 4 if wire_type == _FIXED32 else 8
        else:
            raise _MalformedError(f"wire type {wire_type} before byte {at}")
        if at > end:
            raise _MalformedError(f"it ends inside a field at byte {begin}")
        if message == "tensor" and (
            field == _TENSOR_EXTERNAL_DATA or (field == _TENSOR_DATA_LOCATION and value != 0)
        ):
            return True
        child = _CHILDREN[message].get(field)
        if wire_type == _BYTES and child is not None:
            if len(outer) == _DEEPEST:
                raise _MalformedError(f"its messages are nested more than {_DEEPEST} deep")
            outer.append((message, at, end))
            message, at, end = child, begin, at


def _varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    """The number at a position, and the position behind it."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= end:
            raise _MalformedError(f"it ends inside a number at byte {at}")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, at
    raise _MalformedError(f"a number of more than 10 bytes before byte {at}")
