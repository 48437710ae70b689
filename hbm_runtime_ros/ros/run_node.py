# SPDX-License-Identifier: Apache-2.0
"""Runs a node as a process: clear start-up errors, a clean stop on signals, exit codes."""

from __future__ import annotations

import signal
import time
from collections import deque
from collections.abc import Callable, Sequence

import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.logging import get_logger
from rclpy.node import Node

from hbm_runtime._texts import handled_traceback, said
from hbm_runtime_ros.parameters.row_type import ConfigurationError
from hbm_runtime_ros.ros.malloc_settings import tune_process_for_images

# Failures of callbacks within so many seconds that a process gives up after: its supervisor may
# start it again.
MOST_FAILURES, FAILURE_PERIOD = 10, 10.0


class Finished(Exception):
    """Raised by a callback of a node that has nothing left to do; the exit code is then 0."""


def run_node(name: str, make: Callable[[], Node], args: Sequence[str] | None) -> int:
    """Make a node, spin it until it finishes or a signal comes, and clean up.

    An exception of a callback is logged and the node spun on, unless that happens all the time.

    Args:
        name: For log lines before there is a node.
        make: Makes the node.
        args: Command line with ROS arguments; None for the process's own.

    Returns:
        0 after a stop, 1 if the node could not start (one fatal line says why), not stop in time,
        or not work.
    """
    logger = get_logger(name)
    node: Node | None = None
    code = 0
    try:
        tune_process_for_images()
        try:
            rclpy.init(args=None if args is None else list(args))
        except Exception as error:  # no common base for a bad argument and an unreadable file
            logger.fatal(f"cannot start: {said(error)}")
            return 1
        try:
            node = make()
            _spin(node)
        except (ExternalShutdownException, Finished):
            pass
        except ConfigurationError as error:
            logger.fatal(f"cannot start: {said(error)}")
            code = 1
        except Exception as error:
            # a signal ends ROS under whatever call is going on, which then fails in its own way
            if rclpy.ok():
                logger.fatal(f"cannot go on: {type(error).__name__}: {said(error)}")
                code = 1
    except KeyboardInterrupt:  # may come while another exception is being handled
        pass
    finally:
        # launch and a terminal both send SIGINT: the second must not interrupt the clean-up, which
        # is bounded
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if node is not None:
            if not _stop(node):
                logger.error("its work did not end in time; leaving without it")
                code = 1
            node.destroy_node()
        rclpy.try_shutdown()
    return code


def _spin(node: Node) -> None:
    failures: deque[float] = deque(maxlen=MOST_FAILURES)
    while True:
        try:
            rclpy.spin(node)
            return
        except (ExternalShutdownException, Finished):
            raise
        except Exception:
            if not rclpy.ok():
                raise
            node.get_logger().error(
                f"a defect of the node, please report it:\n{handled_traceback()}"
            )
            failures.append(time.monotonic())
            if len(failures) == MOST_FAILURES and failures[-1] - failures[0] < FAILURE_PERIOD:
                raise


def _stop(node: Node) -> bool:
    """Call the node's own `stop() -> bool` where it has one."""
    stop: Callable[[], bool] | None = getattr(node, "stop", None)
    return stop is None or stop()
