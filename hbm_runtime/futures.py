# SPDX-License-Identifier: Apache-2.0
"""RunFuture: one object for threads, callbacks and asyncio."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import threading
import time
from collections.abc import Callable, Generator, Iterator
from typing import Any

from hbm_runtime import _core
from hbm_runtime._checks import check_timeout
from hbm_runtime._one_of_a_kind import OneOfAKind
from hbm_runtime.errors import HBMError, HBMTimeoutError

Results = Any
_here = threading.local()


def is_settling_here(owner: object = None) -> bool:
    """Return whether this thread is in a callback of a future: of this owner's, or of any."""
    owners: list[object] = getattr(_here, "owners", [])
    return bool(owners) if owner is None else owner in owners


@contextlib.contextmanager
def _settling_here(owner: object) -> Iterator[None]:
    owners: list[object] = _here.__dict__.setdefault("owners", [])
    owners.append(owner)
    try:
        yield
    finally:
        owners.pop()


class RunFuture(OneOfAKind, concurrent.futures.Future[Results]):
    """The outputs of a run that is under way; made by ``run_async``.

    It is a ``concurrent.futures.Future`` (``result``, ``exception``, ``add_done_callback``,
    ``concurrent.futures.wait``), and may be awaited on any asyncio event loop.

    Examples:
        >>> import numpy as np
        >>> from hbm_runtime import HB_HBMRuntime
        >>> rt = HB_HBMRuntime("model.hbm")
        >>> future = rt.run_async(np.zeros((1, 4), np.float32))
        >>> future.result(timeout=5.0)["plus"]["y"].tolist()
        [[1.0, 1.0, 1.0, 1.0]]
    """

    _instead = "it stands for one run; share it between threads, or pass on its result()"

    def __init__(self) -> None:
        super().__init__()
        self._job: _core.Job | None = None
        self._take: Callable[[_core.Job], Results] | None = None
        self._callback: Callable[[Results], object] | None = None
        self._settling = threading.Lock()  # taken once, by who settles the future
        self._settler: int | None = None  # thread that does so at the moment
        self._owner: object = None  # who keeps it until it is settled
        self._forget: Callable[[], None] | None = None  # by the owner
        self._hand_over: Callable[[], bool] | None = None  # to the owner's thread, if on another
        self._calls_back = False

    def result(self, timeout: float | None = None) -> Results:
        """Return what ``run`` would have returned, waiting for it.

        Args:
            timeout: Seconds to wait; the run goes on when they are over.

        Raises:
            HBMTimeoutError: The time to wait is over, or the run's own time-out is.
            concurrent.futures.CancelledError: The run was cancelled.
            HBMError: What ``run`` would have raised.
        """
        left = self._wait(timeout)
        try:
            return super().result(left)
        except concurrent.futures.TimeoutError:
            if self.done():  # then it is the run's own
                raise
            raise _not_done() from None

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Return what ended the run instead of a result, or None, waiting for the end.

        Args:
            timeout: Seconds to wait; the run goes on when they are over.

        Raises:
            HBMTimeoutError: The time to wait is over.
            concurrent.futures.CancelledError: The run was cancelled.
        """
        left = self._wait(timeout)
        try:
            return super().exception(left)
        except concurrent.futures.TimeoutError:
            raise _not_done() from None

    def add_done_callback(self, fn: Callable[[RunFuture], object]) -> None:
        """Call a function with the future when it is done, at once if it is."""
        self._calls_back = True
        super().add_done_callback(fn)  # type: ignore[arg-type]

    def cancel(self) -> bool:
        """End the run without a result.

        A task that waits never runs; one that runs is abandoned: the accelerator lets go of its
        memory in its own time, and the model can be used at once.

        Returns:
            False if the run ended before.
        """
        if self._job is not None and self._job.cancel():
            self._settle_as_cancelled()
        return self.cancelled()

    def running(self) -> bool:
        """Return whether the run has not ended; the accelerator does not tell when it began."""
        return not self.done()

    def __await__(self) -> Generator[Any, None, Results]:
        """Wait on the running event loop; cancelling the wait cancels the run."""
        return asyncio.wrap_future(self).__await__()

    def _wait(self, timeout: float | None) -> float | None:
        """Wait for the run and settle the future; return what is left of the time-out."""
        timeout = check_timeout(timeout)
        if self.done() or self._job is None:
            return timeout
        if self._settler == threading.get_ident():
            raise HBMError("the callback of a run cannot wait for the future that waits for it")
        start = time.monotonic()
        try:
            self._job.wait(timeout)
        except BaseException:
            if self._job.end:  # Ctrl-C came when this thread had just ended the job
                self._settle_here_or_there(False)
            raise
        self._settle_here_or_there(timeout is None)
        return None if timeout is None else max(timeout - (time.monotonic() - start), 1e-3)

    def _settle_here_or_there(self, has_time: bool) -> None:
        """Settle the future; not on this thread if callbacks may take longer than it has."""
        hand_over = self._hand_over
        calls_back = self._calls_back or self._callback is not None
        if has_time or not calls_back or hand_over is None or not hand_over():
            self._settle()

    def _settle(self) -> None:
        """Take over how the job ended; does nothing the second time."""
        job = self._job
        assert job is not None
        if job.end == "cancelled":
            self._settle_as_cancelled()
            return
        if not self._settling.acquire(blocking=False):
            return
        take, callback = self._take, self._callback
        assert take is not None
        self._take = self._callback = None  # and what they hold
        self._settler = threading.get_ident()
        try:
            with _settling_here(self._owner):
                try:
                    if job.end == "error":
                        job.raise_error()
                    result = take(job)
                    if callback is not None:
                        callback(result)
                except BaseException as error:
                    self.set_exception(error)
                    if not isinstance(error, Exception):
                        raise  # Ctrl-C on this thread
                else:
                    self.set_result(result)
        finally:
            self._settled()

    def _settle_as_cancelled(self) -> None:
        if self._settling.acquire(blocking=False):
            self._take = self._callback = None
            with _settling_here(self._owner):
                super().cancel()
                self.set_running_or_notify_cancel()
            self._settled()

    def _refuse(self, error: HBMError) -> None:
        """End a future whose job never ends by itself."""
        if self._settling.acquire(blocking=False):
            self._take = self._callback = None
            self.set_exception(error)
            self._settled()

    def _settled(self) -> None:
        self._settler = self._owner = self._hand_over = None
        forget, self._forget = self._forget, None
        if forget is not None:
            forget()


def _not_done() -> HBMTimeoutError:
    return HBMTimeoutError("the run was not done in the time given to wait for it")


__all__ = ["HBMTimeoutError", "RunFuture"]
