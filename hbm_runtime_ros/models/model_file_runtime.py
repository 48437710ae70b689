# SPDX-License-Identifier: Apache-2.0
"""One runtime per model file: opened once, replaced while it is in use, closed with a bound."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from hbm_runtime import HB_HBMRuntime, HBMError, HBMModelError

# Opens a model file: `load(path)`, or `load(path, library=folder)` where one is configured.
RuntimeFactory = Callable[..., HB_HBMRuntime]

CLOSE_TIMEOUT = 5.0  # seconds for the runs of a runtime that is closed
RENEW_TIMEOUT = 30.0  # seconds that a recovery waits for that of another model of its file


class ModelFileRuntime:
    """A model file and the runtime that has loaded it; all models of the file share it.

    A factory may have the methods of `SharedRuntimes`, `renew` and `give_back`; else runtimes are
    made by calling it and closed here.
    """

    def __init__(self, path: str, load: RuntimeFactory, library: str = "") -> None:
        """Open the file.

        Args:
            path: Of the model file.
            load: Opens it.
            library: Folder of the accelerator's libraries, "" for the usual search.

        Raises:
            HBMError: If it cannot be loaded.
            OSError: If it cannot be read.
        """
        self.path = path
        self._load = load
        self._how: dict[str, Any] = {"library": library} if library else {}
        self._renewing = threading.Lock()
        self._swapping = threading.Lock()  # never held while anything is done
        self._closed = False
        self._runtime = load(path, **self._how)
        self._hashes = content_hashes(self._runtime)

    @property
    def runtime(self) -> HB_HBMRuntime:
        """The one to use for the next run."""
        return self._runtime

    def renew(self, broken: HB_HBMRuntime) -> None:
        """Replace a runtime that does not work any more, for all models of the file.

        The old one is closed in the background: runs that the accelerator never gives back must
        hold up nobody.

        Args:
            broken: The one that failed; if it was replaced meanwhile, nothing is done.

        Raises:
            HBMError: If the file cannot be loaded again, or is another one by now; the old
                runtime stays.
            OSError: If it cannot be read.
        """
        if not self._renewing.acquire(timeout=RENEW_TIMEOUT):
            raise HBMError(f"another model of {self.path} has been loading it for too long")
        try:
            if self._runtime is not broken or self._closed:
                return
            renew = getattr(self._load, "renew", None)
            fresh = renew(broken) if renew else self._load(self.path, **self._how)
            if content_hashes(fresh) != self._hashes:
                _close_in_background(self._load, fresh)
                raise HBMModelError(
                    f"{self.path} is another file than the one that was loaded; call ~/reload"
                )
            with self._swapping:
                late = self._closed  # then nobody wants the new one
                if not late:
                    self._runtime = fresh
        finally:
            self._renewing.release()
        _close_in_background(self._load, fresh if late else broken)

    def close(self, before: Callable[[], None] = lambda: None) -> threading.Thread:
        """Start to free the runtime.

        Args:
            before: Called by the thread first; bounded in time.

        Returns:
            The thread that does so, to be joined where the end matters.
        """
        with self._swapping:
            self._closed = True
        return _close_in_background(self._load, self._runtime, before)


def close_files(files: Iterable[ModelFileRuntime], timeout: float = 2 * CLOSE_TIMEOUT) -> bool:
    """Free the runtimes of some files.

    Args:
        files: To be used no more.
        timeout: Seconds for all of them together.

    Returns:
        False if a runtime was not free by then; it goes on in the background.
    """
    threads = [file.close() for file in files]
    deadline = time.monotonic() + timeout
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return not any(thread.is_alive() for thread in threads)


def _close_in_background(
    load: RuntimeFactory, runtime: HB_HBMRuntime, before: Callable[[], None] = lambda: None
) -> threading.Thread:
    def close() -> None:
        before()
        give_back = getattr(load, "give_back", None)
        if give_back:
            give_back(runtime, CLOSE_TIMEOUT)
        else:
            runtime.close(CLOSE_TIMEOUT)

    # daemon: a stalled accelerator must not keep the process alive
    thread = threading.Thread(target=close, name="hbm-close", daemon=True)
    thread.start()
    return thread


def content_hashes(runtime: HB_HBMRuntime) -> dict[str, str]:
    """Hash per model of what was loaded; "" where it is not known which file holds a model."""
    return {name: _content_hash(runtime, name) for name in runtime.model_names}


def _content_hash(runtime: HB_HBMRuntime, name: str) -> str:
    try:
        return str(runtime.models[name].content_hash)
    except HBMModelError:  # a factory's runtime of several files, or the file is gone already
        return ""
