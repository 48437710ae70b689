# SPDX-License-Identifier: Apache-2.0
"""From frames to results: queue, attempts, watchdog and counters of one model. Knows no ROS."""

from hbm_runtime_ros.pipeline.attempt import Result

__all__ = ["Result"]
