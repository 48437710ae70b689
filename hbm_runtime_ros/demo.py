# SPDX-License-Identifier: Apache-2.0
"""The demo: two real models on one simulated camera, checked from outside, shown in one table."""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import numpy as np
import rclpy
from ament_index_python.packages import get_package_prefix, get_package_share_directory
from rclpy.executors import SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions
from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from hbm_runtime_ros.child_processes import ChildEndedError, ChildProcesses
from hbm_runtime_ros.dds_files import remove_leftovers, segments
from hbm_runtime_ros.demo_checks import (
    WrongTensorsError,
    check_against_own_run,
    check_upright,
    count_text_boxes,
)
from hbm_runtime_ros.demo_observer import DemoObserver, ModelRecord, Sample
from hbm_runtime_ros.msg import ModelInfo, ModelStatistics

PACKAGE = "hbm_runtime_ros"
MODELS = ("detector", "orientation")
DETECTOR_TENSORS = "inference_node/detector/tensors"
START_TIMEOUT = 60.0  # seconds until everything was seen once
COLUMNS = (
    *("priority", "cores", "frames\nin", "results\nout", "dropped", "fps"),
    *("p50\nms", "p99\nms"),
)
OVERLAY_TIMEOUT = 10.0  # seconds more for the overlay's file


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
    interruption = Interruption()
    try:
        _run(options, console, interruption)
    except InterruptedDemoError as interrupted:
        console.print(f"demo: ended by {interrupted}")
        return interrupted.exit_code
    except (DemoFailedError, ChildEndedError, WrongTensorsError) as error:
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
    overlay = folder / "overlay.png"
    with _children(console) as children:
        _prepare(options.prepare, folder, children, interruption.check)
        overlay.unlink(missing_ok=True)
        _choose_middleware_settings()

        def tick() -> None:
            interruption.check()
            children.check()

        _start_nodes(children, folder, not options.without_launch)
        with _observer() as (observer, spin):
            seconds = _observe(observer, spin, options.seconds, tick, console)
            _wait_for_file(overlay, tick)
    # the nodes are gone: the checks have the machine for themselves
    interruption.check()
    console.print(_table(observer.records, seconds))
    for line in _check(observer.records):
        console.print(line)
    console.print(f"overlay: {os.path.relpath(overlay)}")


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
    paths = _paths(folder)
    needed = [paths["source"], *(paths["models"] / f"{name}.hbm" for name in MODELS)]
    if script.is_file():
        children.run("the preparation", [sys.executable, script, folder], tick)
    missing = [str(file) for file in needed if not file.is_file()]
    if missing:
        raise DemoFailedError(
            f"{', '.join(missing)} missing; run the demo in the project's folder, where "
            "scripts/demo_models.py makes them"
        )


def _choose_middleware_settings() -> None:
    """A domain of its own on this machine only, and shared memory large enough for images."""
    profile = str(Path(get_package_share_directory(PACKAGE), "config", "fastdds_shm.xml"))
    os.environ.setdefault("FASTRTPS_DEFAULT_PROFILES_FILE", profile)
    os.environ.setdefault("FASTDDS_DEFAULT_PROFILES_FILE", profile)
    os.environ["ROS_DOMAIN_ID"] = str(_free_domain())
    if os.environ.get("ROS_DISTRO") == "humble":
        os.environ["ROS_LOCALHOST_ONLY"] = "1"  # Humble does not know the other
    else:
        os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"


def _free_domain() -> int:
    """A ROS domain without participants on this machine: its discovery port is free."""
    for attempt in range(100):
        domain = 1 + (os.getpid() + attempt) % 100
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind(("", 7400 + 250 * domain))
            except OSError:
                continue
        return domain
    raise DemoFailedError("all ROS domains from 1 to 100 are in use on this machine")


def _start_nodes(children: ChildProcesses, folder: Path, with_launch: bool) -> None:
    """Start what demo.launch.py describes: with it where launch is installed, else one by one."""
    logs = folder / "logs"
    logs.mkdir(exist_ok=True)
    # ROS logs into the home folder otherwise
    os.environ["ROS_LOG_DIR"] = str(logs / "ros")
    ros2 = shutil.which("ros2")
    if with_launch and ros2 and importlib.util.find_spec("launch_ros"):
        arguments = [f"{name}:={path}" for name, path in _paths(folder).items()]
        command = [ros2, "launch", PACKAGE, "demo.launch.py", *arguments]
        children.start("ros2 launch", command, logs / "launch.log")
        return
    for node, arguments in _arguments_of_nodes(**_paths(folder)).items():
        executable = Path(get_package_prefix(PACKAGE), "lib", PACKAGE, node)
        children.start(node, [sys.executable, executable, *arguments], logs / f"{node}.log")


