# SPDX-License-Identifier: Apache-2.0
"""Children of the demo: none outlives it, however it or they behave; no shared memory stays."""

from __future__ import annotations

import contextlib
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import child_processes as processes
import dds_files

PATIENCE = 10.0  # seconds; only reached by a failing test

OBEDIENT = "import time; print('up', flush=True); time.sleep(60)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); "
    "signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
)
PARENT = (
    "import subprocess, sys, time; "
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); "
    "print('up', child.pid, flush=True); time.sleep(60)"
)
CARELESS_PARENT = PARENT.replace("time.sleep(60)", "sys.exit(3)", -1).replace(
    "'import time; sys.exit(3)'", "'import time; time.sleep(60)'"
)


@pytest.fixture
def children(monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    quick = tuple((number, 0.5) for number, _ in processes.ESCALATION)
    monkeypatch.setattr(processes, "ESCALATION", quick)
    children = processes.ChildProcesses()
    yield children
    children.stop()


@pytest.fixture
def start(children: object, tmp_path: Path) -> Callable[[str], list[str]]:
    def start_program(program: str) -> list[str]:
        log = tmp_path / "child.log"
        children.start("child", [sys.executable, "-c", program], log)
        deadline = time.monotonic() + PATIENCE
        while "up" not in log.read_text():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return log.read_text().split()

    return start_program


def check_until_ended(children: object) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        children.check()
        time.sleep(0.01)


def is_alive(pid: int) -> bool:
    with contextlib.suppress(OSError):
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state not in "ZX"
    return False


def test_an_obedient_child_is_not_killed(children: object, start: Callable) -> None:
    start(OBEDIENT)
    assert children.stop() == []


def test_a_stubborn_child_is_killed_and_named(children: object, start: Callable) -> None:
    start(STUBBORN)
    assert children.stop() == ["child"]


@pytest.mark.parametrize("program", [PARENT, CARELESS_PARENT])
def test_grandchildren_end_too(children: object, start: Callable, program: str) -> None:
    grandchild = int(start(program)[1])
    assert is_alive(grandchild)
    children.stop()
    assert not is_alive(grandchild)


def test_a_child_that_ends_by_itself_is_reported_with_its_last_words(
    children: object, start: Callable
) -> None:
    start("print('up'); print('my reason'); raise SystemExit(3)")
    with pytest.raises(processes.ChildEndedError, match=r"ended with exit code 3(.|\n)*my reason"):
        check_until_ended(children)


def test_a_child_that_crashes_is_reported_by_signal(children: object, start: Callable) -> None:
    start("import os; print('up', flush=True); os.kill(os.getpid(), 11)")
    with pytest.raises(processes.ChildEndedError, match="child was ended by SIGSEGV"):
        check_until_ended(children)


def test_running_to_the_end_asks_between(children: object) -> None:
    ticks = []
    children.run(
        "job", [sys.executable, "-c", "import time; time.sleep(0.5)"], lambda: ticks.append(0)
    )
    assert ticks
    with pytest.raises(processes.ChildEndedError, match="job ended with exit code 7"):
        children.run("job", [sys.executable, "-c", "raise SystemExit(7)"], lambda: None)


def test_an_interrupted_run_is_ended_by_stop(children: object, tmp_path: Path) -> None:
    up = tmp_path / "up"

    def interrupt() -> None:
        if up.exists():  # a Python that is just starting may make exit code 1 of the signal
            raise KeyboardInterrupt

    job = f"import time; open({str(up)!r}, 'w'); time.sleep(60)"
    with pytest.raises(KeyboardInterrupt):
        children.run("job", [sys.executable, "-c", job], interrupt)
    (child,) = children._children
    assert child.process.poll() is None
    children.stop()
    assert child.process.returncode == -signal.SIGINT


MAPPING = (
    "import mmap, os, time; "
    "maps = [mmap.mmap(os.open(name, os.O_RDWR), 8) for name in {names}]; "
    "print('up', flush=True); time.sleep(60)"
)


def test_shared_memory_of_fast_dds_goes_with_its_last_user(
    children: object, start: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "shm"
    folder.mkdir()
    monkeypatch.setattr(dds_files, "_SHARED_MEMORY", folder)

    def make(*names: str) -> list[str]:
        for name in names:
            (folder / name).write_bytes(bytes(8))
        return list(names)

    old = make("fastrtps_99", "sem.fastrtps_port7661_mutex")
    before = dds_files.segments()
    segment = make("fastrtps_01ab", "fastrtps_01ab_el")
    port = make("fastrtps_port7663", "sem.fastrtps_port7663_mutex")
    foreign = make("something_01ab")
    start(MAPPING.format(names=[str(folder / name) for name in (segment[0], port[0])]))
    assert dds_files.remove_leftovers(before) == []
    children.stop()
    assert dds_files.remove_leftovers(before) == ["fastrtps_01ab", "fastrtps_port7663"]
    assert sorted(file.name for file in folder.iterdir()) == sorted(old + foreign)
