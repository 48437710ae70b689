# SPDX-License-Identifier: Apache-2.0
"""The vendor's samples print all of a model's metadata before they run it; so does this test."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import tiny_models

from hbm_runtime import HB_HBMRuntime
from hbm_runtime.tools.packing.options import OutputQuantization


def model_info(runtime: Any) -> list[str]:
    """Read every property in the ways in which the samples do, and return lines to print."""
    lines = [f"{runtime.model_count} models: {runtime.model_names}"]
    lines += [f"file {path}: {text}" for path, text in runtime.hbm_descs.items()]
    for name in runtime.model_names:
        lines.append(f"model {name}: {runtime.model_descs[name]}")
        for side in ("input", "output"):
            counts, names, descs, shapes, dtypes, quants, strides = (
                getattr(runtime, f"{side}_{what}")[name]
                for what in ("counts", "names", "descs", "shapes", "dtypes", "quants", "strides")
            )
            lines.append(f"{counts} {side}s")
            for tensor in names:
                quant = quants[tensor]
                lines.append(
                    f"{side} {tensor} ({descs.get(tensor, '')}): {dtypes[tensor].name} "
                    f"{shapes[tensor]} {strides[tensor]} {quant.quant_type.name} {quant.axis} "
                    f"{quant.scale.tolist()} {quant.zero_point.tolist()}"
                )
        sched = runtime.sched_params[name]
        lines.append(f"{sched.priority} {sched.customId} {sched.bpu_cores} {sched.deviceId}")
    return lines


def test_all_metadata_are_read_as_the_samples_do(save: Callable[..., str]) -> None:
    options = {"y": OutputQuantization("int8", scales=(0.5,), zero_point=-3)}
    spec = tiny_models.pack(
        tiny_models.conv(),
        "net",
        description="a network",
        nv12_inputs=("x",),
        output_quantization=options,
        tensor_descriptions={"y": "a head"},
    )
    path = save(spec, description="a file")
    luma, chroma = (tensor.description for tensor in spec.inputs)
    assert model_info(HB_HBMRuntime(path)) == [
        "1 models: ['net']",
        f"file {path}: a file",
        "model net: a network",
        "2 inputs",
        f"input x_y ({luma}): U8 [1, 8, 12, 1] [-1, -1, 1, 1] NONE 0 [] []",
        f"input x_uv ({chroma}): U8 [1, 4, 6, 2] [-1, -1, 2, 1] NONE 0 [] []",
        "1 outputs",
        "output y (a head): S8 [1, 4, 8, 12] [1024, 256, 32, 1] SCALE -1 [0.5] [-3]",
        "0 0 [-1] 0",
    ]


@pytest.mark.parametrize(
    "model",
    [tiny_models.all_types(), tiny_models.two_inputs_three_outputs(), tiny_models.conv()],
    ids=["types", "sums", "conv"],
)
def test_all_metadata_of_any_model_are_there(save: Callable[..., str], model: Any) -> None:
    runtime = HB_HBMRuntime(save(tiny_models.pack(model, "m")))
    lines = model_info(runtime)
    assert len(lines) == 6 + runtime.input_counts["m"] + runtime.output_counts["m"]
