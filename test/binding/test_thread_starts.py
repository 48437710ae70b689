# SPDX-License-Identifier: Apache-2.0
"""Where no thread can be started, a run still ends at its time-out, and the next ones work."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import tiny_models

FAILING_STARTS = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>

int failing_starts = 0; /* how many of the next starts fail */

int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*routine)(void*),
                   void* argument) {
  int (*create)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*) =
      dlsym(RTLD_NEXT, "pthread_create");
  if (failing_starts > 0) {
    --failing_starts;
    return EAGAIN;
  }
  return create(thread, attributes, routine, argument);
}
"""


@pytest.fixture
def failing_starts(tmp_path: Path) -> str:
    """A library for LD_PRELOAD in which starts of threads fail on order."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("needs a C compiler (cc)")
    source, library = tmp_path / "starts.c", tmp_path / "libstarts.so"
    source.write_text(FAILING_STARTS, encoding="utf-8")
    subprocess.run(
        [compiler, "-shared", "-fPIC", source, "-o", library, "-ldl"], check=True, timeout=60
    )
    return str(library)


def test_a_run_on_a_hung_accelerator_ends_at_its_time_out_without_a_thread_to_reclaim_it(
    failing_starts: str, save: Callable[..., str], run_python: Callable[..., str]
) -> None:
    """The core hangs for longer than the test may take: nobody may wait for it."""
    printed = run_python(
        """
        import ctypes, os, sys, numpy as np
        from hbm_runtime import HB_HBMRuntime, HBMTimeoutError
        failing = ctypes.c_int.in_dll(ctypes.CDLL(sys.argv[2]), "failing_starts")
        runtime = HB_HBMRuntime(sys.argv[1])
        x = np.ones((1, 4), np.float32)
        runtime.run(x, bpu_cores=[0])
        failing.value = 1
        try:
            runtime.run(x, bpu_cores=[0], timeout=0.2)
        except HBMTimeoutError:
            print("time-out", failing.value)
        print(runtime.run(x, bpu_cores=[1])["plus"]["y"][0, 0], flush=True)
        os._exit(0)
        """,
        save(tiny_models.pack(tiny_models.add(), "plus")),
        failing_starts,
        LD_PRELOAD=failing_starts,
        HBM_SIM_FAULTS="run@2=delay:600000",
    )
    assert printed == "time-out 0\n2.0\n"


def test_a_simulator_without_threads_fails_the_run_and_serves_the_next(
    failing_starts: str, save: Callable[..., str], run_python: Callable[..., str]
) -> None:
    printed = run_python(
        """
        import ctypes, sys, numpy as np
        from hbm_runtime import HB_HBMRuntime, HBMTaskError
        failing = ctypes.c_int.in_dll(ctypes.CDLL(sys.argv[2]), "failing_starts")
        runtime = HB_HBMRuntime(sys.argv[1])
        x = np.ones((1, 4), np.float32)
        failing.value = 1
        try:
            runtime.run(x, timeout=3)
        except HBMTaskError as error:
            print(error.status_name, failing.value)
        print(runtime.run(x, timeout=60)["plus"]["y"][0, 0])
        """,
        save(tiny_models.pack(tiny_models.add(), "plus")),
        failing_starts,
        LD_PRELOAD=failing_starts,
    )
    assert printed == "HB_UCP_UNKNOWN_ERROR 0\n2.0\n"
