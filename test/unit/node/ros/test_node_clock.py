# SPDX-License-Identifier: Apache-2.0
"""The node's clock follows simulated time as soon as it is switched on."""

from __future__ import annotations

import time
from typing import Any

from rclpy.parameter import Parameter
from rosgraph_msgs.msg import Clock

from hbm_runtime_ros.ros.node_clock import NodeClock


def test_without_simulated_time_it_is_the_systems(observer: Any) -> None:
    clock = NodeClock(observer.node)
    before = time.time_ns()
    now = clock()
    assert before <= now <= time.time_ns()
    rclpy_now = observer.node.get_clock().now().nanoseconds
    assert abs(rclpy_now - now) < 10e9


def test_simulated_time_counts_from_the_moment_it_is_switched_on(observer: Any) -> None:
    clock = NodeClock(observer.node)
    observer.node.set_parameters([Parameter("use_sim_time", value=True)])
    assert clock() == 0  # it has not begun
    publisher = observer.node.create_publisher(Clock, "/clock", 10)
    tick = Clock()
    tick.clock.sec = 42

    def at_42() -> bool:
        publisher.publish(tick)
        return clock() == 42 * 10**9

    observer.until(at_42, "the simulated time")
    observer.node.set_parameters([Parameter("use_sim_time", value=False)])
    assert clock() > 10**18
