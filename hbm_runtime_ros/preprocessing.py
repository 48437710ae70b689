# SPDX-License-Identifier: Apache-2.0
"""Camera frame to input tensors: finds out what image a model wants and makes it. Knows no ROS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from hbm_runtime.image import (
    ColorRange,
    Frame,
    ImageTransform,
    NV12Frame,
    ResizeMode,
    bgr_resize,
    bgr_resize_to_nv12,
    new_nv12,
    nv12_resize,
    nv12_to_bgr,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_PIXEL_TYPES: dict[str, np.dtype[np.generic]] = {
    "U8": np.dtype(np.uint8),
    "F32": np.dtype(np.float32),
}


@dataclass(frozen=True)
class InputSpec:
    """What preprocessing needs to know of one input tensor.

    Attributes:
        name: Name in the model.
        shape: Elements per dimension.
        data_type: Name of the hbDNNDataType, e.g. "U8".
        quantization: Of the tensor; None for none.
    """

    name: str
    shape: tuple[int, ...]
    data_type: str
    quantization: QuantParams | None = None


class PreparedImage(NamedTuple):
    """One image that a preprocessor makes tensors of.

    Attributes:
        name: Of the image in the settings, "" where the model has one.
        tensors: Inputs of the model that it feeds: luma and chroma, or one.
        width: Pixels of the model's input.
        height: Pixels of the model's input.
    """

    name: str
    tensors: tuple[str, ...]
    width: int
    height: int


@dataclass(frozen=True)
class ModelInputs:
    """The input tensors of one inference.

    Attributes:
        tensors: Array per input name, not to be written to. See `make_preprocessor` for how long
            they are valid.
        transforms: Per image, from pixels of the model's input to pixels of the image.
    """

    tensors: dict[str, NDArray[np.generic]]
    transforms: tuple[ImageTransform, ...]


class Source(Protocol):
    """What images come in: `shared_image.SharedImage`, or anything like it."""

    def frame(self, encodings: Collection[str] = ()) -> Frame:
        """See or decode the image; raises ImageError."""
        ...

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """Make something of this image, unless that was done already."""
        ...


class UnsupportedInputsError(ValueError):
    """A model whose inputs cannot be fed with the configured images."""


class Preprocessor:
    """Turns images into the inputs of one model; for one thread at a time.

    Attributes:
        images: What it takes, in the order of its argument.
    """

    images: tuple[PreparedImage, ...]

    def __call__(self, frames: Sequence[Source]) -> ModelInputs:
        """Make the inputs of one inference.

        Args:
            frames: One per image, in the order of `images`.

        Returns:
            The tensors and the ways back.

        Raises:
            ImageError: If an image cannot be used.
        """
        raise NotImplementedError


def make_preprocessor(
    inputs: Sequence[InputSpec], images: Sequence[ImageSettings], shared: bool = False
) -> Preprocessor:
    """Choose how a model's inputs are made of images.

    Args:
        inputs: All inputs of the model.
        images: All images that it takes.
        shared: Several preprocessors are called with the same `SharedImage`: what they have in
            common is made once. Then the tensors stay valid; else they are the preprocessor's own
            buffers or views of the image, valid until its next call.

    Returns:
        The preprocessor.

    Raises:
        UnsupportedInputsError: If an input is fed by no image or by several, or is no picture; says
            which parameter to set and what the choices are.
    """
    raise NotImplementedError
