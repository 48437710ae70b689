# SPDX-License-Identifier: Apache-2.0
"""The demo: two real models on one simulated camera, shown live, changed while they run, checked.

Everything is seen from outside, through topics and services, as any other node sees it.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import rclpy
from hbm_runtime_ros.msg import ModelInfo
from rclpy.executors import SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions
from rich.console import Console
from rich.live import Live

import demo_nodes
from child_processes import ChildEndedError, ChildProcesses
from dds_files import remove_leftovers, segments
from demo_checks import (
    CheckFailedError,
    check_against_own_run,
    check_healthy,
    check_upright,
    count_text_boxes,
)
from demo_observer import DemoObserver, ModelRecord, PriorityChange, Sample
from demo_table import tables

START_TIMEOUT = 60.0  # seconds until everything was seen once
ERROR_PATIENCE = 3.0  # seconds of an error in the diagnostics until the start is given up
OVERLAY_TIMEOUT = 10.0  # seconds more for the overlay's file
CHANGE_TIMEOUT = 10.0  # seconds until ~/model_info tells of a change
REDRAW_PERIOD = 0.25  # seconds
LOG_WIDTH = 120  # characters; a log has no width of its own
CHANGED_MODEL, CHANGED_PRIORITY = "detector", 220

Spin = Callable[[float], None]


class DemoFailedError(RuntimeError):
    """The demo did not show what it should; the text says what was missing."""


class InterruptedDemoError(Exception):
    """A signal asked the demo to end."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.exit_code = 128 + number


