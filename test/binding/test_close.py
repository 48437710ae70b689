# SPDX-License-Identifier: Apache-2.0
"""The end of a runtime and of a program, whatever is under way: no hang, no crash, nothing left."""

from __future__ import annotations

import textwrap
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError

import numpy as np
import pytest
import simulator_live
from async_models import X, plus_one, wait_until, wait_until_nothing_is_held

from hbm_runtime import HB_HBMRuntime, HBMClosedError, HBMInputError


def test_after_close_everything_says_so(save: Callable[..., str]) -> None:
    path = save(plus_one("m"))
    with HB_HBMRuntime(path) as rt:
        bound = rt.bind()
        assert not rt.closed
        y = rt.run(X)["m"]["y"]
    assert rt.closed
    for use in (
        lambda: rt.run(X),
        lambda: rt.run(X, timeout=1),
        lambda: rt.run_async(X),
        lambda: rt.run_many([X]),
        lambda: rt.input_buffers(),
        lambda: rt.bind(),
        lambda: rt.load(path),
        lambda: rt.unload("m"),
        lambda: rt.reload("m"),
        lambda: rt.warm_up(),
        lambda: rt.set_scheduling_params(priority={"m": 1}),
        lambda: rt.model_names,
        lambda: bound.run(),
        lambda: bound.run_async(),
    ):
        with pytest.raises(HBMClosedError, match="closed"):
            use()
    rt.close()
    rt.close(timeout=0)
    assert (y == 1).all(), "outputs stay valid"


def test_close_gives_everything_back(save: Callable[..., str]) -> None:
    before = simulator_live.count()
    rt = HB_HBMRuntime(save(plus_one("m", 1)))
    y = rt.run(X)["m"]["y"]
    futures = [rt.run_async(X) for _ in range(4)]
    rt.close()
    assert simulator_live.count()["models"] == before["models"]
    assert all((future.result()["m"]["y"] == 1).all() for future in futures)
    assert rt.stats().device_memory.idle == 0
    del futures, y
    wait_until_nothing_is_held(before)


def test_close_waits_for_runs_under_way(save: Callable[..., str]) -> None:
    rt = HB_HBMRuntime(save(plus_one("m", 10)))
    futures = [rt.run_async(X, bpu_cores=[0]) for _ in range(40)]
    rt.close()
    assert all((future.result(timeout=5)["m"]["y"] == 1).all() for future in futures)


def test_close_with_a_time_out_cancels_what_is_left(save: Callable[..., str]) -> None:
    before = simulator_live.count()
    rt = HB_HBMRuntime(save(plus_one("m", 60_000)))
    futures = [rt.run_async(X, bpu_cores=[0]) for _ in range(40)]
    rt.close(timeout=0.02)
    for future in futures:
        with pytest.raises(CancelledError):
            future.result()
    del rt, future, futures
    wait_until_nothing_is_held(before)
    with pytest.raises(HBMInputError):
        HB_HBMRuntime(save(plus_one("m"))).close(timeout=-1)


def test_an_error_in_the_block_does_not_wait(slow: HB_HBMRuntime) -> None:
    future = slow.run_async(X)

    def fail() -> None:
        with slow:
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert future.cancelled()


INTERRUPTED = {
    "close": "interrupt_when(lambda: rt.closed); rt.close()",
    "close with a time-out": "interrupt_when(lambda: rt.closed); rt.close(timeout=100)",
    "close behind a callback": "future.cancel(); interrupt_when(lambda: rt.closed); rt.close()",
    "the end of a block": "interrupt_when(lambda: rt.closed)\n    with rt: pass",
    "a block": "interrupt_when(called.is_set)\n    with rt: future.result()",
}


@pytest.mark.parametrize("what", INTERRUPTED)
def test_ctrl_c_ends_the_wait_of(
    save: Callable[..., str], run_python: Callable[..., str], what: str
) -> None:
    """One run takes 50 s and the callback of another waits: neither is waited for."""
    head = """
        import os, signal, sys, threading, time, numpy as np
        from hbm_runtime import HB_HBMRuntime, HBMClosedError
        x = np.zeros((1, 4), np.float32)
        rt = HB_HBMRuntime(sys.argv[1])
        called, go_on = threading.Event(), threading.Event()
        future = rt.run_async(x, "long")
        other = rt.run_async(x, "short", callback=lambda results: (called.set(), go_on.wait()))
        called.wait()
        def interrupt_when(is_time):
            def work():
                while not is_time():
                    time.sleep(0.01)
                time.sleep(0.2)  # by then it waits, most likely; earlier must do as well
                os.kill(os.getpid(), signal.SIGINT)
            threading.Thread(target=work, daemon=True).start()
    """
    tail = """
        try:
            interrupted()
        except KeyboardInterrupt:
            print("interrupted", rt.closed, other.done())
        try:
            rt.run(x, "short")
        except HBMClosedError:
            go_on.set()
        rt.close(timeout=0)
        print(future.cancelled(), other.exception(), rt.stats().device_memory.idle)
    """
    body = f"def interrupted():\n    {INTERRUPTED[what]}\n"
    script = textwrap.dedent(head) + body + textwrap.dedent(tail)
    printed = run_python(script, save(plus_one("long", 50_000), plus_one("short")))
    assert printed == "interrupted True False\nTrue None 0\n"


