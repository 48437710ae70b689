# SPDX-License-Identifier: Apache-2.0
"""Declares parameters with ROS, reads them, and lets through the changes that are allowed."""

from __future__ import annotations

import array
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.exceptions import ParameterException
from rclpy.parameter import Parameter

from hbm_runtime_ros.parameters.derived_tables import is_own_of_ros
from hbm_runtime_ros.parameters.known import known_parameters, value_of
from hbm_runtime_ros.parameters.reading import check, settings
from hbm_runtime_ros.parameters.row_type import (
    ConfigurationError,
    ParameterSpec,
    ParameterType,
    Problem,
    check_values,
)

if TYPE_CHECKING:
    from rclpy.node import Node

    from hbm_runtime_ros.parameters.settings import NodeSettings

_NOT_NOW = (
    "can only change while the node is unconfigured: "
    "ros2 lifecycle set {node} deactivate, then cleanup"
)


class DeclaredParameters:
    """The parameters of an inference node: declared, checked as a whole, changed as a whole.

    The node must have been made with `automatically_declare_parameters_from_overrides=True`: so
    everything that was configured is visible, also what is unknown.

    While the node is unconfigured every parameter may change, one by one: only each value is
    checked, the whole at the next `read`. While it is configured, live parameters may change, and
    each change is checked as a whole before and applied as a whole after.
    """

    def __init__(
        self,
        node: Node,
        check_change: Callable[[NodeSettings], str],
        apply_change: Callable[[NodeSettings], None],
    ) -> None:
        """Declare what can be declared; nothing is refused before `read`.

        Args:
            node: Whose parameters they are.
            check_change: Says why settings that are fine for themselves cannot be worked with, or
                "". Called while the node is configured, in the thread that changes parameters;
                must not change parameters.
            apply_change: Takes over settings that `check_change` found fine, once for all
                parameters that were changed at once. Called like it.
        """
        self._node = node
        self._check_change = check_change
        self._apply_change = apply_change
        self._configured = False
        self._declaring: int | None = None  # the thread that does
        # Configured or set; all others have a default, which for an image is its model's value.
        self._given = {key for key in node.get_parameters_by_prefix("") if not is_own_of_ros(key)}
        self._ever_known: set[str] = set()
        self._descriptors: dict[str, ParameterDescriptor] = {}
        self._declare(self._values())
        node.add_on_set_parameters_callback(self._on_set)
        # Humble has no such callback: there the last moment is the end of the other one
        add_post = getattr(node, "add_post_set_parameters_callback", None)
        self._has_post = add_post is not None
        if add_post is not None:
            add_post(self._after_set)

    def read(self) -> NodeSettings:
        """Declare what is missing, check everything and make settings of it.

        Returns:
            The settings.

        Raises:
            ConfigurationError: With all problems.
        """
        values = self._values()
        self._declare(values)
        return settings(values)

    def set_configured(self, configured: bool) -> None:
        """Say whether the node works with what was read; if so, only live parameters may change."""
        self._configured = configured
        known = known_parameters(self._values())
        for key, descriptor in self._descriptors.items():
            # set_descriptor would refuse to give a read-only parameter another descriptor; rclpy
            # goes by the one that it was given, which this is
            descriptor.read_only = configured and not (key in known and known[key].live)

    def _values(self, changes: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """What was given and is known, or was never known; as it would be with some changes."""
        node = self._node
        values = {key: _plain(node.get_parameter(key).value) for key in sorted(self._given)}
        values.update(changes or {})
        known = known_parameters(values)
        # a model that was taken out of `models` keeps its parameters, for the case that it returns
        return {k: v for k, v in values.items() if k in known or k not in self._ever_known}

    def _declare(self, values: Mapping[str, Any]) -> None:
        known = known_parameters(values)
        self._ever_known.update(known)
        with self._silently():
            for key, spec in known.items():
                value = value_of(values, key)
                if not self._node.has_parameter(key):
                    default = spec.default if spec.problem(value) else value
                    self._node.declare_parameter(key, default)
                elif key not in self._given and not spec.problem(value):
                    self._follow_model(key, spec, value)
                self._describe(key, spec)
            for key in self._given.difference(known):
                self._allow_any(key, "Unknown to this node.")

    def _follow_model(self, key: str, spec: ParameterSpec, value: Any) -> None:
        """Show what an image has from its model, which may have changed."""
        if _plain(self._node.get_parameter(key).value) != value and not self._configured:
            kind = Parameter.Type(spec.type.value)
            self._node.set_parameters([Parameter(key, kind, value)])

    def _describe(self, key: str, spec: ParameterSpec) -> None:
        if key in self._descriptors:
            return
        if spec.problem(_plain(self._node.get_parameter(key).value)):
            self._allow_any(key, spec.description)  # else it could not be set right
            return
        described = descriptor(spec, read_only=self._configured and not spec.live)
        if not spec.live:
            parts = (
                described.additional_constraints,
                "changes only while the node is unconfigured",
            )
            described.additional_constraints = "; ".join(filter(None, parts))
        self._descriptors[key] = described
        self._node.set_descriptor(key, self._descriptors[key])

    def _allow_any(self, key: str, description: str) -> None:
        described = ParameterDescriptor(dynamic_typing=True, description=description)
        self._node.set_descriptor(key, described)

    @contextmanager
    def _silently(self) -> Iterator[None]:
        """Do not take the node's own declarations for changes from outside."""
        self._declaring = threading.get_ident()
        try:
            yield
        finally:
            self._declaring = None

    def _on_set(self, parameters: Sequence[Parameter]) -> SetParametersResult:
        changes = self._changes(parameters)
        if not changes:
            return SetParametersResult(successful=True)
        reason = self._refusal(changes)
        if not reason and not self._has_post:
            self._take_over(changes)
        return SetParametersResult(successful=not reason, reason=reason)

    def _after_set(self, parameters: Sequence[Parameter]) -> None:
        changes = self._changes(parameters)
        if changes:
            self._take_over(changes)

    def _changes(self, parameters: Sequence[Parameter]) -> dict[str, Any]:
        """What is changed of these parameters from outside; None for what is deleted."""
        if self._declaring == threading.get_ident():
            return {}
        ours = self._given.union(self._ever_known)  # not those that a subclass declares
        return {p.name: _plain(p.value) for p in parameters if p.name in ours}

    def _refusal(self, changes: Mapping[str, Any]) -> str:
        """Why a change is not allowed, or ""."""
        values = self._values(changes)
        known = known_parameters(values)
        if not self._configured:
            return _sentences(check_values(known, changes))
        where = self._node.get_fully_qualified_name()
        problems = [
            Problem(key, _NOT_NOW.format(node=where))
            for key in changes
            if key not in known or not known[key].live
        ]
        if problems:
            return _sentences(problems)
        found = check(values)
        return _sentences(found) if found else self._check_change(settings(values))

    def _take_over(self, changes: Mapping[str, Any]) -> None:
        self._given = {
            key for key in self._given.union(changes) if changes.get(key, self) is not None
        }
        values = self._values({key: v for key, v in changes.items() if v is not None})
        if self._configured:
            self._apply_change(settings(values))
        else:
            self._declare(values)


def declare(node: Node, prefix: str, table: Sequence[ParameterSpec]) -> dict[str, Any]:
    """Declare the parameters of a table for good and read them, in a node without life cycle.

    Args:
        node: Without these parameters declared yet.
        prefix: Before each name of the table, e.g. "detector.".
        table: The parameters.

    Returns:
        Value per name of the table, of the declared type and allowed; arrays as lists.

    Raises:
        ConfigurationError: With all values that are not allowed.
    """
    values, problems = {}, []
    for spec in table:
        key = prefix + spec.name
        try:
            # any type first: rclpy's own refusal would not say what is allowed
            node.declare_parameter(key, spec.default, ParameterDescriptor(dynamic_typing=True))
        except ParameterException as error:
            raise ConfigurationError([Problem(key, f"cannot be declared: {error}")]) from error
        value = _plain(node.get_parameter(key).value)
        text = spec.problem(value)
        if text:
            problems.append(Problem(key, text))
        else:
            node.set_descriptor(key, descriptor(spec, read_only=True))
        values[spec.name] = value
    if problems:
        raise ConfigurationError(problems)
    return values


def descriptor(spec: ParameterSpec, read_only: bool) -> ParameterDescriptor:
    """What `ros2 param describe` shows.

    Args:
        spec: Row of the table.
        read_only: Whether ROS refuses every change.
    """
    described = ParameterDescriptor(
        type=spec.type.value, description=spec.description, read_only=read_only
    )
    if spec.bounds and spec.type is ParameterType.INTEGER:
        low, high = (int(bound) for bound in spec.bounds)
        described.integer_range = [IntegerRange(from_value=low, to_value=high, step=1)]
    elif spec.bounds and spec.type is ParameterType.DOUBLE:
        least, most = spec.bounds
        described.floating_point_range = [
            FloatingPointRange(from_value=float(least), to_value=float(most))
        ]
    else:
        described.additional_constraints = spec.allowed
    return described


def _plain(value: Any) -> Any:
    """A value as parameter files have it: arrays are lists."""
    return list(value) if isinstance(value, (array.array, tuple)) else value


def _sentences(problems: Sequence[Problem]) -> str:
    return "; ".join(map(str, problems))
