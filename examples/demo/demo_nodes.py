# SPDX-License-Identifier: Apache-2.0
"""The demo's three nodes: their files, their middleware settings, how they are started."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import sys
from pathlib import Path
from typing import NamedTuple

from ament_index_python.packages import get_package_prefix, get_package_share_directory

from child_processes import ChildProcesses

PACKAGE = "hbm_runtime_ros"
MODELS = ("detector", "orientation")
DETECTOR_TENSORS = "inference_node/detector/tensors"
DOMAINS = range(1, 101)


class Files(NamedTuple):
    """The arguments of demo.launch.py."""

    models: Path
    source: Path
    overlay: Path

    def missing(self) -> list[Path]:
        """What the nodes need and is not there."""
        needed = [self.source, *(self.models / f"{name}.hbm" for name in MODELS)]
        return [file for file in needed if not file.is_file()]


def files(folder: Path) -> Files:
    """Where everything is in the demo's folder."""
    return Files(folder / "models", folder / "photo.png", folder / "overlay.png")


def middleware_settings() -> dict[str, str]:
    """A domain of its own on this machine only, and shared memory large enough for images.

    Returns:
        Environment variables for all processes that shall see each other.

    Raises:
        OSError: If no domain is free.
    """
    profile = str(Path(get_package_share_directory(PACKAGE), "config", "fastdds_shm.xml"))
    settings = {
        name: os.environ.get(name, profile)
        for name in ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")
    }
    settings["ROS_DOMAIN_ID"] = str(_free_domain())
    if os.environ.get("ROS_DISTRO") == "humble":
        settings["ROS_LOCALHOST_ONLY"] = "1"  # Humble does not know the other
    else:
        settings["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    return settings


def _free_domain() -> int:
    """A ROS domain without participants on this machine: its discovery port is free."""
    for attempt in range(len(DOMAINS)):
        domain = DOMAINS[(os.getpid() + attempt) % len(DOMAINS)]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind(("", 7400 + 250 * domain))
            except OSError:
                continue
        return domain
    raise OSError(f"all ROS domains from {DOMAINS[0]} to {DOMAINS[-1]} are in use on this machine")


def start(children: ChildProcesses, folder: Path, with_launch: bool) -> None:
    """Start what demo.launch.py describes: with it where launch is installed, else one by one.

    Args:
        children: To start them as.
        folder: Of the demo; gets their logs.
        with_launch: Use launch where there is one.
    """
    logs = folder / "logs"
    logs.mkdir(exist_ok=True)
    # ROS logs into the home folder otherwise
    os.environ["ROS_LOG_DIR"] = str(logs / "ros")
    ros2 = shutil.which("ros2")
    if with_launch and ros2 and importlib.util.find_spec("launch_ros"):
        arguments = [f"{name}:={path}" for name, path in files(folder)._asdict().items()]
        command = [ros2, "launch", PACKAGE, "demo.launch.py", *arguments]
        children.start("ros2 launch", command, logs / "launch.log")
        return
    for node, arguments in _arguments(files(folder)).items():
        executable = Path(get_package_prefix(PACKAGE), "lib", PACKAGE, node)
        children.start(node, [sys.executable, executable, *arguments], logs / f"{node}.log")


def _arguments(paths: Files) -> dict[str, list[str]]:
    """Command line of each node, as demo.launch.py gives it."""
    parameters = Path(get_package_share_directory(PACKAGE), "config", "demo.yaml")
    common = ["--ros-args", "--params-file", str(parameters)]
    model_files = [f"{name}.file:={paths.models / name}.hbm" for name in MODELS]
    return {
        "inference_node": [*common, *(part for file in model_files for part in ("-p", file))],
        "image_player": [*common, "-p", f"source:={paths.source}"],
        "text_overlay": [
            *common,
            *("-p", f"save_path:={paths.overlay}"),
            *("-r", f"tensors:={DETECTOR_TENSORS}"),
        ],
    }
