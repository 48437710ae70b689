# SPDX-License-Identifier: Apache-2.0
"""Every call into the accelerator made to fail in turn: the right error, no leak, no aftermath."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import simulator_live
import tiny_models

from hbm_runtime import (
    HB_HBMRuntime,
    HBMError,
    HBMInputError,
    HBMLibraryError,
    HBMMemoryError,
    HBMModelError,
    HBMTaskError,
    HBMTimeoutError,
)
from hbm_runtime._loading import library as library_choice

A = np.arange(6, dtype=np.float32).reshape(2, 3)
X = np.zeros((1, 4), np.float32)
INPUTS = {"plus": {"x": X}, "sums": {"a": A, "b": A}}
STATUS = -300001  # one that the simulator itself never returns

LOAD_CALLS = [
    "hbDNNInitializeFromFiles",
    "hbDNNGetModelNameList",
    "hbDNNGetModelHandle",
    "hbDNNGetModelDesc",
    "hbDNNGetHBMDesc",
    "hbDNNGetCompileBpuCoreNum",
    "hbDNNGetInputCount",
    "hbDNNGetInputName",
    "hbDNNGetInputTensorProperties",
    "hbDNNGetInputDesc",
    "hbDNNGetOutputCount",
    "hbDNNGetOutputName",
    "hbDNNGetOutputTensorProperties",
    "hbDNNGetOutputDesc",
]
RUN_CALLS = [
    "hbUCPMallocCached",
    "hbUCPMemFlush",
    "hbDNNInferV2",
    "hbUCPSubmitTask",
    "hbUCPWaitTaskDone",
]
RELEASE_CALLS = ["hbUCPFree", "hbUCPReleaseTask", "hbDNNRelease"]


class Simulator:
    """The doors of the simulator that only our tests use."""

    def __init__(self) -> None:
        library = ctypes.CDLL(str(library_choice.SIMULATOR_FOLDER / "libhbucp.so"))
        self._set_faults = library.hbSimSetFaults

    def fail(self, rules: str) -> None:
        assert self._set_faults(rules.encode()) == 0, rules

    def live(self) -> dict[str, int]:
        return simulator_live.count()


@pytest.fixture
def simulator_doors() -> Iterator[Simulator]:
    simulator = Simulator()
    yield simulator
    simulator.fail("")


@pytest.fixture
def paths(save: Callable[..., str]) -> list[str]:
    plus = tiny_models.pack(tiny_models.add(), "plus", latency_us=1000)
    sums = tiny_models.pack(tiny_models.two_inputs_three_outputs(), "sums")
    return [save(plus, file="plus.hbm"), save(sums, file="sums.hbm")]


def assert_right(results: dict[str, dict[str, Any]]) -> None:
    np.testing.assert_array_equal(results["plus"]["y"], X + 1)
    np.testing.assert_array_equal(results["sums"]["total"], A + A)


def wait_until_let_go(simulator: Simulator) -> None:
    deadline = time.monotonic() + 10
    while simulator.live()["tasks"] > 0:
        assert time.monotonic() < deadline, "a task was left behind"
        time.sleep(0.001)


def fail_at_every_position(
    simulator: Simulator, call: str, action: Callable[[], object], status: int = STATUS
) -> int:
    """Repeat the action with the 1st, 2nd, … call failing until it succeeds; count the errors."""
    for position in range(1, 100):
        simulator.fail(f"{call}@{position}={status}")
        try:
            action()
        except HBMError as error:
            got = (error.call, error.status)
        else:
            return position - 1
        assert got == (call, status)
    raise AssertionError(f"{call} was called more than 99 times")


@pytest.mark.parametrize("call", LOAD_CALLS)
def test_a_failed_load_leaves_nothing(
    simulator_doors: Simulator, paths: list[str], call: str
) -> None:
    before = simulator_doors.live()
    assert fail_at_every_position(simulator_doors, call, lambda: HB_HBMRuntime(paths)) >= 1
    simulator_doors.fail("")
    assert simulator_doors.live() == before
    assert_right(HB_HBMRuntime(paths).run(INPUTS))


@pytest.mark.parametrize("call", RUN_CALLS)
def test_a_failed_run_leaves_nothing_and_the_next_is_right(
    simulator_doors: Simulator, paths: list[str], call: str
) -> None:
    before = simulator_doors.live()

    def load_and_run() -> None:
        rt = HB_HBMRuntime(paths)
        try:
            assert_right(rt.run(INPUTS))
        except HBMError:
            wait_until_let_go(simulator_doors)  # of the task that had not failed
            simulator_doors.fail("")
            assert_right(rt.run(INPUTS))
            raise

    failures = fail_at_every_position(simulator_doors, call, load_and_run)
    assert failures >= 2, "two models make at least two such calls"
    assert simulator_doors.live() == before


def test_a_dynamic_output_that_cannot_be_asked_for_leaves_nothing(
    simulator_doors: Simulator, save: Callable[..., str]
) -> None:
    """Only the finished task knows its shape."""
    before = simulator_doors.live()
    spec = tiny_models.pack(tiny_models.nonzero(), "found", dynamic=True, max_shapes={"y": (2, 3)})
    path = save(spec)

    def load_and_run() -> None:
        rt = HB_HBMRuntime(path)
        found = rt.run(np.array([[0, 5, 7]], np.float32))["found"]["y"]
        np.testing.assert_array_equal(found, [[0, 0], [1, 2]])

    call = "hbDNNGetTaskOutputTensorProperties"
    assert fail_at_every_position(simulator_doors, call, load_and_run) == 1
    assert simulator_doors.live() == before


@pytest.mark.parametrize("call", RELEASE_CALLS)
def test_a_release_that_fails_once_is_tried_again(
    simulator_doors: Simulator, paths: list[str], call: str
) -> None:
    before = simulator_doors.live()
    for position in range(1, 12):
        simulator_doors.fail(f"{call}@{position}={STATUS}")
        rt = HB_HBMRuntime(paths)
        assert_right(rt.run(INPUTS))
        del rt
        assert simulator_doors.live() == before


@pytest.mark.parametrize(
    ("status", "kind", "builtin"),
    [
        ("INVALID_ARGUMENT", HBMInputError, ValueError),
        ("TASK_NUMBER_EXCEED_LIMIT", HBMTaskError, RuntimeError),
        ("TASK_RUN_FAILED", HBMTaskError, RuntimeError),
        ("MEM_ALLOC_FAIL", HBMMemoryError, MemoryError),
        ("INIT_FAILED", HBMLibraryError, ImportError),
        ("MODEL_IS_INUSE", HBMModelError, RuntimeError),
        ("MODEL_INCOMPATIBLE", HBMModelError, RuntimeError),
    ],
)
def test_each_family_of_statuses_has_a_class(
    simulator_doors: Simulator,
    paths: list[str],
    status: str,
    kind: type[HBMError],
    builtin: type[Exception],
) -> None:
    rt = HB_HBMRuntime(paths)
    simulator_doors.fail(f"hbDNNInferV2={status}")
    with pytest.raises(kind) as caught:
        rt.run(INPUTS)
    assert isinstance(caught.value, builtin) and isinstance(caught.value, RuntimeError)
    assert caught.value.status_name == f"HB_UCP_{status}"
    assert caught.value.call == "hbDNNInferV2" and caught.value.model == "plus"


@pytest.mark.parametrize(
    ("status", "remedy"),
    [
        ("MODEL_INCOMPATIBLE", "S100: nash-e, S100P: nash-m, S600: nash-p"),
        ("MEM_ALLOC_FAIL", "drop outputs and runtimes"),
        ("MODEL_INVALID", "copy, compile or pack the file again"),
        ("FILE_OPEN_FAILED", "check the path and its permissions"),
    ],
)
def test_a_load_that_fails_says_what_to_do(
    simulator_doors: Simulator, paths: list[str], status: str, remedy: str
) -> None:
    simulator_doors.fail(f"hbDNNInitializeFromFiles={status}")
    with pytest.raises(HBMError) as caught:
        HB_HBMRuntime(paths)
    assert remedy in str(caught.value) and "plus.hbm" in str(caught.value)


def test_a_task_that_fails_on_its_core_is_an_error(
    simulator_doors: Simulator, paths: list[str]
) -> None:
    rt = HB_HBMRuntime(paths)
    simulator_doors.fail("run@2=TASK_RUN_FAILED")
    with pytest.raises(HBMTaskError, match="TASK_RUN_FAILED"):
        rt.run(INPUTS)
    assert_right(rt.run(INPUTS))


def test_a_core_that_stalls_ends_in_a_time_out(
    simulator_doors: Simulator, paths: list[str]
) -> None:
    rt = HB_HBMRuntime(paths)
    simulator_doors.fail("run@1=delay:300")
    with pytest.raises(HBMTimeoutError):
        rt.run(INPUTS, timeout=0.05)
    assert_right(rt.run(INPUTS, timeout=10))
    wait_until_let_go(simulator_doors)


@pytest.mark.parametrize(
    "rules",
    ["nonsense", "hbUCPFree", "hbUCPFry=-1", "hbUCPFree@0=-1", "hbUCPFree@x=-1", "hbUCPFree=5",
     "hbUCPFree=NO_SUCH", "hbUCPFree=delay:-1", "hbUCPFree=delay:99999999", "=-1"],
)  # fmt: skip
def test_a_bad_rule_in_the_environment_is_named(
    paths: list[str], run_python: Callable[..., str], rules: str
) -> None:
    printed = run_python(
        """
        import sys
        from hbm_runtime import HB_HBMRuntime, HBMLibraryError
        try:
            HB_HBMRuntime(sys.argv[1])
        except HBMLibraryError as error:
            print(error)
        """,
        paths[0],
        HBM_SIM_FAULTS=rules,
    )
    assert f"HBM_SIM_FAULTS: the rule '{rules}'" in printed
    assert "a rule is FUNCTION[@N[+]]=STATUS" in printed


def test_rules_come_from_the_environment(paths: list[str], run_python: Callable[..., str]) -> None:
    printed = run_python(
        """
        import sys, numpy as np
        from hbm_runtime import HB_HBMRuntime, HBMError
        rt = HB_HBMRuntime(sys.argv[1])
        for _ in range(4):
            try:
                rt.run(np.zeros((1, 4), np.float32))
                print("ok")
            except HBMError as error:
                print(error.call, error.status)
        """,
        paths[0],
        HBM_SIM_FAULTS="hbUCPSubmitTask@2=-100004; hbUCPWaitTaskDone@3+=TASK_RUN_FAILED",
    )
    assert printed.splitlines() == [
        "ok",
        "hbUCPSubmitTask -100004",
        "ok",
        "hbUCPWaitTaskDone -200003",
    ]
