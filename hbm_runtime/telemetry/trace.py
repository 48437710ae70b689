# SPDX-License-Identifier: Apache-2.0
"""A trace of a runtime's runs: recorded by the core, written as a file for Perfetto or Chrome."""

from __future__ import annotations

import contextlib
import gzip
import io
import itertools
import json
import logging
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import TextIO

from hbm_runtime import _core
from hbm_runtime._checks import check_count
from hbm_runtime._one_of_a_kind import OneOfAKind
from hbm_runtime._whole_file import whole_file
from hbm_runtime.errors import HBMError, HBMInputError
from hbm_runtime.telemetry.chrome_trace import Recording, events

_logger = logging.getLogger("hbm_runtime.trace")

MAX_RUNS = 250_000
"""How many runs a trace keeps by default: about 24 MB, and 200 MB of text."""
MOST_RUNS = 100_000_000
"""How many runs a trace may be asked to keep: 10 GB once it is full."""


class Trace(OneOfAKind):
    """Records a runtime's runs from its making until ``stop()``, or the end of a ``with`` block.

    The file has one track for each model, with the stages of its runs, and one for each set of
    cores that runs were allowed to use; runs that overlap get further tracks. It is written at
    the end, under another name first, so that what stood there before is replaced by a whole
    trace or not at all. https://ui.perfetto.dev and ``chrome://tracing`` show it.

    Args:
        recorder: The runtime's recorder.
        path: The file to write; with a name that ends in ``.gz`` it is compressed.
        max_runs: How many runs to keep, 1 to 100 000 000; of later ones only the number is known.

    Raises:
        HBMInputError: The path cannot be written, ``max_runs`` is out of range, or a trace of
            this runtime is already being recorded.
        HBMMemoryError: There is no memory for so many runs.

    Examples:
        >>> from hbm_runtime import HB_HBMRuntime
        >>> rt = HB_HBMRuntime("model.hbm")
        >>> with rt.trace("runs.json.gz") as trace:  # open it with https://ui.perfetto.dev
        ...     rt.warm_up(runs=2)
        >>> trace.runs, trace.path.name
        (2, 'runs.json.gz')
    """

    _instead = "it is one recording; pass on the file that it writes"

    def __init__(
        self, recorder: _core.RunTrace, path: str | os.PathLike[str], max_runs: int = MAX_RUNS
    ) -> None:
        capacity = check_count(max_runs, "max_runs", MOST_RUNS)
        self._path = _writable(path)
        self._recorder = recorder
        self._process = os.getpid()
        self._runs = 0
        self._dropped = 0
        self._stopped = False
        self._lock = threading.Lock()
        recorder.start(capacity)

    @property
    def path(self) -> Path:
        """The file."""
        return self._path

    @property
    def runs(self) -> int:
        """Number of runs in the file; 0 before it is written."""
        return self._runs

    @property
    def dropped(self) -> int:
        """Number of runs that were not kept because there were more than ``max_runs``."""
        return self._dropped

    def stop(self) -> None:
        """End the recording and write the file; does nothing the second time.

        Raises:
            HBMError: The file could not be written, e.g. for want of space; what was there
                before is still there.
        """
        # A forked child has the object, but the recording is its parent's.
        if os.getpid() != self._process:
            return
        with self._lock:
            if self._stopped:
                return
            self._stopped = True
        recording = self._recorder.stop()
        self._runs = len(recording["number"])
        self._dropped = recording["dropped"]
        try:
            with _text_file(self._path) as file:
                _write(file, recording, self._process)
        except OSError as error:
            raise HBMError(
                f"trace: cannot write {self._path}: {error.strerror or error}; its {self._runs} "
                f"runs are lost"
            ) from error
        if self._dropped:
            _logger.warning(
                "trace %s: kept %d runs, dropped %d later ones; record for a shorter time or with "
                "a larger max_runs",
                self._path,
                self._runs,
                self._dropped,
            )

    def __enter__(self) -> Trace:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self.stop()
        except HBMError:
            if error is None:
                raise
            _logger.exception("while another error was raised:")  # which is what matters


def _writable(path: str | os.PathLike[str]) -> Path:
    """Return the absolute path of the file, once it is known that it can be written."""
    try:
        absolute = Path(os.path.abspath(os.fspath(path)))
        with whole_file(absolute, keep=False):
            pass
    except (OSError, TypeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise HBMInputError(
            f"trace: cannot write {path!r}: {reason}; choose a file in a folder that exists and "
            f"is writable"
        ) from error
    return absolute


@contextlib.contextmanager
def _text_file(path: Path) -> Iterator[TextIO]:
    """Open the file for writing text, compressed where its name ends in .gz."""
    with whole_file(path) as raw:
        if path.name.endswith(".gz"):
            with gzip.open(raw, "wt", 6, encoding="utf-8") as text:
                yield text
        else:
            text = io.TextIOWrapper(raw, encoding="utf-8")
            yield text
            text.detach()  # what holds `raw` closes it


def _write(file: TextIO, recording: Recording, process: int) -> None:
    about = {
        "clock": "CLOCK_MONOTONIC",
        "process": process,
        "runs": len(recording["number"]),
        "dropped_runs": recording["dropped"],
    }
    file.write(f'{{"displayTimeUnit":"ns","otherData":{json.dumps(about)},"traceEvents":[\n')
    separator = ""
    texts = events(recording, process)
    while part := list(itertools.islice(texts, 1000)):
        file.write(separator + ",\n".join(part))
        separator = ",\n"
    file.write("\n]}\n")
