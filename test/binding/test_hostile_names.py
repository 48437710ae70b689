# SPDX-License-Identifier: Apache-2.0
"""A model file whose names and descriptions are an attack on the terminal: no message passes it."""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Callable

import numpy as np
import pytest
import tiny_models
from onnx import helper

from hbm_runtime import PRIORITY_PREEMPT, HB_HBMRuntime, HBMError
from hbm_runtime._texts import MOST_IN_MESSAGE
from hbm_runtime.image import Preprocessor
from hbm_runtime.tools import cli

ATTACK = "\n[FATAL] all is lost\x1b[31m\x85"
MODEL, INPUT, OUTPUT = f"m{ATTACK}", f"x{ATTACK}", f"y{ATTACK}" + "z" * 200
DESCRIPTION = f"d{ATTACK}" * 1000


@pytest.fixture
def path(save: Callable[..., str]) -> str:
    """One model: x [1, 4] float32, y = x."""
    node = helper.make_node("Identity", [INPUT], [OUTPUT])
    network = tiny_models.model_of(
        [node], [tiny_models.value(INPUT, (1, 4))], [tiny_models.value(OUTPUT, (1, 4))]
    )
    texts = {INPUT: DESCRIPTION, OUTPUT: DESCRIPTION}
    spec = tiny_models.pack(network, MODEL, description=DESCRIPTION, tensor_descriptions=texts)
    return save(spec, description=DESCRIPTION)


def test_names_arrive_as_they_are(path: str) -> None:
    rt = HB_HBMRuntime(path)
    assert rt.model_names == [MODEL]
    assert (rt.input_names[MODEL], rt.output_names[MODEL]) == ([INPUT], [OUTPUT])
    x = np.ones((1, 4), np.float32)
    assert rt.run(x)[MODEL][OUTPUT].tolist() == x.tolist()


def faults(rt: HB_HBMRuntime, path: str) -> dict[str, Callable[[], object]]:
    """Calls that are refused, each in its own way."""
    x = np.zeros((1, 4), np.float32)
    y = rt.models[MODEL].outputs[OUTPUT]
    return {
        "shape": lambda: rt.run({INPUT: np.zeros((1, 5), np.float32)}),
        "data type": lambda: rt.run({INPUT: np.zeros((1, 4), np.int8)}),
        "foreign type": lambda: rt.run({INPUT: np.zeros((1, 4), np.complex64)}),
        "dimensions": lambda: rt.run({INPUT: np.zeros((1,) * 12, np.float32)}),
        "no array": lambda: rt.run({INPUT: DESCRIPTION}),
        "masked": lambda: rt.run({INPUT: np.ma.masked_array(x)}),
        "another input": lambda: rt.run({DESCRIPTION: x}),
        "no input": lambda: rt.run({MODEL: {}}),
        "another model": lambda: rt.run({DESCRIPTION: {INPUT: x}}),
        "no dict": lambda: rt.run({MODEL: x}),
        "priority": lambda: rt.run(x, priority={MODEL: 300}),
        "cores": lambda: rt.run(x, bpu_cores={MODEL: [77]}),
        "time-out": lambda: rt.run(x, timeout={MODEL: DESCRIPTION}),  # type: ignore[arg-type]
        "scheduling": lambda: rt.set_scheduling_params(priority={DESCRIPTION: 1}),
        "buffers": lambda: rt.input_buffers(shapes={DESCRIPTION: [1]}),
        "buffer": lambda: rt.input_buffers(shapes={INPUT: DESCRIPTION}),  # type: ignore[dict-item]
        "model": lambda: rt.models[DESCRIPTION],
        "tensor": lambda: rt.models[MODEL].inputs[DESCRIPTION],
        "quantize": lambda: y.quantize(np.array([1j])),
        "dequantize": lambda: y.dequantize(np.zeros(3, np.int8)),
        "picture": lambda: Preprocessor.for_model(rt.models[MODEL]),
        "again": lambda: rt.load(path),
        "reload": lambda: rt.reload(DESCRIPTION),
        "unload": lambda: rt.unload(DESCRIPTION),
        "missing": lambda: HB_HBMRuntime(path + DESCRIPTION),
        "library": lambda: HB_HBMRuntime(path, library=DESCRIPTION),
    }


def refusal(call: Callable[[], object]) -> str:
    """What the call raises; nothing if it raises nothing."""
    try:
        call()
    except (HBMError, ValueError, TypeError, KeyError) as error:
        return str(error)
    return ""


def test_no_exception_holds_a_control_character_or_is_long(path: str) -> None:
    rt = HB_HBMRuntime(path)
    texts = {what: refusal(call) for what, call in faults(rt, path).items()}
    assert not [what for what, text in texts.items() if not text], "not refused"
    for what, text in texts.items():
        assert text.isprintable(), what
        assert len(text) <= MOST_IN_MESSAGE, what
        assert text.count("[FATAL]") == text.count(r"\n[FATAL]"), what


def test_no_log_line_holds_a_control_character(
    path: str, save: Callable[..., str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    rt = HB_HBMRuntime([path, save(tiny_models.pack(tiny_models.add()), file="other.hbm")])
    rt.set_scheduling_params(priority={MODEL: PRIORITY_PREEMPT})
    again = HB_HBMRuntime([path, path])
    assert again.model_names == [MODEL]
    lines = [record.getMessage() for record in caplog.records]
    assert any(r"\n[FATAL]" in line for line in lines)
    assert all(line.isprintable() and len(line) <= MOST_IN_MESSAGE for line in lines)


def test_the_command_line_shows_no_control_character(path: str) -> None:
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        assert cli.main(["inspect", path]) == 0
        assert cli.main(["inspect", path + DESCRIPTION]) == 2
    assert r"\x1b[31m" in out.getvalue()
    assert all(line.isprintable() for line in out.getvalue().split("\n"))
