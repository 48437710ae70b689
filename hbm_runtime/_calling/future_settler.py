# SPDX-License-Identifier: Apache-2.0
"""The completion thread of a runtime: settles futures whose jobs ended."""

from __future__ import annotations

import atexit
import functools
import itertools
import logging
import os
import threading
import time
import weakref
from collections.abc import Callable

from hbm_runtime import _core
from hbm_runtime._loading.log import forward_log_lines
from hbm_runtime.errors import HBMClosedError
from hbm_runtime.futures import RunFuture, is_settling_here

_logger = logging.getLogger("hbm_runtime")
_numbers = itertools.count(1)
PATIENCE = 5.0  # seconds for the accelerator and for callbacks when there is no time left


class _Unsettled:
    """What the thread works on; it knows nothing of the runtime, which may go before it."""

    def __init__(self, in_flight: _core.RunLimit) -> None:
        self.ended = _core.EndedJobs()
        self._in_flight = in_flight
        self.pending: dict[int, RunFuture] = {}
        self._lock = threading.RLock()  # a garbage collection in it may call retire()
        self._retired = False
        self._thread: int | None = None  # that settles them

    def is_delivering(self) -> bool:
        """Whether futures of this runtime wait for this thread: no room comes while it waits."""
        return threading.get_ident() == self._thread or is_settling_here(self)

    def hand_over(self, number: int) -> bool:
        """Let the thread settle a future whose job ended; False on that thread itself."""
        if threading.get_ident() == self._thread:
            return False
        self.ended.put(number)
        return True

    def retire(self) -> None:
        """Let the thread end once every future is settled."""
        with self._lock:
            self._retired = True
            self._close_if_over()

    def forget(self, number: int) -> None:
        with self._lock:
            self.pending.pop(number, None)
            self._close_if_over()

    def refuse_new(self) -> None:
        self._in_flight.close()

    def settled(self, number: int) -> None:
        self._in_flight.delivered()
        self.forget(number)

    def _close_if_over(self) -> None:
        if self._retired and not self.pending:
            self.ended.close()

    def settle_ended(self) -> None:
        """Run the thread."""
        self._thread = threading.get_ident()
        while (number := self.ended.take()) is not None:
            future = self.pending.get(number)
            if future is not None and future._job is not None:
                try:
                    future._settle()
                except BaseException:  # Ctrl-C is for the main thread
                    _logger.exception("a run's future could not be settled")
            del future
            forward_log_lines()


class FutureSettler:
    """Keeps the unfinished futures of one runtime and settles each at its end."""

    def __init__(self, in_flight: _core.RunLimit) -> None:
        self._unsettled = _Unsettled(in_flight)
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._process = os.getpid()
        weakref.finalize(self, self._unsettled.retire).atexit = False
        _all.add(self)

    def is_own_process(self) -> bool:
        """Whether this is not a forked child, where nothing ends any more."""
        return os.getpid() == self._process

    @property
    def ended(self) -> _core.EndedJobs:
        """Where jobs go that ended."""
        return self._unsettled.ended

    def start(self, future: RunFuture, begin: Callable[[int, bool], _core.Job]) -> RunFuture:
        """Begin a job that settles the future.

        Args:
            future: Complete but for its job.
            begin: Starts the job of this number; gets whether futures wait for this thread.
        """
        if self._thread is None:
            self._start_thread()
        number = next(_numbers)
        self._unsettled.pending[number] = future
        future._owner = self._unsettled
        future._forget = functools.partial(self._unsettled.settled, number)
        future._hand_over = functools.partial(self._unsettled.hand_over, number)
        try:
            future._job = begin(number, self._unsettled.is_delivering())
        except BaseException:
            self._unsettled.forget(number)
            raise
        if future._job.end:  # the thread may have come too early to find the job
            if future._callback is None:
                future._settle()
            else:  # never in the caller's own thread, which may hold what the callback waits for
                self._unsettled.ended.put(number)
        return future

    def refuse_new(self) -> None:
        """Start nothing more, also for threads that wait for room."""
        self._unsettled.refuse_new()

    def cancel_all(self) -> None:
        """Cancel every unfinished future."""
        for future in list(self._unsettled.pending.values()):
            future.cancel()

    def retire(self) -> None:
        """Let the thread end once every future is settled."""
        self._unsettled.retire()

    def join(self, timeout: float | None) -> None:
        """Wait until all futures are settled, unless this thread is in a callback of one."""
        thread = self._thread
        if thread is not None and not is_settling_here():
            thread.join(timeout)

    def refuse_all(self) -> None:
        """Give an error to the futures that nothing will settle any more."""
        for future in list(self._unsettled.pending.values()):
            future._refuse(HBMClosedError("the program ended before the run"))

    def _start_thread(self) -> None:
        with self._lock:
            if self._thread is None:
                thread = threading.Thread(
                    target=self._unsettled.settle_ended, name="hbm_runtime completion", daemon=True
                )
                thread.start()
                self._thread = thread


_all: weakref.WeakSet[FutureSettler] = weakref.WeakSet()


def _end_all() -> None:
    """Cancel what is unfinished, while Python can still run the callbacks."""
    settlers = [settler for settler in _all if settler.is_own_process()]
    for settler in settlers:
        settler.refuse_new()
        settler.cancel_all()
        settler.retire()
    end = time.monotonic() + PATIENCE
    for settler in settlers:
        settler.join(max(end - time.monotonic(), 0.1))
    if not _core.stop_jobs(PATIENCE):
        _logger.warning("the accelerator still holds a task at the end of the program")
    for settler in settlers:
        settler.refuse_all()


atexit.register(_end_all)