def _paths(folder: Path) -> dict[str, Path]:
    """The arguments of demo.launch.py."""
    return {
        "models": folder / "models",
        "source": folder / "photo.png",
        "overlay": folder / "overlay.png",
    }


def _arguments_of_nodes(models: Path, source: Path, overlay: Path) -> dict[str, list[str]]:
    """Command line of each node, as demo.launch.py gives it."""
    parameters = Path(get_package_share_directory(PACKAGE), "config", "demo.yaml")
    common = ["--ros-args", "--params-file", str(parameters)]
    files = [f"{name}.file:={models / name}.hbm" for name in MODELS]
    return {
        "inference_node": [*common, *(part for file in files for part in ("-p", file))],
        "image_player": [*common, "-p", f"source:={source}"],
        "text_overlay": [
            *common,
            *("-p", f"save_path:={overlay}"),
            *("-r", f"tensors:={DETECTOR_TENSORS}"),
        ],
    }


@contextmanager
def _observer() -> Iterator[tuple[DemoObserver, Callable[[float], None]]]:
    """The observer, and a function that lets it receive for some seconds."""
    # signals are the demo's own business
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    try:
        node = DemoObserver(MODELS)
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        try:
            yield node, lambda seconds: executor.spin_once(timeout_sec=seconds)
        finally:
            executor.shutdown()
            node.destroy_node()
    finally:
        rclpy.try_shutdown()


def _observe(
    observer: DemoObserver,
    spin: Callable[[float], None],
    seconds: float,
    tick: Callable[[], None],
    console: Console,
) -> float:
    """Wait until everything works, then measure.

    Returns:
        Seconds measured.
    """
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("starting the nodes", total=None)
        deadline = time.monotonic() + START_TIMEOUT
        while not observer.complete:
            tick()
            if time.monotonic() > deadline:
                raise DemoFailedError(f"after {START_TIMEOUT:.0f} s: {_what_is_missing(observer)}")
            spin(0.1)
        observer.start_measuring()
        progress.update(task, description="running both models", total=seconds)
        begin = time.monotonic()
        while (elapsed := time.monotonic() - begin) < seconds:
            tick()
            progress.update(task, completed=elapsed)
            spin(0.1)
        progress.update(task, completed=seconds)
    return elapsed


def _what_is_missing(observer: DemoObserver) -> str:
    missing = [
        f"{name}: no {what}"
        for name, record in observer.records.items()
        for what, seen in (
            ("tensors", record.results),
            ("model_info", record.info),
            ("stats", record.statistics),
            ("image for a result", record.sample),
        )
        if not seen
    ]
    return "; ".join(missing)


def _wait_for_file(file: Path, tick: Callable[[], None]) -> None:
    deadline = time.monotonic() + OVERLAY_TIMEOUT
    while not file.is_file():
        tick()
        if time.monotonic() > deadline:
            raise DemoFailedError(f"text_overlay did not write {file}")
        time.sleep(0.1)


def _seen(record: ModelRecord) -> tuple[ModelInfo, ModelStatistics, Sample]:
    assert record.info is not None
    assert record.statistics is not None
    assert record.sample is not None
    return record.info, record.statistics, record.sample


def _table(records: dict[str, ModelRecord], seconds: float) -> Table:
    table = Table(
        title=f"two models on one camera for {seconds:.1f} s",
        caption="p50, p99: latency from the image's stamp to its tensors in another process",
        box=box.SIMPLE_HEAD,
        collapse_padding=True,
        show_edge=False,
    )
    table.add_column("model", style="bold")
    for column in COLUMNS:
        table.add_column(column, justify="right")
    for name, record in records.items():
        info, statistics, _ = _seen(record)
        cores = list(info.bpu_cores)
        p50, p99 = np.percentile(record.latencies, (50, 99)) * 1000 if record.latencies else (0, 0)
        table.add_row(
            name,
            str(info.priority),
            "any" if cores == [-1] else ", ".join(map(str, cores)),
            str(statistics.frames_in),
            str(statistics.results),
            str(sum(drop.count for drop in statistics.drops)),
            f"{len(record.latencies) / seconds:.1f}",
            f"{p50:.1f}",
            f"{p99:.1f}",
        )
    return table


def _check(records: dict[str, ModelRecord]) -> Iterator[str]:
    """Check all tensors; yields a line for each check that passed."""
    for name, record in records.items():
        info, _, sample = _seen(record)
        if not record.latencies:
            raise DemoFailedError(f"{name}: not one result while measuring")
        size = check_against_own_run(sample, info)
        yield f"{name}: {size} bytes of tensors equal the run in this process"
    _, _, sample = _seen(records["detector"])
    yield f"detector: {count_text_boxes(sample)} text boxes"
    _, _, sample = _seen(records["orientation"])
    yield f"orientation: upright, probability {check_upright(sample):.2f}"
