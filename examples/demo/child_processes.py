# SPDX-License-Identifier: Apache-2.0
"""Child processes that end on request, with all that they started. Knows no ROS."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# Signals in the order they are sent, and the seconds each is given.
ESCALATION = ((signal.SIGINT, 8.0), (signal.SIGTERM, 3.0), (signal.SIGKILL, 3.0))
LOG_TAIL_LINES = 15


class ChildEndedError(RuntimeError):
    """A child process ended by itself; the text names it and shows the end of its log."""


@dataclass(frozen=True)
class _Child:
    name: str
    process: subprocess.Popen[bytes]
    log: Path | None

    def tail(self) -> str:
        if self.log is None:
            return ""
        lines = self.log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
        return "".join(f"\n  {line}" for line in lines)


class ChildProcesses:
    """Children, each the leader of a session of its own, so that its whole family can be ended.

    Being in other sessions, they do not get the terminal's Ctrl-C: this process does, and then
    calls :meth:`stop`.
    """

    def __init__(self) -> None:
        self._children: list[_Child] = []

    def start(
        self,
        name: str,
        command: Sequence[str | Path],
        log: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> int:
        """Start a child.

        Args:
            name: For error messages.
            command: Program and arguments.
            log: File for what it prints; None lets it print to this process's streams.
            environment: All its variables; None for this process's.

        Returns:
            Number of the process.
        """
        with contextlib.ExitStack() as files:
            output = None if log is None else files.enter_context(log.open("wb"))
            process = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=None if output is None else subprocess.STDOUT,
                start_new_session=True,
                env=environment,
            )
        self._children.append(_Child(name, process, log))
        return process.pid

    def check(self) -> None:
        """Look after the children.

        Raises:
            ChildEndedError: If one has ended.
        """
        for child in self._children:
            code = child.process.poll()
            if code is not None:
                raise ChildEndedError(f"{child.name} {_how_it_ended(code)}{child.tail()}")

    def run(
        self,
        name: str,
        command: Sequence[str | Path],
        tick: Callable[[], None],
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Run a child to its end.

        Args:
            name: For error messages.
            command: Program and arguments.
            tick: Called ten times a second; what it raises ends the wait, not the child.
            environment: All its variables; None for this process's.

        Raises:
            ChildEndedError: If its exit code is not 0.
        """
        self.start(name, command, environment=environment)
        child = self._children[-1]
        while child.process.poll() is None:
            tick()
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.process.wait(0.1)
        self._children.remove(child)
        if child.process.returncode != 0:
            raise ChildEndedError(f"{name} {_how_it_ended(child.process.returncode)}")

    def stop(self) -> list[str]:
        """End all children and whatever they have started, politely first.

        Returns:
            Names of those that did not end before they were killed.
        """
        killed: list[str] = []
        for number, seconds in ESCALATION:
            alive = [child for child in self._children if _family(child.process)]
            for child in alive:
                _signal(child.process, number)
            if number == signal.SIGKILL:
                killed = [child.name for child in alive]
            deadline = time.monotonic() + seconds
            while time.monotonic() < deadline and any(_family(c.process) for c in alive):
                time.sleep(0.02)
        self._children.clear()
        return killed


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Signal the leader, who passes it on; its whole session if it is gone or must be killed."""
    leader_only = process.poll() is None and number != signal.SIGKILL
    for pid in [process.pid] if leader_only else _family(process):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _family(process: subprocess.Popen[bytes]) -> list[int]:
    """Processes of the child's session that are alive.

    psutil finds children by their parents, and loses those whose parent has ended.
    """
    process.poll()  # reaps the leader
    alive = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            # the name in brackets may hold spaces: read behind it
            state, _, _, session = (entry / "stat").read_text().rpartition(")")[2].split()[:4]
            if int(session) == process.pid and state not in "ZX":
                alive.append(int(entry.name))
    return alive


def _how_it_ended(code: int) -> str:
    if code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"
