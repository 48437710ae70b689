# SPDX-License-Identifier: Apache-2.0
"""bind(): runs in the same device memory, without copies, allocations or two at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
import simulator_live
import tiny_models
from async_models import X, plus_one, wait_until_idle, wait_until_nothing_is_held
from simulator_faults import faults

from hbm_runtime import HB_HBMRuntime, HBMBusyError, HBMError, HBMInputError, HBMTimeoutError


def test_every_run_uses_the_same_memory(save: Callable[..., str]) -> None:
    rt = HB_HBMRuntime(save(plus_one("m")))
    bound = rt.bind()
    assert bound.model_name == "m"
    x, y = bound.inputs["x"], bound.outputs["y"]
    bound.run()
    held, idle = simulator_live.live("memory"), rt.stats().device_memory.idle
    with faults("hbUCPMallocCached=-1"):  # an allocation would fail
        for number in range(100):
            x[:] = number
            assert bound.run() is bound.outputs and bound.outputs["y"] is y
            assert (y == number + 1).all()
    assert (simulator_live.live("memory"), rt.stats().device_memory.idle) == (held, idle)
    stats = rt.stats().models["m"]
    assert (stats.ok, stats.copies_in, stats.copies_out) == (101, 0, 0)


def test_inputs_begin_as_zeros(sums: HB_HBMRuntime) -> None:
    bound = sums.bind()
    assert list(bound.inputs) == ["a", "b"]
    assert list(bound.run()) == ["total", "difference", "flat"]
    assert not any(array.any() for array in bound.outputs.values())


def test_run_async_of_a_binding(save: Callable[..., str]) -> None:
    rt = HB_HBMRuntime(save(plus_one("m", 2)))
    bound = rt.bind()
    bound.inputs["x"][:] = 5
    seen: list[float] = []
    future = bound.run_async(callback=lambda outputs: seen.append(outputs["y"].sum()))
    assert future.result() is bound.outputs
    assert seen == [24.0]
    assert bound.run_async().result()["y"].sum() == 24


def test_a_second_run_at_the_same_time_is_refused(slow: HB_HBMRuntime) -> None:
    bound = slow.bind()
    future = bound.run_async()
    for second in (bound.run, bound.run_async):
        with pytest.raises(HBMBusyError, match="binding is running"):
            second()
    future.result()
    thread = threading.Thread(target=bound.run)
    thread.start()
    simulator_live.wait_for_tasks(1)
    with pytest.raises(HBMBusyError):
        bound.run()
    thread.join()
    assert (bound.run()["y"] == 1).all()
    stats = slow.stats().models["slow"]
    assert (stats.ok, stats.rejected) == (3, 3)


@pytest.mark.parametrize("how", ["run", "run_async", "cancel"])
def test_after_an_abandoned_run_the_next_waits_for_the_memory_and_is_right(
    save: Callable[..., str], how: str
) -> None:
    rt = HB_HBMRuntime(save(plus_one("m", 150)))
    bound = rt.bind()
    if how == "cancel":
        future = bound.run_async()
        simulator_live.wait_for_tasks(1)
        assert future.cancel()
    else:
        with pytest.raises(HBMTimeoutError):
            bound.run(timeout=0.02) if how == "run" else bound.run_async(timeout=0.02).result()
    bound.inputs["x"][:] = 8
    assert (bound.run(timeout=20)["y"] == 9).all()


def test_the_wait_for_the_memory_has_a_deadline_too(save: Callable[..., str]) -> None:
    rt = HB_HBMRuntime(save(plus_one("m", 1)))
    bound = rt.bind()
    with faults("run@1=delay:400"):
        for run in (bound.run, lambda timeout: bound.run_async(timeout).result(), bound.run):
            with pytest.raises(HBMTimeoutError):
                run(timeout=0.02)
    assert (bound.run(timeout=20)["y"] == 1).all()


def test_a_binding_that_never_ran_for_want_of_room_is_free(save: Callable[..., str]) -> None:
    rt = HB_HBMRuntime(save(plus_one("m", 100)), max_in_flight=1)
    bound = rt.bind()
    first = rt.run_async(X)
    with pytest.raises(HBMBusyError, match="max_in_flight"):
        bound.run_async(when_full="raise")
    assert (bound.run()["y"] == 1).all()
    first.result()


def test_an_output_may_be_anothers_input(save: Callable[..., str]) -> None:
    rt = HB_HBMRuntime(save(plus_one("first"), plus_one("second", constant=10)))
    first = rt.bind("first")
    second = rt.bind("second", inputs={"x": first.outputs["y"]})
    for number in range(5):
        first.inputs["x"][:] = number
        first.run()
        assert (second.run()["y"] == number + 11).all()
    assert rt.stats().models["second"].copies_in == 0


def test_what_cannot_be_bound_is_told(save: Callable[..., str]) -> None:
    found = tiny_models.pack(tiny_models.nonzero(), "found", dynamic=True, max_shapes={"y": (2, 3)})
    rt = HB_HBMRuntime(save(plus_one("m"), found))
    with pytest.raises(HBMInputError, match="cannot be bound") as caught:
        rt.bind("found")
    assert caught.value.model == "found" and caught.value.tensor == "y"
    with pytest.raises(HBMInputError, match="no device memory"):
        rt.bind("m", inputs={"x": X})
    with pytest.raises(HBMInputError, match="no input 'z'; "):
        rt.bind("m", inputs={"z": X})
    with pytest.raises(HBMInputError, match="model_name is needed"):
        rt.bind()
    with pytest.raises(HBMInputError, match="dimensions"):
        rt.bind("m", inputs={"x": rt.input_buffers("m")["x"][:, :2]})
    with pytest.raises(HBMInputError):
        rt.bind("m", priority=256)


def test_scheduling_of_a_binding(save: Callable[..., str]) -> None:
    rt = HB_HBMRuntime(save(plus_one("m")))
    rt.set_scheduling_params(timeout={"m": 20})
    bound = rt.bind(priority=7, bpu_cores=[1], custom_id=3)
    assert (bound.run()["y"] == 1).all()
    assert rt.stats().cores.pinned_s[1] > 0 == rt.stats().cores.pinned_s[0]


def test_faults_during_bound_runs_leave_the_binding_usable(save: Callable[..., str]) -> None:
    rt = HB_HBMRuntime(save(plus_one("m")))
    bound = rt.bind()
    for call in ("hbUCPMemFlush", "hbDNNInferV2", "hbUCPSubmitTask", "hbUCPWaitTaskDone"):
        for position in range(1, 3):
            with faults(f"{call}@{position}=-300001"):
                try:
                    bound.run()
                except HBMError as error:
                    if error.call != call:
                        raise
            bound.inputs["x"][:] = position
            assert (bound.run(timeout=20)["y"] == position + 1).all()
    wait_until_idle(rt)


def test_a_dropped_binding_gives_its_memory_back(save: Callable[..., str]) -> None:
    before = simulator_live.count()
    rt = HB_HBMRuntime(save(plus_one("m", 50)))
    bound = rt.bind()
    y = bound.outputs["y"]
    future = bound.run_async()
    del bound, rt
    assert (future.result()["y"] == 1).all()
    del future
    assert (y == 1).all()
    del y
    wait_until_nothing_is_held(before)
