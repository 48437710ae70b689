# SPDX-License-Identifier: Apache-2.0
"""The description of a packed model: JSON with the keys of the vendor's compiler, where they apply.

Left out is what would not be true here: HBDK_VERSION, COMPILE_MODE and OPTIMIZE_LEVEL are those of
a compilation for a board.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from onnx import ValueInfoProto

from hbm_runtime.tools.packing.graph import dims_of
from hbm_runtime.tools.packing.options import ANY_MARCH, PackOptions

_IMAGE_RANK = 4


def model_description(
    options: PackOptions, network_inputs: Sequence[ValueInfoProto], builder: str
) -> str:
    """The description as JSON text.

    Args:
        options: what the model was packed with.
        network_inputs: the network's own inputs.
        builder: name and version of the program that packed it.
    """
    fed = {value.name: options.picture_of(value.name).fed for value in network_inputs}
    content: dict[str, Any] = {
        "BUILDER_VERSION": builder,
        "MARCH": options.march or ANY_MARCH,
        "MODEL_PREFIX": options.name,
        "INPUT_TYPE_RT": ";".join(fed.values()),
        "INPUT_LAYOUT_RT": ";".join(_layout(value, options) for value in network_inputs),
        "INPUT_SOURCE": {n: "pyramid" if kind == "nv12" else "ddr" for n, kind in fed.items()},
        "CORE_NUM": options.core_count,
        "MAX_TIME_PER_FC": options.max_time_per_fc_us,
    }
    if options.description:
        content["DESCRIPTION"] = options.description
    return json.dumps(content, ensure_ascii=False)


def _layout(value: ValueInfoProto, options: PackOptions) -> str:
    how = options.picture_of(value.name)
    if how.fed == "nv12":
        return "NHWC"
    if how.fed != "featuremap":
        return how.fed_layout.upper()
    return how.layout.upper() if len(dims_of(value) or []) == _IMAGE_RANK else ""
