# SPDX-License-Identifier: Apache-2.0
"""What the tests of the manual share: its programs, and models like those it shows."""

from __future__ import annotations

import ast
import contextlib
import io
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import manual_models
import manual_text
import numpy as np
import pytest
import simulator_live
import tiny_models

from hbm_runtime import HB_HBMRuntime

#: The folder of the manual's models; the one thing that is changed in its programs.
FOLDER = "/opt/hobot/model/s100/basic/"
YOLO = "yolov5x_672x672_nv12"
SCHEDULED = ("yolo12s_detect_nashe_640x640_nv12", "yolov5nu_detect_nashe_640x640_nv12")


@pytest.fixture(scope="session")
def manual_path() -> str:
    """The file with the manual's text."""
    path = os.environ.get("HBM_RUNTIME_MANUAL", "")
    if not path:
        pytest.skip("HBM_RUNTIME_MANUAL does not name the text of the vendor's manual")
    return path


@pytest.fixture(scope="session")
def manual_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with models of all file names and model names that the manual uses."""
    folder = tmp_path_factory.mktemp("manual")
    lanenet = tiny_models.pack(manual_models.lanenet(), "lanenet256x512")
    tiny_models.save(folder / "lanenet256x512.hbm", lanenet)
    yolo = tiny_models.pack(
        manual_models.yolov5x(),
        YOLO,
        nv12_inputs=("data",),
        description="Image classification model based on ResNet-18.",
    )
    yolo = replace(
        yolo,
        inputs=tuple(replace(tensor, description="xxx") for tensor in yolo.inputs),
        outputs=tuple(replace(tensor, description="xxx") for tensor in yolo.outputs),
    )
    tiny_models.save(folder / f"{YOLO}.hbm", yolo, description="xxx")
    for name in ("model", "model_1", "model_2", "model1", "model2", "modelA", "resnet18"):
        tiny_models.save(folder / f"{name}.hbm", tiny_models.pack(tiny_models.add(), name))
    scheduled = [tiny_models.pack(tiny_models.add(), name) for name in SCHEDULED]
    tiny_models.save(folder / "scheduled.hbm", *scheduled)
    return folder


@pytest.fixture
def load(manual_folder: Path) -> Callable[..., HB_HBMRuntime]:
    """Load models of the manual by their file names without the extension."""
    return lambda *names: HB_HBMRuntime([manual_folder / f"{name}.hbm" for name in names])


class Program:
    """A block of the manual's code, ready to run."""

    def __init__(self, block: manual_text.Block, folder: Path) -> None:
        self.block = block
        self._folder = f"{folder}/"
        self.documented = self._repaired(block.documented())
        self.names: dict[str, Any] = {}

    def run(self, depths: str = "", **names: Any) -> str:
        """Run it as if it were typed in, and return what it prints.

        Args:
            depths: For each line how deep it stands; the web page has lost that.
            names: The variables that the manual takes for granted.
        """
        program = self._repaired(self.block.program(depths))
        self.names = names
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            for statement in ast.parse(program).body:
                exec(compile(ast.Interactive([statement]), "<manual>", "single"), self.names)
        return printed.getvalue()

    def shows_what_is_documented(self, **names: Any) -> bool:
        """Run it; tell whether it prints the documented value."""
        return bool(
            manual_text.value_of(self.run(**names)) == manual_text.value_of(self.documented)
        )

    def _repaired(self, text: str) -> str:
        return text.replace(FOLDER, self._folder)


@pytest.fixture
def manual_block(
    manual_path: str, manual_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], Program]:
    """The block of the manual with a line that starts so; it runs in the folder of the models."""
    monkeypatch.chdir(manual_folder)
    return lambda start: Program(manual_text.find_block(manual_path, start), manual_folder)


@pytest.fixture
def finishing_order(save: Callable[..., str]) -> Callable[..., list[str]]:
    """Queue runs of several models behind a busy core; return the order in which they end.

    The function that it returns takes, for each model, the keywords of its run, or a function that
    is called with the runtime first.
    """

    def order(
        runs: Mapping[str, Mapping[str, Any]],
        prepare: Callable[[HB_HBMRuntime], None] = lambda runtime: None,
    ) -> list[str]:
        models = [tiny_models.pack(tiny_models.add(), name, latency_us=25_000) for name in runs]
        busy = tiny_models.pack(tiny_models.add(), "busy", latency_us=250_000)
        runtime = HB_HBMRuntime(save(busy, *models, file="order.hbm"))
        prepare(runtime)
        ended: list[str] = []

        def run(name: str, keywords: Mapping[str, Any]) -> None:
            x = np.zeros((1, 4), np.float32)
            runtime.run(x, model_name=name, **{"bpu_cores": {name: [0]}, **keywords})
            ended.append(name)

        threads = [threading.Thread(target=run, args=("busy", {}))]
        threads += [threading.Thread(target=run, args=item) for item in runs.items()]
        for number, thread in enumerate(threads, 1):
            thread.start()
            simulator_live.wait_for_tasks(number)  # one after the other into the queue
        for thread in threads:
            thread.join()
        return ended[1:]

    return order
