# SPDX-License-Identifier: Apache-2.0
"""Camera, node and consumer on three computers: results cross the network and survive its cuts."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ament_index_python.packages import get_package_share_directory
from network_namespaces import Host, Network, NoNamespacesError, Program

PATIENCE = 60.0  # seconds; only reached by a failing test
SILENCE = 1.5  # seconds without a result, of 20 per second, that mean that the stream has stopped
LEASE = 3  # seconds of silence after which a participant forgets another; Fast DDS has 20
ENDS = Path(__file__).with_name("remote_ends.py")
PROFILE = Path(get_package_share_directory("hbm_runtime_ros"), "config", "fastdds_shm.xml")
EXECUTABLES = Path(get_package_share_directory("hbm_runtime_ros"), "../../lib/hbm_runtime_ros")
# Over all of the network, where the tests' conftest has this machine only.
RANGE = (
    {"ROS_LOCALHOST_ONLY": "0"}
    if os.environ.get("ROS_DISTRO") in ("humble", "iron")
    else {"ROS_AUTOMATIC_DISCOVERY_RANGE": "SUBNET"}
)

pytestmark = pytest.mark.skipif(
    os.environ.get("RMW_IMPLEMENTATION", "rmw_fastrtps_cpp") != "rmw_fastrtps_cpp",
    reason="speaks of Fast DDS; RMW_IMPLEMENTATION names another middleware",
)


class Stream:
    """Images from the computer `camera` to the node on `robot`, tensors from there to `desk`."""

    def __init__(self, network: Network, model: Path, picture: Path, profile: Path) -> None:
        self.hosts = network.hosts
        self._environment = {
            **RANGE,
            "FASTRTPS_DEFAULT_PROFILES_FILE": str(profile),
            "FASTDDS_DEFAULT_PROFILES_FILE": str(profile),
        }
        self.player = self._start_node(
            self.hosts["camera"], "image_player", source=picture, rate=20.0
        )
        self.node = self._start_node(
            self.hosts["robot"], "inference_node", models="[m]", **{"m.file": model}
        )
        command = [sys.executable, str(ENDS), "tensors", "/inference_node/m/tensors"]
        self.listener = self.hosts["desk"].start(
            "listener", [*command, "--reliability", "reliable"], **self._environment
        )
        self.programs = (self.player, self.node, self.listener)
        self.await_result_of(time.time_ns(), "first results")

    def _start_node(self, host: Host, executable: str, **parameters: Any) -> Program:
        options = [word for key, value in parameters.items() for word in ("-p", f"{key}:={value}")]
        command = [sys.executable, str(EXECUTABLES / executable), "--ros-args", *options]
        return host.start(executable, command, **self._environment)

    @property
    def stamps(self) -> list[int]:
        """Stamps of the images whose results have arrived, ns of the clock they all share."""
        lines = [line.split() for line in self.listener.log.splitlines()]
        return [int(line[0]) for line in lines if len(line) == 2 and line[0].isdigit()]

    @property
    def publishers(self) -> int:
        """Publishers of the results that the listener knows of."""
        lines = [line.split() for line in self.listener.log.splitlines()]
        return next(int(line[1]) for line in reversed(lines) if line[:1] == ["publishers"])

    def await_result_of(self, moment: int, what: str) -> None:
        """Wait for the result of an image that was taken after a moment."""
        self.until(lambda: any(stamp > moment for stamp in self.stamps), what)

    def await_silence(self) -> None:
        """Wait until no more results come."""
        seen, since = len(self.stamps), time.monotonic()

        def is_silent() -> bool:
            nonlocal seen, since
            if len(self.stamps) != seen:
                seen, since = len(self.stamps), time.monotonic()
            return time.monotonic() - since > SILENCE

        self.until(is_silent, "the results to stop")

    def until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait until the condition holds."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert all(program.runs for program in self.programs), self.logs
            assert time.monotonic() < deadline, f"waited in vain for {what}:\n{self.logs}"
            time.sleep(0.1)

    @property
    def logs(self) -> str:
        """What the nodes have printed, and the end of what the listener has."""
        return "\n".join([self.player.log, self.node.log, self.listener.log[-500:]])


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Network]:
    try:
        network = Network(["camera", "robot", "desk"], tmp_path)
    except NoNamespacesError as error:
        pytest.skip(str(error))
    with network:
        yield network


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """Large enough to cross the network in many packets."""
    import cv2
    import numpy as np

    file = tmp_path / "picture.png"
    noise = np.random.default_rng(0).integers(0, 256, (360, 640, 3), dtype=np.uint8)
    assert cv2.imwrite(str(file), noise)
    return file


@pytest.mark.parametrize("where", ["camera", "desk"])
def test_results_stop_when_a_cable_is_cut_and_come_again_when_it_heals(
    network: Network, nv12_model: Path, picture: Path, where: str
) -> None:
    stream = Stream(network, nv12_model, picture, PROFILE)
    network.hosts[where].cut()
    stream.await_silence()
    network.hosts[where].heal()
    stream.await_result_of(time.time_ns(), f"fresh results after the cable of {where} healed")
    for program in stream.programs:
        assert program.stop() == 0, stream.logs
        assert "Traceback" not in program.log


def test_results_come_again_after_the_nodes_own_interface_was_down(
    network: Network, nv12_model: Path, picture: Path
) -> None:
    stream = Stream(network, nv12_model, picture, PROFILE)
    network.hosts["robot"].unplug()
    stream.await_silence()
    network.hosts["robot"].plug()
    stream.await_result_of(time.time_ns(), "fresh results after the interface came up")


def test_results_come_again_after_a_cut_so_long_that_the_computers_forgot_each_other(
    network: Network, nv12_model: Path, picture: Path, tmp_path: Path
) -> None:
    stream = Stream(network, nv12_model, picture, _forgetful_profile(tmp_path))
    network.hosts["robot"].cut()
    stream.await_silence()
    stream.until(lambda: stream.publishers == 0, "the desk to forget the robot")
    network.hosts["robot"].heal()
    stream.await_result_of(time.time_ns(), "fresh results after the computers met again")


def _forgetful_profile(folder: Path) -> Path:
    """The package's profile with a shorter lease, so that the test need not wait for 20 s."""
    builtin = (
        "<builtin><discovery_config>"
        f"<leaseDuration><sec>{LEASE}</sec></leaseDuration>"
        "<leaseAnnouncement><sec>1</sec></leaseAnnouncement>"
        "</discovery_config></builtin>"
    )
    text = PROFILE.read_text(encoding="utf-8")
    assert "<rtps>" in text
    file = folder / "forgetful.xml"
    file.write_text(text.replace("<rtps>", f"<rtps>{builtin}"), encoding="utf-8")
    return file
