# SPDX-License-Identifier: Apache-2.0
"""Real inputs of a network: pictures of a folder, or arrays of an .npz file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import ValueInfoProto

from hbm_runtime.tools.errors import ToolError
from hbm_runtime.tools.optional_packages import require
from hbm_runtime.tools.packing.graph import dims_of
from hbm_runtime.tools.packing.options import PackOptions
from hbm_runtime.tools.packing.picture_front import image_input
from hbm_runtime.tools.packing.sample_input import (
    Sample,
    add_nv12,
    add_pixels,
    real_of,
    stored_of,
)

Array = npt.NDArray[Any]

MOST_PICTURES = 100  # of a folder, spread over all of it
_ENDINGS = (".bmp", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp")


class RealInput:
    """The samples of a path, in the order of their names; read one by one.

    Attributes:
        path: where they are.

    Args:
        path: a folder of pictures, one picture, or an .npz file with an array for each input.
        option: the option that gave the path, for messages.
        network_inputs: the network's own, with fixed shapes.
        options: how pictures become these inputs.

    Raises:
        ToolError: there is nothing to read, or it does not fit the network.
    """

    def __init__(
        self,
        path: Path,
        option: str,
        network_inputs: Sequence[ValueInfoProto],
        options: PackOptions,
    ) -> None:
        self.path = path
        self._option = option
        self._inputs = network_inputs
        self._options = options
        self._stacks: dict[str, Array] = {}
        self._pictures: list[Path] = []
        if path.is_dir():
            self._pictures = _spread(
                sorted(f for f in path.iterdir() if f.suffix.lower() in _ENDINGS and f.is_file())
            )
            if not self._pictures:
                endings = ", ".join(_ENDINGS)
                raise ToolError(f"{option}: the folder {path} holds no pictures ({endings})")
        elif path.suffix.lower() in _ENDINGS:
            self._pictures = [path]
        else:
            self._stacks = _load_stacks(path, option, network_inputs)
        if self._pictures:
            for value in network_inputs:
                self._check_takes_pictures(value)
            require("cv2")

    def __len__(self) -> int:
        return len(self._pictures) or len(next(iter(self._stacks.values())))

    def __iter__(self) -> Iterator[Sample]:
        if self._pictures:
            return map(self._of_picture, self._pictures)
        return map(self._of_arrays, range(len(self)))

    def _check_takes_pictures(self, value: ValueInfoProto) -> None:
        try:
            image_input(value, self._options.picture_of(value.name))
        except ToolError as error:
            if self._options.is_picture(value.name):
                raise
            reason = str(error).partition(": ")[2]
            raise ToolError(
                f"{self._option} {self.path}: input {value.name!r} takes no pictures ({reason});"
                " give real values of all inputs in an .npz file"
            ) from None

    def _of_picture(self, path: Path) -> Sample:
        from hbm_runtime.image import bgr_to_nv12

        cv2 = require("cv2")
        bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if bgr is None:
            raise ToolError(f"{self._option}: OpenCV cannot read the picture {path}")
        sample = Sample({}, {})
        for value in self._inputs:
            how = self._options.picture_of(value.name)
            image = image_input(value, how)
            smaller = image.height * image.width < bgr.shape[0] * bgr.shape[1]
            kind = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
            sized = cv2.resize(bgr, (image.width, image.height), interpolation=kind)
            if how.fed == "nv12":
                levels: Any = how.range
                frame = bgr_to_nv12(sized, levels)
                add_nv12(sample, value, self._options, frame.y, frame.uv)
                continue
            if how.fed == "gray" or image.channels == 1:
                grey = cv2.cvtColor(sized, cv2.COLOR_BGR2GRAY)
                sized = cv2.merge([grey, grey, grey])
            rgb = np.broadcast_to(sized[..., ::-1], (image.batch, *sized.shape))
            add_pixels(sample, value, self._options, rgb)
        return sample

    def _of_arrays(self, index: int) -> Sample:
        options = self._options
        source = {name: stack[index] for name, stack in self._stacks.items()}
        if any(options.is_picture(name) for name in source):
            return Sample(source, {})  # which pixels gave these values is not known
        packed: dict[str, Array] = {}
        for name, array in source.items():
            stored = array
            if name in options.input_quantization:
                stored = stored_of(array, options.input_quantization[name])
                source[name] = real_of(stored, options.input_quantization[name]).astype(array.dtype)
            packed[options.rename.get(name, name)] = np.atleast_1d(stored)
        return Sample(source, packed)


def _spread(files: list[Path]) -> list[Path]:
    if len(files) <= MOST_PICTURES:
        return files
    return [files[index * len(files) // MOST_PICTURES] for index in range(MOST_PICTURES)]


def _load_stacks(
    path: Path, option: str, network_inputs: Sequence[ValueInfoProto]
) -> dict[str, Array]:
    arrays = _load_arrays(path)
    names = [value.name for value in network_inputs]
    if set(arrays) != set(names):
        raise ToolError(
            f"{path} holds {', '.join(arrays) or 'nothing'}; {option} needs one array for each"
            f" input of the ONNX model: {', '.join(names)}"
        )
    stacks = {
        value.name: _stack(path, value.name, arrays[value.name], dims_of(value) or [])
        for value in network_inputs
    }
    count = min(len(stack) for stack in stacks.values())
    if count == 0 or any(len(stack) != count for stack in stacks.values()):
        lengths = ", ".join(f"{name}: {len(stack)}" for name, stack in stacks.items())
        raise ToolError(f"{path} must hold equally many samples of each input, it has {lengths}")
    return stacks


def _stack(path: Path, name: str, array: Array, dims: list[int]) -> Array:
    """The samples of one input along a first axis: [K, *dims], or [K, …] for a batch of one."""
    if array.ndim == len(dims) + 1:
        stack = array
    elif dims and dims[0] == 1 and array.ndim == len(dims):
        stack = array[:, np.newaxis]
    else:
        stack = array[np.newaxis]
    if stack.ndim != len(dims) + 1 or any(
        dim not in (-1, size) for dim, size in zip(dims, stack.shape[1:], strict=True)
    ):
        raise ToolError(
            f"{path}: {name!r} has the shape {list(array.shape)}, expected {dims},"
            " or that with the number of samples in front"
        )
    return stack


def _load_arrays(path: Path) -> dict[str, Array]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise ToolError(f"{path} is not an .npz file (numpy.savez makes one)")
            return {name: archive[name] for name in archive.files}
    except ToolError:
        raise
    except Exception as error:  # zip, header and pickle errors of several kinds
        raise ToolError(f"cannot read {path} as .npz: {error}") from None
