# SPDX-License-Identifier: Apache-2.0
"""Simulated time: with use_sim_time the node judges ages by /clock, also where it jumps back."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hbm_runtime_ros.msg import StatisticsList, TensorList
from rclpy.qos import qos_profile_sensor_data
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Image

from hbm_runtime_ros.ros.qos import STATISTICS, TENSORS

SCRIPT = Path(__file__).parents[2] / "scripts" / "make_bag.py"
RECORDED = 1_000_000  # s, in January 1970: an age of decades by any wall clock


class SimulatedWorld:
    """A node with max_age, whose camera and /clock are the test's."""

    def __init__(self, observer: Any, node: Any) -> None:
        self.observer, self.node = observer, node
        self._make_image: Callable[..., Image]
        self.results: list[TensorList] = observer.collect(
            TensorList, "/inference_node/eye/tensors", TENSORS
        )
        self.statistics: list[StatisticsList] = observer.collect(
            StatisticsList, "/inference_node/stats", STATISTICS
        )
        publish = observer.node.create_publisher
        self._camera = publish(Image, "/camera/image", qos_profile_sensor_data)
        self._clock = publish(Clock, "/clock", 10)
        self.now = RECORDED * 10**9

    def until(self, condition: Callable[[], Any], what: str, each: Callable[[], Any]) -> None:
        """Let time go by, 50 ms with each turn, until the condition holds."""

        def turn() -> Any:
            self.now += 50_000_000
            self._clock.publish(Clock(clock=self.stamp(self.now)))
            each()
            self.observer.spin(0.05)
            return condition()

        self.observer.until(turn, f"{what}; the node's log:\n{self.node.log}")

    def show(self, image: Image, age: float) -> None:
        """Publish an image that was taken so many seconds ago."""
        image.header.stamp = self.stamp(self.now - round(age * 1e9))
        self._camera.publish(image)

    @staticmethod
    def stamp(nanoseconds: int) -> Any:
        from hbm_runtime_ros.messages.conversions import time_msg

        return time_msg(nanoseconds)

    def drops(self) -> set[str]:
        """Reasons of the drops so far."""
        return {d.reason for each in self.statistics for m in each.models for d in m.drops}


@pytest.fixture
def world(start: Callable, observer: Any, nv12_model: Path) -> Callable[..., SimulatedWorld]:
    def make(*, use_sim_time: bool, **live: Any) -> SimulatedWorld:
        eye = {"file": str(nv12_model), "image_topic": "/camera/image", **live}
        parameters = {"use_sim_time": use_sim_time, "models": ["eye"], "eye": eye}
        return SimulatedWorld(observer, start("inference_node", parameters))

    return make


def test_ages_are_judged_by_the_simulated_clock(world: Callable, make_image: Callable) -> None:
    here = world(use_sim_time=True, max_age=0.5)
    here.until(lambda: here.results, "a result", lambda: here.show(make_image(), age=0.1))
    result = here.results[-1]
    assert RECORDED <= result.received.sec <= result.finished.sec < RECORDED + 1000
    here.results.clear()
    here.until(lambda: "age" in here.drops(), "a drop", lambda: here.show(make_image(), age=2.0))
    assert here.drops() <= {"age", "replaced"}


def test_without_use_sim_time_they_are_judged_by_the_wall_clock(
    world: Callable, make_image: Callable
) -> None:
    here = world(use_sim_time=False, max_age=0.5)
    here.until(lambda: "age" in here.drops(), "a drop", lambda: here.show(make_image(), age=0.1))
    assert not here.results


def test_results_go_on_when_the_clock_jumps_back(world: Callable, make_image: Callable) -> None:
    here = world(use_sim_time=True, max_age=0.5, max_rate=15.0)
    for _ in range(2):
        here.until(
            lambda: len(here.results) > 3, "results", lambda: here.show(make_image(), age=0.1)
        )
        before = here.results[-1].header.stamp.sec
        here.now -= 500_000 * 10**9
        here.results.clear()
        here.until(
            lambda before=before: any(r.header.stamp.sec < before for r in here.results),
            "results after the jump",
            lambda: here.show(make_image(), age=0.1),
        )
        here.results.clear()


def test_a_looping_bag_goes_on(
    world: Callable, start: Callable, observer: Any, tmp_path: Path
) -> None:
    pytest.importorskip("mcap", reason="needs the Python package mcap: pip install mcap")
    bag = tmp_path / "loop.mcap"
    arguments = ["--size", "12", "8", "--count", "10", "--rate", "20", "--start", str(RECORDED)]
    subprocess.run([sys.executable, str(SCRIPT), str(bag), *arguments], check=True)
    here = world(use_sim_time=True, max_age=0.4, max_rate=100.0)
    parameters = {"source": str(bag), "clock": True, "stamps": "source"}
    start("image_player", parameters, "--remap", "image_raw:=/camera/image")

    def rounds() -> int:
        stamps = [(r.header.stamp.sec, r.header.stamp.nanosec) for r in here.results]
        return sum(later < earlier for earlier, later in itertools.pairwise(stamps))

    observer.until(lambda: rounds() >= 3, f"results of four rounds:\n{here.node.log}")
