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
    """

    name: str
    shape: tuple[int, ...]
    data_type: str


@dataclass(frozen=True)
class ResizeOptions:
    """How a frame is fitted into a model's input.

    Attributes:
        mode: "stretch" or "letterbox".
        pad_value: Luma (NV12) or value of all channels (RGB) of the letterbox border, 0..255.
        color_range: BT.601 range of NV12 wherever RGB is converted from or to it.
    """

    mode: ResizeMode = "stretch"
    pad_value: int = 127
    color_range: ColorRange = "full"


@dataclass(frozen=True)
class ModelInputs:
    """The input tensors of one inference.

    Attributes:
        tensors: Array per input name. They are the preprocessor's own buffers or views of the
            frame, valid until its next call.
        transform: From pixels of the model's input to pixels of the frame.
    """

    tensors: dict[str, NDArray[np.generic]]
    transform: ImageTransform


class Preprocessor(Protocol):
    """Turns frames into the inputs of one model; for one thread at a time.

    Attributes:
        width: Pixels of the model's image.
        height: Pixels of the model's image.
    """

    @property
    def width(self) -> int:
        """Pixels of the model's image."""
        ...

    @property
    def height(self) -> int:
        """Pixels of the model's image."""
        ...

    def __call__(self, frame: Frame) -> ModelInputs:
        """Make the inputs for one frame."""
        ...


class UnsupportedInputsError(ValueError):
    """A model whose inputs are not one image."""


def make_preprocessor(inputs: Sequence[InputSpec], options: ResizeOptions) -> Preprocessor:
    """Choose the preprocessor that fits a model's inputs.

    Args:
        inputs: All inputs of the model.
        options: How frames are fitted.

    Returns:
        A preprocessor with buffers of its own.

    Raises:
        UnsupportedInputsError: If the inputs are neither an NV12 pair nor one RGB image.
    """
    if any(dim <= 0 for spec in inputs for dim in spec.shape):
        raise UnsupportedInputsError(
            f"its inputs {_describe(inputs)} have dynamic dimensions; make it for one image size"
        )
    found = _nv12_preprocessor(inputs, options) or _rgb_preprocessor(inputs, options)
    if found is None:
        raise UnsupportedInputsError(
            f"its inputs {_describe(inputs)} are not an image; the node feeds models with an NV12 "
            "pair (U8 [1,H,W,1] and U8 [1,H/2,W/2,2]) or one RGB image (U8 or F32, [1,3,H,W] or "
            "[1,H,W,3])"
        )
    return found


class NV12Preprocessor:
    """Feeds a model that takes a luma and a chroma tensor."""

    def __init__(
        self, y_name: str, uv_name: str, width: int, height: int, options: ResizeOptions
    ) -> None:
        self._y_name = y_name
        self._uv_name = uv_name
        self._options = options
        self._buffer = new_nv12(width, height)
        self.width = width
        self.height = height

    def __call__(self, frame: Frame) -> ModelInputs:
        """Resize the frame; NV12 of the right size goes through as views, without a copy.

        Args:
            frame: NV12, or BGR uint8 [height, width, 3].

        Returns:
            Arrays [1,H,W,1] and [1,H/2,W/2,2].
        """
        options = self._options
        if isinstance(frame, NV12Frame):
            fits = (frame.width, frame.height) == (self.width, self.height)
            planes, transform = nv12_resize(
                frame,
                self.width,
                self.height,
                options.mode,
                options.pad_value,
                out=None if fits else self._buffer,
            )
        else:
            planes, transform = bgr_resize_to_nv12(
                frame,
                self.width,
                self.height,
                options.mode,
                options.pad_value,
                options.color_range,
                out=self._buffer,
            )
        tensors: dict[str, NDArray[np.generic]] = {
            self._y_name: planes.y[np.newaxis, :, :, np.newaxis],
            self._uv_name: planes.uv[np.newaxis],
        }
        return ModelInputs(tensors, transform)


class RGBPreprocessor:
    """Feeds a model that takes one RGB tensor with values 0..255."""

    def __init__(
        self,
        name: str,
        width: int,
        height: int,
        channels_first: bool,
        dtype: np.dtype[np.generic],
        options: ResizeOptions,
    ) -> None:
        shape = (1, 3, height, width) if channels_first else (1, height, width, 3)
        self._name = name
        self._options = options
        self._tensor = np.empty(shape, dtype=dtype)
        # the tensor seen as rows, columns, channels, whatever its layout
        image = self._tensor[0]
        self._pixels = image.transpose(1, 2, 0) if channels_first else image
        self.width = width
        self.height = height

    def __call__(self, frame: Frame) -> ModelInputs:
        """Resize the frame, convert it to RGB and to the tensor's layout and type.

        Args:
            frame: NV12, or BGR uint8 [height, width, 3].

        Returns:
            One array, [1,3,H,W] or [1,H,W,3].
        """
        options = self._options
        if isinstance(frame, NV12Frame):
            # planes first: fewer pixels to convert. An odd model size cannot be NV12.
            if self.width % 2 == 0 and self.height % 2 == 0:
                planes, transform = nv12_resize(
                    frame, self.width, self.height, options.mode, options.pad_value
                )
                bgr = nv12_to_bgr(planes, options.color_range)
            else:
                whole = nv12_to_bgr(frame, options.color_range)
                bgr, transform = bgr_resize(
                    whole, self.width, self.height, options.mode, options.pad_value
                )
        else:
            bgr, transform = bgr_resize(
                frame, self.width, self.height, options.mode, options.pad_value
            )
        np.copyto(self._pixels, bgr[:, :, ::-1], casting="unsafe")
        return ModelInputs({self._name: self._tensor}, transform)


def _nv12_preprocessor(
    inputs: Sequence[InputSpec], options: ResizeOptions
) -> NV12Preprocessor | None:
    """For the pair [1,H,W,1] and [1,H/2,W/2,2], in either order."""
    if len(inputs) != 2 or any(i.data_type != "U8" or len(i.shape) != 4 for i in inputs):
        return None
    y, uv = sorted(inputs, key=lambda spec: spec.shape[3])
    _, height, width, _ = y.shape
    if height % 2 or width % 2:
        return None
    if y.shape != (1, height, width, 1) or uv.shape != (1, height // 2, width // 2, 2):
        return None
    return NV12Preprocessor(y.name, uv.name, width, height, options)


def _rgb_preprocessor(
    inputs: Sequence[InputSpec], options: ResizeOptions
) -> RGBPreprocessor | None:
    """For one tensor [1,3,H,W] or [1,H,W,3]; the former where both would do."""
    if len(inputs) != 1 or len(inputs[0].shape) != 4 or inputs[0].shape[0] != 1:
        return None
    (spec,) = inputs
    dtype = _PIXEL_TYPES.get(spec.data_type)
    if dtype is None or 3 not in (spec.shape[1], spec.shape[3]):
        return None
    channels_first = spec.shape[1] == 3
    height, width = spec.shape[2:] if channels_first else spec.shape[1:3]
    return RGBPreprocessor(spec.name, width, height, channels_first, dtype, options)


def _describe(inputs: Sequence[InputSpec]) -> str:
    return ", ".join(f"{i.name}: {i.data_type} {list(i.shape)}" for i in inputs) or "(none)"
