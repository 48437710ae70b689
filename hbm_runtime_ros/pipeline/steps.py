# SPDX-License-Identifier: Apache-2.0
"""What is done with one set of frames, and what comes of it: the values around a pipeline."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hbm_runtime.image import ImageTransform
    from hbm_runtime.image.preprocessing import ModelInputs
    from hbm_runtime_ros.parameters.settings import LiveSettings

    Tensors = Mapping[str, NDArray[np.generic]]

FrameT = TypeVar("FrameT")


@dataclass(frozen=True)
class Result(Generic[FrameT]):
    """What one set of frames became.

    Attributes:
        frames: As offered, in the order of the model's images.
        sequence: Results of this model before this one; of a result of `infer_now`, the requests
            answered before it.
        tensors: Output array per name, in the model's order.
        transforms: From pixels of the model's inputs to pixels of the frames, likewise ordered.
        received: Time the (last) frame was offered, nanoseconds of the node's clock.
        started: Time preprocessing began, same clock.
        prepared: Time the input tensors were there, same clock.
        finished: Time the output tensors were there, same clock.
    """

    frames: tuple[FrameT, ...]
    sequence: int
    tensors: Tensors
    transforms: Sequence[ImageTransform]
    received: int
    started: int
    prepared: int
    finished: int


@dataclass(frozen=True)
class Steps(Generic[FrameT]):
    """What a pipeline does with a set of frames; all are called in its worker thread, one by one.

    Attributes:
        prepare: (frames in the order of the model's images) to input tensors; raises ImageError
            for a frame that cannot be used, Rejected for one that is not wanted any more.
        infer: (input tensors, live settings, seconds it may take, custom_id or None) to output
            tensors; bounded in time; raises HBMTimeoutError for the time, HBMInputError for what
            another try would not mend, another HBMError for what a new runtime might mend.
        deliver: Hands a result on; not called for `infer_now`.
        recover: Makes the model's runtime anew; bounded in time; raises if it cannot, and may be
            called again later.
    """

    prepare: Callable[[Sequence[FrameT]], ModelInputs]
    infer: Callable[[Tensors, LiveSettings, float, int | None], Tensors]
    deliver: Callable[[Result[FrameT]], None]
    recover: Callable[[], None]


class Rejected(Exception):
    """Frames that end without a result.

    Attributes:
        reason: A reason of DropCount.msg.
        text: Why, for people.
    """

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason
        self.text = text


@dataclass(frozen=True)
class PipelineState:
    """What a pipeline does at one moment; times are seconds of its steady clock.

    Attributes:
        running: Started, and not stopped.
        busy_since: When the work under way began, None while there is none.
        recovering: The work under way is making the runtime anew.
        failing_since: When the first of the inferences began that have failed since the last
            result (or since the start), None while they do not fail.
        consecutive_failures: Number of these.
        last_result: When the last result was there, None before the first.
        last_error: Text of the latest fault, "" before the first; drops by policy are none.
        last_error_reason: Its reason of DropCount.msg, "" before the first.
        last_error_at: When it was, None before the first.
    """

    running: bool = False
    busy_since: float | None = None
    recovering: bool = False
    failing_since: float | None = None
    consecutive_failures: int = 0
    last_result: float | None = None
    last_error: str = ""
    last_error_reason: str = ""
    last_error_at: float | None = None
