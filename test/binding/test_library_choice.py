# SPDX-License-Identifier: Apache-2.0
"""Which pair of libraries is opened, what is said about it, and that nothing else is said."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import tiny_models

SCRIPT = """
import logging, os, sys, numpy as np
logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(name)s: %(message)s")
os.environ.pop("HBM_RUNTIME_LIBRARY_PATH")
from hbm_runtime import HB_HBMRuntime
HB_HBMRuntime(sys.argv[1])
HB_HBMRuntime(sys.argv[1])
"""


@pytest.fixture
def model(save: Callable[..., str]) -> str:
    return save(tiny_models.pack(tiny_models.add(), "plus"))


def test_the_simulator_is_the_last_choice_and_said_once(
    model: str, run_python: Callable[..., str]
) -> None:
    lines = run_python(SCRIPT, model).splitlines()
    assert len(lines) == 1
    assert "no accelerator libraries on this machine: using the simulator" in lines[0]


def test_nothing_is_printed_at_import_load_and_run(
    model: str, run_python: Callable[..., str]
) -> None:
    printed = run_python(
        """
        import sys, numpy as np
        from hbm_runtime import HB_HBMRuntime
        HB_HBMRuntime(sys.argv[1]).run(np.zeros((1, 4), np.float32))
        """,
        model,
    )
    assert printed == ""


def test_import_needs_no_engine_and_load_says_that_it_does(
    model: str, run_python: Callable[..., str]
) -> None:
    printed = run_python(
        """
        import sys
        from hbm_runtime import HB_HBMRuntime, HBMLibraryError
        try:
            HB_HBMRuntime(sys.argv[1])
        except HBMLibraryError as error:
            print(error.status_name, error)
        """,
        model,
        HBM_SIM_ENGINE="/nonexistent/libonnxruntime.so",
    )
    assert "HB_UCP_INIT_FAILED" in printed
    assert "install the Python package onnxruntime" in printed


def test_a_bad_number_in_the_environment_is_a_warning(
    model: str, run_python: Callable[..., str]
) -> None:
    printed = run_python(SCRIPT, model, HBM_SIM_CORES="many")
    assert "HBM_SIM_CORES=many is not a number from 1 to 4; using 4" in printed


@pytest.mark.parametrize("limit", ["64x", "65537"])
def test_core_and_simulator_take_a_bad_task_limit_as_the_same_number(
    limit: str, save: Callable[..., str], run_python: Callable[..., str]
) -> None:
    """More runs than the default, 32: the ones that the simulator has no task for wait."""
    printed = run_python(
        """
        import sys, numpy as np
        from hbm_runtime import HB_HBMRuntime
        runtime = HB_HBMRuntime(sys.argv[1], max_in_flight=40)
        futures = [runtime.run_async(np.zeros((1, 4), np.float32)) for _ in range(40)]
        print([repr(error) for future in futures if (error := future.exception(60))])
        """,
        save(tiny_models.pack(tiny_models.add(), "slow", latency_us=10_000)),
        HB_UCP_MAX_TASK_NUM=limit,
        HBM_SIM_CORES="1",
    )
    assert printed == "[]\n"
