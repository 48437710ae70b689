# SPDX-License-Identifier: Apache-2.0
"""How one picture becomes the input of a model: fitted, converted, normalised. Values only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from hbm_runtime.image.color import ColorMatrix, ColorRange
from hbm_runtime.image.fit_geometry import ResizeMode

ChannelOrder = Literal["rgb", "bgr"]


@dataclass(frozen=True)
class FitSettings:
    """How an image is fitted into a model's input.

    Attributes:
        resize: "stretch", "letterbox", "center_crop" or "roi".
        roi: Left, top, width, height in pixels of the image; with "roi" only.
        pad_value: Luma (YUV) or value of all channels (RGB) of the letterbox border, 0..255.
        color_range: Range of YUV wherever RGB is converted from or to it.
        color_matrix: Matrix of that conversion.

    Example:
        >>> settings = FitSettings(resize="letterbox", pad_value=114)
        >>> settings.color_range
        'full'
    """

    resize: ResizeMode = "stretch"
    roi: tuple[int, int, int, int] = (0, 0, 0, 0)
    pad_value: int = 127
    color_range: ColorRange = "full"
    color_matrix: ColorMatrix = "bt601"


@dataclass(frozen=True)
class NormalizeSettings:
    """How pixels of 0..255 become the values of a tensor that is not NV12.

    ``value = (pixel - mean) * scale``, then rounded to the input's own scale and zero point where
    it has them.

    Attributes:
        mean: One for all channels or one per channel.
        scale: Likewise.
        channel_order: Order of the channels in the tensor.

    Example:
        >>> normalize = NormalizeSettings(mean=(127.5,), scale=(1 / 127.5,))
        >>> images = [PictureSettings(normalize=normalize)]
        >>> prepare = Preprocessor([InputSpec("x", (1, 3, 8, 8), "F32")], images)
        >>> inputs, _ = prepare(np.full((8, 8, 3), 255, np.uint8))
        >>> inputs["x"].max().item()
        1.0
    """

    mean: tuple[float, ...] = (0.0,)
    scale: tuple[float, ...] = (1.0,)
    channel_order: ChannelOrder = "rgb"


@dataclass(frozen=True)
class PictureSettings:
    """One picture that a model takes.

    Attributes:
        name: Of the picture among those of the model; "" where the model has one.
        encodings: Accepted; () for all that are known.
        tensors: Input tensors that it feeds; () for those that are found by their shapes.
        fit: How it is fitted.
        normalize: How its pixels become values.

    Example:
        >>> inputs = [InputSpec("depth", (1, 1, 8, 8), "F32"), InputSpec("rgb", (1, 3, 8, 8), "U8")]
        >>> images = [PictureSettings("camera", tensors=("rgb",)), PictureSettings("distance")]
        >>> [(image.name, image.tensors) for image in Preprocessor(inputs, images).images]
        [('camera', ('rgb',)), ('distance', ('depth',))]
    """

    name: str = ""
    encodings: tuple[str, ...] = ()
    tensors: tuple[str, ...] = ()
    fit: FitSettings = field(default_factory=FitSettings)
    normalize: NormalizeSettings = field(default_factory=NormalizeSettings)
