# SPDX-License-Identifier: Apache-2.0
"""One set of frames through the steps: a result, or the reason for none. Knows no ROS."""

from __future__ import annotations

import math
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic

from hbm_runtime import HBMError, HBMInputError, HBMTimeoutError
from hbm_runtime.image import ImageError
from hbm_runtime_ros.parameters.settings import LiveSettings
from hbm_runtime_ros.pipeline import drop_reasons
from hbm_runtime_ros.pipeline.steps import FrameT, Rejected, Result, Steps

NANOSECONDS = 1_000_000_000


@dataclass(eq=False)
class Task(Generic[FrameT]):
    """Frames that are to become one result.

    Attributes:
        frames: In the order of the model's images.
        received: When the last of them came, nanoseconds of the node's clock.
        since: Likewise, steady seconds.
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
    """A turn without a result.

    Attributes:
        healthy: What it tells of the runtime: it works, it fails in a way that a new one might
            mend, or nothing (None).
        expected: The configuration asked for this drop: nothing to report.
    """

    def __init__(
        self, reason: str, text: str, *, healthy: bool | None = None, expected: bool = False
    ) -> None:
        super().__init__(reason, text)
        self.healthy = healthy
        self.expected = expected


class Turn(Generic[FrameT]):
    """Takes tasks through the steps, one at a time."""

    def __init__(
        self,
        steps: Steps[FrameT],
        reference: int,
        clock: Callable[[], int],
        steady: Callable[[], float],
    ) -> None:
        """Remember what does not change.

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
        self, task: Task[FrameT], live: LiveSettings, began: float, sequence: int
    ) -> Outcome[FrameT]:
        """Take frames of the model's topics through: with age and deadline.

        Args:
            task: The frames.
            live: Of this turn.
            began: Now, steady seconds.
            sequence: Of the result.

        Returns:
            What they became; not delivered yet.

        Raises:
            Failed: Always this one.
        """
        with_deadline = live.deadline > 0.0
        end = task.since + live.deadline if with_deadline else math.inf
        try:
            self._check_age(task, live)
        except Failed:
            raise
        except Exception as error:
            raise Failed(drop_reasons.INTERNAL_ERROR, shown(error)) from error
        late = f"no result within {live.deadline:g} s (deadline) of the image's reception"
        if began >= end:
            raise Failed(drop_reasons.DEADLINE, late, expected=True)
        return self._run(task, live, end, drop_reasons.DEADLINE, late, sequence)

    def of_request(
        self, task: Task[FrameT], live: LiveSettings, began: float, end: float, sequence: int
    ) -> Outcome[FrameT]:
        """Take frames of a request through: only its own time counts.

        Args:
            task: The frames.
            live: Of this turn.
            began: Now, steady seconds.
            end: When nobody waits for the result any more, steady seconds.
            sequence: Of the result.

        Returns:
            What they became.

        Raises:
            Failed: Always this one.
        """
        late = f"no result within {end - task.since:g} s, waiting for the model included"
        if began >= end:
            raise Failed(drop_reasons.TIMEOUT, late, expected=True)
        return self._run(task, live, end, drop_reasons.TIMEOUT, late, sequence)

    def deliver(self, result: Result[FrameT]) -> None:
        """Hand a result on.

        Args:
            result: Of this pipeline.

        Raises:
            Failed: Always this one.
        """
        try:
            self._steps.deliver(result)
        except BaseException as error:
            raise Failed(drop_reasons.PUBLISH_ERROR, shown(error), healthy=True) from error

    def _check_age(self, task: Task[FrameT], live: LiveSettings) -> None:
        if live.max_age <= 0.0:
            return
        stamp = stamp_of(task.frames[self._reference])
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
        task: Task[FrameT],
        live: LiveSettings,
        end: float,
        late_reason: str,
        late: str,
        sequence: int,
    ) -> Outcome[FrameT]:
        limited = False
        try:
            started_stamp = self._clock()
            inputs = self._steps.prepare(task.frames)
            prepared_stamp, prepared = self._clock(), self._steady()
            remaining = end - prepared
            if remaining <= 0.0:
                raise Failed(late_reason, late, expected=True)
            limited = remaining < live.timeout
            tensors = self._steps.infer(
                inputs.tensors,
                live,
                min(live.timeout, remaining),
                self._custom_id(task, live, sequence),
            )
            finished_stamp, inferred = self._clock(), self._steady()
            result = Result(
                task.frames,
                sequence,
                tensors,
                inputs.transforms,
                task.received,
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
                raise Failed(drop_reasons.TIMEOUT, str(error), healthy=False) from error
            # who gave a request little time learns nothing of the runtime
            healthy = None if late_reason == drop_reasons.TIMEOUT else False
            raise Failed(late_reason, f"{late}: {error}", healthy=healthy) from error
        except HBMError as error:
            raise Failed(drop_reasons.INFERENCE_ERROR, str(error), healthy=False) from error
        except BaseException as error:  # also what a step raises to end a program: the worker stays
            raise Failed(drop_reasons.INTERNAL_ERROR, shown(error)) from error
        if inferred > end:
            raise Failed(late_reason, late, healthy=True, expected=True)
        return Outcome(result, prepared, inferred)

    def _custom_id(self, task: Task[FrameT], live: LiveSettings, sequence: int) -> int | None:
        if live.custom_id == "stamp":
            return stamp_of(task.frames[self._reference])
        return sequence if live.custom_id == "sequence" else None


def stamp_of(frame: Any) -> int:
    """Return the stamp of a frame's header in nanoseconds."""
    stamp = frame.header.stamp
    return int(stamp.sec) * NANOSECONDS + int(stamp.nanosec)


def shown(error: BaseException) -> str:
    """Say what was raised and where, on one line."""
    trace = traceback.extract_tb(error.__traceback__)
    where = f" (line {trace[-1].lineno} of {trace[-1].filename})" if trace else ""
    return f"{type(error).__name__}: {error}{where}"
