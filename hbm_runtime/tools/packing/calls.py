# SPDX-License-Identifier: Apache-2.0
"""Function calls: a model's work cut into steps, between which a more urgent task may come."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from onnx import ModelProto, TensorProto

from hbm_runtime.model_file import CallSpec
from hbm_runtime.model_file.spec import MAX_CALLS
from hbm_runtime.tools.errors import ToolError
from hbm_runtime.tools.packing import Progress, engine
from hbm_runtime.tools.packing.cut import Cutter

Array = npt.NDArray[Any]

TOLERANCE = 2e-6  # of the largest value: what another order of float32 sums makes

_RUNS, _LEAST_RUNS, _RUN_BUDGET = 8, 2, 0.5  # of one measurement: runs, seconds
_MARGIN = 1.15  # parts are never quite alike
_INTEGERS = (TensorProto.INT8, TensorProto.UINT8, TensorProto.INT16, TensorProto.INT32)


class CallPlan(NamedTuple):
    """The calls of a model and how they were found.

    Attributes:
        calls: for the model file.
        measured_us: microseconds that each call's graph took here, 0 without a graph.
        whole_us: microseconds that the whole graph took here, 0 when it was not measured.
        longest_node: a node of the longest call when that takes more than it should and cannot be
            cut; "" otherwise.
        integers_cross: only stored integers are handed from call to call.
    """

    calls: tuple[CallSpec, ...]
    measured_us: tuple[float, ...]
    whole_us: float
    longest_node: str
    integers_cross: bool


def plan_calls(
    model: ModelProto,
    most_us: int,
    latency_us: int,
    inputs: Mapping[str, Array],
    progress: Progress,
) -> CallPlan:
    """Cut a model into function calls of at most so many microseconds.

    The graph is cut where a call's own computation takes longer here. A given latency is shared
    out over the calls; what is more than a call's share becomes calls that only take time.

    Args:
        model: the packed graph.
        most_us: above 0.
        latency_us: what a run takes at least, 0 for as fast as the CPU computes.
        inputs: real ones or like them, to measure with.
        progress: called with text, steps done and steps in all.

    Raises:
        ToolError: there is no engine, it refuses the graph, or there would be too many calls.
    """
    _check_count(most_us, latency_us, 1)
    loaded = engine.load_for("--max-time-per-fc", model, "the packed graph")
    whole_us = _measure(loaded, inputs)
    parts = [_Part(model, whole_us, "")]
    integers_cross = True
    if whole_us > most_us:
        parts, integers_cross = _cut(model, most_us, whole_us, inputs, progress)
    computed = sum(part.microseconds for part in parts)
    calls: list[CallSpec] = []
    measured: list[float] = []
    left = latency_us
    for index, part in enumerate(parts):
        is_last = index == len(parts) - 1
        share = left if is_last else round(latency_us * part.microseconds / computed)
        left -= share
        graph = part.model.SerializeToString()
        calls.append(CallSpec(graph, min(share, most_us)))
        times = _time_only(share - min(share, most_us), most_us)
        calls += [CallSpec(b"", microseconds) for microseconds in times]
        measured += [part.microseconds, *[0.0] * len(times)]
    _check_count(most_us, latency_us, len(calls))
    longest = max(parts, key=lambda part: part.microseconds)
    too_long = longest.node if longest.microseconds > most_us else ""
    return CallPlan(tuple(calls), tuple(measured), whole_us, too_long, integers_cross)


class CallRunner:
    """The graphs of a model, run one after the other as in the simulator.

    Args:
        calls: of a model.

    Raises:
        ToolError: the engine is missing or refuses a graph.
    """

    def __init__(self, calls: Sequence[CallSpec]) -> None:
        self._parts: list[tuple[engine.Engine, list[str]]] = []
        for index, call in enumerate(calls):
            if not call.graph:
                continue
            model = ModelProto()
            model.ParseFromString(call.graph)
            loaded = engine.load(model, f"the graph of call {index}")
            if loaded is None:
                raise ToolError("onnxruntime is not installed")
            self._parts.append((loaded, [value.name for value in model.graph.input]))

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Run all of them.

        Args:
            inputs: of the model.

        Returns:
            The inputs and every value that was made, by name.

        Raises:
            ToolError: the engine fails.
        """
        values: dict[str, Array] = dict(inputs)
        for loaded, names in self._parts:
            values.update(loaded.run({name: values[name] for name in names}))
        return values


