# SPDX-License-Identifier: Apache-2.0
"""The accelerator's log lines are records of Python's logging, whose levels change at any time."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest
import tiny_models
from onnx import helper

from hbm_runtime import HB_HBMRuntime, HBMModelError, model_file
from hbm_runtime._loading import log

ACCELERATOR = "hbm_runtime.accelerator"


@pytest.fixture
def fail_to_load(save: Callable[..., str]) -> Callable[[], None]:
    """Load a graph that the engine refuses, of which the simulator writes a line, an "error"."""
    good = tiny_models.pack(tiny_models.add(), "plus")
    tensors = [tiny_models.value(name, (1, 4)) for name in ("x", "y")]
    node = helper.make_node("NoSuchOperator", ["x"], ["y"])
    graph = tiny_models.model_of([node], tensors[:1], tensors[1:]).SerializeToString()
    path = save(model_file.ModelSpec("bad", graph, good.inputs, good.outputs))

    def load() -> None:
        with pytest.raises(HBMModelError):
            HB_HBMRuntime(path)

    return load


def test_a_level_set_at_run_time_counts_from_then_on(
    fail_to_load: Callable[[], None], caplog: pytest.LogCaptureFixture
) -> None:
    logger = logging.getLogger(ACCELERATOR)
    before = logger.level
    try:
        fail_to_load()
        (record,) = (r for r in caplog.records if r.name == ACCELERATOR)
        assert record.levelno == logging.ERROR
        caplog.clear()
        logger.setLevel(logging.CRITICAL)
        fail_to_load()
        assert [r for r in caplog.records if r.name == ACCELERATOR] == []
        logger.setLevel(logging.ERROR)
        fail_to_load()
        assert [r.levelno for r in caplog.records if r.name == ACCELERATOR] == [logging.ERROR]
    finally:
        logger.setLevel(before)


def test_nothing_reaches_the_console_by_itself(
    fail_to_load: Callable[[], None], capfd: pytest.CaptureFixture[str]
) -> None:
    fail_to_load()
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")


@pytest.mark.parametrize(
    ("vendor", "python"),
    [
        (0, logging.DEBUG),
        (1, logging.DEBUG),
        (2, logging.INFO),
        (3, logging.WARNING),
        (4, logging.ERROR),
        (5, logging.CRITICAL),
        (9, logging.CRITICAL),
        (-1, logging.DEBUG),
    ],
)
def test_every_level_of_the_vendors_has_one_of_pythons(
    vendor: int,
    python: int,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(log._core, "has_log_lines", lambda: True)
    monkeypatch.setattr(log._core, "take_log_lines", lambda: [(vendor, "100 % said")])
    with caplog.at_level(logging.DEBUG, ACCELERATOR):
        log.forward_log_lines()
    assert [(r.levelno, r.getMessage()) for r in caplog.records] == [(python, "100 % said")]
