# SPDX-License-Identifier: Apache-2.0
"""Times functions in turn, so that their ratio holds on a machine whose speed drifts."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

TURN_S = 0.05

Function = Callable[[], object]
Times = npt.NDArray[np.float64]  # ns, [rounds, calls]


@dataclass(frozen=True)
class Effort:
    """How long to measure."""

    rounds: int  # of short calls, each with `calls` of every function
    calls: int
    tail_calls: int  # for a 99th percentile
    slow_s: float  # of calls that take milliseconds, all functions together
    busy_s: float  # for which a throughput is measured
    stream_s: float  # of images to a node, for each of its figures


FULL = Effort(rounds=300, calls=100, tail_calls=100_000, slow_s=6.0, busy_s=2.0, stream_s=20.0)
QUICK = Effort(rounds=5, calls=20, tail_calls=300, slow_s=0.1, busy_s=0.1, stream_s=1.0)


def in_turn(functions: Sequence[Function], rounds: int, calls: int) -> list[Times]:
    """Time `calls` calls of each function in each of `rounds` rounds.

    Who begins changes from round to round. The clock's own time is taken off. A first tenth of the
    rounds, at least one, warms up and is not returned.
    """
    warm_up = max(1, rounds // 10)
    times = [np.empty((rounds, calls)) for _ in functions]
    gc.collect()
    gc.freeze()  # what the measuring itself holds is not searched again and again
    try:
        own = _clock_time()
        for number in range(-warm_up, rounds):
            for step in range(len(functions)):
                index = (number + step) % len(functions)
                taken = _each(functions[index], calls)
                if number >= 0:
                    times[index][number] = taken
    finally:
        gc.unfreeze()
    return [np.maximum(taken - own, 1.0) for taken in times]


def slow_in_turn(functions: Sequence[Function], seconds: float) -> list[Times]:
    """`in_turn` of functions that take milliseconds, for about so long.

    Each has about 50 ms per turn: a function that computes on another thread finds its caches as
    warm as one that computes on the caller's.
    """
    start = time.perf_counter()
    for function in functions:
        function()
    once = (time.perf_counter() - start) / len(functions)
    calls = max(1, round(TURN_S / once))
    rounds = max(3, min(1000, round(seconds / (once * calls * len(functions)))))
    return in_turn(functions, rounds, calls)


def _each(function: Function, calls: int) -> list[int]:
    clock = time.perf_counter_ns
    taken = [0] * calls
    for call in range(calls):
        start = clock()
        function()
        taken[call] = clock() - start
    return taken


def _clock_time() -> float:
    def nothing() -> None:
        pass

    _each(nothing, 1000)
    return float(np.median(_each(nothing, 1000)))


@dataclass(frozen=True)
class Ratio:
    """Of two functions' median times, round by round: the median and the middle 80 %."""

    median: float
    low: float
    high: float


def ratio(ours: Times, theirs: Times) -> Ratio:
    """How much longer ours takes; below 1 it is the faster one."""
    by_round = np.median(ours, axis=1) / np.median(theirs, axis=1)
    low, median, high = np.percentile(by_round, (10, 50, 90))
    return Ratio(float(median), float(low), float(high))


def p50_us(times: Times) -> float:
    """Median of all calls in microseconds."""
    return float(np.median(times)) / 1000


def p99_us(times: Times) -> float:
    """Below which 99 of 100 calls are, in microseconds."""
    return float(np.percentile(times, 99)) / 1000
