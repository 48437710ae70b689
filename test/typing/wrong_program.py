# SPDX-License-Identifier: Apache-2.0
"""Mistakes that a type checker must find: one on each line that is marked with a comment."""

from __future__ import annotations

import numpy as np

from hbm_runtime import (
    HB_HBMRuntime,
    HBMError,
    SchedParam,
    dequantize,
    hbDNNDataType,
    image,
    model_file,
)

floats = np.zeros((2, 2, 3), np.float32)
runtime = HB_HBMRuntime(7)  # wrong: not a path
runtime.model_names = ["other"]  # wrong: read-only
runtime.model_names["model"]  # wrong: a list has no names
runtime.input_shapes["model"].append(1)  # wrong: {input: shape} is not a shape
runtime.output_dtypes["model"]["y"].upper()  # wrong: not text
runtime.run("picture.png")  # wrong: not an array
runtime.run({"image": [1, 2, 3]})  # wrong: a list is not an array
runtime.run({"model": {"image": "picture.png"}})  # wrong: not an array
runtime.run(np.zeros(1), timeout="1 s")  # wrong: not a number of seconds
runtime.run(np.zeros(1), priority="high")  # wrong: not a number
runtime.run(np.zeros(1)).astype(np.float32)  # wrong: outputs come as a dict
runtime.set_scheduling_params(priority=5)  # wrong: {model: priority} is needed
runtime.set_scheduling_params(bpu_cores={"model": 0})  # wrong: not a list of cores
runtime.library.path = "/usr/lib"  # wrong: read-only
runtime.models["model"].inputs["x"].shape = (1,)  # wrong: frozen
runtime.models["model"].outputs[None]  # wrong: a name or an index
runtime.models["model"].inputs[0].quantize(1.5).upper()  # wrong: an array, not text
dequantize(floats, 0.5)  # wrong: not QuantParams
str(runtime.no_such_thing)  # wrong: there is none
SchedParam(custom_id=1)  # wrong: the field's name is customId
str(hbDNNDataType.FLOAT32)  # wrong: the name is F32
HBMError("text", code=3)  # wrong: there is no code
image.place(1, 1, 1, 1, "crop")  # wrong: the way is "center_crop"
image.nv12_to_rgb(np.zeros((2, 2, 3), np.uint8))  # wrong: not an NV12Frame
image.bgr_to_nv12(floats)  # wrong: not uint8
image.NV12Frame(np.zeros((2, 2), np.uint8))  # wrong: chroma is missing
model_file.read(b"model.hbm")  # wrong: not text or a path
model_file.ModelSpec("model", "graph", (), ())  # wrong: a graph is bytes
model_file.ModelFile(()).models += ()  # wrong: frozen
