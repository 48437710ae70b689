# SPDX-License-Identifier: Apache-2.0
"""Table 3: real models on one simulated core, beside the engine alone on the same graph."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Any

import numpy as np

from bench import peers
from bench.built import ROOT
from bench.lines import Line, Section
from bench.timing import Effort, p50_us, ratio, slow_in_turn
from hbm_runtime import HB_HBMRuntime, model_file
from hbm_runtime._loading import library

sys.path.insert(0, str(ROOT / "scripts"))
import demo_models

DIRECTION = demo_models.Sample(
    demo_models.DETECTOR.package,
    "models/ch_ppocr_mobile_v2.0_cls_infer.onnx",
    "models/direction.hbm",
    ("--shape", "x=1,3,48,192", "--name", "direction", "--description", "PP-OCR text direction"),
)
MODELS = (demo_models.DETECTOR, demo_models.ORIENTATION, DIRECTION)


def line_name(sample: demo_models.Sample) -> str:
    """Name of the line of one model."""
    return f"{Path(sample.target).stem}: run on one core / InferenceSession.run"


def measure(effort: Effort, folder: Path) -> Section:
    """Every line of the table."""
    # The packages are found where `make demo` has them.
    sources = demo_models.find_sources(ROOT / "build" / "demo", _say)
    models = sources[demo_models.DETECTOR].parent
    sources[DIRECTION] = models / Path(DIRECTION.source).name
    (folder / "models").mkdir()
    lines = []
    for sample in MODELS:
        with contextlib.redirect_stdout(sys.stderr):  # it shows its commands
            demo_models.pack(sources[sample], folder / sample.target, sample.options)
        lines.append(compare(sample, folder / sample.target, effort))
    conditions = (
        "simulator, one core, and onnxruntime on one thread: the same graph, "
        "in turn in one process; inputs of random values"
    )
    return Section("Simulator beside its engine", conditions, tuple(lines))


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def compare(sample: demo_models.Sample, path: Path, effort: Effort) -> Line:
    """One model, run for run."""
    (spec,) = model_file.read(path).models
    rt = HB_HBMRuntime(path, library=library.SIMULATOR_FOLDER)
    rt.set_scheduling_params(bpu_cores={spec.name: [0]})
    random = np.random.default_rng(0)
    inputs: dict[str, Any] = {
        tensor.name: random.integers(0, 255, tensor.shape, np.uint8)
        if tensor.data_type == 3
        else random.random(tensor.shape, np.float32)
        for tensor in spec.inputs
    }
    session = peers.session(spec.graph)
    ours, engine = slow_in_turn(
        (lambda: rt.run(inputs), lambda: session.run(None, inputs)), effort.slow_s
    )
    found = ratio(ours, engine)
    return Line(
        line_name(sample),
        found.median,
        at_most=1.05,
        detail=f"p50 {p50_us(ours) / 1000:.2f} / {p50_us(engine) / 1000:.2f} ms; "
        f"80 % of rounds {found.low:.2f} to {found.high:.2f}",
    )
