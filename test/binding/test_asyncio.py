# SPDX-License-Identifier: Apache-2.0
"""The same future on event loops: await, gather, wait_for, cancellation, a closed loop."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable

import numpy as np
import pytest
from async_models import X, plus_one, wait_until
from simulator_faults import faults

from hbm_runtime import HB_HBMRuntime, HBMBusyError, HBMTaskError, HBMTimeoutError


def test_await_and_gather(save: Callable[..., str]) -> None:
    rt = HB_HBMRuntime(save(plus_one("m", 2)))

    async def work() -> None:
        assert ((await rt.run_async(X))["m"]["y"] == 1).all()
        futures = [rt.run_async(np.full((1, 4), n, np.float32)) for n in range(30)]
        results = await asyncio.gather(*futures)
        assert [result["m"]["y"][0, 0] for result in results] == list(range(1, 31))
        done = rt.run_async(X)
        done.result()
        assert (await done)["m"]["y"].sum() == 4  # also one that is done
        assert await done is await done

    asyncio.run(work())


def test_the_loop_goes_on_while_a_run_is_awaited(slow: HB_HBMRuntime) -> None:
    async def work() -> int:
        future = slow.run_async(X)
        turns = 0
        while not future.done():
            await asyncio.sleep(0.001)
            turns += 1
        await future
        return turns

    assert asyncio.run(work()) > 20


def test_errors_are_raised_where_it_is_awaited(save: Callable[..., str]) -> None:
    rt = HB_HBMRuntime(save(plus_one("m", 1)))

    async def work() -> None:
        with faults("run@1=TASK_RUN_FAILED"), pytest.raises(HBMTaskError):
            await rt.run_async(X)
        with faults("run@1=delay:200"), pytest.raises(HBMTimeoutError):
            await rt.run_async(X, timeout=0.02)
        results = await asyncio.gather(rt.run_async(X), return_exceptions=True)
        assert (results[0]["m"]["y"] == 1).all()

    asyncio.run(work())


def test_wait_for_cancels_the_run(slow: HB_HBMRuntime) -> None:
    async def work() -> None:
        future = slow.run_async(X)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(future, 0.03)
        assert future.cancelled()

    asyncio.run(work())
    assert slow.stats().models["slow"].cancelled == 1
    assert (slow.run(X)["slow"]["y"] == 1).all()


def test_cancelling_the_awaiting_task_cancels_the_run(slow: HB_HBMRuntime) -> None:
    async def work() -> None:
        future = slow.run_async(X)

        async def wait() -> None:
            await future

        task = asyncio.ensure_future(wait())
        await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert future.cancelled()

    asyncio.run(work())


def test_a_run_that_is_cancelled_elsewhere_ends_the_wait(slow: HB_HBMRuntime) -> None:
    async def work() -> None:
        future = slow.run_async(X)
        threading.Timer(0.03, future.cancel).start()
        with pytest.raises(asyncio.CancelledError):
            await future

    asyncio.run(work())


def test_two_loops_may_await_one_future(slow: HB_HBMRuntime) -> None:
    future = slow.run_async(X)
    sums = []

    async def work() -> None:
        sums.append((await future)["slow"]["y"].sum())

    threads = [threading.Thread(target=asyncio.run, args=(work(),)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sums == [4.0, 4.0]


def test_a_loop_that_is_closed_before_the_end_does_no_harm(
    slow: HB_HBMRuntime, caplog: pytest.LogCaptureFixture
) -> None:
    loop = asyncio.new_event_loop()
    future = slow.run_async(X)
    waiting = asyncio.wrap_future(future, loop=loop)
    loop.close()
    with caplog.at_level(logging.CRITICAL, logger="concurrent.futures"):
        wait_until(future.done, "it ends without the loop")
    assert (future.result()["slow"]["y"] == 1).all()
    assert not waiting.done()
    assert (slow.run_async(X).result()["slow"]["y"] == 1).all()


def test_a_full_runtime_can_be_retried_on_the_loop(save: Callable[..., str]) -> None:
    rt = HB_HBMRuntime(save(plus_one("m", 2)), max_in_flight=4)

    async def one(number: int) -> float:
        while True:
            try:
                future = rt.run_async(np.full((1, 4), number, np.float32), when_full="raise")
            except HBMBusyError:
                await asyncio.sleep(0.001)
            else:
                return float((await future)["m"]["y"][0, 0])

    async def work() -> list[float]:
        return await asyncio.gather(*(one(number) for number in range(40)))

    assert asyncio.run(work()) == list(range(1, 41))
