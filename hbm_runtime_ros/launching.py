# SPDX-License-Identifier: Apache-2.0
"""What the launch files share: arguments with types, the inference node, the Fast DDS profile."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ament_index_python.packages import get_package_share_directory
from launch.actions import DeclareLaunchArgument, OpaqueFunction, SetEnvironmentVariable
from launch.substitutions import EnvironmentVariable, LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

if TYPE_CHECKING:
    from launch import Action, LaunchContext

PACKAGE = "hbm_runtime_ros"
LOG_LEVELS = ["debug", "info", "warn", "error", "fatal"]
TRUE_OR_FALSE = ["true", "false"]
# Names of the same variable: Humble and Jazzy, newer.
PROFILE_VARIABLES = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")
# Seconds from SIGINT to SIGTERM: the node finishes what it is computing, launch's 5 are too few.
STOP_TIMEOUT = "10"

T = TypeVar("T")
ParameterTypes = bool | int | float | str | Sequence[int] | Sequence[str]


class LaunchArgumentError(ValueError):
    """An argument that cannot be used; the text names it and what is allowed."""


def config_file(name: str) -> str:
    """Path of a file in the package's folder `config`.

    Args:
        name: Of the file.

    Returns:
        The path.
    """
    return str(Path(get_package_share_directory(PACKAGE), "config", name))


def middleware_profile() -> list[Action]:
    """Name the shared-memory profile in the environment; one that is named already stays.

    Returns:
        Actions; nodes that are started after them see it.
    """
    profile = config_file("fastdds_shm.xml")
    return [
        SetEnvironmentVariable(name, EnvironmentVariable(name, default_value=profile))
        for name in PROFILE_VARIABLES
    ]


def log_level_argument() -> DeclareLaunchArgument:
    """Declare `log_level`.

    Returns:
        The action.
    """
    return DeclareLaunchArgument(
        "log_level",
        default_value="info",
        description="Least severe messages to log",
        choices=LOG_LEVELS,
    )


def node_arguments() -> list[Action]:
    """Declare what every launch file with inference nodes takes; `inference_node` reads it.

    Returns:
        The actions.
    """
    return [
        DeclareLaunchArgument(
            "namespace", default_value="", description="Namespace of the nodes and their topics"
        ),
        DeclareLaunchArgument(
            "respawn",
            default_value="false",
            description="Start a node again that has ended, for whatever reason",
            choices=TRUE_OR_FALSE,
        ),
        DeclareLaunchArgument(
            "respawn_delay",
            default_value="2.0",
            description="Seconds until then, a number >= 0",
        ),
        DeclareLaunchArgument(
            "autostart",
            default_value="",
            description="Configure and activate the node by itself; empty: as its parameters say",
            choices=["", *TRUE_OR_FALSE],
        ),
        DeclareLaunchArgument(
            "use_sim_time",
            default_value="",
            description="Take the time from /clock, as with a bag; empty: as its parameters say",
            choices=["", *TRUE_OR_FALSE],
        ),
        log_level_argument(),
    ]


def inference_node(
    context: LaunchContext,
    name: str,
    parameters: Sequence[str | Mapping[str, ParameterTypes]],
    *,
    namespace: str = "",
    remappings: Sequence[tuple[str, str]] = (),
) -> Action:
    """Describe one inference node, with the arguments of `node_arguments`.

    Args:
        context: Of the launch.
        name: Of the node.
        parameters: Files and values; what comes later counts more.
        namespace: Inside of the argument `namespace`.
        remappings: Names of topics, from and to.

    Returns:
        The action.

    Raises:
        LaunchArgumentError: If an argument cannot be used.
    """
    given = {
        name: text == "true"
        for name in ("autostart", "use_sim_time")
        if (text := read(context, name))
    }
    return Node(
        package=PACKAGE,
        executable="inference_node",
        name=name,
        namespace="/".join(part for part in (read(context, "namespace"), namespace) if part),
        parameters=[_parameters(values) for values in (*parameters, given) if values],
        remappings=list(remappings),
        ros_arguments=["--log-level", read(context, "log_level")],
        output="screen",
        respawn=read(context, "respawn") == "true",
        respawn_delay=read_number(context, "respawn_delay", float, at_least=0.0),
        sigterm_timeout=STOP_TIMEOUT,
    )


def described_by(make: Callable[[LaunchContext], list[Action]]) -> Action:
    """Put off what depends on the arguments until they are known.

    Args:
        make: Reads them and makes the actions.

    Returns:
        One action that stands for them.
    """
    return OpaqueFunction(function=make)


def read(context: LaunchContext, name: str) -> str:
    """Read an argument.

    Args:
        context: Of the launch.
        name: Of the argument.

    Returns:
        As given, or its default, without blanks around it.
    """
    text: str = LaunchConfiguration(name).perform(context)
    return text.strip()


def read_list(context: LaunchContext, name: str) -> list[str]:
    """Read an argument of several values: "a,b", "a b" or "[a, b]".

    Args:
        context: Of the launch.
        name: Of the argument.

    Returns:
        The values; none for an empty argument.
    """
    return read(context, name).strip("[]").replace(",", " ").split()


def read_number(
    context: LaunchContext, name: str, kind: Callable[[str], T], at_least: float | None = None
) -> T:
    """Read a number.

    Args:
        context: Of the launch.
        name: Of the argument.
        kind: int or float.
        at_least: Smallest one allowed, None for any.

    Returns:
        The number.

    Raises:
        LaunchArgumentError: If it is none, or too small.
    """
    return _number(name, read(context, name), kind, at_least)


def read_numbers(context: LaunchContext, name: str, kind: Callable[[str], T]) -> list[T]:
    """Read an argument of several numbers, see `read_list`.

    Args:
        context: Of the launch.
        name: Of the argument.
        kind: int or float.

    Returns:
        The numbers.

    Raises:
        LaunchArgumentError: If one of them is none.
    """
    return [_number(name, text, kind, None) for text in read_list(context, name)]


def read_assignments(context: LaunchContext, name: str) -> dict[str, str]:
    """Read an argument like "detector=/models/a.hbm,orientation=/models/b.hbm".

    Args:
        context: Of the launch.
        name: Of the argument.

    Returns:
        What is assigned, by name; empty for an empty argument.

    Raises:
        LaunchArgumentError: If a part of it is no assignment.
    """
    found: dict[str, str] = {}
    for part in filter(None, read(context, name).split(",")):
        key, equals, value = (text.strip() for text in part.partition("="))
        if not (key and equals and value):
            raise LaunchArgumentError(
                f"launch argument '{name}' must look like name=path,name=path, got {part!r}"
            )
        found[key] = value
    return found


def _number(name: str, text: str, kind: Callable[[str], T], at_least: float | None) -> T:
    what = "an integer" if kind is int else "a number"
    limit = "" if at_least is None else f" >= {at_least:g}"
    try:
        value: Any = kind(text)
    except ValueError:
        value = None
    if value is None or (at_least is not None and not value >= at_least):
        raise LaunchArgumentError(f"launch argument '{name}' must be {what}{limit}, got {text!r}")
    number: T = value
    return number


def _parameters(values: str | Mapping[str, ParameterTypes]) -> Any:
    """Files as they are; values with their types, which launch would guess from the text else."""
    if isinstance(values, str):
        return values
    return {name: ParameterValue(value, value_type=_type(value)) for name, value in values.items()}


def _type(value: ParameterTypes) -> Any:
    if isinstance(value, (bool, int, float, str)):
        return type(value)
    return list[str] if any(isinstance(item, str) for item in value) else list[int]
