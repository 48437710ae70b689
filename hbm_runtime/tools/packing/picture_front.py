# SPDX-License-Identifier: Apache-2.0
"""The front of a packed graph that turns a caller's picture into a network's input."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from onnx import ModelProto, TensorProto, ValueInfoProto, helper

from hbm_runtime.tools.errors import ToolError
from hbm_runtime.tools.packing.graph import (
    dims_of,
    named,
    rename_value,
    replace_input,
    unique_name,
)
from hbm_runtime.tools.packing.new_nodes import NewNodes
from hbm_runtime.tools.packing.options import PictureOptions

OPSET = 9

_ELEMENT_TYPES = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.UINT8)
_COUNT_WORDS = {(3,): "three channels", (1, 3): "one or three channels"}


class ImageInput(NamedTuple):
    """An image input of a network.

    Attributes:
        batch: pictures at a time.
        height: in pixels.
        width: in pixels.
        channels: 3, or 1 for grey levels.
        channels_last: NHWC instead of NCHW.
    """

    batch: int
    height: int
    width: int
    channels: int
    channels_last: bool


def image_input(value: ValueInfoProto, options: PictureOptions) -> ImageInput:
    """Find height, width and channels of an input that takes pictures.

    Raises:
        ToolError: the input is no image of a fixed size, its layout is unclear, or its size or type
            does not fit what is fed.
    """
    name, dims, fed = value.name, dims_of(value), options.fed
    what = f"--nv12 {name}" if fed == "nv12" else f"--input {name}={fed}"
    if dims is None or len(dims) != 4 or -1 in dims:
        raise ToolError(f"{what}: needs four fixed dimensions, the input has {dims}")
    if dims[0] != 1 and fed == "nv12":
        raise ToolError(
            f"{what}: an NV12 input holds one picture, but the batch is {dims[0]};"
            f" use --shape {name}=1,… (or export the model with a batch of 1)"
        )
    counts = (1, 3) if fed in ("gray", "featuremap") else (3,)
    candidates = [layout for layout, axis in (("nchw", 1), ("nhwc", 3)) if dims[axis] in counts]
    layout = options.layout or (candidates[0] if len(candidates) == 1 else "")
    if not candidates or (layout and layout not in candidates):
        where = f"where {layout.upper()} has them " if layout else ""
        raise ToolError(f"{what}: there are no {_COUNT_WORDS[counts]} {where}in the shape {dims}")
    if not layout:
        raise ToolError(f"{what}: the shape {dims} may be either; say --layout nchw or nhwc")
    _, *size = dims if layout == "nchw" else (dims[0], dims[3], dims[1], dims[2])
    channels, height, width = size
    if fed == "nv12" and (height % 2 or width % 2):
        raise ToolError(
            f"{what}: NV12 needs an even height and width, the input has"
            f" {height} rows and {width} columns"
        )
    if value.type.tensor_type.elem_type not in _ELEMENT_TYPES:
        raise ToolError(f"{what}: the input's elements must be float32, float16 or uint8")
    is_normalized = any(options.mean) or any(number != 1 for number in options.scale)
    if value.type.tensor_type.elem_type == TensorProto.UINT8 and is_normalized:
        raise ToolError(f"{what}: the input takes uint8 pixels; leave out --mean and --scale")
    for option, numbers in (("--mean", options.mean), ("--scale", options.scale)):
        if len(numbers) not in (1, channels):
            raise ToolError(f"{what}: {option} has {len(numbers)} numbers for {channels} channel")
    return ImageInput(dims[0], height, width, channels, layout == "nhwc")


def add_picture_front(model: ModelProto, name: str, options: PictureOptions) -> None:
    """Make input `name` take uint8 pixels in RGB, BGR or grey levels.

    Raises:
        ToolError: the input cannot take such pictures.
    """
    graph = model.graph
    value = named(graph.input, name)
    element_type = value.type.tensor_type.elem_type
    image = image_input(value, options)
    front = Front(model, f"{name}/picture")
    network_name = unique_name(graph, f"{name}/normalized")
    rename_value(graph, name, network_name)

    is_last = options.fed_layout == "nhwc"
    axis = 3 if is_last else 1
    pixels = name
    if options.fed == "gray" and image.channels == 3:
        pixels = front.node("Concat", [pixels] * 3, "three_times", axis=axis)
    elif options.fed in ("rgb", "bgr") and options.fed != options.color:
        swapped = front.constant(np.array([2, 1, 0], np.int64), "swapped")
        pixels = front.node("Gather", [pixels, swapped], options.color, axis=axis)
    if is_last != image.channels_last:
        order = [0, 3, 1, 2] if is_last else [0, 2, 3, 1]
        pixels = front.node("Transpose", [pixels], "network_layout", perm=order)
    result = front.normalize(pixels, options, image, element_type)
    front.node("Identity", [result], output=network_name)

    front.add_to_graph(in_front=True)
    channels = 1 if options.fed == "gray" else 3
    dims = [image.batch, image.height, image.width, channels]
    if not is_last:
        dims = [dims[0], channels, *dims[1:3]]
    pixel_input = helper.make_tensor_value_info(name, TensorProto.UINT8, dims)
    replace_input(graph, network_name, [pixel_input])


class Front(NewNodes):
    """The nodes in front of an input that takes pictures."""

    def normalize(
        self, pixels: str, options: PictureOptions, image: ImageInput, element_type: int
    ) -> str:
        """Add (pixels - mean) * scale in the network's element type; uint8 stays as it is."""
        if element_type == TensorProto.UINT8:
            return pixels
        result = self.node("Cast", [pixels], "pixels_float", to=TensorProto.FLOAT)
        per_channel = (1, 1, 1, -1) if image.channels_last else (1, -1, 1, 1)
        if any(options.mean):
            mean = self.constant(np.array(options.mean, np.float32).reshape(per_channel), "mean")
            result = self.node("Sub", [result, mean], "centred")
        if any(number != 1 for number in options.scale):
            scale = self.constant(np.array(options.scale, np.float32).reshape(per_channel), "scale")
            result = self.node("Mul", [result, scale], "scaled")
        if element_type == TensorProto.FLOAT16:
            result = self.node("Cast", [result], "half", to=TensorProto.FLOAT16)
        return result
