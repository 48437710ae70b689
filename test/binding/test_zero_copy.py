# SPDX-License-Identifier: Apache-2.0
"""input_buffers(): device memory as numpy views that run does not copy; the copies are counted."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import simulator_live
import tiny_models
from async_models import X, plus_one, wait_until_nothing_is_held

from hbm_runtime import HB_HBMRuntime, HBMInputError


def copies(rt: HB_HBMRuntime, model: str) -> int:
    """Copies of inputs since the last question."""
    number = rt.stats().models[model].copies_in
    rt.reset_stats()
    return number


def test_a_plain_input_is_copied_once_and_device_memory_never(save: Callable[..., str]) -> None:
    rt = HB_HBMRuntime(save(plus_one("m")))
    x = rt.input_buffers()["x"]
    assert not x.any()
    x[:] = 4
    for start in (rt.run, lambda given: rt.run_async(given).result()):
        assert (start({"x": x})["m"]["y"] == 5).all()
        assert copies(rt, "m") == 0
        assert (start(X)["m"]["y"] == 1).all()
        assert copies(rt, "m") == 1


def test_bytes_and_copies_of_each_input_are_counted(sums: HB_HBMRuntime) -> None:
    buffers = sums.input_buffers()
    a = np.ones((2, 3), np.float32)
    assert (sums.run({"a": buffers["a"], "b": a})["sums"]["total"] == 1).all()
    stats = sums.stats().models["sums"]
    assert stats.copies_in == 1 and stats.bytes_in >= a.nbytes


def test_outputs_of_one_model_are_inputs_of_the_next_without_a_copy(
    save: Callable[..., str],
) -> None:
    rt = HB_HBMRuntime(save(plus_one("first"), plus_one("second", constant=10)))
    y = rt.run(X, "first")["first"]["y"]
    rt.reset_stats()
    assert (rt.run(y, "second")["second"]["y"] == 11).all()
    assert copies(rt, "second") == 0


def test_views_that_do_not_fit_are_copied_and_right(save: Callable[..., str]) -> None:
    rt = HB_HBMRuntime(save(plus_one("m"), tiny_models.pack(tiny_models.identity((4, 8)), "large")))
    large = rt.run(np.arange(32, dtype=np.float32).reshape(4, 8), "large")["large"]["y"]
    rt.reset_stats()
    for view in (
        large[:1, 1:5],  # its address is not aligned
        large[:1, 3::-1],  # backwards
        large[1:2, ::2],  # with gaps
        large[3:, 4:],  # not enough memory behind it, or just so
        np.asarray(large[:1, :4].T.reshape(1, 4)),
    ):
        assert (rt.run(view, "m")["m"]["y"] == view + 1).all()
    foreign = X.copy()
    foreign.flags.writeable = False
    assert (rt.run(foreign, "m")["m"]["y"] == 1).all()


def test_dynamic_inputs_need_their_shape(save: Callable[..., str]) -> None:
    spec = tiny_models.pack(
        tiny_models.dynamic(), "d", dynamic=True, max_shapes={"x": (2, 3, 8, 8), "y": (2, 3, 8, 8)}
    )
    rt = HB_HBMRuntime(save(spec))
    with pytest.raises(HBMInputError, match="dynamic"):
        rt.input_buffers()
    for wrong in ({"x": "abc"}, {"z": (1, 3, 4, 5)}, {"x": (1, 2, 4, 5)}, {"x": (1, 3, 0, 5)}):
        with pytest.raises(HBMInputError):
            rt.input_buffers(shapes=wrong)  # type: ignore[arg-type]
    for shape in ((1, 3, 4, 5), (2, 3, 8, 8), (2, 3, 1, 1)):
        x = rt.input_buffers(shapes={"x": shape})["x"]
        assert x.shape == shape
        x[:] = np.arange(x.size).reshape(shape)
        np.testing.assert_array_equal(rt.run(x)["d"]["y"], 2 * x)
        np.testing.assert_array_equal(rt.run(np.array(x))["d"]["y"], 2 * x)
        assert copies(rt, "d") == 1, "only the second"


def test_wrong_use_of_device_memory_is_told(save: Callable[..., str]) -> None:
    rt = HB_HBMRuntime(save(plus_one("m")))
    x = rt.input_buffers()["x"]
    for wrong in (x.view(np.int32), x[0], x[:, :3]):
        with pytest.raises(HBMInputError):
            rt.run(wrong)


def test_device_memory_lives_as_long_as_a_view_or_a_run_of_it(save: Callable[..., str]) -> None:
    before = simulator_live.count()
    rt = HB_HBMRuntime(save(plus_one("m", 20)))
    x = rt.input_buffers()["x"]
    x[:] = 2
    futures = [rt.run_async({"x": x}) for _ in range(3)]
    tail = x[0, 2:]
    del x
    assert all((future.result()["m"]["y"] == 3).all() for future in futures)
    assert (tail == 2).all()
    del futures, tail, rt
    wait_until_nothing_is_held(before)


def test_dense_copies_are_counted_where_rows_are_padded(save: Callable[..., str]) -> None:
    rt = HB_HBMRuntime(save(tiny_models.pack(tiny_models.identity((3, 5)), "m")))
    x = np.arange(15, dtype=np.float32).reshape(3, 5)
    y = rt.run(x, dense=True)["m"]["y"]
    plain = rt.run(x)["m"]["y"]
    assert y.flags.c_contiguous
    np.testing.assert_array_equal(y, plain)
    padded = not plain.flags.c_contiguous
    assert rt.stats().models["m"].copies_out == int(padded)
    assert rt.stats().models["m"].bytes_out == (y.nbytes if padded else 0)
