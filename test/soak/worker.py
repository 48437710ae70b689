# SPDX-License-Identifier: Apache-2.0
"""One thread of the soak: random operations on a shared runtime, each result checked."""

from __future__ import annotations

import contextlib
import random
import threading
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError
from concurrent.futures import TimeoutError as WaitTimeoutError
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from hbm_runtime import (
    HB_HBMRuntime,
    HBMBusyError,
    HBMClosedError,
    HBMInputError,
    HBMTaskError,
    HBMTimeoutError,
)
from soak.expectations import EXTRA, KINDS, SLOW, SUMS, Array, Kind, Numbers
from soak.record import DOCUMENTED, CallbackRefusal, Record

PATIENCE_S = 60.0  # nothing may take that long
MOST_PENDING = 24
MOST_HELD = 16
SHORT_TIMEOUTS_S = (1e-6, 0.0005, 0.002, 0.01)

Model = Mapping[str, Array]


@dataclass
class Pending:
    """A run under way and all that is known of how it may end."""

    kind: Kind
    number: int
    future: Any
    refuses: bool = False  # its callback raises
    cancelled: bool = False  # cancel() said True
    seen: list[str] = field(default_factory=list)  # what its callback found wrong


@dataclass(frozen=True)
class Shared:
    """What all threads of a soak work with."""

    rt: HB_HBMRuntime
    model_file: Path
    extra_file: Path
    numbers: Numbers
    record: Record
    extra_lock: threading.Lock = field(default_factory=threading.Lock)  # load and unload of EXTRA


