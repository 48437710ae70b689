# SPDX-License-Identifier: Apache-2.0
"""One set of frames through the steps: a result, or the reason for none. Knows no ROS."""

from __future__ import annotations

import math
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from hbm_runtime import HBMError, HBMInputError, HBMTimeoutError
from hbm_runtime._texts import one_line
from hbm_runtime.image import ImageError
from hbm_runtime_ros.parameters.settings import LiveSettings
from hbm_runtime_ros.pipeline import drop_reasons

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hbm_runtime.image import ImageTransform
    from hbm_runtime.image.preprocessing import ModelInputs

    Tensors = Mapping[str, NDArray[np.generic]]

NANOSECONDS = 1_000_000_000
FrameT = TypeVar("FrameT")


@dataclass(frozen=True)
class Result(Generic[FrameT]):
    """What one set of frames became.

    `hbm_runtime_ros.pipeline` exports this class: listeners of a node get its instances.

    Attributes:
        frames: As offered, in the order of the model's images.
        sequence: Results of this model before this one; of a result of `infer_now`, the calls
            answered before it.
        tensors: Output array per name, in the model's order.
        transforms: From pixels of the model's inputs to pixels of the frames, in the same order.
        received: Time the (last) frame was offered, nanoseconds of the node's clock.
        started: Time preprocessing began, same clock.
        prepared: Time the input tensors were there, same clock.
        finished: Time the output tensors were there, same clock.

    Example:
        >>> import numpy as np
        >>> def on_result(result: Result) -> None:  # for InferenceNode.add_result_listener
        ...     milliseconds = (result.finished - result.received) / 1e6
        ...     print(result.sequence, result.tensors["scores"].shape, f"{milliseconds} ms")
        >>> scores = np.zeros((1, 10), np.float32)
        >>> on_result(Result((), 7, {"scores": scores}, (), 0, 100_000, 200_000, 1_500_000))
        7 (1, 10) 1.5 ms
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
        recover: Replaces the model's runtime; bounded in time; raises if it cannot, and may be
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
        self.reason = reason
        self.text = one_line(text)
        super().__init__(self.text)


@dataclass(eq=False)
class FrameSet(Generic[FrameT]):
    """Frames that are to become one result.

    Attributes:
        frames: In the order of the model's images.
        received: When the last of them came, nanoseconds of the node's clock.
        since: The same moment, steady seconds.
    """

    frames: tuple[FrameT, ...]
    received: int
    since: float


@dataclass(frozen=True)
class Outcome(Generic[FrameT]):
    """A result, and when its stages ended.

    Attributes:
        result: As the steps made it.
        prepared: Steady seconds.
        inferred: Steady seconds.
    """

    result: Result[FrameT]
    prepared: float
    inferred: float


class Failed(Rejected):
    """An attempt without a result.

    Attributes:
        runtime_works: True if the runtime did its part, False if it failed in a way that a new
            one might mend, None if the failure says nothing about it.
        expected: The configuration asked for this drop: nothing to report.
    """

    def __init__(
        self, reason: str, text: str, *, runtime_works: bool | None = None, expected: bool = False
    ) -> None:
        super().__init__(reason, text)
        self.runtime_works = runtime_works
        self.expected = expected


class Attempt(Generic[FrameT]):
    """Takes sets of frames through the steps, one at a time."""

    def __init__(
        self,
        steps: Steps[FrameT],
        reference: int,
        clock: Callable[[], int],
        steady: Callable[[], float],
    ) -> None:
        """Keep what all attempts have in common.

        Args:
            steps: What to do.
            reference: Index of the frame whose stamp stands for all.
            clock: The node's clock, nanoseconds.
            steady: Seconds.
        """
        self._steps = steps
        self._reference = reference
        self._clock = clock
        self._steady = steady

    def of_stream(
        self, frame_set: FrameSet[FrameT], live: LiveSettings, began: float, sequence: int
    ) -> Outcome[FrameT]:
        """Take frames of the model's topics through, with age and deadline.

        Args:
            frame_set: The frames.
            live: Settings of this attempt.
            began: Now, steady seconds.
            sequence: Of the result.

        Returns:
            What they became; not delivered yet.

        Raises:
            Failed: If there is no result; nothing else is raised.
        """
        with_deadline = live.deadline > 0.0
        end = frame_set.since + live.deadline if with_deadline else math.inf
        try:
            self._check_age(frame_set, live)
        except Failed:
            raise
        except Exception as error:
            raise Failed(drop_reasons.INTERNAL_ERROR, shown(error)) from error
        late = f"no result within {live.deadline:g} s (deadline) of the image's reception"
        if began >= end:
            raise Failed(drop_reasons.DEADLINE, late, expected=True)
        return self._run(frame_set, live, end, drop_reasons.DEADLINE, late, sequence)

    def of_call(
        self,
        frame_set: FrameSet[FrameT],
        live: LiveSettings,
        began: float,
        end: float,
        sequence: int,
    ) -> Outcome[FrameT]:
        """Take frames of a call of `infer_now` through: only its own time counts.

        Args:
            frame_set: The frames.
            live: Settings of this attempt.
            began: Now, steady seconds.
            end: When nobody waits for the result any more, steady seconds.
            sequence: Of the result.

        Returns:
            What they became.

        Raises:
            Failed: If there is no result; nothing else is raised.
        """
        late = f"no result within {end - frame_set.since:g} s, waiting for the model included"
        if began >= end:
            raise Failed(drop_reasons.TIMEOUT, late, expected=True)
        return self._run(frame_set, live, end, drop_reasons.TIMEOUT, late, sequence)

    def deliver(self, result: Result[FrameT]) -> None:
        """Hand a result on.

        Args:
            result: Of this pipeline.

        Raises:
            Failed: If it cannot be delivered; nothing else is raised.
        """
        try:
            self._steps.deliver(result)
        except BaseException as error:
            raise Failed(drop_reasons.PUBLISH_ERROR, shown(error), runtime_works=True) from error

    def _check_age(self, frame_set: FrameSet[FrameT], live: LiveSettings) -> None:
        if live.max_age <= 0.0:
            return
        stamp = stamp_of(frame_set.frames[self._reference])
        if stamp == 0:  # a camera without a clock
            return
        # less than 0 while simulated time has not begun
        age = (self._clock() - stamp) / NANOSECONDS
        if age > live.max_age:
            raise Failed(
                drop_reasons.AGE,
                f"{age:.3f} s old when its turn came, max_age is {live.max_age:g} s",
                expected=True,
            )

    def _run(
        self,
        frame_set: FrameSet[FrameT],
        live: LiveSettings,
        end: float,
        late_reason: str,
        late: str,
        sequence: int,
    ) -> Outcome[FrameT]:
        limited = False
        try:
            started_stamp = self._clock()
            inputs = self._steps.prepare(frame_set.frames)
            prepared_stamp, prepared = self._clock(), self._steady()
            remaining = end - prepared
            if remaining <= 0.0:
                raise Failed(late_reason, late, expected=True)
            limited = remaining < live.timeout
            tensors = self._steps.infer(
                inputs.tensors,
                live,
                min(live.timeout, remaining),
                self._custom_id(frame_set, live, sequence),
            )
            finished_stamp, inferred = self._clock(), self._steady()
            result = Result(
                frame_set.frames,
                sequence,
                tensors,
                inputs.transforms,
                frame_set.received,
                started_stamp,
                prepared_stamp,
                finished_stamp,
            )
        except Failed:
            raise
        except Rejected as error:
            raise Failed(error.reason, error.text, expected=True) from error
        except ImageError as error:
            raise Failed(error.fault.value, str(error)) from error
        except HBMInputError as error:
            raise Failed(drop_reasons.INFERENCE_ERROR, str(error)) from error
        except HBMTimeoutError as error:
            if not limited:
                raise Failed(drop_reasons.TIMEOUT, str(error), runtime_works=False) from error
            # a call that had little time says nothing about the runtime
            runtime_works = None if late_reason == drop_reasons.TIMEOUT else False
            raise Failed(late_reason, f"{late}: {error}", runtime_works=runtime_works) from error
        except HBMError as error:
            raise Failed(drop_reasons.INFERENCE_ERROR, str(error), runtime_works=False) from error
        except BaseException as error:  # also what a step raises to end a program: the worker stays
            raise Failed(drop_reasons.INTERNAL_ERROR, shown(error)) from error
        if inferred > end:
            raise Failed(late_reason, late, runtime_works=True, expected=True)
        return Outcome(result, prepared, inferred)

    def _custom_id(
        self, frame_set: FrameSet[FrameT], live: LiveSettings, sequence: int
    ) -> int | None:
        if live.custom_id == "stamp":
            return stamp_of(frame_set.frames[self._reference])
        return sequence if live.custom_id == "sequence" else None


def stamp_of(frame: Any) -> int:
    """Return the stamp of a frame's header in nanoseconds."""
    stamp = frame.header.stamp
    return int(stamp.sec) * NANOSECONDS + int(stamp.nanosec)


def shown(error: BaseException) -> str:
    """Say what was raised and where, on one line."""
    trace = traceback.extract_tb(error.__traceback__)
    where = f" (line {trace[-1].lineno} of {trace[-1].filename})" if trace else ""
    return one_line(f"{type(error).__name__}: {error}{where}")
