# SPDX-License-Identifier: Apache-2.0
"""Parameters as rows of a table that declares, describes and checks them in one voice."""

from __future__ import annotations

import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.exceptions import ParameterException
from rclpy.parameter import Parameter

if TYPE_CHECKING:
    from rclpy.node import Node

_TYPE_NAMES = {
    Parameter.Type.BOOL: "bool",
    Parameter.Type.INTEGER: "integer",
    Parameter.Type.DOUBLE: "double (with a decimal point)",
    Parameter.Type.STRING: "string",
    Parameter.Type.INTEGER_ARRAY: "list of integers",
    Parameter.Type.STRING_ARRAY: "list of strings",
}


class ConfigurationError(ValueError):
    """A configuration that a node cannot start with; the text names key and what is allowed."""


@dataclass(frozen=True)
class ParameterSpec:
    """One row of a parameter table.

    Attributes:
        name: Key, without the model's prefix.
        default: Value without configuration; its type is the parameter's type.
        description: What it means, with its unit.
        bounds: Smallest and largest number allowed.
        choices: Strings allowed.
        check: Returns what is wrong with a value of the right type as "must ...", or "" if nothing
            is.
        constraint: What `check` demands, for the descriptor.
        read_only: Cannot change while the node runs.
    """

    name: str
    default: Any
    description: str
    bounds: tuple[float, float] | None = None
    choices: tuple[str, ...] = ()
    check: Callable[[Any], str] = lambda value: ""
    constraint: str = ""
    read_only: bool = True

    @property
    def type(self) -> Parameter.Type:
        """ROS type of the parameter."""
        return Parameter.Type.from_parameter_value(self.default)

    def problem(self, value: Any) -> str:
        """Say what is wrong with a value.

        Args:
            value: As configured, of any type.

        Returns:
            A clause "must ...", or "" if the value is fine.
        """
        if not _has_type(value, self.type):
            return f"must be of type {_TYPE_NAMES[self.type]}"
        if self.bounds and not self.bounds[0] <= value <= self.bounds[1]:
            return "must be {:g} to {:g}".format(*self.bounds)
        if self.choices and value not in self.choices:
            return f"must be one of {', '.join(self.choices)}"
        return self.check(value)

    def descriptor(self) -> ParameterDescriptor:
        """What `ros2 param describe` shows."""
        descriptor = ParameterDescriptor(
            type=self.type.value,
            description=self.description,
            read_only=self.read_only,
            additional_constraints=self.constraint,
        )
        if self.choices:
            descriptor.additional_constraints = f"one of {', '.join(self.choices)}"
        if self.bounds and self.type == Parameter.Type.INTEGER:
            low, high = (int(bound) for bound in self.bounds)
            descriptor.integer_range = [IntegerRange(from_value=low, to_value=high, step=1)]
        elif self.bounds:
            descriptor.floating_point_range = [
                FloatingPointRange(from_value=self.bounds[0], to_value=self.bounds[1])
            ]
        return descriptor


def not_empty(what: str) -> Callable[[str], str]:
    """Make a check for strings that must be given; `what` says what should be there."""
    return lambda value: "" if value.strip() else f"must be {what}"


def declare(node: Node, prefix: str, table: Sequence[ParameterSpec]) -> dict[str, Any]:
    """Declare the parameters of a table and read them.

    Args:
        node: Without these parameters declared yet.
        prefix: Before each name of the table, e.g. "detector.".
        table: The parameters.

    Returns:
        Value per name of the table, of the declared type and allowed; arrays as lists.

    Raises:
        ConfigurationError: For the first value that is not allowed; names key, what is allowed,
            value.
    """
    values = {}
    for spec in table:
        key = prefix + spec.name
        try:
            # any type first: rclpy's own refusal would not say what is allowed
            node.declare_parameter(key, spec.default, ParameterDescriptor(dynamic_typing=True))
        except ParameterException as error:
            raise ConfigurationError(f"parameter '{key}': {error}") from error
        value = node.get_parameter(key).value
        if isinstance(value, array.array):
            value = list(value)
        problem = spec.problem(value)
        if problem:
            raise ConfigurationError(f"parameter '{key}' {problem}, got {value!r}")
        node.set_descriptor(key, spec.descriptor())
        values[spec.name] = value
    return values


def _has_type(value: Any, wanted: Parameter.Type) -> bool:
    try:
        return bool(Parameter.Type.from_parameter_value(value) == wanted)
    except TypeError:
        return False
