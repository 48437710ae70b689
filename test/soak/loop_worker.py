# SPDX-License-Identifier: Apache-2.0
"""The asyncio loop of the soak: runs awaited, gathered, timed out and cancelled."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from typing import Any

import numpy as np

from soak.expectations import KINDS, Kind
from soak.record import DOCUMENTED
from soak.worker import PATIENCE_S, SHORT_TIMEOUTS_S, Shared

CONCURRENT = 16


class LoopWorker:
    """Chooses operations as `Worker` does, sixteen at a time on one loop."""

    def __init__(self, shared: Shared, seed: str) -> None:
        self._shared = shared
        self._random = random.Random(seed)
        self._operations: dict[Callable[[], Coroutine[Any, Any, None]], int] = {
            self._await: 60,
            self._wait_for: 20,
            self._cancel: 10,
            self._gather: 10,
        }

    def work(self, count: int) -> None:
        """Does `count` operations on a loop of its own."""
        asyncio.run(self._work(count))

    async def _work(self, count: int) -> None:
        chosen = self._random.choices(
            list(self._operations), list(self._operations.values()), k=count
        )
        places = asyncio.Semaphore(CONCURRENT)

        async def one(operation: Callable[[], Coroutine[Any, Any, None]]) -> None:
            async with places:
                await operation()
                self._shared.record.operation(f"asyncio: {operation.__name__.lstrip('_')}")

        await asyncio.wait_for(asyncio.gather(*map(one, chosen)), count * PATIENCE_S)

    def _start(self, **options: Any) -> tuple[Kind, int, Any]:
        kind, number = self._random.choice(KINDS), self._shared.numbers.take()
        inputs = kind.make_inputs(number)
        future = self._shared.rt.run_async(inputs, kind.name, **options)
        for array in inputs.values():
            array.fill(np.nan)
        return kind, number, future

    async def _settle(
        self, kind: Kind, number: int, awaited: Any, may_be: tuple[type[BaseException], ...]
    ) -> None:
        try:
            result = await awaited
        except BaseException as error:
            self._shared.record.error(error, may_be)
        else:
            self._shared.record.result(kind.check(number, result[kind.name]))

    async def _await(self) -> None:
        kind, number, future = self._start()
        await self._settle(kind, number, future, DOCUMENTED)

    async def _wait_for(self) -> None:
        """The time-out of asyncio, which cancels the run."""
        kind, number, future = self._start()
        timeout = self._random.choice((*SHORT_TIMEOUTS_S, PATIENCE_S))
        may_be = (*DOCUMENTED, asyncio.TimeoutError)
        await self._settle(kind, number, asyncio.wait_for(future, timeout), may_be)

    async def _cancel(self) -> None:
        """The task that awaits a run is cancelled, and the run with it."""
        kind, number, future = self._start()

        async def wait() -> Any:
            return await future

        task = asyncio.ensure_future(wait())
        await asyncio.sleep(self._random.choice((0.0, 0.001)))
        task.cancel()
        await self._settle(kind, number, task, (*DOCUMENTED, asyncio.CancelledError))
        if not future.done():
            await asyncio.sleep(PATIENCE_S / 100)
            if not future.done():
                self._shared.record.violation("asyncio cancelled a run that did not end")

    async def _gather(self) -> None:
        started = [self._start() for _ in range(self._random.randint(1, 4))]
        await asyncio.gather(*(self._settle(*run, DOCUMENTED) for run in started))