def test_close_from_a_callback(save: Callable[..., str]) -> None:
    rt = HB_HBMRuntime(save(plus_one("m", 2)))
    both_asked = threading.Event()

    def close(results: object) -> None:
        assert both_asked.wait(20)
        rt.close()

    future = rt.run_async(X, callback=close)
    other = rt.run_async(X)
    both_asked.set()
    wait_until(future.done, "the callback returns")
    assert future.exception() is None and rt.closed
    assert (other.result()["m"]["y"] == 1).all()


def test_close_while_other_threads_run(save: Callable[..., str]) -> None:
    before = simulator_live.count()
    for _ in range(5):
        rt = HB_HBMRuntime(save(plus_one("m", 0.3)))
        wrong: list[BaseException] = []

        def work(number: int, rt: HB_HBMRuntime = rt, wrong: list[BaseException] = wrong) -> None:
            try:
                while True:
                    future = None if number % 2 else rt.run_async(X)
                    results = rt.run(X) if future is None else future.result()
                    assert (results["m"]["y"] == 1).all()
            except HBMClosedError:
                pass
            except BaseException as error:
                wrong.append(error)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        time.sleep(0.02)
        rt.close()
        for thread in threads:
            thread.join(20)
            assert not thread.is_alive()
        assert wrong == []
    del rt, threads, work
    wait_until_nothing_is_held(before)


def test_a_thread_that_waits_for_room_is_told(
    slow: HB_HBMRuntime, save: Callable[..., str]
) -> None:
    rt = HB_HBMRuntime(save(plus_one("m", 100)), max_in_flight=1)
    first = rt.run_async(X)
    errors: list[BaseException] = []

    def wait_for_room() -> None:
        try:
            rt.run_async(X)
        except HBMClosedError as error:
            errors.append(error)

    thread = threading.Thread(target=wait_for_room)
    thread.start()
    time.sleep(0.02)
    rt.close()
    thread.join(10)
    assert len(errors) == 1 and first.exception() is None


PROGRAMS = {
    "futures pending": "futures = [rt.run_async(x) for _ in range(50)]",
    "futures dropped": "for _ in range(50): rt.run_async(x)",
    "a callback running": """
        entered = threading.Event()
        rt.run_async(x, 'short', callback=lambda results: (entered.set(), time.sleep(0.3)))
        entered.wait()""",
    "a daemon thread waits": """
        threading.Thread(target=lambda: rt.run_async(x).result(), daemon=True).start()
        time.sleep(0.1)""",
    "daemon threads start runs": """
        def work():
            try:
                while True:
                    rt.run_async(x, 'short').result()
            except Exception:  # Python itself may crash when a daemon thread prints a traceback
                pass
        for _ in range(3): threading.Thread(target=work, daemon=True).start()
        time.sleep(0.1)""",
    "a daemon thread waits for room": """
        small = HB_HBMRuntime(sys.argv[1], max_in_flight=1)
        def work():
            try:
                while True:
                    small.run_async(x)
            except Exception:  # as above
                pass
        threading.Thread(target=work, daemon=True).start()
        time.sleep(0.1)""",
    "a bound run": """
        bound = rt.bind('long')
        threading.Thread(target=bound.run, daemon=True).start()
        time.sleep(0.1)""",
    "an event loop that is left": """
        import asyncio
        async def main():
            rt.run_async(x)
        asyncio.run(main())""",
}


@pytest.mark.parametrize("what", PROGRAMS)
def test_a_program_may_end_with(
    save: Callable[..., str], run_python: Callable[..., str], what: str
) -> None:
    head = """
        import sys, threading, time, numpy as np
        from hbm_runtime import HB_HBMRuntime
        x = np.zeros((1, 4), np.float32)
        rt = HB_HBMRuntime(sys.argv[1])
    """
    body = PROGRAMS[what].replace("run_async(x)", "run_async(x, 'long')")
    script = textwrap.dedent(head) + textwrap.dedent(body) + "\nprint('end')\n"
    path = save(plus_one("long", 1000), plus_one("short"))
    assert run_python(script, path) == "end\n"


