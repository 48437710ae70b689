# SPDX-License-Identifier: Apache-2.0
"""Camera frames to the inputs of a model: fitted, converted, shared between models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

import numpy as np

from hbm_runtime.image.fit_geometry import check_roi
from hbm_runtime.image.fit_pixels import fit_bgr, fit_grey, fit_nv12
from hbm_runtime.image.frames import NV12Frame, YUV422Frame, check_planes, new_nv12
from hbm_runtime.image.picture_inputs import (
    InputSpec,
    NV12Input,
    PixelInput,
    UnsupportedInputsError,
    assign,
    input_specs,
)
from hbm_runtime.image.pixel_values import PixelWriter
from hbm_runtime.image.settings import PictureSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable, Sequence

    from numpy.typing import NDArray

    from hbm_runtime.image.fit_geometry import ImageTransform
    from hbm_runtime.image.frames import Frame, Plane
    from hbm_runtime.image.settings import FitSettings
    from hbm_runtime.models import Model

T = TypeVar("T")
Tensors = dict[str, "NDArray[np.generic]"]


class PreparedImage(NamedTuple):
    """One image that a preprocessor makes tensors of.

    Attributes:
        name: Of the image in the settings, "" where the model has one.
        tensors: Inputs of the model that it feeds: luma and chroma, or one.
        width: Pixels of the model's input.
        height: Pixels of the model's input.

    Example:
        >>> Preprocessor([InputSpec("x", (1, 3, 224, 320), "F32")]).images
        (PreparedImage(name='', tensors=('x',), width=320, height=224),)
    """

    name: str
    tensors: tuple[str, ...]
    width: int
    height: int


class ModelInputs(NamedTuple):
    """The inputs of one inference: ``inputs, transforms = preprocessor(frame)``.

    Attributes:
        tensors: Array per input name, as ``run`` takes them; not to be written to. See
            `Preprocessor` for how long they are valid.
        transforms: Per image, from pixels of the model's input to pixels of the image.

    Example:
        >>> inputs, transforms = Preprocessor([InputSpec("x", (1, 8, 8, 1), "U8")])(
        ...     np.zeros((16, 16), np.uint8)
        ... )
        >>> list(inputs), transforms[0].scale_x
        (['x'], 2.0)
    """

    tensors: Tensors
    transforms: tuple[ImageTransform, ...]


class Source(Protocol):
    """An image that several preprocessors see, and that is decoded and fitted once for all."""

    def frame(self, encodings: Collection[str] = ()) -> Frame:
        """See or decode the image; raises ImageError."""
        ...

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """Make something of this image, unless that was done already."""
        ...


class Preprocessor:
    """Makes the inputs of one model from frames; for one thread at a time.

    The tensors are the preprocessor's own buffers, or views of the frame where it fits already:
    they are valid until the next call. With `shared` they stay valid.

    Attributes:
        images: What it takes, in the order of the settings.

    Example:
        >>> prepare = Preprocessor([InputSpec("image", (1, 3, 224, 224), "F32")])
        >>> inputs, (transform,) = prepare(np.zeros((480, 640, 3), np.uint8))
        >>> inputs["image"].shape
        (1, 3, 224, 224)
        >>> transform.to_source([[112, 112]]).tolist()
        [[320.0, 240.0]]
    """

    def __init__(
        self,
        inputs: Sequence[InputSpec],
        images: Sequence[PictureSettings] | None = None,
        *,
        shared: bool = False,
    ) -> None:
        """Choose how the inputs are made of images.

        Args:
            inputs: All inputs of the model.
            images: All images that it takes; None for one with the default settings.
            shared: Several preprocessors are called with the same `Source`: what they have in
                common is made once.

        Raises:
            UnsupportedInputsError: If an input is fed by no image or by several, or is no picture;
                says which setting to change and what the choices are.
        """
        images = (PictureSettings(),) if images is None else images
        feeds: list[_NV12Feed | _PixelFeed] = []
        for settings, target in zip(images, assign(inputs, images), strict=True):
            if settings.fit.resize == "roi":
                try:
                    check_roi(settings.fit.roi)
                except ValueError as error:
                    raise UnsupportedInputsError(f"parameter 'roi': {error}") from error
            if isinstance(target, NV12Input):
                feeds.append(_NV12Feed(settings, target, shared))
            else:
                feeds.append(_PixelFeed(settings, target, shared))
        self._feeds = tuple(feeds)
        self.images: tuple[PreparedImage, ...] = tuple(feed.image for feed in feeds)

    @classmethod
    def for_model(
        cls,
        model: Model,
        images: Sequence[PictureSettings] | None = None,
        *,
        shared: bool = False,
    ) -> Preprocessor:
        """Make the preprocessor of a loaded model.

        Args:
            model: One of ``runtime.models``.
            images: All images that it takes; None for one with the default settings.
            shared: As in the constructor.

        Returns:
            The preprocessor.

        Raises:
            UnsupportedInputsError: If the model cannot be fed with these images.
        """
        try:
            return cls(input_specs(model), images, shared=shared)
        except UnsupportedInputsError as error:
            raise UnsupportedInputsError(
                f"model {model.name!r} cannot be fed with images: {error}"
            ) from error

    def __call__(self, *frames: Frame | Source) -> ModelInputs:
        """Make the inputs of one inference.

        Args:
            frames: One per image, in the order of `images`: a frame, which has no encoding that
                the settings could refuse, or a shared image.

        Returns:
            The tensors and the ways back.

        Raises:
            ImageError: If an image cannot be used.
            TypeError: If one is neither a frame nor a shared image.
            ValueError: If there are more or fewer frames than images, or an array is no picture.
        """
        if len(frames) != len(self._feeds):
            raise ValueError(f"expected {len(self._feeds)} images, got {len(frames)}")
        tensors: Tensors = {}
        transforms = []
        for feed, frame in zip(self._feeds, frames, strict=True):
            made, transform = feed(frame)
            tensors.update(made)
            transforms.append(transform)
        return ModelInputs(tensors, tuple(transforms))


class _NV12Feed:
    """Feeds a luma and a chroma tensor."""

    def __init__(self, settings: PictureSettings, target: NV12Input, shared: bool) -> None:
        self.image = _prepared(settings, target)
        self._encodings = settings.encodings
        self._fit = _Fit(settings.fit, target.width, target.height)
        self._buffer = None if shared else new_nv12(target.width, target.height)

    def __call__(self, image: Frame | Source) -> tuple[Tensors, ImageTransform]:
        """Fit the image; NV12 that fits already goes through as views, without a copy."""
        frame, once = _seen(image, self._encodings)
        if self._buffer is None:
            planes, transform = once(("nv12", self._fit), lambda: self._shared(frame))
        else:
            planes, transform = self._fit.nv12(frame, self._buffer)
        y, uv = self.image.tensors
        return {y: planes.y[np.newaxis, :, :, np.newaxis], uv: planes.uv[np.newaxis]}, transform

    def _shared(self, frame: Frame) -> tuple[NV12Frame, ImageTransform]:
        planes, transform = self._fit.nv12(frame, None)
        return NV12Frame(read_only(planes.y), read_only(planes.uv)), transform


class _PixelFeed:
    """Feeds one tensor of three channels or of one."""

    def __init__(self, settings: PictureSettings, target: PixelInput, shared: bool) -> None:
        self.image = _prepared(settings, target)
        self._encodings = settings.encodings
        self._fit = _Fit(settings.fit, target.width, target.height)
        self._grey = target.channels == 1
        self._writer = PixelWriter(target, settings.normalize)
        self._tensor: NDArray[np.generic] | None = None
        self._buffer: Plane | None = None
        if not shared:
            size = (target.height, target.width)
            self._tensor = np.empty(self._writer.shape, self._writer.dtype)
            self._buffer = np.empty(size if self._grey else (*size, 3), np.uint8)

    def __call__(self, image: Frame | Source) -> tuple[Tensors, ImageTransform]:
        """Fit the image, convert it to RGB, BGR or grey, and write it as the tensor has it."""
        frame, once = _seen(image, self._encodings)
        if self._buffer is None:
            key = ("grey" if self._grey else "bgr", self._fit)
            pixels, transform = once(key, lambda: self._shared(frame))
        else:
            pixels, transform = self._fit.pixels(frame, self._grey, self._buffer)
        tensor = self._writer.view(pixels)
        if tensor is None:
            tensor = self._tensor
            if tensor is None:
                tensor = np.empty(self._writer.shape, self._writer.dtype)
            self._writer.write(pixels, tensor)
        return {self.image.tensors[0]: tensor}, transform

    def _shared(self, frame: Frame) -> tuple[Plane, ImageTransform]:
        pixels, transform = self._fit.pixels(frame, self._grey, None)
        return read_only(pixels), transform


@dataclass(frozen=True)
class _Fit:
    """How an image is fitted into a size; equal ones give equal pictures."""

    settings: FitSettings
    width: int
    height: int

    def nv12(self, frame: Frame, buffer: NV12Frame | None) -> tuple[NV12Frame, ImageTransform]:
        """Make NV12, in the buffer where memory is needed."""
        return fit_nv12(frame, self.width, self.height, out=buffer, **self._arguments())

    def pixels(
        self, frame: Frame, grey: bool, buffer: Plane | None
    ) -> tuple[Plane, ImageTransform]:
        """Make BGR or grey, in the buffer where memory is needed."""
        fit = fit_grey if grey else fit_bgr
        return fit(frame, self.width, self.height, out=buffer, **self._arguments())

    def _arguments(self) -> dict[str, Any]:
        settings = self.settings
        return {
            "mode": settings.resize,
            "pad_value": settings.pad_value,
            "roi": settings.roi,
            "color_range": settings.color_range,
            "color_matrix": settings.color_matrix,
            "copy": False,
        }


def _seen(image: Frame | Source, encodings: Collection[str]) -> tuple[Frame, _Once]:
    """The frame, and how something is made of it: once for all preprocessors, or each time."""
    if isinstance(image, (NV12Frame, YUV422Frame, np.ndarray)):
        check_planes(image)
        return image, _each_time
    if not hasattr(image, "once"):
        raise TypeError(
            "expected an NV12Frame, a YUV422Frame, or a uint8 array [height, width, 3] (BGR) or "
            f"[height, width] (grey), got {type(image).__name__}"
        )
    return image.frame(encodings), image.once


class _Once(Protocol):
    def __call__(self, key: Hashable, make: Callable[[], T]) -> T: ...


def _each_time(key: Hashable, make: Callable[[], T]) -> T:
    return make()


def _prepared(settings: PictureSettings, target: NV12Input | PixelInput) -> PreparedImage:
    return PreparedImage(settings.name, target.tensors, target.width, target.height)


def read_only(array: Plane) -> Plane:
    """Return a view of an array through which nobody can write to it."""
    view: Plane = array.view()
    view.flags.writeable = False
    return view
