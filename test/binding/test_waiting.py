# SPDX-License-Identifier: Apache-2.0
"""While run waits: other threads go on, time-outs and Ctrl-C end the wait, models stay usable."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tiny_models
from async_models import TOGETHER, plus_one

from hbm_runtime import HB_HBMRuntime, HBMTimeoutError

X = np.zeros((1, 4), np.float32)


def test_other_python_threads_go_on(slow: HB_HBMRuntime) -> None:
    counted = 0
    done = threading.Event()

    def wait() -> None:
        slow.run(X)
        done.set()

    thread = threading.Thread(target=wait)
    thread.start()
    while not done.wait(0.001):
        counted += 1
    thread.join()
    assert counted > 20, "the interpreter stood still during a run of 0.3 s"


def test_a_time_out_leaves_the_model_usable(slow: HB_HBMRuntime) -> None:
    with pytest.raises(HBMTimeoutError) as caught:
        slow.run(X, timeout=0.05)
    assert isinstance(caught.value, TimeoutError) and isinstance(caught.value, RuntimeError)
    assert caught.value.model == "slow" and caught.value.status == -200002
    assert (slow.run(X, timeout=10)["slow"]["y"] == 1).all()


def test_a_time_out_covers_the_queue(slow: HB_HBMRuntime) -> None:
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(slow.run, X, bpu_cores=[0])
        time.sleep(0.05)
        with pytest.raises(HBMTimeoutError):
            slow.run(X, bpu_cores=[0], timeout=0.02)
        assert (first.result()["slow"]["y"] == 1).all()


@pytest.mark.parametrize(("cores", "idle"), [("null", "[]"), ("[1]", "[0, 2, 3]")])
def test_models_of_one_run_use_several_cores(
    save: Callable[..., str], run_python: Callable[..., str], cores: str, idle: str
) -> None:
    path = save(*(plus_one(name, 60_000) for name in "abcd"), plus_one("quick"))
    assert run_python(TOGETHER, path, cores, idle) == "as expected\n"


def test_more_threads_than_the_accelerator_has_tasks_wait(save: Callable[..., str]) -> None:
    rt = HB_HBMRuntime(save(tiny_models.pack(tiny_models.add(), "m", latency_us=2_000)))
    with ThreadPoolExecutor(48) as pool:
        results = list(pool.map(lambda _: rt.run(X)["m"]["y"], range(96)))
    assert all((y == 1).all() for y in results)


def test_ctrl_c_ends_a_long_run(save: Callable[..., str], run_python: Callable[..., str]) -> None:
    path = save(tiny_models.pack(tiny_models.add(), "long", latency_us=60_000_000))
    printed = run_python(
        """
        import os, signal, sys, threading, time, numpy as np
        from hbm_runtime import HB_HBMRuntime
        rt = HB_HBMRuntime(sys.argv[1])
        signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in a background job
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
        try:
            rt.run(np.zeros((1, 4), np.float32))
        except KeyboardInterrupt:
            print("interrupted", rt.stats().models["long"].ok)
        """,
        path,
    )
    assert printed == "interrupted 0\n"


def test_a_program_may_end_in_the_middle_of_a_run(
    save: Callable[..., str], run_python: Callable[..., str]
) -> None:
    long = tiny_models.pack(tiny_models.add(), "long", latency_us=50_000_000)
    short = tiny_models.pack(tiny_models.add(), "short")
    printed = run_python(
        """
        import atexit, functools, sys, threading, time, numpy as np
        x = np.zeros((1, 4), np.float32)
        # Registered before the runtime's own handler, so called after it.
        atexit.register(lambda: print("at exit", rt.run(x, model_name="short")["short"]["y"].sum()))
        from hbm_runtime import HB_HBMRuntime
        rt = HB_HBMRuntime(sys.argv[1])

        def run_for_ever():
            while True:
                rt.run(x, model_name="short")

        run_long = functools.partial(rt.run, x, model_name="long")
        threading.Thread(target=run_long, daemon=True).start()
        for _ in range(2):
            threading.Thread(target=run_for_ever, daemon=True).start()
        time.sleep(0.2)
        """,
        save(long, short),
    )
    assert printed == "at exit 4.0\n"
