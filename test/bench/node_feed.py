# SPDX-License-Identifier: Apache-2.0
"""Camera and consumer of the bench of the node, in a process of their own.

Its arguments are a task as JSON (`Task`) and the file for what it found, as JSON, too.
"""

from __future__ import annotations

import argparse
import array
import gc
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from sensor_msgs.msg import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from hbm_runtime_ros.msg import StatisticsList, TensorList

from bench.node_feed_task import StreamTask, Task
from hbm_runtime_ros.messages.conversions import time_msg
from hbm_runtime_ros.ros import qos

START_TIMEOUT = 60.0  # seconds until the nodes under test are there
LATE = 2.0  # seconds after the last image that results may come
WARM_UP = 1.0  # seconds that are not looked at, with images


@dataclass
class Stream:
    """What was found of one stream.

    Attributes:
        sent: Images.
        lost: Images without a result.
        times: Of each result in ns since the epoch: published, received, started, prepared,
            finished, arrived.
    """

    sent: int = 0
    lost: int = 0
    times: list[list[int]] = field(default_factory=list)


class Feed(Node):
    """Publishes images at their time and notes when what came of them arrives."""

    def __init__(self, task: Task) -> None:
        super().__init__("bench_feed")
        self.found: dict[str, Stream] = {}
        self.statistics: StatisticsList | None = None
        self.core_use: list[float] = []
        self._task = task
        self._published: dict[str, dict[int, int]] = {}
        self._images = {}
        self._publishers_of = {}
        for stream in task.streams:
            self.found[stream.name] = Stream()
            self._published[stream.name] = {}
            self._images[stream.name] = _image(stream.width, stream.height)
            self._publishers_of[stream.name] = self.create_publisher(
                Image, stream.images, qos.IMAGES
            )
            if stream.results:
                note = self._noting(self._published[stream.name], self.found[stream.name])
                self.create_subscription(TensorList, stream.results, note, qos.TENSORS)
        self.create_subscription(
            StatisticsList, "/inference_node/stats", self._on_statistics, qos.STATISTICS
        )

    def is_connected(self, wants_images: bool) -> bool:
        """Whether everybody is there."""
        return self.statistics is not None and all(
            (not wants_images or self._publishers_of[stream.name].get_subscription_count() > 0)
            and (not stream.results or self.count_publishers(stream.results) > 0)
            for stream in self._task.streams
        )

    def publish(self, stream: StreamTask) -> None:
        """Sends one image."""
        msg = self._images[stream.name]
        now = time.time_ns()
        msg.header.stamp = time_msg(now)
        self._published[stream.name][now] = now
        self.found[stream.name].sent += 1
        self._publishers_of[stream.name].publish(msg)

    def is_settled(self) -> bool:
        """Whether all results have come that are waited for."""
        return not any(
            self._published[stream.name] for stream in self._task.streams if stream.results
        )

    def knows_all_since(self, asked: int) -> bool:
        """Whether all results have come, and statistics that were made after that time."""
        stamped = self.statistics is not None and _nanoseconds(self.statistics.stamp) > asked
        return stamped and self.is_settled()

    def forget(self) -> None:
        """Begins anew."""
        self.core_use.clear()
        for name, published in self._published.items():
            published.clear()
            self.found[name].sent = 0
            self.found[name].times.clear()

    def settle(self) -> None:
        """Counts what has not come."""
        for stream in self._task.streams:
            if stream.results:
                self.found[stream.name].lost = len(self._published[stream.name])

    def _noting(self, published: dict[int, int], found: Stream) -> Callable[[TensorList], None]:
        def note(msg: TensorList) -> None:
            arrived = time.time_ns()
            sent = published.pop(_nanoseconds(msg.header.stamp), None)
            if sent is not None:
                stamps = (msg.received, msg.started, msg.prepared, msg.finished)
                found.times.append([sent, *map(_nanoseconds, stamps), arrived])

        return note

    def _on_statistics(self, msg: StatisticsList) -> None:
        self.statistics = msg
        self.core_use.append(float(sum(msg.core_use)))


def _image(width: int, height: int) -> Image:
    msg = Image(width=width, height=height, encoding="nv12", step=width)
    msg.data = array.array("B", os.urandom(width * height * 3 // 2))
    return msg


def _nanoseconds(stamp: Any) -> int:
    return int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)


SpinUntil = Callable[..., bool]


def run(task: Task) -> dict[str, Any]:
    """Does the task."""
    rclpy.init()
    node = Feed(task)
    executor = SingleThreadedExecutor()
    executor.add_node(node)

    def spin_until(end: float, done: Callable[[], bool] = lambda: False) -> bool:
        while not done():
            left = end - time.monotonic()
            if left <= 0:
                return False
            executor.spin_once(timeout_sec=left)
        return True

    try:
        wants_images = all(stream.results for stream in task.streams)
        connected = spin_until(
            time.monotonic() + START_TIMEOUT, lambda: node.is_connected(wants_images)
        )
        if not connected:
            raise SystemExit(f"bench: after {START_TIMEOUT:g} s not all nodes were there")
        return _measure(task, node, spin_until)
    finally:
        executor.shutdown()
        node.destroy_node()
        rclpy.try_shutdown()


def _measure(task: Task, node: Feed, spin_until: SpinUntil) -> dict[str, Any]:
    _send(task, node, spin_until, WARM_UP)
    spin_until(time.monotonic() + LATE, node.is_settled)
    node.forget()
    gc.collect()
    gc.freeze()
    begin, cpu_before = time.monotonic(), _cpu_seconds(task.pid)
    _send(task, node, spin_until, task.seconds)
    elapsed, cpu_after = time.monotonic() - begin, _cpu_seconds(task.pid)
    asked = node.get_clock().now().nanoseconds
    spin_until(time.monotonic() + LATE, lambda: node.knows_all_since(asked))
    node.settle()
    assert node.statistics is not None
    return {
        "streams": {name: asdict(stream) for name, stream in node.found.items()},
        "models": {
            model.model: {drop.reason: drop.count for drop in model.drops}
            for model in node.statistics.models
        },
        "core_use": node.core_use,
        "cpu": (cpu_after - cpu_before) / elapsed,
    }


def _send(task: Task, node: Feed, spin_until: SpinUntil, seconds: float) -> None:
    """Sends the images of all streams, each at its time."""
    begin = time.monotonic()
    due = {stream: begin + stream.offset for stream in task.streams if stream.period > 0}
    while due:
        stream = min(due, key=lambda each: due[each])
        if due[stream] >= begin + seconds:
            break
        spin_until(due[stream])
        node.publish(stream)
        due[stream] += stream.period
    spin_until(begin + seconds)


def _cpu_seconds(pid: int) -> float:
    """CPU time of a process so far; 0.0 for process 0."""
    if pid == 0:
        return 0.0
    # the name in brackets may hold spaces: read behind it
    after_name = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    ticks = int(after_name[11]) + int(after_name[12])  # utime and stime, see proc(5)
    return ticks / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Does the task of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("task", help="as JSON")
    parser.add_argument("found", type=Path, help="file to write")
    arguments = parser.parse_args()
    content = json.loads(arguments.task)
    streams = [StreamTask(**stream) for stream in content.pop("streams")]
    found = run(Task(streams, **content))
    arguments.found.write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
