# SPDX-License-Identifier: Apache-2.0
"""How large the dynamic outputs of a model may become."""

from __future__ import annotations

from collections.abc import Mapping

from onnx import ModelProto

from hbm_runtime.tools.errors import ToolError
from hbm_runtime.tools.packing import engine
from hbm_runtime.tools.packing.graph import copy_of, dims_of, set_dims
from hbm_runtime.tools.packing.shapes import agreed, check_fits, output_dims

_OPTION = "--max-shape"


def largest_outputs(
    model: ModelProto, shapes: Mapping[str, tuple[int, ...]]
) -> dict[str, list[int]]:
    """The dimensions of each dynamic output when every input has its largest shape.

    Args:
        model: the packed graph; its dynamic dimensions are -1.
        shapes: the largest shape of each dynamic input, and of outputs that values decide.

    Raises:
        ToolError: a shape is missing, or contradicts the model.
    """
    values = [*model.graph.input, *model.graph.output]
    dynamic = [value.name for value in values if -1 in (dims_of(value) or [])]
    for name in shapes:
        if name not in dynamic:
            known = ", ".join(dynamic) or "none"
            raise ToolError(
                f"{_OPTION} names {name!r}; the inputs and outputs that stay dynamic: {known}"
            )
    if not dynamic:
        return {}
    largest = copy_of(model)
    for value in largest.graph.input:
        if value.name in dynamic:
            if value.name not in shapes:
                raise _missing(
                    "input",
                    value.name,
                    dims_of(value),
                    "stays dynamic; give the largest it will have",
                )
            check_fits(value, shapes[value.name], _OPTION)
            set_dims(value, list(shapes[value.name]))

    found = output_dims(largest)
    result: dict[str, list[int]] = {}
    for value in model.graph.output:
        if value.name not in dynamic:
            continue
        dims = found[value.name]
        if value.name in shapes:
            dims = agreed(value.name, dims, list(shapes[value.name]), _OPTION)
        if dims is None or -1 in dims:
            engine.load(largest, f"the model at the shapes of {_OPTION}")  # it may say why not
            raise _missing(
                "output", value.name, dims, "does not follow from the inputs; give the largest"
            )
        result[value.name] = dims
    return result


def _missing(kind: str, name: str, dims: list[int] | None, why: str) -> ToolError:
    example = ",".join("N" if dim == -1 else str(dim) for dim in dims or [])
    return ToolError(f"the shape {dims} of {kind} {name!r} {why} with {_OPTION} {name}={example}")
