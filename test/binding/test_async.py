# SPDX-License-Identifier: Apache-2.0
"""run_async: a future for threads and callbacks, that ends with a result or with run's errors."""

from __future__ import annotations

import concurrent.futures
import gc
import threading
import time
import weakref
from collections.abc import Callable

import numpy as np
import pytest
import simulator_live
from async_models import (
    X,
    plus_one,
    wait_until,
    wait_until_memory_is_used,
    wait_until_nothing_is_held,
)

from hbm_runtime import HB_HBMRuntime, HBMError, HBMInputError, HBMTaskError, HBMTimeoutError


def test_the_future_has_what_run_returns(sums: HB_HBMRuntime) -> None:
    inputs = {"a": np.ones((2, 3), np.float32), "b": np.full((2, 3), 4, np.float32)}
    future = sums.run_async(inputs)
    assert isinstance(future, concurrent.futures.Future)
    got, expected = future.result()["sums"], sums.run(inputs)["sums"]
    assert list(got) == list(expected)
    for name in expected:
        np.testing.assert_array_equal(got[name], expected[name])
    assert future.done() and not future.running() and not future.cancelled()
    assert future.exception() is None
    assert future.result() is future.result()


def test_all_forms_of_input_start_a_run(pair: HB_HBMRuntime) -> None:
    a = np.ones((2, 3), np.float32)
    both = pair.run_async({"plus": {"x": X}, "sums": {"a": a, "b": a}}).result()
    assert (both["plus"]["y"] == 1).all() and (both["sums"]["total"] == 2).all()
    assert (pair.run_async(X, "plus").result()["plus"]["y"] == 1).all()
    assert (pair.run_async({"x": X}, model_name="plus").result()["plus"]["y"] == 1).all()
    assert (pair.run_async(input_tensor=X, model_name="plus").result()["plus"]["y"] == 1).all()


def test_wrong_arguments_are_told_at_once(doubling: HB_HBMRuntime) -> None:
    x = np.zeros((1, 3, 4, 5), np.float32)
    for wrong in (
        lambda: doubling.run_async({"z": x}),
        lambda: doubling.run_async(x[:, :2]),
        lambda: doubling.run_async(x, timeout=-1),
        lambda: doubling.run_async(x, when_full="drop"),
        lambda: doubling.run_async(x, callback=5),  # type: ignore[arg-type]
    ):
        with pytest.raises(HBMInputError):
            wrong()
    assert doubling.stats().in_flight == 0


def test_dropped_and_poisoned_inputs_change_nothing(save: Callable[..., str]) -> None:
    """The classic bug of such interfaces: the input is freed or overwritten while in flight."""
    rt = HB_HBMRuntime(save(plus_one("m", 5)))
    futures = []
    for number in range(60):  # more than the accelerator has tasks
        x = np.full((1, 4), number, np.float32)
        given = {"m": {"x": x}}
        futures.append(rt.run_async(given))
        x[:] = np.nan
        given["m"].clear()
        given.clear()
        del x, given
    gc.collect()
    for number, future in enumerate(futures):
        assert (future.result()["m"]["y"] == number + 1).all()


def test_a_dict_that_another_thread_changes_gives_results_or_input_errors(
    save: Callable[..., str],
) -> None:
    rt = HB_HBMRuntime(save(plus_one("m")))
    given: dict[str, np.ndarray] = {"x": X}
    stop = threading.Event()

    def change() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            given["x"] = np.full((1, 4), number % 7, np.float32)
            given.pop("x", None)

    thread = threading.Thread(target=change)
    thread.start()
    right = 0
    try:
        for _ in range(2000):
            try:
                y = rt.run_async(given).result()["m"]["y"]
            except HBMInputError:  # the name was missing
                continue
            except RuntimeError as error:
                if "changed size" not in str(error):  # Python's own, of an iteration
                    raise
                continue
            assert (y == y[0, 0]).all() and 1 <= y[0, 0] <= 7
            right += 1
    finally:
        stop.set()
        thread.join()
    given["x"] = X
    assert (rt.run(given)["m"]["y"] == 1).all()


def test_the_callback_comes_before_the_end_and_its_error_reaches_the_future(
    save: Callable[..., str],
) -> None:
    rt = HB_HBMRuntime(save(plus_one("m", 2)))
    seen = []
    future = rt.run_async(X, callback=lambda results: seen.append(results["m"]["y"].sum()))
    future.result()
    assert seen == [4.0]

    def fail(results: object) -> None:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        rt.run_async(X, callback=fail).result()
    nobody_waits = rt.run_async(X, callback=fail)
    wait_until(nobody_waits.done, "the completion thread settles it")
    assert isinstance(nobody_waits.exception(), KeyError)
    assert (rt.run_async(X).result()["m"]["y"] == 1).all(), "the completion thread lives on"


def test_done_callbacks_of_the_standard_library_come_once(save: Callable[..., str]) -> None:
    rt = HB_HBMRuntime(save(plus_one("m", 2)))
    seen: list[object] = []
    future = rt.run_async(X)
    future.add_done_callback(seen.append)
    future.result()
    wait_until(lambda: bool(seen), "the callback comes")
    future.add_done_callback(seen.append)  # at once
    assert seen == [future, future]


def test_a_callback_may_use_the_runtime(save: Callable[..., str]) -> None:
    rt = HB_HBMRuntime(save(plus_one("m", 1)), max_in_flight=2)
    later = []

    def go_on(results: object) -> None:
        later.append(rt.run(X)["m"]["y"].sum())
        later.append(rt.run_async(X).result()["m"]["y"].sum())

    first, second = rt.run_async(X, callback=go_on), rt.run_async(X, callback=go_on)
    wait_until(lambda: first.done() and second.done(), "the callbacks return")
    assert first.exception() is None and second.exception() is None
    assert later == [4.0] * 4


