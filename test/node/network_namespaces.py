# SPDX-License-Identifier: Apache-2.0
"""Several computers on one cable, made of Linux namespaces, for processes of a test."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

TOOLS = ("ip", "mount", "nsenter", "unshare")
PATIENCE = 30.0  # seconds; only reached by a failing test
# Anybody but root becomes it in a user namespace, where the kernel allows that.
_AS_ROOT = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
_HOST_NAMESPACES = ["--net", "--mount", "--uts", "--ipc"]
# Holds the namespaces while the test's end of its input is open: they end with the test, however it
# ends. A computer's shared memory is its own, and so is what Fast DDS 3 knows a computer by.
_HOST_SCRIPT = """
set -e
mount -t tmpfs tmpfs /dev/shm
[ ! -e /etc/machine-id ] || mount --bind "$2" /etc/machine-id
hostname "$1" 2>/dev/null || echo "$1" >/proc/sys/kernel/hostname
ip link set lo up
echo ready
exec cat
"""
_SWITCH_SCRIPT = """
set -e
ip link add cable type bridge mcast_snooping 0
ip link set dev cable up
echo ready
exec cat
"""


class NoNamespacesError(RuntimeError):
    """This machine makes no namespaces for us; the text says why."""


class Network:
    """A switch with computers on it, each with namespaces and an address (10.77.0.N) of its own."""

    def __init__(self, names: Sequence[str], folder: Path) -> None:
        """Make them.

        Args:
            names: Of the computers.
            folder: For their files.

        Raises:
            NoNamespacesError: If this machine lacks the privilege or a tool.
        """
        missing = [tool for tool in TOOLS if shutil.which(tool) is None]
        if missing:
            raise NoNamespacesError(
                f"needs the commands {', '.join(missing)} (iproute2, util-linux)"
            )
        self._holders: list[subprocess.Popen[bytes]] = []
        self.hosts: dict[str, Host] = {}
        try:
            self._switch = self._hold(["unshare", *_AS_ROOT, "--net"], _SWITCH_SCRIPT)
            for number, name in enumerate(names, start=1):
                self.hosts[name] = self._add_host(name, number, folder)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Network:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End what still runs on the computers, then the computers."""
        for host in self.hosts.values():
            host.close()
        for holder in reversed(self._holders):
            assert holder.stdin is not None and holder.stdout is not None
            holder.stdin.close()
            holder.stdout.close()
            holder.wait(PATIENCE)

    def _add_host(self, name: str, number: int, folder: Path) -> Host:
        machine_id = folder / f"{name}.machine-id"
        machine_id.write_text(f"{number:032x}\n")
        enter = _enter(self._switch, ["--user", "--preserve-credentials"] if _AS_ROOT else [])
        process = self._hold(
            [*enter, "unshare", *_HOST_NAMESPACES], _HOST_SCRIPT, name, str(machine_id)
        )
        host = Host(name, f"10.77.0.{number}", process, self._switch, folder)
        host.connect()
        return host

    def _hold(self, namespaces: list[str], script: str, *arguments: str) -> int:
        process = subprocess.Popen(
            [*namespaces, "sh", "-c", script, "sh", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._holders.append(process)
        assert process.stdout is not None and process.stderr is not None
        if process.stdout.readline() != b"ready\n":
            reason = " ".join(process.stderr.read().decode(errors="replace").split())
            raise NoNamespacesError(f"needs the privilege to make network namespaces ({reason})")
        return process.pid


class Host:
    """One computer."""

    def __init__(self, name: str, address: str, process: int, switch: int, folder: Path) -> None:
        self.name = name
        self.address = address
        self._process = process
        self._switch = switch
        self._folder = folder
        self._programs: list[Program] = []

    def connect(self) -> None:
        """Lay its cable to the switch."""
        _run(
            *_in_network(self._switch),
            *("ip", "link", "add", "name", self.name, "type", "veth"),
            *("peer", "name", "eth0", "netns", str(self._process)),
        )
        self.run("ip", "address", "add", f"{self.address}/24", "dev", "eth0")
        self.run("ip", "link", "set", "eth0", "up")
        # discovery is by multicast
        self.run("ip", "route", "add", "224.0.0.0/4", "dev", "eth0")
        _run(
            *_in_network(self._switch),
            "ip",
            "link",
            "set",
            "dev",
            self.name,
            "master",
            "cable",
            "up",
        )

    def cut(self) -> None:
        """Pull its cable out of the switch; what it sends is lost, and it is not told."""
        _run(*_in_network(self._switch), "ip", "link", "set", "dev", self.name, "nomaster")

    def heal(self) -> None:
        """Put the cable back."""
        _run(*_in_network(self._switch), "ip", "link", "set", "dev", self.name, "master", "cable")

    def unplug(self) -> None:
        """Take its interface down: the computer itself sees that there is no network."""
        self.run("ip", "link", "set", "eth0", "down")

    def plug(self) -> None:
        """Bring its interface up again."""
        self.run("ip", "link", "set", "eth0", "up")
        self.run("ip", "route", "add", "224.0.0.0/4", "dev", "eth0")

    def run(self, *command: str) -> str:
        """Run a command there to its end and return what it printed."""
        return _run(*self._enter(), *command)

    def start(self, name: str, command: Sequence[str], **environment: str) -> Program:
        """Start a program there, which is ended with the network at the latest.

        Args:
            name: Of its log.
            command: The program and its arguments.
            environment: Beside that of this process.
        """
        log_file = self._folder / f"{self.name}.{name}.log"
        with log_file.open("ab") as log:
            process = subprocess.Popen(
                [*self._enter(), *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self._folder,
                env={**os.environ, **environment, "ROS_LOG_DIR": str(self._folder / "ros_log")},
            )
        self._programs.append(Program(process, log_file))
        return self._programs[-1]

    def close(self) -> None:
        """End its programs."""
        for program in self._programs:
            program.stop(signal.SIGKILL)

    def _enter(self) -> list[str]:
        user = ["--user", "--preserve-credentials"] if _AS_ROOT else []
        return _enter(self._process, [*user, *_HOST_NAMESPACES])


class Program:
    """A program that was started on a computer."""

    def __init__(self, process: subprocess.Popen[bytes], log_file: Path) -> None:
        self.process = process
        self._log_file = log_file

    @property
    def log(self) -> str:
        """All that it has printed."""
        return self._log_file.read_text(errors="replace")

    @property
    def runs(self) -> bool:
        """Whether it has not ended."""
        return self.process.poll() is None

    def stop(self, with_signal: signal.Signals = signal.SIGINT) -> int:
        """Ask it to end and return its exit code."""
        if self.runs:
            self.process.send_signal(with_signal)
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise


def _in_network(process: int) -> list[str]:
    return _enter(process, [*(["--user", "--preserve-credentials"] if _AS_ROOT else []), "--net"])


def _enter(process: int, namespaces: list[str]) -> list[str]:
    return ["nsenter", "--target", str(process), *namespaces] if namespaces else []


def _run(*command: str) -> str:
    answer = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    if answer.returncode != 0:
        raise NoNamespacesError(f"{' '.join(command)}: {answer.stderr.strip()}")
    return answer.stdout
