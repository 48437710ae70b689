# SPDX-License-Identifier: Apache-2.0
"""Which input tensors of a model are pictures, and which image feeds which of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from hbm_runtime._texts import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hbm_runtime.image.settings import PictureSettings
    from hbm_runtime.models import Model
    from hbm_runtime.types import QuantParams


@dataclass(frozen=True)
class InputSpec:
    """What preprocessing needs to know of one input tensor.

    Attributes:
        name: Name in the model.
        shape: Elements per dimension.
        data_type: Name of the hbDNNDataType, e.g. "U8".
        quantization: Of the tensor; None for none.

    Example:
        >>> Preprocessor([InputSpec("x", (1, 224, 320, 3), "U8")]).images[0].width
        320
    """

    name: str
    shape: tuple[int, ...]
    data_type: str
    quantization: QuantParams | None = None


def input_specs(model: Model) -> list[InputSpec]:
    """Describe the inputs of a loaded model.

    Args:
        model: One of ``runtime.models``.

    Returns:
        In the model's order.
    """
    return [
        InputSpec(tensor.name, tensor.shape, tensor.dtype.name, tensor.quant)
        for tensor in model.inputs.values()
    ]


class NV12Input(NamedTuple):
    """A luma and a chroma tensor, U8 [1,H,W,1] and [1,H/2,W/2,2].

    Attributes:
        y: Of luma.
        uv: Of chroma.
    """

    y: InputSpec
    uv: InputSpec

    @property
    def tensors(self) -> tuple[str, ...]:
        """Names, luma first."""
        return self.y.name, self.uv.name

    @property
    def width(self) -> int:
        """Pixels."""
        return self.y.shape[2]

    @property
    def height(self) -> int:
        """Pixels."""
        return self.y.shape[1]


class PixelInput(NamedTuple):
    """One tensor of three channels or of one, [1,C,H,W] or [1,H,W,C].

    Attributes:
        spec: Of the tensor.
        channel_axis: 1 or 3.
    """

    spec: InputSpec
    channel_axis: int

    @property
    def tensors(self) -> tuple[str, ...]:
        """Its name."""
        return (self.spec.name,)

    @property
    def channels(self) -> int:
        """3 or 1."""
        return self.spec.shape[self.channel_axis]

    @property
    def width(self) -> int:
        """Pixels."""
        return self.spec.shape[3 if self.channel_axis == 1 else 2]

    @property
    def height(self) -> int:
        """Pixels."""
        return self.spec.shape[2 if self.channel_axis == 1 else 1]


PictureInput = NV12Input | PixelInput

# Of one tensor for all channels; U8 alone of an NV12 pair.
PIXEL_TYPES = ("U8", "S8", "U16", "S16", "F16", "F32", "S32")


class UnsupportedInputsError(ValueError):
    """A model whose inputs cannot be fed with the configured images.

    Example:
        >>> Preprocessor([InputSpec("x", (1, 1000), "F32")])
        Traceback (most recent call last):
        hbm_runtime.image.picture_inputs.UnsupportedInputsError: its inputs x: F32 [1, 1000] ...
    """

    def __init__(self, text: str) -> None:
        super().__init__(one_line(text))  # names come from files


def assign(inputs: Sequence[InputSpec], images: Sequence[PictureSettings]) -> list[PictureInput]:
    """Say which input tensors each image feeds.

    An image feeds the tensors named in its settings. The other tensors go to the other images: both
    are taken in their order, luma and chroma of one size together.

    Args:
        inputs: All inputs of the model.
        images: All images.

    Returns:
        One per image, in their order.

    Raises:
        UnsupportedInputsError: If an input is fed by no image or by several, or is no picture; says
            which parameter to set and what the choices are.
    """
    if not images:
        raise UnsupportedInputsError("it has no image; name at least one in parameter 'images'")
    if any(size <= 0 for spec in inputs for size in spec.shape):
        raise UnsupportedInputsError(
            f"its inputs {_describe(inputs)} have dynamic dimensions; make it for one image size"
        )
    named = [_named(image, inputs) if image.tensors else None for image in images]
    _check_fed_once(images)
    taken = {name for image in images for name in image.tensors}
    rest = [spec for spec in inputs if spec.name not in taken]
    waiting = [image for image in images if not image.tensors]
    found = iter(_match(rest, waiting, inputs))
    return [picture or next(found) for picture in named]


def _named(image: PictureSettings, inputs: Sequence[InputSpec]) -> PictureInput:
    by_name = {spec.name: spec for spec in inputs}
    unknown = [name for name in image.tensors if name not in by_name]
    if unknown:
        raise UnsupportedInputsError(
            f"parameter '{_parameter(image)}' names {', '.join(map(repr, unknown))}, but its "
            f"inputs are {_describe(inputs)}"
        )
    specs = [by_name[name] for name in image.tensors]
    picture = _picture(specs)
    if picture is None:
        raise UnsupportedInputsError(
            f"parameter '{_parameter(image)}': {_describe(specs)} cannot be fed by one image; "
            f"{_ACCEPTED}"
        )
    return picture


def _check_fed_once(images: Sequence[PictureSettings]) -> None:
    fed: dict[str, PictureSettings] = {}
    for image in images:
        for name in image.tensors:
            if name in fed:
                raise UnsupportedInputsError(
                    f"input '{name}' is fed by parameter '{_parameter(fed[name])}' and by "
                    f"'{_parameter(image)}'; name it once"
                )
            fed[name] = image


def _match(
    rest: Sequence[InputSpec], waiting: Sequence[PictureSettings], inputs: Sequence[InputSpec]
) -> list[PictureInput]:
    """Assign what is not named, in order."""
    pictures, others = _pictures(rest)
    if others or (rest and not waiting):
        raise UnsupportedInputsError(
            f"its inputs {_describe(inputs)} cannot all be fed with images: none feeds "
            f"{_describe(others or rest)}; {_ACCEPTED}"
        )
    if len(pictures) != len(waiting):
        names = ", ".join(f"'{_parameter(image)}'" for image in waiting)
        choices = "; ".join(", ".join(picture.tensors) for picture in pictures) or "(none)"
        raise UnsupportedInputsError(
            f"its inputs {_describe(inputs)} hold {len(pictures)} pictures for {len(waiting)} "
            f"images without named tensors ({names}): name as many images in parameter 'images', "
            f"or say what each feeds in these parameters; the choices are: {choices}"
        )
    return pictures


def _pictures(
    specs: Sequence[InputSpec],
) -> tuple[list[PictureInput], list[InputSpec]]:
    """Group tensors into pictures, in their order; returns these and the tensors left over."""
    partners = _pairs(specs)
    pictures: list[PictureInput] = []
    others: list[InputSpec] = []
    done: set[str] = set()
    for spec in specs:
        if spec.name in done:
            continue
        partner = partners.get(spec.name)
        group = [spec] if partner is None else [spec, partner]
        done.update(member.name for member in group)
        picture = _picture(group)
        if picture is None:
            others.extend(group)
        else:
            pictures.append(picture)
    return pictures, others


def _pairs(specs: Sequence[InputSpec]) -> dict[str, InputSpec]:
    """Partner per name of a luma or chroma tensor: of its size, and next to it where several are.

    Raises:
        UnsupportedInputsError: If there are several and they do not come pair by pair.
    """
    of_size: dict[tuple[int, ...], list[InputSpec]] = {}
    for spec in specs:
        size = _luma_size(spec)
        if size:
            of_size.setdefault(size, []).append(spec)
    partners: dict[str, InputSpec] = {}
    for group in of_size.values():
        if len({spec.shape for spec in group}) == 1:
            continue  # grey pictures, or chroma without any luma
        pairs = list(zip(group[0::2], group[1::2], strict=False))
        if len(group) % 2 or any(one.shape == two.shape for one, two in pairs):
            raise UnsupportedInputsError(
                f"its inputs {_describe(group)} are luma and chroma of one size, but which belong "
                "together is not clear: name the two of each image in its parameter 'tensors'"
            )
        for one, two in pairs:
            partners[one.name], partners[two.name] = two, one
    return partners


def _luma_size(spec: InputSpec) -> tuple[int, ...]:
    """Height and width of the NV12 image that a tensor may be the luma or chroma of; () if none."""
    if spec.data_type != "U8" or len(spec.shape) != 4 or spec.shape[0] != 1:
        return ()
    _, height, width, channels = spec.shape
    if channels == 1 and height % 2 == 0 and width % 2 == 0:
        return height, width
    return (2 * height, 2 * width) if channels == 2 else ()


def _picture(specs: Sequence[InputSpec]) -> PictureInput | None:
    return _pixels(specs[0]) if len(specs) == 1 else _nv12(specs)


def _nv12(specs: Sequence[InputSpec]) -> NV12Input | None:
    """The pair [1,H,W,1] and [1,H/2,W/2,2], in either order."""
    if len(specs) != 2 or any(i.data_type != "U8" or len(i.shape) != 4 for i in specs):
        return None
    y, uv = sorted(specs, key=lambda spec: spec.shape[3])
    _, height, width, _ = y.shape
    if height % 2 or width % 2:
        return None
    if y.shape != (1, height, width, 1) or uv.shape != (1, height // 2, width // 2, 2):
        return None
    return NV12Input(y, uv)


def _pixels(spec: InputSpec) -> PixelInput | None:
    """One tensor of three channels or of one; channels first where both would do."""
    if len(spec.shape) != 4 or spec.shape[0] != 1 or spec.data_type not in PIXEL_TYPES:
        return None
    for channels in (3, 1):
        for axis in (1, 3):
            if spec.shape[axis] == channels:
                return PixelInput(spec, axis)
    return None


def _parameter(image: PictureSettings) -> str:
    return f"{image.name}.tensors" if image.name else "tensors"


def _describe(specs: Sequence[InputSpec]) -> str:
    return ", ".join(f"{i.name}: {i.data_type} {list(i.shape)}" for i in specs) or "(none)"


_ACCEPTED = (
    "an image feeds an NV12 pair (U8 [1,H,W,1] and U8 [1,H/2,W/2,2]) or one tensor of 3 channels "
    f"or 1 ([1,C,H,W] or [1,H,W,C]; {', '.join(PIXEL_TYPES[:-1])} or {PIXEL_TYPES[-1]})"
)
