# SPDX-License-Identifier: Apache-2.0
"""Measures image streams between two computers of namespaces: the table of doc/networks.md.

Needs root (or user namespaces), iproute2, and for losses nft (nftables). Not part of `make bench`:
it takes minutes, and says something of Fast DDS and the kernel, not of this project.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "test" / "node"))

from network_namespaces import Host, Network, Program

ENDS = ROOT / "test" / "node" / "remote_ends.py"
SIZES = {"640x320": (640, 320), "672x672": (672, 672), "1920x1080": (1920, 1080)}
RATE = 30.0  # images per second
WARM_UP = 2.0  # seconds
CONNECTED = 15.0  # seconds that the first image may take
# Each lost packet of 1500 bytes is one of the 44 pieces of a datagram: the kernel waits so long for
# it, and keeps all other pieces meanwhile in so many bytes of memory.
REASSEMBLY = {"ipfrag_time": 1, "ipfrag_high_thresh": 134217728}


class Conditions(NamedTuple):
    """What one line of the table is measured under."""

    where: str  # "one host" or "network"
    size: str
    reliability: str
    loss: float  # share of the packets, 0 to 1
    tuned: bool  # whether the receiving kernel has the values of REASSEMBLY


class Figures(NamedTuple):
    """What was measured."""

    sent: float  # per second
    received: float
    p50: float  # ms from the publisher's call to the subscriber's callback; NaN for none
    p99: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8.0, help="for each line (8)")
    parser.add_argument("--losses", type=float, nargs="*", default=[0.0, 0.001, 0.01])
    parser.add_argument("--sizes", nargs="*", choices=SIZES, default=list(SIZES))
    parser.add_argument("--profile", type=Path, default=ROOT / "config" / "fastdds_shm.xml")
    arguments = parser.parse_args()
    say("| where | image | QoS | loss | reassembly | received of 30/s | p50 ms | p99 ms |")
    say("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for each in conditions(arguments.sizes, arguments.losses):
        got = measure(each, arguments.profile.resolve(), arguments.seconds)
        say(
            f"| {each.where} | {each.size} | {each.reliability} | {each.loss:.1%} "
            f"| {'tuned' if each.tuned else 'default'} | {got.received:.1f} "
            f"| {got.p50:.1f} | {got.p99:.1f} |"
        )


def say(text: str) -> None:
    """Prints a line of the table."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def conditions(sizes: list[str], losses: list[float]) -> Iterator[Conditions]:
    """Yields the lines of the table."""
    for size, reliability in itertools.product(sizes, ("best_effort", "reliable")):
        yield Conditions("one host", size, reliability, 0.0, False)
        for loss in losses:
            for tuned in (False, True) if loss else (False,):
                yield Conditions("network", size, reliability, loss, tuned)


def measure(given: Conditions, profile: Path, seconds: float) -> Figures:
    """Sends images from one computer to another, or to itself."""
    environment = {
        "FASTRTPS_DEFAULT_PROFILES_FILE": str(profile),
        "FASTDDS_DEFAULT_PROFILES_FILE": str(profile),
        "ROS_LOCALHOST_ONLY": "0",
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "SUBNET",
        "ROS_DOMAIN_ID": "0",
    }
    command = [sys.executable, str(ENDS)]
    options = ["--reliability", given.reliability]
    with (
        tempfile.TemporaryDirectory() as folder,
        Network(["camera", "robot"], Path(folder)) as network,
    ):
        camera = network.hosts["camera"]
        robot = camera if given.where == "one host" else network.hosts["robot"]
        lose(robot, given.loss)
        if given.tuned:
            tune(robot)
        listener = robot.start("images", [*command, "images", "/image", *options], **environment)
        width, height = map(str, SIZES[given.size])
        sizes = ["--size", width, height, "--rate", str(RATE)]
        sender = camera.start(
            "camera", [*command, "camera", "/image", *options, *sizes], **environment
        )
        deadline = time.monotonic() + CONNECTED
        while not pairs(listener) and time.monotonic() < deadline:
            time.sleep(0.1)
        time.sleep(WARM_UP)
        begin = time.time_ns()
        time.sleep(seconds)
        end = time.time_ns()
        sent = [stamp for stamp, _ in pairs(sender) if begin <= stamp < end]
        took = sorted((at - stamp) / 1e6 for stamp, at in pairs(listener) if begin <= at < end)
    nothing = float("nan")
    return Figures(
        len(sent) / seconds,
        len(took) / seconds,
        statistics.median(took) if took else nothing,
        took[int(0.99 * (len(took) - 1))] if took else nothing,
    )


def lose(host: Host, share: float) -> None:
    """Drops so many of the packets that arrive, whole datagrams or their pieces."""
    if share:
        host.run(
            "nft",
            "add table inet far; add chain inet far in { type filter hook prerouting priority "
            "-500; }; add rule inet far in iifname eth0 numgen random mod 100000 < "
            f"{round(share * 100_000)} drop",
        )


def tune(host: Host) -> None:
    """Sets what doc/networks.md recommends for receivers, in the computer's namespace."""
    for name, value in REASSEMBLY.items():
        host.run("sh", "-c", f"echo {value} >/proc/sys/net/ipv4/{name}")


def pairs(program: Program) -> list[tuple[int, int]]:
    """Returns the two numbers of each line that holds two."""
    lines = [line.split() for line in program.log.splitlines()]
    return [(int(a), int(b)) for a, b in (x for x in lines if len(x) == 2 and x[0].isdigit())]


if __name__ == "__main__":
    main()