@pytest.mark.parametrize("somebody_waits", [True, False])
def test_a_callback_that_waits_for_its_own_future_gets_an_error(
    save: Callable[..., str], somebody_waits: bool
) -> None:
    rt = HB_HBMRuntime(save(plus_one("m", 20)))
    made = []
    ready = threading.Event()

    def wait_for_oneself(results: object) -> None:
        ready.wait()
        made[0].result()

    made.append(rt.run_async(X, callback=wait_for_oneself))
    ready.set()
    if not somebody_waits:
        wait_until(made[0].done, "it ends")
    with pytest.raises(HBMError, match="cannot wait"):
        made[0].result()


def test_waiting_has_an_end_and_the_run_goes_on(slow: HB_HBMRuntime) -> None:
    future = slow.run_async(X)
    with pytest.raises(HBMTimeoutError) as caught:
        future.result(timeout=0.02)
    assert isinstance(caught.value, concurrent.futures.TimeoutError)
    with pytest.raises(HBMTimeoutError):
        future.exception(timeout=0)
    assert not future.done()
    assert (future.result()["slow"]["y"] == 1).all()


def test_waiting_for_a_slow_callback_has_an_end_too(save: Callable[..., str]) -> None:
    rt = HB_HBMRuntime(save(plus_one("m")))
    entered, leave = threading.Event(), threading.Event()

    def block(results: object) -> None:
        entered.set()
        leave.wait(20)

    future = rt.run_async(X, callback=block)
    assert entered.wait(20)
    with pytest.raises(HBMTimeoutError):
        future.result(timeout=0.02)
    with pytest.raises(HBMTimeoutError):
        future.exception(timeout=0.02)
    leave.set()
    assert future.exception() is None


def test_a_callback_never_runs_inside_run_async(save: Callable[..., str]) -> None:
    """The caller may hold a lock that the callback wants, however soon the run is done."""
    rt = HB_HBMRuntime(save(plus_one("m")))
    lock = threading.Lock()
    threads = []

    def note(results: object) -> None:
        with lock:
            threads.append(threading.current_thread().name)

    futures = []
    for _ in range(50):  # of 64 that may be unfinished
        with lock:
            futures.append(rt.run_async(X, callback=note))
    for future in futures:
        while not future.done():  # without waiting in the future, which may call back itself
            time.sleep(0.001)
    assert set(threads) == {"hbm_runtime completion"}


def test_many_threads_wait_for_one_future(slow: HB_HBMRuntime) -> None:
    future = slow.run_async(X)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: future.result(), range(8)))
    assert all(result is results[0] for result in results)


def test_wait_and_as_completed_of_the_standard_library(save: Callable[..., str]) -> None:
    rt = HB_HBMRuntime(save(plus_one("m", 20)))
    futures = [rt.run_async(X, bpu_cores=[0]) for _ in range(6)]
    assert futures[-1].cancel()
    assert (
        futures[0]
        in concurrent.futures.wait(futures[:2], return_when=concurrent.futures.FIRST_COMPLETED).done
    )
    done, not_done = concurrent.futures.wait(futures, timeout=20)
    assert done == set(futures) and not not_done
    assert set(concurrent.futures.as_completed(futures, timeout=20)) == set(futures)
    assert [future.cancelled() for future in futures] == [False] * 5 + [True]


def test_eight_threads_start_and_wait(save: Callable[..., str]) -> None:
    rt = HB_HBMRuntime(save(plus_one("m")))

    def work(thread: int) -> bool:
        return all(
            (
                rt.run_async(np.full((1, 4), thread, np.float32)).result()["m"]["y"] == thread + 1
            ).all()
            for _ in range(200)
        )

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(8)))
    assert rt.stats().models["m"].ok == 1600


@pytest.mark.parametrize("how", ["result", "completion thread", "cancel"])
def test_nothing_keeps_a_future_and_its_outputs_after_the_end(
    save: Callable[..., str], how: str
) -> None:
    rt = HB_HBMRuntime(save(plus_one("m", 5)))
    rt.run(X)
    rt.run_async(X).result()
    used = rt.stats().device_memory.used
    futures = [rt.run_async(X) for _ in range(20)]
    dead = [weakref.ref(future) for future in futures]
    for future in futures:
        if how == "result":
            future.result()
        elif how == "cancel":
            future.cancel()
        else:
            wait_until(future.done, "the completion thread settles it")
    del future, futures
    wait_until(lambda: not any(future() for future in dead), "a future is kept")
    wait_until_memory_is_used(rt, used)
    assert rt.stats().in_flight == rt.stats().waiting == 0


def test_a_runtime_may_be_dropped_with_futures_pending(save: Callable[..., str]) -> None:
    before = simulator_live.count()
    rt = HB_HBMRuntime(save(plus_one("m", 30)))
    threads = threading.active_count()
    futures = [rt.run_async(X) for _ in range(4)]
    del rt
    assert all((future.result()["m"]["y"] == 1).all() for future in futures)
    del futures
    wait_until_nothing_is_held(before)
    wait_until(lambda: threading.active_count() <= threads, "the completion thread ends")


def test_an_error_of_the_accelerator_is_the_futures(
    save: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from simulator_faults import faults

    rt = HB_HBMRuntime(save(plus_one("m", 1)))
    with faults("run@1=TASK_RUN_FAILED"):
        future = rt.run_async(X)
        with pytest.raises(HBMTaskError, match="TASK_RUN_FAILED") as caught:
            future.result()
    assert caught.value.model == "m" and future.exception() is caught.value
    assert (rt.run_async(X).result()["m"]["y"] == 1).all()
    assert rt.stats().models["m"].failed == 1
