# SPDX-License-Identifier: Apache-2.0
"""Turns a recording of the core's into the events of a Chrome trace, which Perfetto reads too."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hbm_runtime.telemetry.statistics import OUTCOMES, RUN_STAGES

# Columns by name, see src/bindings/telemetry.cpp.
Recording = Mapping[str, Any]

_STAGES = RUN_STAGES[:-1]
_NAMES = tuple(f'"{stage}"' for stage in _STAGES)
_EXECUTE = _STAGES.index("execute")
_AT_ONCE = 4096  # runs whose columns are Python numbers at a time


class _Run(NamedTuple):
    number: int
    model: int
    core_mask: int
    priority: int
    custom_id: int
    outcome: int
    begin: list[int]  # of each stage; 0 when it was not reached
    end: list[int]


class _Tracks:
    """Rows of the picture: one for each name, and more where slices overlap.

    Slices of a track must not overlap: the viewers take a later one for a part of an earlier one.
    """

    def __init__(self, process: int, first_thread: int) -> None:
        self.process = process
        self._next_thread = first_thread
        self._lanes: dict[str, list[tuple[int, int]]] = {}  # (thread, end of its last slice)

    def place(self, name: str, begin: int, end: int) -> int:
        """Return the number of the track that takes this slice."""
        lanes = self._lanes.setdefault(name, [])
        for index, (thread, free_at) in enumerate(lanes):
            if free_at <= begin:
                lanes[index] = (thread, end)
                return thread
        thread = self._next_thread
        self._next_thread += 1
        lanes.append((thread, end))
        return thread

    def names(self) -> Iterator[tuple[int, str]]:
        """Yield the tracks' numbers and names as they are to be shown from top to bottom."""
        for name in sorted(self._lanes):
            for index, (thread, _) in enumerate(self._lanes[name]):
                yield thread, name if index == 0 else f"{name} ({index + 1})"


def events(recording: Recording, process: int) -> Iterator[str]:
    """Yield JSON objects, one or some with commas: tracks of models with stages, tracks of cores.

    Args:
        recording: What ``_core.RunTrace.stop`` gave.
        process: Number of this process.
    """
    names = [json.dumps(name) for name in recording["models"]]
    began, ended = _extent(recording["begin"], recording["end"])
    # Apart from the numbers of real processes and threads, for traces that are put together.
    models = _Tracks(10 * process + 1, 100_000_000)
    cores = _Tracks(10 * process + 2, 200_000_000)
    for run, begin, end in _runs(recording, began, ended, np.argsort(began, kind="stable")):
        thread = models.place(recording["models"][run.model], begin, end)
        yield _model_events(run, begin, end, f'"pid":{models.process},"tid":{thread}')
    execute_begin = recording["begin"][:, _EXECUTE]
    execute_end = np.where(recording["end"][:, _EXECUTE] > 0, recording["end"][:, _EXECUTE], ended)
    order = np.argsort(execute_begin, kind="stable")
    order = order[execute_begin[order] > 0]
    for run, begin, end in _runs(recording, execute_begin, execute_end, order):
        thread = cores.place(_cores_text(run.core_mask), begin, end)
        track = f'"pid":{cores.process},"tid":{thread}'
        name = names[run.model]
        yield f"{_begin(name, begin, track, _arguments(run, 'model', name))},\n{_end(end, track)}"
    yield from _names(models, "hbm_runtime: models", 1)
    yield from _names(cores, "hbm_runtime: BPU cores", 2)


def cores_text(mask: int) -> str:
    """Return the name of a set of cores, given bit by bit; 0 stands for any."""
    numbers = [str(core) for core in range(mask.bit_length()) if mask >> core & 1]
    if not numbers:
        return "any core"
    return f"core {numbers[0]}" if len(numbers) == 1 else f"cores {'+'.join(numbers)}"


_cores_text = functools.lru_cache(maxsize=256)(cores_text)


def _extent(
    begin: npt.NDArray[np.int64], end: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return when each run's first stage began and its last one ended."""
    latest = np.iinfo(np.int64).max
    first = np.where(begin > 0, begin, latest).min(axis=1, initial=latest)
    last = np.maximum(begin, end).max(axis=1, initial=0)
    return np.where(first == latest, 0, first), last


def _runs(
    recording: Recording,
    begin: npt.NDArray[np.int64],
    end: npt.NDArray[np.int64],
    order: npt.NDArray[np.intp],
) -> Iterator[tuple[_Run, int, int]]:
    columns = [recording[name] for name in _Run._fields]
    for start in range(0, len(order), _AT_ONCE):
        part = order[start : start + _AT_ONCE]
        rows = zip(*(column[part].tolist() for column in columns), strict=True)
        spans = zip(begin[part].tolist(), end[part].tolist(), strict=True)
        for row, (run_begin, run_end) in zip(rows, spans, strict=True):
            if run_end > 0:  # else it was refused before any stage: there is nothing to draw
                yield _Run(*row), run_begin, run_end


def _model_events(run: _Run, begin: int, end: int, track: str) -> str:
    outcome = OUTCOMES[run.outcome]
    title = '"run"' if outcome == "ok" else f'"run: {outcome}"'
    arguments = _arguments(run, "cores", f'"{_cores_text(run.core_mask)}"')
    parts = [_begin(title, begin, track, arguments)]
    ends = [stage_end or end for stage_end in run.end]  # to the run's end without one of its own
    now = begin
    for stage_begin, stage_end, name in sorted(zip(run.begin, ends, _NAMES, strict=True)):
        if stage_begin > 0:
            parts.append(_begin(name, max(stage_begin, now), track))
            now = max(stage_begin, stage_end, now)
            parts.append(_end(now, track))
    parts.append(_end(end, track))
    return ",\n".join(parts)


def _arguments(run: _Run, name: str, value: str) -> str:
    return (
        f'{{"run":{run.number},"priority":{run.priority},"custom_id":{run.custom_id},'
        f'"outcome":"{OUTCOMES[run.outcome]}","{name}":{value}}}'
    )


# Begin and end as two events and not as one with a duration: readers that round times to whole
# nanoseconds would else make neighbours overlap.
def _begin(name: str, ns: int, track: str, arguments: str = "{}") -> str:
    digits = str(ns).zfill(4)  # microseconds have three decimals
    return f'{{"ph":"B","name":{name},"ts":{digits[:-3]}.{digits[-3:]},{track},"args":{arguments}}}'


def _end(ns: int, track: str) -> str:
    digits = str(ns).zfill(4)
    return f'{{"ph":"E","ts":{digits[:-3]}.{digits[-3:]},{track}}}'


def _names(tracks: _Tracks, process: str, place: int) -> Iterator[str]:
    yield _metadata("process_name", tracks.process, 0, {"name": process})
    yield _metadata("process_sort_index", tracks.process, 0, {"sort_index": place})
    for index, (thread, name) in enumerate(tracks.names()):
        yield _metadata("thread_name", tracks.process, thread, {"name": name})
        yield _metadata("thread_sort_index", tracks.process, thread, {"sort_index": index})


def _metadata(name: str, process: int, thread: int, arguments: Mapping[str, Any]) -> str:
    event = {"ph": "M", "name": name, "pid": process, "tid": thread, "args": arguments}
    return json.dumps(event)
