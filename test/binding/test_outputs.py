# SPDX-License-Identifier: Apache-2.0
"""Output arrays: padding, ownership, lifetime, and the pool that they return to."""

from __future__ import annotations

import gc
from collections.abc import Callable

import numpy as np
import onnxruntime
import pytest
import simulator_live
import tiny_models

from hbm_runtime import HB_HBMRuntime, HBMMemoryError


def test_padded_rows_come_out_right(save: Callable[..., str]) -> None:
    model = tiny_models.int32_255_channels(21)
    rt = HB_HBMRuntime(save(tiny_models.pack(model, "head")))
    assert rt.output_strides["head"]["head"] == [451584, 21504, 1024, 4]
    image = np.random.default_rng(0).random((1, 3, 21, 21), np.float32)
    output = rt.run(image)["head"]["head"]
    assert output.shape == (1, 21, 21, 255)
    assert output.strides == (451584, 21504, 1024, 4)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    np.testing.assert_array_equal(output, session.run(None, {"image": image})[0])


def test_outputs_are_writable_and_independent_of_later_runs(doubling: HB_HBMRuntime) -> None:
    first = doubling.run(np.full((1, 3, 4, 5), 1, np.float32))["doubling"]["y"]
    second = doubling.run(np.full((1, 3, 4, 5), 2, np.float32))["doubling"]["y"]
    first += 10
    assert (first == 12).all()
    assert (second == 4).all()


def test_outputs_outlive_the_runtime(save: Callable[..., str]) -> None:
    rt = HB_HBMRuntime(save(tiny_models.pack(tiny_models.add(), "plus")))
    output = rt.run(np.zeros((1, 4), np.float32))["plus"]["y"]
    view = output[0, 1:]
    del rt, output
    gc.collect()
    assert (view == 1).all()


def test_an_output_may_be_the_next_input(doubling: HB_HBMRuntime) -> None:
    x = np.ones((1, 3, 4, 5), np.float32)
    for _ in range(3):
        x = doubling.run(x)["doubling"]["y"]
    assert (x == 8).all()


def test_a_dropped_output_is_used_again(doubling: HB_HBMRuntime) -> None:
    x = np.ones((1, 3, 4, 5), np.float32)
    addresses = {doubling.run(x)["doubling"]["y"].ctypes.data for _ in range(20)}
    assert len(addresses) <= 2


def test_outputs_that_are_held_are_never_used_again(doubling: HB_HBMRuntime) -> None:
    held = [
        doubling.run(np.full((1, 3, 4, 5), number, np.float32))["doubling"]["y"]
        for number in range(50)
    ]
    assert [int(output[0, 0, 0, 0]) for output in held] == [2 * number for number in range(50)]


def test_memory_is_free_again_when_runtime_and_outputs_are_gone(
    save: Callable[..., str], run_python: Callable[..., str]
) -> None:
    path = save(tiny_models.pack(tiny_models.identity((1, 1 << 20)), "large"))
    # 4 MiB for the input and 4 MiB for the output leave no room for a second output of 16 MiB.
    printed = run_python(
        """
        import sys, numpy as np
        from hbm_runtime import HB_HBMRuntime, HBMMemoryError
        x = np.zeros((1, 1 << 20), np.float32)
        for _ in range(3):
            rt = HB_HBMRuntime(sys.argv[1])
            held = [rt.run(x)]
            try:
                while True:
                    held.append(rt.run(x))
            except HBMMemoryError as error:
                print(len(held), error.status, error.call)
            del held[1:]
            rt.run(x)  # the runtime works on
            del rt, held
        """,
        path,
        HBM_SIM_MEMORY_MB="17",  # four buffers and the weights
    )
    assert printed.splitlines() == ["3 -400001 hbUCPMallocCached"] * 3


def test_memory_is_back_at_once_when_outputs_are_dropped(doubling: HB_HBMRuntime) -> None:
    x = np.ones((1, 3, 4, 5), np.float32)
    doubling.run(x)
    one_run = simulator_live.live("memory")
    held = [doubling.run(x) for _ in range(50)]
    assert simulator_live.live("memory") >= one_run + 49 * 384
    held.clear()
    assert simulator_live.live("memory") <= one_run


def test_idle_memory_of_one_runtime_serves_another(
    save: Callable[..., str], run_python: Callable[..., str]
) -> None:
    small = save(tiny_models.pack(tiny_models.identity((1, 3 << 18)), "small"), file="small.hbm")
    large = save(tiny_models.pack(tiny_models.identity((1, 5 << 18)), "large"), file="large.hbm")
    # Twice 3 MiB lie idle in the first runtime; of 12 MiB that leaves no room for twice 5 MiB.
    printed = run_python(
        """
        import sys, numpy as np
        from hbm_runtime import HB_HBMRuntime
        small, large = map(HB_HBMRuntime, sys.argv[1:])
        for _ in range(3):
            small.run(np.zeros((1, 3 << 18), np.float32))
            large.run(np.zeros((1, 5 << 18), np.float32))
        print("served")
        """,
        small,
        large,
        HBM_SIM_MEMORY_MB="12",
    )
    assert printed == "served\n"


def test_no_memory_is_an_error_of_its_own() -> None:
    assert issubclass(HBMMemoryError, MemoryError) and issubclass(HBMMemoryError, RuntimeError)


@pytest.mark.parametrize("dropped_first", ["runtime", "output"])
def test_either_may_go_first(save: Callable[..., str], dropped_first: str) -> None:
    holders = {"runtime": HB_HBMRuntime(save(tiny_models.pack(tiny_models.add(), "plus")))}
    holders["output"] = holders["runtime"].run(np.zeros((1, 4), np.float32))
    del holders[dropped_first]
    gc.collect()
    holders.clear()
    gc.collect()


def test_dense_outputs_on_request(save: Callable[..., str]) -> None:
    rt = HB_HBMRuntime(save(tiny_models.pack(tiny_models.int32_255_channels(21), "head")))
    image = np.random.default_rng(1).random((1, 3, 21, 21), np.float32)
    padded = rt.run(image)["head"]["head"]
    dense = rt.run(image, dense=True)["head"]["head"]
    assert not padded.flags.c_contiguous and dense.flags.c_contiguous
    np.testing.assert_array_equal(padded, dense)
