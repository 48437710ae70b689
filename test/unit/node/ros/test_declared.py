# SPDX-License-Identifier: Apache-2.0
"""Parameters in a real node: declared, described, refused, changed one by one and at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import rclpy
from rcl_interfaces.msg import SetParametersResult
from rclpy.node import Node
from rclpy.parameter import Parameter

from hbm_runtime_ros.parameters.derived_tables import (
    IMAGE_PARAMETERS,
    MODEL_PARAMETERS,
    NODE_PARAMETERS,
)
from hbm_runtime_ros.parameters.row_type import ConfigurationError
from hbm_runtime_ros.parameters.settings import NodeSettings
from hbm_runtime_ros.ros.declared import DeclaredParameters

Values = dict[str, Any]
ONE = {"models": ["a"], "a.file": "a.hbm"}
TWO = {"models": ["a", "b"], "a.file": "a.hbm", "b.file": "b.hbm"}


class Configured:
    """A node whose parameters are declared, and what was asked of it."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.objection = ""
        self.asked: list[NodeSettings] = []
        self.applied: list[NodeSettings] = []
        self.parameters = DeclaredParameters(node, self._check, self.applied.append)

    def _check(self, new: NodeSettings) -> str:
        self.asked.append(new)
        return self.objection

    def configure(self) -> NodeSettings:
        """As the life cycle does it."""
        settings = self.parameters.read()
        self.parameters.set_configured(True)
        return settings

    def set(self, **changes: Any) -> SetParametersResult:
        """Set a parameter as `ros2 param set` does; `__` stands for a dot."""
        (result,) = self.node.set_parameters(self.as_parameters(changes))
        return result

    def set_at_once(self, **changes: Any) -> SetParametersResult:
        return self.node.set_parameters_atomically(self.as_parameters(changes))

    @staticmethod
    def as_parameters(changes: Values) -> list[Parameter]:
        return [Parameter(key.replace("__", "."), value=v) for key, v in changes.items()]

    def value(self, key: str) -> Any:
        return self.node.get_parameter(key).value


@pytest.fixture
def make() -> Iterator[Callable[..., Configured]]:
    """Make a node with these overrides; keywords are rclpy's, e.g. an older rclpy's lack."""
    context = rclpy.Context()
    rclpy.init(context=context)
    nodes: list[Node] = []

    def make_one(values: Values, kind: type[Node] = Node) -> Configured:
        node = kind(
            "settings",
            context=context,
            parameter_overrides=[Parameter(key, value=v) for key, v in values.items()],
            automatically_declare_parameters_from_overrides=True,
        )
        nodes.append(node)
        return Configured(node)

    yield make_one
    for node in nodes:
        node.destroy_node()
    rclpy.try_shutdown(context=context)


# -- what is declared ------------------------------------------------------------------------------


def test_every_row_is_declared_with_its_default_and_described(make: Callable) -> None:
    configured = make(ONE)
    configured.parameters.read()
    for prefix, table in (("", NODE_PARAMETERS), ("a.", (*MODEL_PARAMETERS, *IMAGE_PARAMETERS))):
        for spec in table:
            key = prefix + spec.name
            described = configured.node.describe_parameter(key)
            assert described.type == spec.type.value, key
            assert described.description == spec.description
            if key not in ONE:
                value = configured.value(key)
                assert (list(value) if isinstance(spec.default, list) else value) == spec.default


def test_descriptors_hold_ranges_and_choices(make: Callable) -> None:
    configured = make(ONE)
    configured.parameters.read()
    priority = configured.node.describe_parameter("a.priority").integer_range[0]
    assert (priority.from_value, priority.to_value) == (0, 255)
    timeout = configured.node.describe_parameter("a.timeout").floating_point_range[0]
    assert (timeout.from_value, timeout.to_value) == (0.001, 3600.0)
    resize = configured.node.describe_parameter("a.resize").additional_constraints
    assert "stretch, letterbox" in resize and "only while the node is unconfigured" in resize
    assert "unconfigured" not in configured.node.describe_parameter("a.lazy").additional_constraints


