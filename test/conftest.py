# SPDX-License-Identifier: Apache-2.0
"""What all storeys share: the demo's modules, and a ROS domain of their own on this machine."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sys
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

# Whose children, shared memory and recent images tests use, too.
sys.path.insert(0, str(Path(__file__).parents[1] / "examples" / "demo"))

_domain = contextlib.ExitStack()


def _reserved_domain() -> AbstractContextManager[int]:
    try:
        from domain_coordinator import domain_id
    except ImportError:  # without it nobody tells which ones are taken
        return contextlib.nullcontext(random.randint(1, 100))
    return domain_id()


def pytest_configure(config: pytest.Config) -> None:
    """Keeps this run's ROS traffic apart from everything else, whatever the shell has set."""
    # A job in the background of a shell ignores Ctrl-C, and so would the programs under test.
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ["ROS_DOMAIN_ID"] = str(_domain.enter_context(_reserved_domain()))
    if os.environ.get("ROS_DISTRO") in ("humble", "iron"):
        os.environ["ROS_LOCALHOST_ONLY"] = "1"
    else:
        os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"


def pytest_unconfigure(config: pytest.Config) -> None:
    """Gives the domain back."""
    _domain.close()


def pytest_report_header(config: pytest.Config) -> str:
    """Says where `ros2 topic list` would find the nodes of this run."""
    return f"ROS_DOMAIN_ID={os.environ['ROS_DOMAIN_ID']}"


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Lets a storey pass whose every file is skipped for a reason; pytest calls that "no tests"."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.OK
