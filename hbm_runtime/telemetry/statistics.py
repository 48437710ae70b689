# SPDX-License-Identifier: Apache-2.0
"""What a runtime has counted and measured, as plain typed values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from hbm_runtime.telemetry import prometheus

# In the order of the core's enumerations. The stages are those of a run in the runtime, not of an
# image in a node; the last one is the sum of the others.
OUTCOMES = ("ok", "timeout", "cancelled", "rejected", "failed")
RUN_STAGES = ("queue", "copy_in", "execute", "copy_out", "total")
# The core counts durations below 2^12 ns, 2^13 ns and so on.
_FIRST_BOUND = 12


class StageTimes(NamedTuple):  # a tuple, because it is made for each run that asks for it
    """How long the stages of one run took; ``total_ns`` is their sum.

    Attributes:
        queue_ns: From the call until the accelerator could take the task.
        copy_in_ns: Copying inputs into device memory.
        execute_ns: From the submission until the task was done, with the accelerator's own queue.
        copy_out_ns: Making the outputs readable.

    Examples:
        >>> import numpy as np
        >>> from hbm_runtime import HB_HBMRuntime
        >>> rt = HB_HBMRuntime("model.hbm")
        >>> times = rt.run(np.zeros((1, 4), np.float32), timing=True).timing["plus"]
        >>> times.total_ns == sum(times), list(times.to_dict())
        (True, ['queue_ns', 'copy_in_ns', 'execute_ns', 'copy_out_ns', 'total_ns'])
    """

    queue_ns: int
    copy_in_ns: int
    execute_ns: int
    copy_out_ns: int

    @property
    def total_ns(self) -> int:
        """The sum of all stages."""
        return self.queue_ns + self.copy_in_ns + self.execute_ns + self.copy_out_ns

    def to_dict(self) -> dict[str, int]:
        """Return all times by name, the total included."""
        return {**self._asdict(), "total_ns": self.total_ns}


@dataclass(frozen=True)
class StageSummary:
    """How long one stage took in all runs that ended well; all zero without any.

    Attributes:
        count: Number of runs.
        mean_ns: Mean.
        p50_ns: Median: half of the runs took at most this long; within 3 %, as p90 and p99.
        p90_ns: Nine of ten runs took at most this long.
        p99_ns: 99 of 100 runs took at most this long.
        max_ns: The longest, exactly.
        sum_ns: All runs together.
        below: ``((bound in ns, number of runs that took less), …)``, bounds from 4.1 µs to 17 s.
    """

    count: int = 0
    mean_ns: float = 0.0
    p50_ns: int = 0
    p90_ns: int = 0
    p99_ns: int = 0
    max_ns: int = 0
    sum_ns: int = 0
    below: tuple[tuple[int, int], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return all values by name."""
        return {**vars(self), "below": [list(pair) for pair in self.below]}


@dataclass(frozen=True)
class ModelStatistics:
    """Counts of one model; each run is counted once, when it ended.

    Attributes:
        ok: Runs that gave outputs.
        timeout: Runs whose deadline passed.
        cancelled: Runs that were cancelled.
        rejected: Runs refused before they were queued: too many under way, inputs that do not fit.
        failed: Runs that failed in the accelerator or for want of its memory.
        copies_in: Copies of inputs into device memory; none for arrays of ``input_buffers``.
        bytes_in: Bytes of these copies.
        copies_out: Copies of outputs out of device memory; none unless asked for.
        bytes_out: Bytes of these copies.
        stages: Times by stage: ``queue``, ``copy_in``, ``execute``, ``copy_out``, ``total``.
    """

    ok: int = 0
    timeout: int = 0
    cancelled: int = 0
    rejected: int = 0
    failed: int = 0
    copies_in: int = 0
    bytes_in: int = 0
    copies_out: int = 0
    bytes_out: int = 0
    stages: Mapping[str, StageSummary] = field(
        default_factory=lambda: {stage: StageSummary() for stage in RUN_STAGES}
    )

    @property
    def runs(self) -> int:
        """All runs that ended, however they did."""
        return self.ok + self.timeout + self.cancelled + self.rejected + self.failed

    def to_dict(self) -> dict[str, Any]:
        """Return all values by name."""
        stages = {stage: summary.to_dict() for stage, summary in self.stages.items()}
        return {**vars(self), "stages": stages}


