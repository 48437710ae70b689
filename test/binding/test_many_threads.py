# SPDX-License-Identifier: Apache-2.0
"""Sixteen threads, a thousand runs each, on three models with changing priorities."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import tiny_models

from hbm_runtime import HB_HBMRuntime

THREADS = 16
RUNS = 1000
A = np.arange(6, dtype=np.float32).reshape(2, 3)


def inputs_of(number: int) -> dict[str, dict[str, np.ndarray]]:
    """Inputs that give other outputs for each number of 0 to 15."""
    return {
        "plus": {"x": np.full((1, 4), number, np.float32)},
        "sums": {"a": A * number, "b": A + number},
        "image": {"x": np.random.default_rng(number).random((1, 3, 8, 12), np.float32)},
    }


def test_results_equal_the_serial_ones(save: Callable[..., str]) -> None:
    runtime = HB_HBMRuntime(
        save(
            tiny_models.pack(tiny_models.add(), "plus"),
            tiny_models.pack(tiny_models.two_inputs_three_outputs(), "sums"),
            tiny_models.pack(tiny_models.conv(), "image"),
        )
    )
    inputs = [inputs_of(number) for number in range(THREADS)]
    serial = [runtime.run(given) for given in inputs]

    def work(thread: int) -> list[str]:
        wrong = []
        for run in range(RUNS):
            number = (thread + run) % THREADS
            model = runtime.model_names[(thread + run // THREADS) % 3]
            if run % 50 == thread:
                runtime.set_scheduling_params(priority={model: run % 254})
            outputs = runtime.run(
                {model: inputs[number][model]},
                priority={model: (thread * run) % 254} if run % 2 else None,
            )[model]
            for name, expected in serial[number][model].items():
                if not np.array_equal(outputs[name], expected):
                    wrong.append(f"{model} {name} in run {run} of thread {thread}")
        return wrong

    with ThreadPoolExecutor(THREADS) as pool:
        assert [wrong for wrongs in pool.map(work, range(THREADS)) for wrong in wrongs] == []