class Worker:
    """Chooses operations by weight from a random generator of its own."""

    def __init__(self, shared: Shared, seed: str) -> None:
        self._shared = shared
        self._random = random.Random(seed)
        self._pending: deque[Pending] = deque()
        # Results that are looked at again later: their memory must not be in use by another run.
        self._held: deque[tuple[Kind, int, Model]] = deque()
        self._bindings: dict[str, Any] = {}
        self._operations: dict[Callable[[], None], int] = {
            self._submit: 40,
            self._wait: 20,
            self._run: 12,
            self._cancel: 8,
            self._wait_a_moment: 6,
            self._run_bound: 6,
            self._look_again: 6,
            self._run_in_device_memory: 3,
            self._submit_bound: 3,
            self._run_many: 2,
            self._forget: 2,
            self._run_several_models: 2,
            self._burst: 1,
            self._look_at_statistics: 1,
            self._set_scheduling: 1,
            self._load_and_unload: 1,
            self._close_under_way: 1,
        }

    def work(self, count: int) -> None:
        """Does `count` operations; then waits for all that is under way and lets go of it."""
        try:
            for operation in self._random.choices(
                list(self._operations), list(self._operations.values()), k=count
            ):
                operation()
                self._shared.record.operation(operation.__name__.lstrip("_"))
                while len(self._pending) > MOST_PENDING:
                    self._wait()
        finally:
            while self._pending:
                self._wait()
            while self._held:
                self._look_again()
            self._bindings.clear()

    # Starting runs.

    def _submit(self) -> None:
        kind, number = self._random.choice(KINDS), self._shared.numbers.take()
        inputs = kind.make_inputs(number)
        pending = Pending(kind, number, None, refuses=self._random.random() < 0.05)
        options: dict[str, Any] = {}
        if self._random.random() < 0.3 or pending.refuses:
            options["callback"] = self._callback(pending)
        if self._random.random() < 0.15:
            options["when_full"] = "raise"
        try:
            pending.future = self._shared.rt.run_async(
                inputs, kind.name, timeout=self._timeout(), **self._scheduling(), **options
            )
        except (HBMBusyError, HBMTimeoutError) as error:
            self._shared.record.error(error, DOCUMENTED)
            return
        finally:
            # The caller may do with its arrays what it likes from here on.
            for array in inputs.values():
                array.fill(np.nan)
            inputs.clear()
        self._pending.append(pending)

    def _burst(self) -> None:
        """More at once than may be under way: what does not fit is refused at once."""
        for _ in range(2 * MOST_PENDING):
            number = self._shared.numbers.take()
            try:
                future = self._shared.rt.run_async(
                    SLOW.make_inputs(number), SLOW.name, when_full="raise"
                )
            except HBMBusyError as error:
                self._shared.record.error(error, DOCUMENTED)
                return
            self._pending.append(Pending(SLOW, number, future))

    def _callback(self, pending: Pending) -> Callable[[Any], None]:
        def callback(result: Mapping[str, Model]) -> None:
            problem = pending.kind.check(pending.number, result[pending.kind.name])
            if problem:
                pending.seen.append(f"in a callback: {problem}")
            if pending.refuses:
                raise CallbackRefusal

        return callback

    def _submit_bound(self) -> None:
        """A binding that nobody but its future holds."""
        kind, number = self._random.choice(KINDS), self._shared.numbers.take()
        buffers = self._shared.rt.input_buffers(kind.name)
        for array in buffers.values():
            array[...] = number
        binding = self._shared.rt.bind(kind.name, inputs=buffers)
        try:
            future = binding.run_async(timeout=self._timeout())
        except HBMTimeoutError as error:
            self._shared.record.error(error, DOCUMENTED)
        else:
            self._pending.append(Pending(kind, number, future))

    # Ends of runs.

    def _wait(self) -> None:
        if not self._pending:
            return
        index = self._random.randrange(len(self._pending))
        self._pending.rotate(-index)
        self._finish(self._pending.popleft())

    def _finish(self, pending: Pending) -> None:
        record = self._shared.record
        for problem in pending.seen:
            record.violation(problem)
        try:
            result = pending.future.result(timeout=PATIENCE_S)
        except WaitTimeoutError as error:
            if not pending.future.done():
                record.violation(f"{pending.kind.name}: a future did not end in {PATIENCE_S} s")
                return
            record.error(error, DOCUMENTED)
        except CallbackRefusal as error:
            record.error(error, DOCUMENTED if pending.refuses else ())
        except CancelledError as error:
            record.error(error, DOCUMENTED if pending.cancelled else ())
        except BaseException as error:
            record.error(error, DOCUMENTED)
        else:
            if pending.cancelled or pending.refuses:
                record.violation(f"{pending.kind.name}: a result in spite of cancel or callback")
            outputs = result.get(pending.kind.name, result)  # a bound run gives the outputs alone
            self._check(pending.kind, pending.number, outputs)

    def _check(self, kind: Kind, number: int, outputs: Model) -> None:
        self._shared.record.result(kind.check(number, outputs))
        if self._random.random() < 0.2:
            self._held.append((kind, number, outputs))
            if len(self._held) > MOST_HELD:
                self._look_again()

    def _look_again(self) -> None:
        if self._held:
            kind, number, outputs = self._held.popleft()
            problem = kind.check(number, outputs)
            if problem:
                self._shared.record.violation(f"looked at again: {problem}")

    def _wait_a_moment(self) -> None:
        if not self._pending:
            return
        pending = self._pending.popleft()
        with contextlib.suppress(WaitTimeoutError, CancelledError):
            pending.future.exception(timeout=self._random.choice(SHORT_TIMEOUTS_S))
        self._pending.append(pending)

    def _cancel(self) -> None:
        if self._pending:
            pending = self._random.choice(self._pending)
            said = pending.future.cancel()
            pending.cancelled = pending.cancelled or said
            if said and not pending.future.cancelled():
                self._shared.record.violation("cancel() said True and the future is not cancelled")
            # After False it ends with a result or an error: `_finish` looks at that.

    def _forget(self) -> None:
        """Nobody waits for this one."""
        if self._pending:
            self._pending.popleft()

    # Runs that are waited for at once.

    def _run(self) -> None:
        kind, number = self._random.choice(KINDS), self._shared.numbers.take()
        try:
            result = self._shared.rt.run(
                kind.make_inputs(number),
                kind.name,
                timeout=self._timeout(),
                dense=self._random.random() < 0.2,
                timing=self._random.random() < 0.2,
                **self._scheduling(),
            )
        except (HBMTimeoutError, HBMTaskError) as error:
            self._shared.record.error(error, DOCUMENTED)
        else:
            self._check(kind, number, result[kind.name])

    def _run_several_models(self) -> None:
        number = self._shared.numbers.take()
        kinds = self._random.sample(KINDS, k=2)
        try:
            result = self._shared.rt.run({kind.name: kind.make_inputs(number) for kind in kinds})
        except HBMTaskError as error:
            self._shared.record.error(error, DOCUMENTED)
        else:
            for kind in kinds:
                self._check(kind, number, result[kind.name])

    def _run_many(self) -> None:
        kind = self._random.choice(KINDS)
        numbers = [self._shared.numbers.take() for _ in range(self._random.randint(0, 6))]
        try:
            results = self._shared.rt.run_many(
                [kind.make_inputs(number) for number in numbers], kind.name
            )
        except HBMTaskError as error:
            self._shared.record.error(error, DOCUMENTED)
            return
        if len(results) != len(numbers):
            self._shared.record.violation(f"run_many: {len(results)} of {len(numbers)} results")
        for number, result in zip(numbers, results, strict=False):
            self._check(kind, number, result[kind.name])

    def _run_bound(self) -> None:
        kind, number = self._random.choice(KINDS), self._shared.numbers.take()
        if kind.name not in self._bindings or self._random.random() < 0.02:
            self._bindings[kind.name] = self._shared.rt.bind(kind.name)
        binding = self._bindings[kind.name]
        for array in binding.inputs.values():
            array[...] = number
        try:
            outputs = binding.run(timeout=PATIENCE_S)
        except HBMTaskError as error:
            self._shared.record.error(error, DOCUMENTED)
        else:
            # Not held: the next run of this binding writes them anew.
            self._shared.record.result(kind.check(number, outputs))

    def _run_in_device_memory(self) -> None:
        number = self._shared.numbers.take()
        buffers = self._shared.rt.input_buffers(SUMS.name)
        for array in buffers.values():
            array[...] = number
        try:
            result = self._shared.rt.run(buffers, SUMS.name)
        except HBMTaskError as error:
            self._shared.record.error(error, DOCUMENTED)
        else:
            self._check(SUMS, number, result[SUMS.name])

    # The runtime itself.

    def _look_at_statistics(self) -> None:
        self._shared.rt.stats()

    def _set_scheduling(self) -> None:
        name = self._random.choice(KINDS).name
        self._shared.rt.set_scheduling_params(priority={name: self._random.randint(0, 255)})

    def _load_and_unload(self) -> None:
        rt, record = self._shared.rt, self._shared.record
        with self._shared.extra_lock:
            rt.load(self._shared.extra_file)
            number = self._shared.numbers.take()
            pending = Pending(EXTRA, number, rt.run_async(EXTRA.make_inputs(number), EXTRA.name))
            if self._random.random() < 0.5:
                rt.reload(EXTRA.name)
            rt.unload(EXTRA.name)
            try:
                rt.run(EXTRA.make_inputs(1), EXTRA.name)
            except HBMInputError:
                pass
            else:
                record.violation("an unloaded model ran")
        self._pending.append(pending)

    def _close_under_way(self) -> None:
        """A runtime of its own, closed while its tasks run; afterwards every future has ended."""
        record = self._shared.record
        rt = HB_HBMRuntime(self._shared.model_file)
        started = []
        for _ in range(self._random.randint(0, 5)):
            kind, number = self._random.choice(KINDS), self._shared.numbers.take()
            future = rt.run_async(kind.make_inputs(number), kind.name)
            started.append(Pending(kind, number, future))
        patience = self._random.choice((None, 0.0, 0.001, PATIENCE_S))
        rt.close(timeout=patience)
        rt.close()
        if not rt.closed:
            record.violation("not closed after close()")
        for pending in started:
            # Cancelled when the patience was over.
            pending.cancelled = patience is not None and pending.future.cancelled()
            if not pending.future.done():
                record.violation("a future had not ended when close() returned")
            self._finish(pending)
        try:
            rt.run(KINDS[0].make_inputs(1), KINDS[0].name)
        except HBMClosedError:
            pass
        else:
            record.violation("a closed runtime ran")

    def _timeout(self) -> float | None:
        chosen = self._random.random()
        if chosen < 0.6:
            return None
        return self._random.choice(SHORT_TIMEOUTS_S) if chosen < 0.8 else PATIENCE_S

    def _scheduling(self) -> dict[str, Any]:
        if self._random.random() < 0.7:
            return {}
        return {
            "priority": self._random.randint(0, 255),
            "bpu_cores": self._random.sample(range(4), k=self._random.randint(0, 4)),
            "custom_id": self._random.randint(-10, 10),
        }