def check_calls(
    model: ModelProto,
    plan: CallPlan,
    steps: Mapping[str, float],
    samples: Iterable[Mapping[str, Array]],
) -> float:
    """Check that the calls compute what the whole graph does.

    Args:
        model: the whole packed graph.
        plan: its calls.
        steps: the scale of each output that is a quantised float, where rounding may differ by 1.
        samples: inputs of the packed graph.

    Returns:
        The largest difference, as a part of the largest value of its output.

    Raises:
        ToolError: an output differs by more than `TOLERANCE`, or at all where only stored integers
            cross.
    """
    whole = engine.load(model, "the packed graph")
    if whole is None or sum(bool(call.graph) for call in plan.calls) == 1:
        return 0.0
    runner = CallRunner(plan.calls)
    worst = 0.0
    for inputs in samples:
        found = runner.run(inputs)
        for name, expected in whole.run(inputs).items():
            _, gap = compared(expected, found[name])
            largest = float(np.abs(np.nan_to_num(expected.astype(np.float64))).max(initial=0.0))
            allowed = 0.0 if plan.integers_cross else TOLERANCE * max(largest, 1.0)
            if name in steps and not plan.integers_cross:
                allowed = max(allowed, 1.0)
            if gap > allowed:
                raise ToolError(
                    f"output {name!r} of the model cut into calls differs by {gap:.3g} from the"
                    f" whole model's, more than {allowed:.3g}; use a longer --max-time-per-fc or"
                    " none"
                )
            worst = max(worst, gap / max(largest, 1e-30) if gap else 0.0)
    return worst


class _Part(NamedTuple):
    model: ModelProto
    microseconds: float
    node: str


def _cut(
    model: ModelProto,
    most_us: int,
    whole_us: float,
    inputs: Mapping[str, Array],
    progress: Progress,
) -> tuple[list[_Part], bool]:
    cutter = Cutter(model)
    values: dict[str, Array] = dict(inputs)
    left = deque(cutter.split(0, cutter.count, _parts(whole_us, most_us)))
    done: list[_Part] = []
    while left:
        begin, end = left.popleft()
        progress("cutting into function calls", begin, cutter.count)
        part = cutter.part(begin, end)
        loaded = engine.load(part, f"the part from node {cutter.node_name(begin)!r} on")
        assert loaded is not None  # plan_calls saw the engine
        part_inputs = {value.name: values[value.name] for value in part.graph.input}
        microseconds = _measure(loaded, part_inputs)
        smaller = cutter.split(begin, end, _parts(microseconds, most_us))
        if microseconds > most_us and len(smaller) > 1:
            left.extendleft(reversed(smaller))
            continue
        values.update(loaded.run(part_inputs))
        done.append(_Part(part, microseconds, cutter.node_name(begin)))
        if len(done) > MAX_CALLS:
            raise _too_many(len(done), most_us)
    names = {value.name for value in model.graph.input}
    crossing = [value for part in done for value in part.model.graph.input]
    integers = all(
        value.name in names or value.type.tensor_type.elem_type in _INTEGERS for value in crossing
    )
    return done, integers


def _parts(microseconds: float, most_us: int) -> int:
    return max(2, math.ceil(microseconds * _MARGIN / most_us))


def _time_only(microseconds: int, most_us: int) -> list[int]:
    full, rest = divmod(microseconds, most_us)
    return [most_us] * full + ([rest] if rest else [])


def _check_count(most_us: int, latency_us: int, calls: int) -> None:
    count = max(calls, -(-latency_us // most_us))
    if count > MAX_CALLS:
        raise _too_many(count, most_us)


def _too_many(count: int, most_us: int) -> ToolError:
    return ToolError(
        f"--max-time-per-fc {most_us} would make {count} function calls, more than {MAX_CALLS}"
    )


def _measure(loaded: engine.Engine, inputs: Mapping[str, Array]) -> float:
    """Microseconds of a run: the least of some, because other work only ever adds."""
    best = math.inf
    begin = time.perf_counter()
    for run in range(_RUNS):
        start = time.perf_counter()
        loaded.run(inputs)
        best = min(best, time.perf_counter() - start)
        if run >= _LEAST_RUNS and time.perf_counter() - begin > _RUN_BUDGET:
            break
    return best * 1e6


def compared(expected: Array, found: Array) -> tuple[bool, float]:
    """Whether two arrays have the same values (NaN agrees with NaN), and their largest difference.

    Returns:
        With another shape or NaN on one side only, False and infinity.
    """
    if expected.shape != found.shape:
        return False, math.inf
    is_same = (expected == found) | ((expected != expected) & (found != found))
    with np.errstate(invalid="ignore"):
        gap = np.abs(expected.astype(np.float64) - found.astype(np.float64))
    largest = np.where(is_same, 0.0, np.where(np.isnan(gap), np.inf, gap)).max(initial=0.0)
    return bool(is_same.all()), float(largest)