class Interruption:
    """Remembers a signal until the demo asks: nothing is torn apart in the middle."""

    def __init__(self) -> None:
        self._number: int | None = None
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._remember)

    def _remember(self, number: int, frame: FrameType | None) -> None:
        self._number = number

    def check(self) -> None:
        """Raise InterruptedDemoError if a signal has come."""
        if self._number is not None:
            raise InterruptedDemoError(self._number)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demo.

    Args:
        argv: Command line; None for the process's own.

    Returns:
        0 if every check passed, 1 if one failed, 128 + signal if it was interrupted.
    """
    options = _parse(argv)
    console = Console(highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = LOG_WIDTH
    interruption = Interruption()
    try:
        _run(options, console, interruption)
    except InterruptedDemoError as interrupted:
        console.print(f"demo: ended by {interrupted}")
        return interrupted.exit_code
    except (DemoFailedError, ChildEndedError, CheckFailedError) as error:
        console.print(f"demo failed: {error}", style="bold red", markup=False)
        return 1
    return 0


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="demo", description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="how long to measure")
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path("build/demo"),
        help="where models, photograph, logs and overlay.png are (default: %(default)s)",
    )
    parser.add_argument(
        "--prepare",
        type=Path,
        default=Path("scripts/demo_models.py"),
        help="script that makes models and photograph (default: %(default)s)",
    )
    parser.add_argument(
        "--without-launch",
        action="store_true",
        help="start the nodes as processes even where ros2 launch is installed",
    )
    return parser.parse_args(argv)


def _run(options: argparse.Namespace, console: Console, interruption: Interruption) -> None:
    folder: Path = options.folder.resolve()
    overlay = demo_nodes.files(folder).overlay
    with _children(console) as children:
        _prepare(options.prepare, folder, children, interruption.check)
        overlay.unlink(missing_ok=True)
        try:
            os.environ.update(demo_nodes.middleware_settings())
        except OSError as error:
            raise DemoFailedError(str(error)) from error

        def tick() -> None:
            interruption.check()
            children.check()

        demo_nodes.start(children, folder, not options.without_launch)
        with _observer() as (observer, spin):
            _wait_for_everything(observer, spin, tick, console)
            change = _measure(observer, spin, options.seconds, tick, console)
            _wait_for_file(overlay, tick)
    # the nodes are gone: the checks have the machine for themselves
    interruption.check()
    title = f"two models on one camera for {options.seconds:g} s"
    console.print(tables(title, observer.records, observer.diagnostics.values()))
    console.print()
    console.print(_describe(change))
    for line in _check(observer):
        console.print(line)
    console.print(f"overlay: {os.path.relpath(overlay)}", soft_wrap=True)


@contextmanager
def _children(console: Console) -> Iterator[ChildProcesses]:
    """Children that are gone at the end, whatever happens, and their shared memory with them."""
    before = segments()
    children = ChildProcesses()
    try:
        yield children
    finally:
        for name in children.stop():
            console.print(f"demo: {name} had to be killed", style="yellow")
        remove_leftovers(before)


def _prepare(
    script: Path, folder: Path, children: ChildProcesses, tick: Callable[[], None]
) -> None:
    if script.is_file():
        children.run("the preparation", [sys.executable, script, folder], tick)
    missing = [str(file) for file in demo_nodes.files(folder).missing()]
    if missing:
        raise DemoFailedError(
            f"{', '.join(missing)} missing; run the demo in the project's folder, where "
            "scripts/demo_models.py makes them"
        )


@contextmanager
def _observer() -> Iterator[tuple[DemoObserver, Spin]]:
    """The observer, and a function that lets it receive for some seconds."""
    # signals are the demo's own business
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    try:
        node = DemoObserver(demo_nodes.MODELS)
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        try:
            yield node, lambda seconds: executor.spin_once(timeout_sec=seconds)
        finally:
            executor.shutdown()
            node.destroy_node()
    finally:
        rclpy.try_shutdown()


def _wait_for_everything(
    observer: DemoObserver, spin: Spin, tick: Callable[[], None], console: Console
) -> None:
    """Spin until each topic and service of the node has shown itself."""
    begin = last_healthy = time.monotonic()
    with console.status("starting the nodes"):
        while missing := observer.missing():
            tick()
            now = time.monotonic()
            try:
                check_healthy(observer.diagnostics.values())
                last_healthy = now
            except CheckFailedError:
                if now > last_healthy + ERROR_PATIENCE:
                    raise
            if now > begin + START_TIMEOUT:
                raise DemoFailedError(f"after {START_TIMEOUT:.0f} s: {'; '.join(missing)}")
            spin(0.1)


def _measure(
    observer: DemoObserver,
    spin: Spin,
    seconds: float,
    tick: Callable[[], None],
    console: Console,
) -> PriorityChange:
    """Watch for some seconds, drawing on a terminal; change a priority when half of them are over.

    Returns:
        The change, which ~/model_info has confirmed.
    """
    observer.start_measuring()
    begin = time.monotonic()
    change: PriorityChange | None = None
    with Live(console=console, auto_refresh=False, transient=True) as live:
        next_drawing = begin
        while True:
            elapsed = time.monotonic() - begin
            if change is None and elapsed >= seconds / 2:
                change = observer.set_priority(CHANGED_MODEL, CHANGED_PRIORITY)
            if change is not None and elapsed >= seconds and _is_confirmed(change):
                return change
            tick()
            if console.is_terminal and time.monotonic() >= next_drawing:
                title = f"two models on one camera, {elapsed:.0f} of {seconds:g} s"
                statuses = observer.diagnostics.values()
                live.update(tables(title, observer.records, statuses), refresh=True)
                next_drawing += REDRAW_PERIOD
            spin(0.1)


def _is_confirmed(change: PriorityChange) -> bool:
    """Whether a change was made; raises DemoFailedError if it was refused or takes too long."""
    if change.refused:
        raise DemoFailedError(
            f"{change.model}.priority {change.before} -> {change.after} was refused: "
            f"{change.refused}"
        )
    if change.seconds is None and time.monotonic() - change.asked > CHANGE_TIMEOUT:
        raise DemoFailedError(
            f"{CHANGE_TIMEOUT:.0f} s after {change.model}.priority was set to {change.after}, "
            "~/model_info does not say so"
        )
    return change.seconds is not None


def _describe(change: PriorityChange) -> str:
    assert change.seconds is not None
    return (
        f"{change.model}.priority {change.before} -> {change.after} while it ran: ~/model_info "
        f"said so after {change.seconds * 1000:.0f} ms"
    )


def _wait_for_file(file: Path, tick: Callable[[], None]) -> None:
    deadline = time.monotonic() + OVERLAY_TIMEOUT
    while not file.is_file():
        tick()
        if time.monotonic() > deadline:
            raise DemoFailedError(f"text_overlay did not write {file}")
        time.sleep(0.1)


def _seen(record: ModelRecord) -> tuple[ModelInfo, Sample]:
    assert record.info is not None
    assert record.sample is not None
    return record.info, record.sample


def _check(observer: DemoObserver) -> Iterator[str]:
    """Check everything that was seen; yields a line for each check that passed."""
    records = observer.records
    for name, record in records.items():
        info, sample = _seen(record)
        if not record.latencies:
            raise DemoFailedError(f"{name}: not one result while measuring")
        size = check_against_own_run(sample, info)
        yield f"{name}: {size} bytes of tensors equal the run in this process"
    _, sample = _seen(records["detector"])
    yield f"detector: {count_text_boxes(sample)} text boxes"
    _, sample = _seen(records["orientation"])
    yield f"orientation: upright, probability {check_upright(sample):.2f}"
    yield f"diagnostics: none of {check_healthy(observer.diagnostics.values())} is an error"


if __name__ == "__main__":
    sys.exit(main())
