# SPDX-License-Identifier: Apache-2.0
"""From frames to results: one queue and one worker per model. Knows no ROS."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Generic

from hbm_runtime_ros.counters import CounterSnapshot
from hbm_runtime_ros.settings import LiveSettings, ModelSettings
from hbm_runtime_ros.steps import FrameT, PipelineState, Rejected, Result, Steps

__all__ = ["ModelPipeline", "PipelineState", "Rejected", "Result", "Steps"]

# Not drops: reports of the watchdog use these in place of a reason.
RECOVERED = "recovered"
NOT_RECOVERED = "not_recovered"


def _no_room_wanted() -> None:
    """Nobody waits for room."""


class ModelPipeline(Generic[FrameT]):
    """Runs one model on the frames that its policy lets through.

    The thread that offers frames never waits. Whatever goes wrong with one frame is counted and
    reported, and the next one is tried. Every frame in ends as one result or one drop.

    A frame is opaque but for `frame.header.stamp`.
    """

    def __init__(
        self,
        name: str,
        steps: Steps[FrameT],
        settings: ModelSettings,
        live: Callable[[], LiveSettings],
        report: Callable[[str, str], None],
        clock: Callable[[], int] = time.time_ns,
        on_room: Callable[[], None] = _no_room_wanted,
        *,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare a pipeline; nothing runs before :meth:`start`.

        Args:
            name: Of the model; names the thread.
            steps: What to do with the frames.
            settings: How many images, how they are put together.
            live: Read when a frame is offered and again when its turn comes; from any thread,
                quick, never waits.
            report: Called, outside of any lock, with (reason, text) for each frame lost to a
                fault, and with RECOVERED and NOT_RECOVERED; mostly in the worker thread.
            clock: The node's clock, nanoseconds; 0 while simulated time has not begun.
            on_room: Called outside of any lock, from the thread that made it, when there is room
                again after `has_room` was False.
            steady: Seconds that never jump.
        """
        raise NotImplementedError

    @property
    def name(self) -> str:
        """Name of the model."""
        raise NotImplementedError

    def start(self) -> None:
        """Take frames from now on; once more after a stop is fine, twice is once."""
        raise NotImplementedError

    def stop(self, timeout: float, drain: bool = True) -> bool:
        """Take no more frames, and end the worker thread.

        Args:
            timeout: Seconds to wait for it.
            drain: Finish the frames that wait, as far as the time allows; what is left then, or
                without `drain` all that wait, is counted as stopped.

        Returns:
            False if the worker was still busy then; it ends by itself as soon as it can, or goes
            on if it is started again before. Also False at once when called by the worker itself.
        """
        raise NotImplementedError

    def offer(self, image_index: int, frame: FrameT) -> None:
        """Give the newest frame of one image; returns at once, from any thread.

        Args:
            image_index: Which of the model's images, 0 for the first.
            frame: Passed to the steps as it is.
        """
        raise NotImplementedError

    def has_room(self) -> bool:
        """Whether to take more messages; from any thread, cheap.

        Returns:
            False only while the queue is full with policy "block": then `on_room` is called once
            when that ends.
        """
        raise NotImplementedError

    def infer_now(self, frames: tuple[FrameT, ...], timeout: float) -> Result[FrameT]:
        """Run the model on these frames, before all that wait; blocks, from any other thread.

        Beside the counters and the stream of results: policy, rate and age do not apply, nothing
        is counted or delivered, only the watchdog learns how it went.

        Args:
            frames: One per image of the model.
            timeout: Seconds until the answer, waiting for the model included.

        Returns:
            The result.

        Raises:
            Rejected: With a reason of DropCount.msg: no result within the time, the pipeline is
                or was stopped, or a step failed.
            ValueError: The number of frames is not that of the images.
        """
        raise NotImplementedError

    def snapshot(self) -> CounterSnapshot:
        """Read the counters at one moment; from any thread, never waits."""
        raise NotImplementedError

    def reset(self) -> None:
        """Begin to count anew; frames that wait or run now count as in, `totals` go on."""
        raise NotImplementedError

    def state(self) -> PipelineState:
        """What it does at this moment; from any thread, never waits."""
        raise NotImplementedError
