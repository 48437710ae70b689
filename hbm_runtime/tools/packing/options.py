# SPDX-License-Identifier: Apache-2.0
"""What the user asks `hbm pack` for, as data."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from hbm_runtime.chips import CHIPS

FED = ("nv12", "rgb", "bgr", "gray", "featuremap")  # what a caller may put into an input
ANY_MARCH = "any"
MARCH_OF_SOC = {chip.name: chip.march for chip in CHIPS.values()}


@dataclass(frozen=True)
class PictureOptions:
    """How a picture becomes a network's input: (pixel - mean) * scale.

    Attributes:
        color: order of the channels that the network expects, "rgb" or "bgr".
        range: BT.601 levels of an NV12 picture, "full" or "limited".
        mean: pixel levels (0..255), one number or one per channel in the network's order.
        scale: factor after the mean is taken off, one number or one per channel.
        layout: the network's, "nchw", "nhwc", or "" to tell it from the dimension that is 3 (or 1).
        fed: what the caller puts in, one of `FED`; a "featuremap" is taken as it is.
        fed_layout: "nhwc" or "nchw", of a picture other than NV12.
    """

    color: str = "rgb"
    range: str = "full"
    mean: tuple[float, ...] = (0.0,)
    scale: tuple[float, ...] = (1.0,)
    layout: str = ""
    fed: str = "nv12"
    fed_layout: str = "nhwc"


@dataclass(frozen=True)
class OutputQuantization:
    """An integer output: stored = clip(round(real / scale) + zero_point).

    Attributes:
        data_type: "int8", "int16" or "int32".
        axis: axis of the scales, None for one scale.
        scales: positive; empty when they come from calibration.
        zero_point: only without an axis.
        per_channel: the axis is the one of the channels, wherever that is.
    """

    data_type: str
    axis: int | None = None
    scales: tuple[float, ...] = ()
    zero_point: int = 0
    per_channel: bool = False


@dataclass(frozen=True)
class InputQuantization:
    """An integer input: real = (stored - zero_point) * scale; data_type "int8" or "uint8"."""

    data_type: str
    scale: float
    zero_point: int = 0


@dataclass(frozen=True)
class PackOptions:
    """Everything that `hbm pack` takes; tensors are named as the ONNX model names them.

    Attributes:
        name: the model's name.
        description: the model's description.
        file_description: the file's description.
        tensor_descriptions: text for each tensor; the parts of an NV12 input X are X_y and X_uv.
        rename: new name for each tensor, X_y and X_uv included.
        shapes: dimensions for inputs, and for outputs whose shape cannot be inferred.
        dynamic: keep dynamic dimensions that `shapes` leaves.
        max_shapes: the largest dimensions of each input that stays dynamic, and of outputs whose
            shape does not follow from the inputs'.
        nv12_inputs: the inputs that become NV12 in the way of `picture`.
        picture: how pictures become inputs of which `pictures` says nothing.
        pictures: the same for single inputs.
        quantize: pictures (a folder or a file) or an .npz of real inputs; with them the network
            itself becomes int8 inside.
        quantize_exclude: names of nodes, or operators, that stay float.
        output_quantization: by output.
        float_outputs: outputs that are said to stay as they are.
        input_quantization: by input.
        calibration: as `quantize`, for the scales of outputs that are not given.
        check: as `quantize`, for the comparison with the source.
        input_padding: rows of inputs are padded as on a board.
        output_padding: rows of outputs are padded as on a board.
        latency_us: microseconds that a run takes at least.
        max_time_per_fc_us: microseconds that a function call may take, 0 for one call.
        core_count: cores that a run takes at the same time.
        march: the only march that may load the file; "" for any.
    """

    name: str
    description: str = ""
    file_description: str = ""
    tensor_descriptions: Mapping[str, str] = field(default_factory=dict)
    rename: Mapping[str, str] = field(default_factory=dict)
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    dynamic: bool = False
    max_shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    nv12_inputs: tuple[str, ...] = ()
    picture: PictureOptions = field(default_factory=PictureOptions)
    pictures: Mapping[str, PictureOptions] = field(default_factory=dict)
    quantize: Path | None = None
    quantize_exclude: tuple[str, ...] = ()
    output_quantization: Mapping[str, OutputQuantization] = field(default_factory=dict)
    float_outputs: tuple[str, ...] = ()
    input_quantization: Mapping[str, InputQuantization] = field(default_factory=dict)
    calibration: Path | None = None
    check: Path | None = None
    input_padding: bool = True
    output_padding: bool = True
    latency_us: int = 0
    max_time_per_fc_us: int = 0
    core_count: int = 1
    march: str = ""

    def picture_of(self, name: str) -> PictureOptions:
        """How pictures become this input of the network, and what its caller feeds."""
        if name in self.pictures:
            return self.pictures[name]
        return replace(self.picture, fed="nv12" if name in self.nv12_inputs else "featuremap")

    def is_picture(self, name: str) -> bool:
        """True when the caller feeds levels of a picture, so that the graph converts them."""
        return self.picture_of(name).fed != "featuremap"

    def nv12_names(self) -> list[str]:
        """The inputs that become NV12."""
        names = dict.fromkeys((*self.nv12_inputs, *self.pictures))
        return [name for name in names if self.picture_of(name).fed == "nv12"]


def model_name_of(path: Path) -> str:
    """A model name made from a file name: letters, digits and underscores, no digit first."""
    name = re.sub(r"[^A-Za-z0-9]+", "_", path.stem).strip("_")
    return f"model_{name}" if not name or name[0].isdigit() else name


def integer_range(data_type: str) -> tuple[int, int]:
    """Lowest and highest value of an integer type: int4, uint4, int8, …, int32."""
    bits = int(data_type.lstrip("uint"))
    return (
        (0, 2**bits - 1) if data_type.startswith("u") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    )