def test_an_image_has_its_models_value_unless_it_has_its_own(make: Callable) -> None:
    configured = make(
        {**ONE, "a.images": ["left", "right"], "a.resize": "letterbox", "a.pad_value": 3}
        | {"a.right.image_topic": "/right", "a.right.pad_value": 4}
    )
    left, right = configured.parameters.read().models[0].images
    assert (left.fit.resize, right.fit.resize) == ("letterbox", "letterbox")
    assert (left.fit.pad_value, right.fit.pad_value) == (3, 4)
    assert configured.value("a.left.pad_value") == 3
    configured.set(a__pad_value=9)
    left, right = configured.parameters.read().models[0].images
    assert (left.fit.pad_value, right.fit.pad_value) == (9, 4)
    assert configured.value("a.left.pad_value") == 9


def test_values_of_ros_itself_are_left_alone(make: Callable) -> None:
    overrides = {"use_sim_time": True, "qos_overrides./tf.publisher.depth": 3}
    configured = make({**ONE, **overrides})
    configured.parameters.read()
    configured.parameters.set_configured(True)
    assert configured.set(use_sim_time=False).successful
    assert configured.applied == []


def test_a_subclass_may_have_parameters_of_its_own(make: Callable) -> None:
    configured = make(ONE)
    configured.node.declare_parameter("my.own", 3)
    configured.configure()
    assert configured.set(my__own=4).successful
    configured.parameters.read()
    assert configured.applied == []


# -- what is refused at the start ------------------------------------------------------------------


def test_all_problems_come_at_once(make: Callable) -> None:
    configured = make({**ONE, "a.priority": "urgent", "a.timeout": 5, "a.resise": "roi"})
    with pytest.raises(ConfigurationError) as raised:
        configured.parameters.read()
    assert str(raised.value) == (
        "parameter 'a.priority' must be of type integer, got 'urgent'; "
        "parameter 'a.timeout' must be of type double (with a decimal point), got 5; write 5.0; "
        "parameter 'a.resise' is unknown; did you mean a.resize?"
    )


def test_what_was_refused_can_be_set_right_step_by_step(make: Callable) -> None:
    configured = make({"models": ["a"], "a.priority": "urgent"})
    with pytest.raises(ConfigurationError):
        configured.parameters.read()
    assert not configured.set(a__priority="high").successful
    assert configured.set(a__priority=200).successful
    assert configured.set(a__file="a.hbm").successful
    (model,) = configured.parameters.read().models
    assert (model.file, model.live.priority) == ("a.hbm", 200)
    # and now it has its type for good
    assert not configured.set(a__priority="urgent").successful


def test_an_unknown_parameter_can_be_deleted(make: Callable) -> None:
    configured = make({**ONE, "a.resise": "roi"})
    (result,) = configured.node.set_parameters([Parameter("a.resise")])
    assert result.successful, result.reason
    configured.parameters.read()


def test_models_may_come_and_go_while_the_node_is_unconfigured(make: Callable) -> None:
    configured = make(TWO)
    assert configured.set(models=["b", "c"]).successful
    assert configured.set(c__file="c.hbm").successful
    assert [model.name for model in configured.parameters.read().models] == ["b", "c"]
    assert configured.set(models=["a"]).successful
    assert [model.file for model in configured.parameters.read().models] == ["a.hbm"]


# -- changes while the node works ------------------------------------------------------------------


def test_live_parameters_change_and_the_others_are_refused(make: Callable) -> None:
    configured = make(ONE)
    configured.configure()
    tables = (("", NODE_PARAMETERS), ("a.", (*MODEL_PARAMETERS, *IMAGE_PARAMETERS)))
    for key, spec in ((prefix + spec.name, spec) for prefix, table in tables for spec in table):
        described = configured.node.describe_parameter(key)
        assert described.read_only is not spec.live, key
        before = configured.value(key)
        (result,) = configured.node.set_parameters([Parameter(key, value=before)])
        assert result.successful is spec.live, (key, result.reason)
    assert not configured.set(a__file="other.hbm").successful
    assert configured.value("a.file") == "a.hbm"


def test_structural_parameters_change_again_after_a_clean_up(make: Callable) -> None:
    configured = make(ONE)
    configured.configure()
    configured.parameters.set_configured(False)
    assert configured.set(a__file="other.hbm").successful
    assert configured.configure().models[0].file == "other.hbm"
    assert not configured.set(a__file="a.hbm").successful


