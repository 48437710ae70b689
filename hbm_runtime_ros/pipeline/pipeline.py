# SPDX-License-Identifier: Apache-2.0
"""From frames to results: one queue and one worker per model. Knows no ROS."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic

from hbm_runtime_ros.parameters.settings import LiveSettings, ModelSettings
from hbm_runtime_ros.pipeline import drop_reasons
from hbm_runtime_ros.pipeline.attempt import (
    Attempt,
    Failed,
    FrameSet,
    FrameT,
    Rejected,
    Result,
    Steps,
    shown,
    stamp_of,
)
from hbm_runtime_ros.pipeline.counters import CounterSnapshot, PipelineCounters
from hbm_runtime_ros.pipeline.frame_queue import FrameQueue
from hbm_runtime_ros.pipeline.rate_limit import RateLimiter
from hbm_runtime_ros.pipeline.synchronizer import Synchronizer
from hbm_runtime_ros.pipeline.watchdog import Watchdog

# Not drops: the watchdog's reports use these in place of a reason.
RECOVERED = "recovered"
NOT_RECOVERED = "not_recovered"

ATTEMPT_POLL = 0.002  # seconds between two looks at whether an attempt has ended


def _no_room_wanted() -> None:
    """Nobody waits for room."""


@dataclass(frozen=True)
class PipelineState:
    """What a pipeline does at one moment; times are seconds of its steady clock.

    Attributes:
        running: Started, and not stopped.
        busy_since: When the work under way began, None while there is none.
        recovering: The work under way replaces the runtime.
        failing_since: When the first of the inferences began that have failed since the last
            result (or since the start), None while they do not fail.
        last_error: Text of the latest fault, "" before the first; drops by policy are none.
    """

    running: bool = False
    busy_since: float | None = None
    recovering: bool = False
    failing_since: float | None = None
    last_error: str = ""


@dataclass(eq=False)
class _InferNowCall(Generic[FrameT]):
    """A call of `infer_now` that waits for its answer."""

    frame_set: FrameSet[FrameT]
    end: float
    answered: threading.Event = field(default_factory=threading.Event)
    answer: Result[FrameT] | Rejected | None = None


class ModelPipeline(Generic[FrameT]):
    """Runs one model on the frames that its policy lets through.

    The thread that offers frames never waits. Whatever goes wrong with one frame is counted and
    reported, and the next one is tried. Every frame in ends as one result or one drop.

    A frame is opaque but for `frame.header.stamp`.
    """

    # The lock is held for a few microseconds at a time: never while steps, settings, clocks or
    # callbacks are called, and never while frames are freed (that gives back megabytes).

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
            live: Read when a frame is offered and again when it is taken from the queue; from any
                thread, quick, never waits.
            report: Called, outside of any lock, with (reason, text) for each frame lost to a
                fault, and with RECOVERED and NOT_RECOVERED; in the worker thread.
            clock: The node's clock, nanoseconds; 0 while simulated time has not begun.
            on_room: Called, outside of any lock, from the thread that made it, when there is room
                again after `has_room` was False.
            steady: Seconds that never jump.
        """
        self._name = name
        self._steps = steps
        self._live = live
        self._known_live = settings.live
        self._report_to = report
        self._clock = clock
        self._on_room = on_room
        self._steady = steady
        self._images = tuple(image.name for image in settings.images)
        self._synchronizer: Synchronizer[FrameT] | None = None
        if len(self._images) > 1:
            self._synchronizer = Synchronizer(settings.sync, self._images)
        reference = 0 if self._synchronizer is None else self._synchronizer.reference
        self._attempt = Attempt(steps, reference, clock, steady)

        # All below is guarded by the lock of this condition; only the worker waits for it.
        self._changed = threading.Condition(threading.Lock())
        self._counters = PipelineCounters()
        self._queue: FrameQueue[FrameSet[FrameT]] = FrameQueue()
        self._rate = RateLimiter()
        self._calls: deque[_InferNowCall[FrameT]] = deque()
        self._watchdog = Watchdog()
        self._worker: threading.Thread | None = None
        self._worker_left = True
        self._accepting = False
        self._room_wanted = False
        self._running = 0
        self._busy_since: float | None = None
        self._attempts = 0
        self._recovering = False
        self._last_error = ""
        # The worker's own.
        self._sequence = 0
        self._calls_answered = 0

    @property
    def name(self) -> str:
        """Name of the model."""
        return self._name

    def start(self) -> None:
        """Take frames from now on; once more after a stop is fine, twice is once.

        Raises:
            RuntimeError: The system gives no more threads; the pipeline is stopped then.
        """
        with self._changed:
            if self._accepting:
                return
            self._rate.restart()
            self._watchdog.succeeded()
            if self._worker_left:
                # daemon: a task that the accelerator never gives back must not keep the process
                # alive
                worker = threading.Thread(target=self._work, name=f"hbm-{self._name}", daemon=True)
                worker.start()
                self._worker, self._worker_left = worker, False
            self._accepting = True

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
        lost: list[Any] = []
        with self._changed:
            self._accepting = False
            room, self._room_wanted = self._room_wanted, False
            if self._synchronizer is not None:
                for index, frame in self._synchronizer.clear():
                    self._counters.count_unmatched(self._images[index], drop_reasons.STOPPED)
                    lost.append(frame)
            worker = self._worker
            if not drain:
                lost += self._drop_waiting()
            self._changed.notify()
        if room:
            self._call_on_room()
        if worker is None:
            return True
        if worker is threading.current_thread():
            return False
        worker.join(min(max(0.0, timeout), threading.TIMEOUT_MAX))
        if not worker.is_alive():
            return True
        with self._changed:
            if not self._accepting:
                lost += self._drop_waiting()
        return False

    def offer(self, image_index: int, frame: FrameT, received: int | None = None) -> None:
        """Give the newest frame of one image; returns at once, from any thread.

        Args:
            image_index: Which of the model's images, 0 for the first.
            frame: Passed to the steps as it is.
            received: When it came, nanoseconds of the node's clock; None for now.
        """
        live = self._read_live()
        received = self._clock() if received is None else received
        stamp = 0 if self._synchronizer is None else stamp_of(frame)
        now = self._steady()
        lost: list[Any] = []
        with self._changed:
            if self._synchronizer is None:
                self._enter(FrameSet((frame,), received, now), live, lost)
            elif not self._accepting:
                self._counters.count_unmatched(self._images[image_index], drop_reasons.STOPPED)
            else:
                self._expire(live, now, lost)
                matches = self._synchronizer.add(image_index, frame, stamp, now)
                self._count_unmatched(matches.unmatched, lost)
                for frames in matches.sets:
                    self._enter(FrameSet(frames, received, now), live, lost)
            room = self._has_room_again(live, now)
        if room:
            self._call_on_room()

    def has_room(self) -> bool:
        """Whether to take more messages; from any thread, cheap.

        Returns:
            False only while the queue is full with policy "block": then `on_room` is called once
            when that ends (after a change of policy or depth: with the next attempt).
        """
        live = self._read_live()
        if not self._queue.blocks(live.queue_policy, live.queue_depth):
            return True
        with self._changed:
            if not self._blocked(live):
                return True
            self._room_wanted = True
            return False

    def infer_now(self, frames: tuple[FrameT, ...], timeout: float) -> Result[FrameT]:
        """Run the model on these frames, before all that wait; blocks, from any other thread.

        Apart from the counters and the stream of results: policy, rate, age and deadline do not
        apply, nothing is counted or delivered, only the watchdog learns how it went.

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
        if len(frames) != len(self._images):
            raise ValueError(
                f"model '{self._name}' takes {len(self._images)} image(s), got {len(frames)}"
            )
        now = self._steady()
        call = _InferNowCall(FrameSet(tuple(frames), self._clock(), now), now + timeout)
        with self._changed:
            if not self._accepting:
                raise Rejected(drop_reasons.STOPPED, self._not_running())
            self._calls.append(call)
            self._changed.notify()
        in_time = call.answered.wait(min(max(0.0, timeout), threading.TIMEOUT_MAX))
        if not in_time:
            with self._changed, contextlib.suppress(ValueError):
                self._calls.remove(call)
        answer = call.answer
        if isinstance(answer, Result):
            return answer
        if answer is not None:
            raise Rejected(answer.reason, answer.text)
        raise Rejected(
            drop_reasons.TIMEOUT,
            f"no result of model '{self._name}' within {timeout:g} s, waiting for it included",
        )

    def wait_for_attempt(self, timeout: float) -> bool:
        """Wait for the end of the attempt that is under way; from any other thread.

        Args:
            timeout: Seconds.

        Returns:
            False if it was still under way then.
        """
        end = self._steady() + timeout
        with self._changed:
            attempt, busy = self._attempts, self._busy_since is not None
        while busy and self._steady() < end:
            time.sleep(min(ATTEMPT_POLL, max(0.0, end - self._steady())))
            with self._changed:
                busy = self._busy_since is not None and self._attempts == attempt
        return not busy

    def snapshot(self) -> CounterSnapshot:
        """Read the counters at one moment; from any thread, never waits."""
        lost: list[Any] = []
        live = self._read_live()
        now = self._steady()
        with self._changed:
            self._expire(live, now, lost)
            incomplete = 0 if self._synchronizer is None else len(self._synchronizer)
            make = self._counters.read(len(self._queue), self._running, incomplete)
        return make()

    def reset(self) -> None:
        """Count from zero; frames that wait or run now count as in, `totals` go on."""
        with self._changed:
            self._counters.reset(len(self._queue) + self._running)

    def state(self) -> PipelineState:
        """What it does at this moment; from any thread, never waits."""
        with self._changed:
            return PipelineState(
                running=self._accepting,
                busy_since=self._busy_since,
                recovering=self._recovering,
                failing_since=self._watchdog.failing_since,
                last_error=self._last_error,
            )

    # With the lock held:

    def _enter(self, frame_set: FrameSet[FrameT], live: LiveSettings, lost: list[Any]) -> None:
        """Count a complete set of frames and let it wait, or drop it."""
        self._counters.count_frame()
        reason = self._refusal(frame_set, live)
        if reason:
            self._counters.count_drop(reason)
            return
        dropped = self._queue.put(frame_set, live.queue_policy, live.queue_depth)
        self._count_dropped(dropped, lost)
        self._changed.notify()

    def _refusal(self, frame_set: FrameSet[FrameT], live: LiveSettings) -> str:
        if not self._accepting:
            return drop_reasons.STOPPED
        if self._queue.skips(live.queue_policy, live.every_nth):
            return drop_reasons.SKIPPED
        if not self._rate.admit(frame_set.received, live.max_rate):
            return drop_reasons.RATE
        return ""

    def _expire(self, live: LiveSettings, now: float, lost: list[Any]) -> None:
        """Drop images whose partners do not come; not known while none are let in."""
        if self._synchronizer is None:
            return
        if self._blocked(live):
            self._synchronizer.restart_ages(now)
        else:
            self._count_unmatched(self._synchronizer.expire(now), lost)

    def _count_unmatched(self, unmatched: list[tuple[int, FrameT]], lost: list[Any]) -> None:
        for index, frame in unmatched:
            self._counters.count_unmatched(self._images[index])
            lost.append(frame)

    def _count_dropped(self, dropped: list[tuple[FrameSet[FrameT], str]], lost: list[Any]) -> None:
        for frame_set, reason in dropped:
            self._counters.count_drop(reason)
            lost.append(frame_set)

    def _drop_waiting(self) -> list[FrameSet[FrameT]]:
        frame_sets = self._queue.clear()
        for _ in frame_sets:
            self._counters.count_drop(drop_reasons.STOPPED)
        while self._calls:
            self._answer(self._calls.popleft(), Rejected(drop_reasons.STOPPED, self._not_running()))
        return frame_sets

    def _blocked(self, live: LiveSettings) -> bool:
        return self._accepting and self._queue.blocks(live.queue_policy, live.queue_depth)

    def _has_room_again(self, live: LiveSettings, now: float) -> bool:
        """Whether to call `on_room`; then it is not called again."""
        if not self._room_wanted or self._blocked(live):
            return False
        self._room_wanted = False
        if self._synchronizer is not None:
            self._synchronizer.restart_ages(now)
        return True

    def _not_running(self) -> str:
        return f"model '{self._name}' is not running: activate the node first"

    @staticmethod
    def _answer(call: _InferNowCall[FrameT], answer: Result[FrameT] | Rejected) -> None:
        call.answer = answer
        call.answered.set()

    # In the worker thread:

    def _work(self) -> None:
        while self._next():
            pass

    def _next(self) -> bool:
        """Wait for something to do and do it; a method of its own, so that no frame outlives it.

        Returns:
            False at the end.
        """
        with self._changed:
            while self._accepting and not self._queue and not self._calls:
                self._changed.wait()
        live = self._read_live()
        began = self._steady()
        lost: list[Any] = []
        frame_set: FrameSet[FrameT] | None = None
        call: _InferNowCall[FrameT] | None = None
        with self._changed:
            self._count_dropped(self._queue.fit(live.queue_policy, live.queue_depth), lost)
            if self._calls:
                call = self._calls.popleft()
            else:
                frame_set = self._queue.take()
            if call is None and frame_set is None:
                if self._accepting:  # what woke this thread has been dropped meanwhile
                    return True
                self._worker_left = True
                return False
            self._running = int(frame_set is not None)
            self._attempts += 1
            self._busy_since = began
            room = self._has_room_again(live, began)
        del lost
        if room:
            self._call_on_room()
        if call is not None:
            self._run_call(call, live, began)
        elif frame_set is not None:
            self._run_frame_set(frame_set, live, began)
        del frame_set, call  # a new runtime needs the memory
        self._recover_if_due(live)
        with self._changed:
            self._running = 0
            self._busy_since = None
        return True

    def _run_frame_set(self, frame_set: FrameSet[FrameT], live: LiveSettings, began: float) -> None:
        try:
            outcome = self._attempt.of_stream(frame_set, live, began, self._sequence)
            self._attempt.deliver(outcome.result)
        except Failed as failed:
            with self._changed:
                self._running = 0
                self._counters.count_drop(failed.reason)
                self._note(failed, began)
            if not failed.expected:
                self._report(failed.reason, failed.text)
            return
        delivered = self._steady()
        durations = (  # in the order of NodeStage
            began - frame_set.since,
            outcome.prepared - began,
            outcome.inferred - outcome.prepared,
            delivered - outcome.inferred,
            delivered - frame_set.since,
        )
        self._sequence += 1
        with self._changed:
            self._running = 0
            self._counters.count_result(durations)
            self._watchdog.succeeded()

    def _run_call(self, call: _InferNowCall[FrameT], live: LiveSettings, began: float) -> None:
        sequence = self._calls_answered
        try:
            outcome = self._attempt.of_call(call.frame_set, live, began, call.end, sequence)
        except Failed as failed:
            self._answer(call, Rejected(failed.reason, failed.text))
            with self._changed:
                self._note(failed, began)
            return
        self._calls_answered += 1
        self._answer(call, outcome.result)
        with self._changed:
            self._watchdog.succeeded()

    def _note(self, failed: Failed, began: float) -> None:
        """Remember a failure; with the lock held."""
        if failed.runtime_works is False:
            self._watchdog.failed(began)
        elif failed.runtime_works:
            self._watchdog.succeeded()
        if not failed.expected:
            self._last_error = failed.text

    def _recover_if_due(self, live: LiveSettings) -> None:
        now = self._steady()
        with self._changed:
            if not self._accepting or not self._watchdog.is_due(now, live.stall_timeout):
                return
            failing = now - (self._watchdog.failing_since or now)
            self._recovering = True
            self._busy_since = now
        fault: str | None = None
        try:
            self._steps.recover()
        except BaseException as error:  # whatever it is, the model's next frames are tried
            fault = shown(error)
        now = self._steady()
        with self._changed:
            self._recovering = False
            self._counters.count_recovery(fault is None)
            back_off = self._watchdog.tried(now, live.stall_timeout)
        without = f"no result for {failing:.1f} s of failing inferences"
        if fault is None:
            self._report(RECOVERED, f"{without}: made the runtime anew")
        else:
            self._report(
                NOT_RECOVERED,
                f"{without}, and the runtime cannot be made anew, next try in {back_off:g} s: "
                f"{fault}",
            )

    # Functions given by the caller, whose failures must not end a thread:

    def _read_live(self) -> LiveSettings:
        try:
            self._known_live = self._live()
        except Exception as error:
            self._report(drop_reasons.INTERNAL_ERROR, f"live settings: {shown(error)}")
        return self._known_live

    def _report(self, reason: str, text: str) -> None:
        with contextlib.suppress(Exception):  # the log is gone
            self._report_to(reason, text)

    def _call_on_room(self) -> None:
        try:
            self._on_room()
        except Exception as error:
            self._report(drop_reasons.INTERNAL_ERROR, f"on_room: {shown(error)}")