@dataclass(frozen=True)
class CoreStatistics:
    """How much this runtime kept the BPU cores busy.

    The accelerator does not tell which core ran a task, nor when it began: these are the times
    during which it had tasks, its own queue included. Other programs are not seen.

    Attributes:
        count: BPU cores of the chip.
        occupied_s: Core-seconds during which tasks were in flight, never more tasks than cores.
        pinned_s: Per core the seconds with a task in flight that could run on no other core.
        wanted: Cores that the tasks in flight want now; more than ``count`` while some wait.
        utilization: ``occupied_s`` as a part of all core-seconds, 0 to 1.
    """

    count: int = 0
    occupied_s: float = 0.0
    pinned_s: tuple[float, ...] = ()
    wanted: int = 0
    utilization: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return all values by name."""
        return {**vars(self), "pinned_s": list(self.pinned_s)}


@dataclass(frozen=True)
class DeviceMemory:
    """Device memory of the runtime's buffers, in bytes; the models' own is not known.

    Attributes:
        used: In runs, bound or held by arrays that the program still has.
        idle: Kept for the next runs.
    """

    used: int = 0
    idle: int = 0

    def to_dict(self) -> dict[str, int]:
        """Return both by name."""
        return dict(vars(self))


@dataclass(frozen=True)
class Statistics:
    """What a runtime has counted since it was made, or since ``reset_stats``.

    Runs that end while it is taken may be in one number and not yet in another.

    Attributes:
        models: By name, in load order.
        cores: Use of the BPU cores.
        seconds: How long has been counted.
        in_flight: Tasks that the accelerator has now.
        waiting: Runs that wait for a place now.
        device_memory: Memory of buffers now.

    Examples:
        >>> from hbm_runtime import HB_HBMRuntime
        >>> rt = HB_HBMRuntime("model.hbm")
        >>> rt.warm_up(runs=3)
        >>> statistics = rt.stats()
        >>> statistics.models["plus"].ok, statistics.models["plus"].stages["execute"].count
        (3, 3)
    """

    models: Mapping[str, ModelStatistics] = field(default_factory=dict)
    cores: CoreStatistics = CoreStatistics()
    seconds: float = 0.0
    in_flight: int = 0
    waiting: int = 0
    device_memory: DeviceMemory = DeviceMemory()

    def to_dict(self) -> dict[str, Any]:
        """Return all values by name, of the types that JSON has."""
        return {
            "models": {name: model.to_dict() for name, model in self.models.items()},
            "cores": self.cores.to_dict(),
            "seconds": self.seconds,
            "in_flight": self.in_flight,
            "waiting": self.waiting,
            "device_memory": self.device_memory.to_dict(),
        }

    def to_json(self, indent: int | None = None) -> str:
        """Return ``to_dict()`` as JSON text.

        Args:
            indent: Spaces of each level; None for one line.
        """
        return json.dumps(self.to_dict(), indent=indent, ensure_ascii=False)

    def to_prometheus(self, labels: Mapping[str, str] | None = None) -> str:
        """Return the text that a Prometheus server reads, in its text format 0.0.4.

        Args:
            labels: Further labels for every sample, e.g. ``{"runtime": "front camera"}`` where a
                process has several runtimes.

        Raises:
            HBMInputError: A label's name is none that Prometheus takes, or is one of ours.
        """
        return prometheus.text_of(self.to_dict(), labels or {})


def from_snapshot(snapshot: Mapping[str, Any]) -> Statistics:
    """Return the statistics in a snapshot of the core's; see ``src/bindings/telemetry.cpp``."""
    seconds = snapshot["elapsed_ns"] / 1e9
    pinned = tuple(ns / 1e9 for ns in snapshot["pinned_ns"])
    occupied = snapshot["occupied_ns"] / 1e9
    core_seconds = seconds * len(pinned)
    return Statistics(
        models={name: _model(counts) for name, counts in snapshot["models"].items()},
        cores=CoreStatistics(
            count=len(pinned),
            occupied_s=occupied,
            pinned_s=pinned,
            wanted=snapshot["wanted_now"],
            utilization=occupied / core_seconds if core_seconds else 0.0,
        ),
        seconds=seconds,
        in_flight=snapshot["in_flight"],
        waiting=snapshot["waiting"],
        device_memory=DeviceMemory(*snapshot["memory"]),
    )


def _model(counts: Mapping[str, Any]) -> ModelStatistics:
    outcomes = dict(zip(OUTCOMES, counts["outcomes"], strict=True))
    copies_in, bytes_in = counts["copied_in"]
    copies_out, bytes_out = counts["copied_out"]
    return ModelStatistics(
        **outcomes,
        copies_in=copies_in,
        bytes_in=bytes_in,
        copies_out=copies_out,
        bytes_out=bytes_out,
        stages={
            stage: summary_of(summary)
            for stage, summary in zip(RUN_STAGES, counts["stages"], strict=True)
        },
    )


def summary_of(summary: tuple[int, int, int, int, int, int, tuple[int, ...]]) -> StageSummary:
    """Return what ``_core.Histogram.summary`` gives, with names."""
    count, sum_ns, p50, p90, p99, longest, below = summary
    return StageSummary(
        count=count,
        mean_ns=sum_ns / count if count else 0.0,
        p50_ns=p50,
        p90_ns=p90,
        p99_ns=p99,
        max_ns=longest,
        sum_ns=sum_ns,
        below=tuple((1 << bit, number) for bit, number in enumerate(below, _FIRST_BOUND)),
    )
