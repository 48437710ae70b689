# SPDX-License-Identifier: Apache-2.0
"""Pixels to a tensor's values: normalised, quantised and laid out, by a table per channel.

A pixel has 256 values, so a channel's whole way from pixel to stored value is a table, computed
once in float64: exact, and as fast for one normalisation as for another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hbm_runtime.errors import HBMInputError
from hbm_runtime.image._opencv import opencv
from hbm_runtime.image.picture_inputs import PixelInput, UnsupportedInputsError
from hbm_runtime.quantization import quantize
from hbm_runtime.types import QuantParams, hbDNNDataType, hbDNNQuantiType

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hbm_runtime.image.frames import Plane
    from hbm_runtime.image.settings import NormalizeSettings

# Share of the pixel values beyond what a tensor can hold, above which the settings are a mistake.
MAX_CLIPPED = 0.25

# OpenCV only copies entries of tables; it knows these types in all its versions.
_ENTRIES: dict[int, np.dtype[Any]] = {
    1: np.dtype(np.uint8),
    2: np.dtype(np.uint16),
    4: np.dtype(np.int32),
}


class PixelWriter:
    """Writes pictures into tensors of one kind.

    Attributes:
        shape: Of the tensor.
        dtype: Of the tensor.
        tables: Stored value per channel of the tensor and pixel value, [channels, 256].
    """

    def __init__(self, target: PixelInput, settings: NormalizeSettings) -> None:
        """Compute the tables.

        Args:
            target: The tensor.
            settings: How pixels become values; mean and scale go along with the tensor's channels,
                in `channel_order`.

        Raises:
            UnsupportedInputsError: If they do not fit the tensor.
        """
        self.shape: tuple[int, ...] = target.spec.shape
        self.tables: NDArray[Any] = _tables(target, settings)
        self.dtype: np.dtype[Any] = self.tables.dtype
        self._channels_first = target.channel_axis == 1
        self._rgb = settings.channel_order == "rgb"
        self._identity = self.dtype == np.uint8 and bool((self.tables == np.arange(256)).all())
        self._entries = self.tables.view(_ENTRIES[self.dtype.itemsize])
        # per pixel value the entries of all channels, as OpenCV wants them for interleaved pixels
        self._interleaved = np.ascontiguousarray(self._entries.T)[np.newaxis]

    def view(self, pixels: Plane) -> NDArray[np.generic] | None:
        """See a picture as the tensor, where it is that already.

        Args:
            pixels: BGR [height, width, 3] or grey [height, width], of the tensor's size.

        Returns:
            A view of the pixels, or None.
        """
        if not self._identity:
            return None
        if pixels.ndim == 2:
            return (
                pixels[np.newaxis, np.newaxis] if self._channels_first else pixels[None, :, :, None]
            )
        return None if self._rgb or self._channels_first else pixels[np.newaxis]

    def write(self, pixels: Plane, out: NDArray[np.generic]) -> None:
        """Write a picture into a tensor.

        Args:
            pixels: BGR [height, width, 3] or grey [height, width], of the tensor's size.
            out: Contiguous array of `shape` and `dtype`.
        """
        cv2 = opencv()

        tensor: NDArray[Any] = out[0]
        target = tensor.view(self._entries.dtype)
        if pixels.ndim == 2:
            self._write_plane(pixels, 0, target.reshape(pixels.shape))
        elif self._channels_first:
            planes = cv2.split(pixels)
            for channel, plane in enumerate(planes[::-1] if self._rgb else planes):
                self._write_plane(plane, channel, target[channel])
        else:
            if self._rgb:
                pixels = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), np.uint8)
            if self._identity:
                np.copyto(target, pixels)
            else:
                cv2.LUT(pixels, self._interleaved, dst=target)

    def _write_plane(self, plane: Any, channel: int, target: NDArray[Any]) -> None:
        cv2 = opencv()

        if self._identity:
            np.copyto(target, plane)
        else:
            cv2.LUT(plane, self._entries[channel], dst=target)


def _tables(target: PixelInput, settings: NormalizeSettings) -> NDArray[np.generic]:
    spec = target.spec
    mean = _per_channel("mean", settings.mean, target.channels)
    scale = _per_channel("scale", settings.scale, target.channels)
    values = np.broadcast_to((np.arange(256.0) - mean) * scale, (target.channels, 256))
    quant = _quantization(target)
    try:
        stored = quantize(values, quant, hbDNNDataType[spec.data_type])
        # F64 is neither rounded nor clipped
        exact = quantize(values, quant, hbDNNDataType.F64)
    except HBMInputError as error:
        raise UnsupportedInputsError(
            f"input '{spec.name}' has bad quantisation: {error}"
        ) from error
    _check_clipping(target, exact, stored.dtype)
    return np.ascontiguousarray(stored)


def _per_channel(name: str, values: tuple[float, ...], channels: int) -> NDArray[np.float64]:
    """Return the values as a column."""
    if len(values) not in (1, channels):
        wanted = "1 value" if channels == 1 else f"1 value or {channels}"
        raise UnsupportedInputsError(
            f"parameter '{name}' must have {wanted}, one per channel of the input, "
            f"got {list(values)}"
        )
    column: NDArray[np.float64] = np.asarray(values, np.float64).reshape(-1, 1)
    return column


def _quantization(target: PixelInput) -> QuantParams:
    """The tensor's quantisation, for an array [channels, 256]."""
    quant = target.spec.quantization
    if quant is None or quant.quant_type == hbDNNQuantiType.NONE:
        return QuantParams()
    if len(quant.scale) > 1 and (quant.axis % 4, len(quant.scale)) != (
        target.channel_axis,
        target.channels,
    ):
        raise UnsupportedInputsError(
            f"input '{target.spec.name}' has {len(quant.scale)} quantisation scales along axis "
            f"{quant.axis}; fed with an image it may have one, or one per channel (axis "
            f"{target.channel_axis})"
        )
    return QuantParams(quant.scale, quant.zero_point, quant.quant_type, 0)


def _check_clipping(target: PixelInput, exact: NDArray[np.float64], dtype: np.dtype[Any]) -> None:
    """Refuse what makes many pixels the same, as pixels of 0..255 in a tensor of S8."""
    if dtype.kind not in "iu":
        return
    limits = np.iinfo(dtype)
    clipped = np.mean((exact < limits.min - 0.5) | (exact > limits.max + 0.5))
    if clipped > MAX_CLIPPED:
        raise UnsupportedInputsError(
            f"input '{target.spec.name}' ({target.spec.data_type}) stores {limits.min} to "
            f"{limits.max}, but pixels of 0 to 255 would become {exact.min():.6g} to "
            f"{exact.max():.6g}, of which {clipped:.0%} would be clipped: set parameters 'mean' "
            "and 'scale' as the model was trained with, value = (pixel - mean) * scale"
        )