# The time for which the end of the program waits is over before the call comes back.
@pytest.mark.parametrize(
    ("call", "run"),
    [
        ("hbUCPSubmitTask", "rt.run(x, timeout=0.5)"),
        ("hbUCPSubmitTask", "rt.run_async(x)"),
        ("hbUCPSubmitTask", "bound.run(0.5)"),
        ("hbUCPWaitTaskDone", "rt.run(x)"),
        ("hbDNNInitializeFromFiles", "HB_HBMRuntime(sys.argv[1])"),
    ],
)
def test_a_program_may_end_while_a_call_of_the_driver_hangs(
    save: Callable[..., str], run_python: Callable[..., str], call: str, run: str
) -> None:
    printed = run_python(
        f"""
        import ctypes, sys, threading, time, numpy as np
        from hbm_runtime import HB_HBMRuntime
        from hbm_runtime._loading import library
        x = np.zeros((1, 4), np.float32)
        rt = HB_HBMRuntime(sys.argv[1])
        bound = rt.bind()
        simulator = ctypes.CDLL(str(library.SIMULATOR_FOLDER / "libhbucp.so"))
        assert simulator.hbSimSetFaults(b"{call}@1=delay:60000") == 0
        begun = threading.Event()
        def work():
            begun.set()
            {run}
        threading.Thread(target=work, daemon=True).start()
        begun.wait()
        time.sleep(0.3)
        print("end")
        """,
        save(plus_one("m")),
    )
    assert printed == "end\n"


def test_a_forked_child_gets_errors_and_does_not_hang(
    save: Callable[..., str], run_python: Callable[..., str]
) -> None:
    printed = run_python(
        """
        import os, sys, time, numpy as np
        from hbm_runtime import HB_HBMRuntime, HBMLibraryError
        x = np.zeros((1, 4), np.float32)
        rt = HB_HBMRuntime(sys.argv[1])
        futures = [rt.run_async(x) for _ in range(3)]
        bound = rt.bind()
        child = os.fork()
        if child == 0:
            for use in (lambda: rt.run_async(x), lambda: futures[0].result(), bound.run,
                        bound.run_async):
                try:
                    use()
                except HBMLibraryError as error:
                    assert "forked" in str(error), error
                else:
                    os._exit(9)
            rt.close()
            sys.exit(7)
        end = time.monotonic() + 30
        done = 0
        while not done:
            done, status = os.waitpid(child, os.WNOHANG)
            if time.monotonic() > end:
                os.kill(child, 9)
                sys.exit("the child hangs")
            time.sleep(0.01)
        assert all((future.result()["m"]["y"] == 1).all() for future in futures)
        print(os.waitstatus_to_exitcode(status))
        """,
        save(plus_one("m", 300)),
    )
    assert printed == "7\n"


@pytest.mark.parametrize(
    "wait",
    [
        "rt.run_async(x).result()",
        "rt.run_async(x).result(20)",
        "rt.run(x)",
        "rt.bind().run()",
        "[rt.run_async(x) for _ in range(3)]",
    ],
)
def test_a_fork_in_a_signal_handler_ends_the_wait_of_the_child(
    save: Callable[..., str], run_python: Callable[..., str], wait: str
) -> None:
    printed = run_python(
        f"""
        import os, signal, sys, time, numpy as np
        from hbm_runtime import HB_HBMRuntime, HBMLibraryError
        x = np.zeros((1, 4), np.float32)
        children = []
        def fork(*_):
            children.append(os.fork())
        signal.signal(signal.SIGALRM, fork)
        rt = HB_HBMRuntime(sys.argv[1], max_in_flight=2)
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        try:
            {wait}
        except HBMLibraryError as error:
            os._exit(7 if children == [0] and "forked" in str(error) else 8)
        if children == [0]:
            os._exit(9)
        end = time.monotonic() + 30
        done = 0
        while not done:
            done, status = os.waitpid(children[0], os.WNOHANG)
            if time.monotonic() > end:
                os.kill(children[0], 9)
                sys.exit("the child hangs")
            time.sleep(0.01)
        print(os.waitstatus_to_exitcode(status))
        """,
        save(plus_one("m", 1000)),
    )
    assert printed == "7\n"


def test_an_output_outlives_the_runtime(save: Callable[..., str]) -> None:
    before = simulator_live.count()
    with HB_HBMRuntime(save(plus_one("m"))) as rt:
        future = rt.run_async(np.full((1, 4), 6, np.float32))
    y = future.result()["m"]["y"]
    del rt, future
    assert (y == 7).all()
    y[:] = 3
    del y
    wait_until_nothing_is_held(before)
