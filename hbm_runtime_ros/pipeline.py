# SPDX-License-Identifier: Apache-2.0
"""From frames to results: newest frame wins, one worker per model. Knows no ROS."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from hbm_runtime import HBMError, HBMTimeoutError
from hbm_runtime.image import ImageError
from hbm_runtime_ros.counters import CounterSnapshot, PipelineCounters, Stage

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hbm_runtime.image import ImageTransform
    from hbm_runtime_ros.preprocessing import ModelInputs

    Tensors = Mapping[str, NDArray[np.generic]]

FrameT = TypeVar("FrameT")

# Reasons of DropCount.msg that arise here; those of broken images are
# hbm_runtime.image.ImageFault's values.
REPLACED = "replaced"
STOPPED = "stopped"
TIMEOUT = "timeout"
INFERENCE_ERROR = "inference_error"
PUBLISH_ERROR = "publish_error"
INTERNAL_ERROR = "internal_error"


@dataclass(frozen=True)
class Result(Generic[FrameT]):
    """What one frame became.

    Attributes:
        frame: The frame as offered.
        sequence: Results of this model before this one.
        tensors: Output array per name, in the model's order.
        transform: From pixels of the model's input to pixels of the frame.
        received: Time of the offer, nanoseconds of the pipeline's wall clock.
        started: Time preprocessing began, same clock.
        finished: Time the outputs were there, same clock.
    """

    frame: FrameT
    sequence: int
    tensors: Tensors
    transform: ImageTransform
    received: int
    started: int
    finished: int


@dataclass(frozen=True)
class Steps(Generic[FrameT]):
    """What a pipeline does with a frame, in this order; all three are called in its worker thread.

    Attributes:
        prepare: Frame to input tensors; raises ImageError for a frame that cannot be used.
        infer: Input tensors to output tensors; bounded in time; raises HBMError.
        deliver: Hands a result on.
    """

    prepare: Callable[[FrameT], ModelInputs]
    infer: Callable[[Tensors], Tensors]
    deliver: Callable[[Result[FrameT]], None]


@dataclass(frozen=True)
class _Waiting(Generic[FrameT]):
    frame: FrameT
    received: int
    since: float


class _Dropped(Exception):
    """A frame that ends without a result."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


class ModelPipeline(Generic[FrameT]):
    """Runs one model on the newest frame there is.

    The thread that offers frames never waits: a frame replaces the one still waiting, which is
    counted as dropped. Whatever goes wrong with one frame is counted and reported, and the next
    frame is tried.
    """

    def __init__(
        self,
        name: str,
        steps: Steps[FrameT],
        report: Callable[[str, str], None],
        wall_clock: Callable[[], int] = time.time_ns,
    ) -> None:
        """Prepare a pipeline; nothing runs before :meth:`start`.

        Args:
            name: Of the model; names the thread.
            steps: What to do with a frame.
            report: Called in the worker thread with (reason, text) for each frame lost to an error.
            wall_clock: Nanoseconds, for the times in results.
        """
        self._name = name
        self._steps = steps
        self._report = report
        self._wall_clock = wall_clock
        self._counters = PipelineCounters()
        self._changed = threading.Condition()
        self._waiting: _Waiting[FrameT] | None = None
        self._stopping = False
        # daemon: a task that the accelerator never gives back must not keep the process alive
        self._worker = threading.Thread(target=self._work, name=f"hbm-{name}", daemon=True)

    @property
    def name(self) -> str:
        """Name of the model."""
        return self._name

    def start(self) -> None:
        """Start the worker thread; once."""
        self._worker.start()

    def offer(self, frame: FrameT) -> None:
        """Give the newest frame; returns at once, from any thread.

        Args:
            frame: Passed to the steps as it is.
        """
        self._counters.count_frame()
        waiting = _Waiting(frame, self._wall_clock(), time.perf_counter())
        with self._changed:
            if self._stopping:
                lost: str | None = STOPPED
            else:
                lost = REPLACED if self._waiting is not None else None
                self._waiting = waiting
                self._changed.notify()
        if lost is not None:
            self._counters.count_drop(lost)

    def stop(self, timeout: float) -> bool:
        """End the worker thread after the frame it is busy with; a waiting frame is dropped.

        Args:
            timeout: Seconds to wait for it.

        Returns:
            False if it was still busy then; it ends by itself as soon as it can.
        """
        with self._changed:
            self._stopping = True
            lost, self._waiting = self._waiting, None
            self._changed.notify()
        if lost is not None:
            self._counters.count_drop(STOPPED)
        if self._worker.ident is not None:
            self._worker.join(timeout)
        return not self._worker.is_alive()

    def snapshot(self) -> CounterSnapshot:
        """Read the counters; from any thread."""
        return self._counters.snapshot()

    def _work(self) -> None:
        sequence = 0
        while True:
            with self._changed:
                while self._waiting is None and not self._stopping:
                    self._changed.wait()
                if self._stopping:
                    return
                waiting, self._waiting = self._waiting, None
            assert waiting is not None
            try:
                durations = self._process(waiting, sequence)
            except _Dropped as drop:
                self._counters.count_drop(drop.reason)
                self._report(drop.reason, str(drop))
            else:
                sequence += 1
                self._counters.count_result(durations)

    def _process(self, waiting: _Waiting[FrameT], sequence: int) -> dict[Stage, float]:
        steps = self._steps
        started = self._wall_clock()
        begin = time.perf_counter()
        try:
            inputs = steps.prepare(waiting.frame)
            prepared = time.perf_counter()
            tensors = steps.infer(inputs.tensors)
        except ImageError as error:
            raise _Dropped(error.fault.value, str(error)) from error
        except HBMTimeoutError as error:
            raise _Dropped(TIMEOUT, str(error)) from error
        except HBMError as error:
            raise _Dropped(INFERENCE_ERROR, str(error)) from error
        except Exception as error:
            raise _Dropped(INTERNAL_ERROR, f"{type(error).__name__}: {error}") from error
        inferred = time.perf_counter()
        finished = self._wall_clock()
        try:
            steps.deliver(
                Result(
                    waiting.frame,
                    sequence,
                    tensors,
                    inputs.transform,
                    waiting.received,
                    started,
                    finished,
                )
            )
        except Exception as error:
            raise _Dropped(PUBLISH_ERROR, f"{type(error).__name__}: {error}") from error
        published = time.perf_counter()
        return {
            Stage.WAIT: begin - waiting.since,
            Stage.PREPROCESS: prepared - begin,
            Stage.INFERENCE: inferred - prepared,
            Stage.PUBLISH: published - inferred,
            Stage.TOTAL: published - waiting.since,
        }
