# SPDX-License-Identifier: Apache-2.0
"""load, unload, reload and warm_up of single models while others run."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import simulator_live
import tiny_models
from async_models import X, plus_one, wait_until, wait_until_nothing_is_held

from hbm_runtime import HB_HBMRuntime, HBMInputError, HBMModelError


def test_load_and_unload(save: Callable[..., str]) -> None:
    rt = HB_HBMRuntime(save(plus_one("a"), file="a.hbm"))
    b = save(plus_one("b", constant=2), plus_one("c", constant=3), file="b.hbm")
    assert rt.load(b) == ["b", "c"]
    assert rt.model_names == ["a", "b", "c"]
    assert (rt.run(X, "c")["c"]["y"] == 3).all()
    with pytest.raises(HBMInputError, match="reload"):
        rt.load(b)
    rt.unload("b")
    assert rt.model_names == ["a", "c"] and (rt.run(X, "c")["c"]["y"] == 3).all()
    rt.unload("c")
    assert (rt.run(X)["a"]["y"] == 1).all(), "the only one needs no name"
    for unknown in (lambda: rt.unload("b"), lambda: rt.reload("b"), lambda: rt.run(X, "b")):
        with pytest.raises(HBMInputError, match="'b'"):
            unknown()
    assert rt.load([b]) == ["b", "c"]


@pytest.mark.parametrize(
    "use",
    [
        lambda rt: rt.run(X),
        lambda rt: rt.run({"x": X}),
        lambda rt: rt.run({"a": {"x": X}}),
        lambda rt: rt.run(X, "a"),
        lambda rt: rt.run_async(X),
        lambda rt: rt.run_many([X]),
        lambda rt: rt.input_buffers(),
        lambda rt: rt.bind(),
        lambda rt: rt.bind("a"),
        lambda rt: rt.warm_up("a"),
        lambda rt: rt.unload("a"),
        lambda rt: rt.reload("a"),
        lambda rt: rt.set_scheduling_params(priority={"a": 1}),
        lambda rt: rt.models["a"],
    ],
)
def test_without_a_model_everything_says_so(
    save: Callable[..., str], use: Callable[[HB_HBMRuntime], object]
) -> None:
    path = save(plus_one("a"))
    rt = HB_HBMRuntime(path)
    rt.unload("a")
    with pytest.raises(HBMInputError, match=r"no model is loaded; load one with load\(path\)$"):
        use(rt)
    rt.load(path)
    assert (rt.run(X)["a"]["y"] == 1).all()


def test_unload_lets_runs_end_and_frees_the_models_memory(save: Callable[..., str]) -> None:
    rt = HB_HBMRuntime(save(plus_one("a"), file="a.hbm"))
    before = simulator_live.count()
    rt.load(save(plus_one("b", 50), file="b.hbm"))
    futures = [rt.run_async(X, "b") for _ in range(3)]
    rt.unload("b")
    assert all((future.result()["b"]["y"] == 1).all() for future in futures)
    del futures
    wait_until(lambda: simulator_live.count()["models"] == before["models"], "b is freed")


def test_reload_takes_a_file_with_other_shapes(save: Callable[..., str]) -> None:
    rt = HB_HBMRuntime(save(plus_one("m"), file="old.hbm"))
    rt.set_scheduling_params(priority={"m": 9})
    bound = rt.bind()
    wide = tiny_models.pack(tiny_models.add((2, 6), 5), "m")
    rt.reload("m", save(wide, file="new.hbm"))
    assert rt.input_shapes["m"]["x"] == [2, 6]
    assert (rt.run(np.zeros((2, 6), np.float32))["m"]["y"] == 5).all()
    assert rt.sched_params["m"].priority == 9
    assert (bound.run()["y"] == 1).all(), "a binding keeps the old one"


@pytest.mark.parametrize("what", ["missing", "damaged", "another model"])
def test_a_failed_reload_keeps_the_old_one(
    save: Callable[..., str], tmp_path: Path, what: str
) -> None:
    rt = HB_HBMRuntime(save(plus_one("m"), file="old.hbm"))
    before = simulator_live.count()
    path = tmp_path / "new.hbm"
    if what == "damaged":
        path.write_bytes(b"no model")
    elif what == "another model":
        save(plus_one("other"), file="new.hbm")
    with pytest.raises(HBMModelError, match=r"new\.hbm"):
        rt.reload("m", path)
    assert (rt.run(X)["m"]["y"] == 1).all() and rt.model_names == ["m"]
    assert simulator_live.count()["models"] == before["models"]


def test_reload_while_eight_threads_run(save: Callable[..., str], tmp_path: Path) -> None:
    before = simulator_live.count()
    versions = [save(plus_one("m", constant=v), file=f"{v}.hbm") for v in (1, 2, 3)]
    rt = HB_HBMRuntime([versions[0], save(plus_one("other", constant=100), file="o.hbm")])
    stop = threading.Event()

    def work(number: int, rt: HB_HBMRuntime = rt) -> set[float]:
        seen = set()
        while not stop.is_set():
            if number % 4 == 3:
                assert (rt.run(X, "other")["other"]["y"] == 100).all()
            y = (rt.run(X, "m") if number % 2 else rt.run_async(X, "m").result())["m"]["y"]
            assert (y == y[0, 0]).all()
            seen.add(float(y[0, 0]))
        return seen

    with ThreadPoolExecutor(8) as pool:
        working = [pool.submit(work, number) for number in range(8)]
        try:
            for turn in range(30):
                rt.reload("m", versions[turn % 3])
                if turn % 5 == 0:
                    rt.load(save(plus_one("extra"), file=f"extra{turn}.hbm"))
                    rt.unload("extra")
        finally:
            stop.set()
        seen = set().union(*(done.result(timeout=30) for done in working))
    assert seen <= {1.0, 2.0, 3.0} and len(seen) > 1
    assert (rt.run(X, "m")["m"]["y"] == 3).all()
    wait_until(lambda: simulator_live.count()["models"] == before["models"] + 2, "old are freed")
    del rt, work, working
    wait_until_nothing_is_held(before)


def test_warm_up_leaves_memory_for_the_first_run(save: Callable[..., str]) -> None:
    from simulator_faults import faults

    rt = HB_HBMRuntime(save(plus_one("m"), plus_one("n")))
    rt.warm_up(runs=2)
    stats = rt.stats()
    assert (stats.models["m"].ok, stats.models["n"].ok) == (2, 2)
    with faults("hbUCPMallocCached=-1"):
        rt.run(X, "m")
    for wrong in (lambda: rt.warm_up("z"), lambda: rt.warm_up(runs=0)):
        with pytest.raises(HBMInputError):
            wrong()
