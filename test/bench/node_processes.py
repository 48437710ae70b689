# SPDX-License-Identifier: Apache-2.0
"""The processes of the bench of the node: the node, the bare node, feeds; all gone in the end."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hbm_runtime._loading import library

BENCH = Path(__file__).resolve().parent

sys.path.insert(0, str(BENCH.parents[1] / "examples" / "demo"))
import demo_nodes
from child_processes import ChildProcesses
from dds_files import remove_leftovers, segments

if TYPE_CHECKING:
    from bench.node_feed_task import Task


class NodeProcesses:
    """Starts them in one ROS domain, on this machine only, with the shared-memory profile."""

    def __init__(self, children: ChildProcesses, folder: Path, cores: int) -> None:
        self._children = children
        self._folder = folder
        self._environment = {
            **os.environ,
            **demo_nodes.middleware_settings(),
            library.PATH_VARIABLE: str(library.SIMULATOR_FOLDER),
            "HBM_SIM_CORES": str(cores),
            "ROS_LOG_DIR": str(folder / "ros_log"),
        }

    def start_node(self, times: Path, models: Mapping[str, Mapping[str, Any]]) -> int:
        """Starts the inference node with these models' parameters; returns its process number."""
        parameters: dict[str, Any] = {"models": list(models), **models}
        file = self._folder / "parameters.yaml"
        # YAML is a superset of JSON
        file.write_text(json.dumps({"/**": {"ros__parameters": parameters}}), encoding="utf-8")
        return self._start("node_host.py", times, "--ros-args", "--params-file", file)

    def start_echo(self) -> None:
        """Starts the bare node."""
        self._start("node_echo.py")

    def feed(self, task: Task) -> dict[str, Any]:
        """Runs a feed to its end and returns what it found."""
        found = self._folder / "found.json"
        command = [sys.executable, BENCH / "node_feed.py", json.dumps(asdict(task)), found]
        self._children.run("node_feed.py", command, lambda: None, self._environment)
        content: dict[str, Any] = json.loads(found.read_text(encoding="utf-8"))
        return content

    def _start(self, program: str, *arguments: str | Path) -> int:
        command = [sys.executable, BENCH / program, *arguments]
        return self._children.start(
            program, command, self._folder / f"{program}.log", self._environment
        )


@contextmanager
def node_processes(folder: Path, cores: int) -> Iterator[NodeProcesses]:
    """Processes on a simulator with so many cores, and an end of them all."""
    before = segments()
    children = ChildProcesses()
    try:
        yield NodeProcesses(children, folder, cores)
    finally:
        children.stop()
        remove_leftovers(before)
