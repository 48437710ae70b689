# SPDX-License-Identifier: Apache-2.0
"""The demo with tiny models: its checks, its exit codes, and that nothing outlives it."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import tiny_demo
from node_rig import EXECUTABLES, PATIENCE

from dds_files import remove_leftovers, segments

pytest.importorskip("rich", reason="the demo needs rich: pip install 'hbm-runtime[tools]'")

NODES = ("inference_node", "image_player", "text_overlay")


class Demo:
    """The demo in a process of its own, with a mark on everything that it starts."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.folder = folder
        self.mark = f"HBM_TEST_MARK={uuid.uuid4().hex}"
        self.segments_before = segments()
        name, _, value = self.mark.partition("=")
        self.output = folder / "output.txt"
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                self.command(folder, *arguments),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env={**os.environ, name: value, "COLUMNS": "100"},
            )

    @staticmethod
    def command(folder: Path, *arguments: str) -> list[str]:
        return [
            *(sys.executable, str(EXECUTABLES / "demo"), "--without-launch"),
            *("--folder", str(folder), "--seconds", "1", "--prepare", "none", *arguments),
        ]

    def text(self) -> str:
        return self.output.read_text()

    def logs(self) -> str:
        return "\n".join(file.read_text() for file in (self.folder / "logs").glob("*.log"))

    def wait(self) -> int:
        return self.process.wait(4 * PATIENCE)

    def descendants(self) -> dict[int, str]:
        """Command line of each living process with the mark, but the demo itself."""
        found = {}
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                marked = self.mark.encode() in (entry / "environ").read_bytes().split(b"\0")
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if marked and int(entry.name) != self.process.pid:
                found[int(entry.name)] = command
        return found

    def wait_for_nodes(self) -> dict[str, int]:
        """Wait until all three nodes run; returns their process numbers."""
        deadline = time.monotonic() + PATIENCE
        while True:
            assert self.process.poll() is None, self.text()
            running = {
                node: pid
                for node in NODES
                for pid, command in self.descendants().items()
                if f"/{node} " in command
            }
            # the line that comes after the node has joined the graph
            if len(running) == len(NODES) and "orientation:" in self.logs():
                return running
            assert time.monotonic() < deadline, self.text()
            time.sleep(0.05)

    def left_behind(self) -> list[str]:
        """Living processes of the demo, and shared memory that nobody uses any more."""
        return [*self.descendants().values(), *remove_leftovers(self.segments_before)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tiny_demo.make_folder(tmp_path)


@pytest.fixture
def demo(folder: Path) -> Iterator[Callable[..., Demo]]:
    demos: list[Demo] = []

    def run(*arguments: str) -> Demo:
        demos.append(Demo(folder, *arguments))
        return demos[-1]

    yield run
    for each in demos:
        if each.process.poll() is None:
            each.process.send_signal(signal.SIGTERM)
            each.wait()
        assert each.left_behind() == []
        assert "Traceback" not in each.text()


def rows(text: str, beginning: str) -> list[str]:
    """What follows in each line that begins so."""
    return re.findall(rf"^ *{beginning} +(.*)$", text, re.MULTILINE)


def test_it_shows_tables_an_overlay_and_right_tensors(demo: Callable, folder: Path) -> None:
    running = demo("--seconds", "3")
    assert running.wait() == 0, running.text() + running.logs()
    text = running.text()
    for model, priority in (("detector", 220), ("orientation", 10)):
        (row,) = rows(text, f"{model} +{priority} +any")
        rate_in, rate_out, came, done, dropped = row.split(maxsplit=4)
        assert float(rate_in) > 0 and float(rate_out) > 0
        assert int(came) >= int(done) + sum(map(int, re.findall(r"\d+", dropped)))
        assert int(done) > 0
        (latencies,) = [row for row in rows(text, model) if row.count("/") == 6]
        figures = [float(figure) for figure in re.findall(r"[\d.]+", latencies)]
        assert all(p50 <= p99 for p50, p99 in zip(figures[::2], figures[1::2], strict=True))
        assert re.search(rf"{model}: \d+ bytes of tensors equal the run in this process", text)
        assert re.search(rf"{model}.* (OK|WARN) ", text), "its diagnostics"
    assert "detector: 1 text boxes" in text
    overlay = cv2.imread(str(folder / "overlay.png"))
    assert overlay.shape == (720, 1280, 3)


def test_it_changes_a_priority_while_the_models_run(demo: Callable) -> None:
    running = demo()
    assert running.wait() == 0, running.text() + running.logs()
    assert re.search(
        r"detector\.priority 200 -> 220 while it ran: ~/model_info said so after \d+ ms",
        running.text(),
    )


def test_without_a_terminal_each_table_is_printed_once(demo: Callable) -> None:
    running = demo()
    assert running.wait() == 0, running.text() + running.logs()
    assert running.text().count("two models on one camera") == 1
    assert "\x1b" not in running.text()


def test_on_a_terminal_the_tables_are_drawn_while_it_runs(folder: Path) -> None:
    master, terminal = os.openpty()
    process = subprocess.Popen(
        Demo.command(folder, "--seconds", "2"),
        stdin=subprocess.DEVNULL,
        stdout=terminal,
        stderr=subprocess.STDOUT,
        cwd=folder,
        env={**os.environ, "COLUMNS": "120", "LINES": "50", "TERM": "xterm"},
    )
    os.close(terminal)
    text = b""
    try:
        with contextlib.suppress(OSError):  # the other end is closed
            while part := os.read(master, 65536):
                text += part
        assert process.wait(PATIENCE) == 0, text.decode()
    finally:
        process.kill()
        process.wait()
        os.close(master)
    drawn = re.findall(r"two models on one camera, (\d) of 2 s", text.decode())
    assert drawn[0] == "0"
    assert len(drawn) > 2


@pytest.mark.parametrize(
    ("background", "says"),
    [((60, 0, 0), "orientation: the upright page is taken for turned"), (None, "text_overlay did")],
)
def test_wrong_tensors_are_a_failure(
    demo: Callable, folder: Path, background: tuple[int, int, int] | None, says: str
) -> None:
    picture = (
        np.full((720, 1280, 3), (0, 0, 60), np.uint8)
        if background is None
        else tiny_demo.photo(background)
    )
    cv2.imwrite(str(folder / "photo.png"), picture)
    running = demo()
    assert running.wait() == 1
    assert f"demo failed: {says}" in running.text().replace("\n", " ")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_with_all_its_nodes(demo: Callable, number: signal.Signals) -> None:
    running = demo("--seconds", "60")
    running.wait_for_nodes()
    running.process.send_signal(number)
    assert running.wait() == 128 + number
    assert f"demo: ended by {number.name}" in running.text()


def test_impatient_signals_do_not_interrupt_the_cleaning_up(demo: Callable) -> None:
    running = demo("--seconds", "60")
    running.wait_for_nodes()
    for _ in range(5):
        running.process.send_signal(signal.SIGINT)
        time.sleep(0.05)
    assert running.wait() == 128 + signal.SIGINT


@pytest.mark.parametrize("victim", NODES)
def test_a_crashed_node_is_named_and_the_others_end(demo: Callable, victim: str) -> None:
    running = demo("--seconds", "60")
    os.kill(running.wait_for_nodes()[victim], signal.SIGKILL)
    assert running.wait() == 1
    assert f"demo failed: {victim} was ended by SIGKILL" in running.text()


def test_a_missing_model_is_named(demo: Callable, folder: Path) -> None:
    (folder / "models" / "detector.hbm").unlink()
    running = demo()
    assert running.wait() == 1
    text = running.text().replace("\n", "")
    assert "detector.hbm missing" in text
    assert "scripts/demo_models.py" in text


def test_a_broken_model_fails_with_the_nodes_own_words(demo: Callable, folder: Path) -> None:
    (folder / "models" / "detector.hbm").write_bytes(b"")
    running = demo()
    assert running.wait() == 1
    text = running.text().replace("\n", " ")
    assert "demo failed: diagnostics: inference_node: ERROR: unconfigured: cannot be" in text
    assert "'detector.file'" in text


def test_a_failing_preparation_is_a_failure(demo: Callable, folder: Path) -> None:
    (folder / "prepare.py").write_text("raise SystemExit('no network')")
    running = demo("--prepare", "prepare.py")
    assert running.wait() == 1
    assert "no network" in running.text()
    assert "demo failed: the preparation ended with exit code 1" in running.text()
