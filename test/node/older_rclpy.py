# SPDX-License-Identifier: Apache-2.0
"""Runs an executable of the package without what rclpy has gained since Humble (rclpy 3.3).

On Humble itself there is nothing to take away.
"""

from __future__ import annotations

import functools
import importlib
import runpy
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ament_index_python.packages import get_package_prefix

# Methods and properties that came later; those that rclpy itself calls have to stay.
NEWER_MEMBERS = {
    "rclpy.client.Client": ("configure_introspection", "service_name"),
    "rclpy.executors.Executor": ("__enter__", "__exit__", "create_future"),
    "rclpy.node.Node": (
        "add_post_set_parameters_callback",
        "add_pre_set_parameters_callback",
        "count_clients",
        "count_services",
        "get_fully_qualified_node_names",
        "remove_post_set_parameters_callback",
        "remove_pre_set_parameters_callback",
        "wait_for_node",
    ),
    "rclpy.service.Service": ("configure_introspection", "service_name"),
    "rclpy.subscription.Subscription": ("get_publisher_count",),
}
# Arguments that came later.
NEWER_ARGUMENTS = {
    "rclpy.client.Client.call": ("timeout_sec",),
    "rclpy.event_handler.PublisherEventCallbacks.__init__": ("incompatible_type", "matched"),
    "rclpy.event_handler.SubscriptionEventCallbacks.__init__": ("incompatible_type", "matched"),
    "rclpy.node.Node.__init__": ("enable_logger_service",),
    "rclpy.node.Node.create_timer": ("autostart",),
}
# Modules that came later; the first under another name: it was rclpy.qos_event.
NEWER_MODULES = (
    "rclpy.event_handler",
    "rclpy.experimental",
    "rclpy.logging_service",
    "rclpy.parameter_client",
    "rclpy.parameter_event_handler",
    "rclpy.service_introspection",
    "rclpy.type_description_service",
)


def without(function: Callable[..., Any], newer: tuple[str, ...]) -> Callable[..., Any]:
    """Refuse arguments as a function does that does not know them."""

    @functools.wraps(function)
    def older(*arguments: Any, **named: Any) -> Any:
        for name in newer:
            if name in named:
                raise TypeError(f"{function.__name__}() got an unexpected keyword '{name}'")
        return function(*arguments, **named)

    return older


def find(path: str) -> Any:
    """The class of a dotted path; None if this rclpy has no such module."""
    module, _, name = path.rpartition(".")
    try:
        return getattr(importlib.import_module(module), name)
    except ModuleNotFoundError:
        return None


def become_older() -> None:
    """Take it away."""
    import rclpy.executors
    import rclpy.lifecycle
    import rclpy.node  # noqa: F401  all that rclpy imports must be there before

    for path, newer in NEWER_ARGUMENTS.items():
        owner, _, name = path.rpartition(".")
        of = find(owner)
        if of is not None:
            setattr(of, name, without(getattr(of, name), newer))
    for owner, members in NEWER_MEMBERS.items():
        of = find(owner)
        for name in members:
            if name in vars(of):
                delattr(of, name)
    events = sys.modules.get("rclpy.event_handler")
    if events is not None:
        names = ("PublisherEventCallbacks", "SubscriptionEventCallbacks")
        older = types.ModuleType("rclpy.qos_event")
        for name in (*names, "UnsupportedEventTypeError"):
            setattr(older, name, getattr(events, name))
        sys.modules["rclpy.qos_event"] = older
        for name in NEWER_MODULES:
            sys.modules[name] = None  # type: ignore[assignment]


if __name__ == "__main__":
    sys.argv = sys.argv[1:]
    become_older()
    executables = Path(get_package_prefix("hbm_runtime_ros"), "lib", "hbm_runtime_ros")
    runpy.run_path(str(executables / sys.argv[0]), run_name="__main__")