def test_a_change_is_asked_for_and_then_applied(make: Callable) -> None:
    configured = make(ONE)
    configured.configure()
    assert configured.set(a__priority=7).successful
    assert [new.models[0].live.priority for new in configured.asked] == [7]
    assert [new.models[0].live.priority for new in configured.applied] == [7]


def test_a_change_can_be_refused_with_a_reason(make: Callable) -> None:
    configured = make(ONE)
    configured.configure()
    configured.objection = "the chip has no core 3"
    result = configured.set(a__bpu_cores=[3])
    assert (result.successful, result.reason) == (False, "the chip has no core 3")
    assert list(configured.value("a.bpu_cores")) == [-1]
    assert configured.applied == []


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (dict(a__priority=256), "a.priority"),
        (dict(a__priority="urgent"), "type"),
        (dict(a__queue_policy="newest"), "one of latest, oldest, block, every_nth, got 'newest'"),
        (dict(a__bpu_cores=[0, 0]), r"'a.bpu_cores' must be [-1]"),
        (dict(diagnostics__stale_error=1.0), "'diagnostics.stale_error' must be 0.0 or at least"),
        (dict(a__timeout=0.0), "a.timeout"),
    ],
)
def test_a_wrong_change_is_refused_by_name_and_nothing_changes(
    make: Callable, changes: Values, says: str
) -> None:
    configured = make(ONE)
    settings = configured.configure()
    result = configured.set(**changes)
    assert not result.successful
    assert says in result.reason
    assert configured.applied == configured.asked == []
    assert configured.parameters.read() == settings


def test_changes_of_two_models_at_once_are_applied_at_once(make: Callable) -> None:
    configured = make(TWO)
    configured.configure()
    assert configured.set_at_once(a__priority=1, b__priority=2, b__lazy=True).successful
    (new,) = configured.applied
    assert [model.live.priority for model in new.models] == [1, 2]
    assert len(configured.asked) == 1


def test_one_wrong_change_among_several_lets_none_through(make: Callable) -> None:
    configured = make(TWO)
    configured.configure()
    assert not configured.set_at_once(a__priority=1, b__queue_policy="newest").successful
    assert configured.value("a.priority") == 0
    assert configured.applied == []


def test_thresholds_that_fit_only_together_are_set_at_once(make: Callable) -> None:
    configured = make(ONE)
    configured.configure()
    assert not configured.set(diagnostics__stale_warn=20.0).successful
    both = dict(diagnostics__stale_warn=20.0, diagnostics__stale_error=30.0)
    assert configured.set_at_once(**both).successful
    assert configured.applied[0].diagnostics.stale_warn == 20.0


class OlderNode(Node):
    """As Humble's, which cannot tell that a parameter has been set."""

    add_post_set_parameters_callback = None  # type: ignore[assignment]


def test_changes_are_applied_with_an_rclpy_that_has_one_callback_only(make: Callable) -> None:
    configured = make(TWO, OlderNode)
    configured.configure()
    assert configured.set_at_once(a__priority=1, b__priority=2).successful
    (new,) = configured.applied
    assert [model.live.priority for model in new.models] == [1, 2]
    configured.parameters.set_configured(False)
    assert configured.set(models=["a", "c"]).successful
    assert configured.set(c__file="c.hbm").successful
    assert [m.name for m in configured.parameters.read().models] == ["a", "c"]


def test_a_change_reaches_the_node_over_its_service(make: Callable) -> None:
    from rcl_interfaces.srv import SetParametersAtomically
    from rclpy.executors import SingleThreadedExecutor

    configured = make(TWO)
    configured.configure()
    node = configured.node
    executor = SingleThreadedExecutor(context=node.context)
    executor.add_node(node)
    client = node.create_client(SetParametersAtomically, "/settings/set_parameters_atomically")
    assert client.wait_for_service(30.0)
    request = SetParametersAtomically.Request()
    for change in configured.as_parameters(dict(a__bpu_cores=[0, 1], b__max_rate=5.0)):
        request.parameters.append(change.to_parameter_msg())
    future = client.call_async(request)
    executor.spin_until_future_complete(future, 30.0)
    executor.shutdown()
    assert future.result().result.successful
    first, second = configured.applied[0].models
    assert (first.live.bpu_cores, second.live.max_rate) == ((0, 1), 5.0)
