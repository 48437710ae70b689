# SPDX-License-Identifier: Apache-2.0
"""Several processes: a forked child gets a clear error, spawned workers and separate ones work."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import tiny_models

FORK = """
import os, sys, threading, time, numpy as np
from hbm_runtime import HB_HBMRuntime, HBMError, HBMLibraryError

x = np.zeros((1, 4), np.float32)
rt = HB_HBMRuntime(sys.argv[1])
held = rt.run(x)
busy = threading.Thread(target=lambda: [rt.run(x) for _ in range(20)])
busy.start()  # the fork finds the accelerator at work
time.sleep(0.02)
child = os.fork()
if child == 0:
    for use in (lambda: rt.run(x), lambda: HB_HBMRuntime(sys.argv[1])):
        try:
            use()
        except HBMLibraryError as error:
            assert "forked" in str(error) and "spawn" in str(error), error
        else:
            sys.exit(9)
    assert rt.model_names == ["m"]  # metadata are the child's own memory
    del held, rt
    sys.exit(7)  # with all of the interpreter's and the libraries' clean-up
deadline = time.monotonic() + 30
while True:
    done, status = os.waitpid(child, os.WNOHANG)
    if done:
        break
    if time.monotonic() > deadline:
        os.kill(child, 9)
        sys.exit("the child hangs")
    time.sleep(0.01)
busy.join()
assert (rt.run(x)["m"]["y"] == 1).all()
print("child ended with", os.waitstatus_to_exitcode(status))
"""


@pytest.fixture
def model(save: Callable[..., str]) -> str:
    return save(tiny_models.pack(tiny_models.add(), "m", latency_us=5_000))


def test_a_forked_child_gets_a_clear_error(model: str, run_python: Callable[..., str]) -> None:
    assert run_python(FORK, model) == "child ended with 7\n"


def test_a_fork_before_the_first_use_works(model: str, run_python: Callable[..., str]) -> None:
    printed = run_python(
        """
        import os, sys, numpy as np
        import hbm_runtime
        child = os.fork()
        x = np.zeros((1, 4), np.float32)
        y = hbm_runtime.HB_HBMRuntime(sys.argv[1]).run(x)["m"]["y"]
        assert (y == 1).all()
        if child:
            _, status = os.waitpid(child, 0)
            print(os.waitstatus_to_exitcode(status))
        """,
        model,
    )
    assert printed == "0\n"


def test_spawned_workers_work(model: str, tmp_path: Path, run_python: Callable[..., str]) -> None:
    script = f"{tmp_path}/program.py"
    with open(script, "w", encoding="utf-8") as file:
        file.write(
            "import multiprocessing, sys, numpy as np\n"
            "from hbm_runtime import HB_HBMRuntime\n"
            "def work(number):\n"
            "    rt = HB_HBMRuntime(sys.argv[1])\n"
            "    return float(rt.run(np.full((1, 4), number, np.float32))['m']['y'][0, 0])\n"
            "if __name__ == '__main__':\n"
            "    HB_HBMRuntime(sys.argv[1])\n"
            "    with multiprocessing.get_context('spawn').Pool(2) as pool:\n"
            "        print(pool.map(work, range(4)))\n"
        )
    done = subprocess.run(
        [sys.executable, script, model], capture_output=True, text=True, timeout=100, check=False
    )
    assert done.stdout == "[1.0, 2.0, 3.0, 4.0]\n", done.stderr


def test_several_processes_at_once(model: str, tmp_path: Path) -> None:
    program = """
import sys, numpy as np
from hbm_runtime import HB_HBMRuntime
rt = HB_HBMRuntime(sys.argv[1])
for number in range(20):
    assert (rt.run(np.full((1, 4), number, np.float32))["m"]["y"] == number + 1).all()
"""
    command = [sys.executable, "-c", program, model]
    processes = [subprocess.Popen(command, cwd=tmp_path) for _ in range(3)]
    assert [process.wait(100) for process in processes] == [0, 0, 0]


STALLED = """
import sys, threading, time, numpy as np
from hbm_runtime import HB_HBMRuntime, HBMError

x = np.zeros((1, 4), np.float32)
rt = HB_HBMRuntime(sys.argv[1])
rt.run(x)

def run_in_vain():
    for _ in range(3):
        try:
            rt.run(x, timeout=0.2)
        except HBMError:
            pass

runner = threading.Thread(target=run_in_vain, daemon=True)
runner.start()
time.sleep(0.3)
closer = threading.Thread(target=rt.close, args=(2,), daemon=True)
closer.start()
time.sleep(0.8)
"""


@pytest.mark.parametrize("attempt", range(2))  # it depends on how threads meet at the end
def test_a_program_ends_well_while_the_accelerator_holds_its_tasks(
    model: str, run_python: Callable[..., str], attempt: int
) -> None:
    run_python(STALLED, model, HBM_SIM_FAULTS="run@2+=stall:600000")


LOADING = """
import sys, threading, time
from hbm_runtime import HB_HBMRuntime

first = HB_HBMRuntime(sys.argv[1])
threading.Thread(target=HB_HBMRuntime, args=(sys.argv[1],), daemon=True).start()
time.sleep(0.3)
"""


def test_a_program_ends_well_while_a_thread_loads_a_model(
    model: str, run_python: Callable[..., str]
) -> None:
    run_python(LOADING, model, HBM_SIM_FAULTS="hbDNNInitializeFromFiles@2+=delay:1500")


def test_a_sub_interpreter_is_refused(run_python: Callable[..., str]) -> None:
    printed = run_python(
        """
        try:
            import _interpreters as interpreters
        except ImportError:
            import _xxsubinterpreters as interpreters
        import faulthandler, importlib.util
        # With a watchdog, because what waited here had the GIL; of the main interpreter, because
        # no other one can import it from Python 3.12 on.
        faulthandler.dump_traceback_later(60, exit=True)
        print("begin", flush=True)
        # Alone: numpy, which the package imports first, may refuse before.
        other = interpreters.create()
        interpreters.run_string(other, f'''
        import importlib.util
        spec = importlib.util.spec_from_file_location(
            "hbm_runtime._core", {importlib.util.find_spec("hbm_runtime._core").origin!r})
        try:
            importlib.util.module_from_spec(spec)
        except ImportError as error:
            assert "interpreter" in str(error), error
            print("refused", flush=True)
        ''')
        faulthandler.cancel_dump_traceback_later()
        print("end", flush=True)
        """
    )
    assert printed == "begin\nrefused\nend\n"
