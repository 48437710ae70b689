# SPDX-License-Identifier: Apache-2.0
"""Runs a node as a process: clear start-up errors, a clean stop on signals, exit codes."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence

import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.logging import get_logger
from rclpy.node import Node

from hbm_runtime_ros.parameter_table import ConfigurationError
from hbm_runtime_ros.process_settings import hurry_with_images


class Finished(Exception):
    """Raised by a callback of a node that has nothing left to do; the exit code is then 0."""


def run_node(name: str, make: Callable[[], Node], args: Sequence[str] | None) -> int:
    """Make a node, spin it until it finishes or a signal comes, and clean up.

    Args:
        name: For log lines before there is a node.
        make: Makes the node.
        args: Command line with ROS arguments; None for the process's own.

    Returns:
        0 after a stop, 1 if the node could not start (one fatal line says why) or not stop in time.
    """
    logger = get_logger(name)
    hurry_with_images()
    try:
        rclpy.init(args=None if args is None else list(args))
    except Exception as error:  # rclpy has no common base for a bad argument and an unreadable file
        logger.fatal(f"cannot start: {_one_line(error)}")
        return 1
    node: Node | None = None
    code = 0
    try:
        node = make()
        rclpy.spin(node)
    except (KeyboardInterrupt, ExternalShutdownException, Finished):
        pass
    except ConfigurationError as error:
        logger.fatal(f"cannot start: {_one_line(error)}")
        code = 1
    except Exception:
        # a signal ends ROS under whatever call is going on, which then fails in its own way
        if rclpy.ok():
            raise
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


def _stop(node: Node) -> bool:
    """Call the node's own `stop() -> bool` where it has one."""
    stop: Callable[[], bool] | None = getattr(node, "stop", None)
    return stop is None or stop()


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
