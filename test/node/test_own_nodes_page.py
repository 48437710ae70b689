# SPDX-License-Identifier: Apache-2.0
"""Each program of the page on nodes of one's own prints what the page says."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_models
from node_rig import PATIENCE
from onnx import helper
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image

PAGE = Path(__file__).parents[2] / "doc" / "own_nodes.md"
PROGRAM = re.compile(
    r"^## ([^\n]*)\n(?:(?!^## ).)*?```python\n(.*?)```\n\n```text\n(.*?)```", re.M | re.S
)
TEXT = PAGE.read_text(encoding="utf-8")
PROGRAMS = {title: (program, output) for title, program, output in PROGRAM.findall(TEXT)}


@pytest.fixture
def detector(tmp_path: Path) -> Path:
    """The mean of red, green and blue."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["x"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["channels"]),
    ]
    inputs = [tiny_models.value("x", (1, 3, 32, 32))]
    model = tiny_models.model_of(nodes, inputs, [tiny_models.value("channels", (1, 3))])
    spec = tiny_models.pack(model, "channels", nv12_inputs=("x",))
    return tiny_models.save(tmp_path / "detector.hbm", spec)


@pytest.fixture
def camera(observer: Any, make_image: Callable[..., Image]) -> Iterator[None]:
    """Shows red, ten times a second."""
    image = make_image("nv12", 64, 48)
    planes = np.frombuffer(image.data, np.uint8)
    planes[: 64 * 48] = 76
    planes[64 * 48 :: 2], planes[64 * 48 + 1 :: 2] = 85, 255
    publisher = observer.node.create_publisher(Image, "image_raw", qos_profile_sensor_data)
    off = threading.Event()

    def show() -> None:
        while not off.wait(0.1):
            publisher.publish(image)

    thread = threading.Thread(target=show)
    thread.start()
    yield
    off.set()
    thread.join()


def test_every_program_of_the_page_has_its_output_and_its_title() -> None:
    assert len(PROGRAMS) == TEXT.count("```python") == TEXT.count("```text") == 4


@pytest.mark.parametrize("title", PROGRAMS)
def test_the_page_tells_what_its_program_prints(
    title: str, start: Callable, camera: None, detector: Path, tmp_path: Path
) -> None:
    program, output = PROGRAMS[title]
    log = ""
    if "inference_node/" in program:
        node = start("inference_node", {"models": ["detector"], "detector.file": str(detector)})
        log = str(node.log_file)
    file = tmp_path / "program.py"
    file.write_text(program, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, file], capture_output=True, text=True, cwd=tmp_path, timeout=2 * PATIENCE
    )
    assert done.stdout == output, (done.stderr, log and Path(log).read_text())
    assert done.returncode == 0, done.stderr
