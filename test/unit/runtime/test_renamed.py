# SPDX-License-Identifier: Apache-2.0
"""Old paths of public modules: they work, and warn at the line that uses them."""

from __future__ import annotations

import importlib
import importlib.util
from types import ModuleType

import pytest

OLD_NAMES = [
    ("hbm_runtime.statistics", "hbm_runtime.telemetry.statistics", "Statistics"),
    ("hbm_runtime.trace", "hbm_runtime.telemetry.trace", "Trace"),
    ("hbm_runtime.prometheus", "hbm_runtime.telemetry.prometheus", "CONTENT_TYPE"),
    (
        "hbm_runtime_ros.conversions",
        "hbm_runtime_ros.messages.conversions",
        "tensors_to_numpy",
    ),
    ("hbm_runtime_ros.shared_runtimes", "hbm_runtime_ros.models.shared_runtimes", "SharedRuntimes"),
    ("hbm_runtime_ros.qos", "hbm_runtime_ros.ros.qos", "profile"),
    ("hbm_runtime_ros.node", "hbm_runtime_ros.node.inference_node", "InferenceNode"),
]


def old_module(name: str) -> ModuleType:
    """Import a module; the node's need ROS."""
    if name.startswith("hbm_runtime_ros"):
        pytest.importorskip("rclpy", reason="the node's modules need ROS")
    return importlib.import_module(name)


@pytest.mark.parametrize(("old", "new", "name"), OLD_NAMES)
def test_the_old_path_gives_the_same_and_warns_here(old: str, new: str, name: str) -> None:
    module = old_module(old)
    with pytest.warns(DeprecationWarning, match=f"import {name} from {new}") as warnings:
        value = getattr(module, name)
    assert value is getattr(importlib.import_module(new), name)
    assert {warning.filename for warning in warnings} == {__file__}


@pytest.mark.parametrize(("old", "new", "name"), OLD_NAMES)
def test_an_import_from_the_old_path_warns_here(old: str, new: str, name: str) -> None:
    old_module(old)
    scope: dict[str, object] = {"__name__": __name__}
    with pytest.warns(DeprecationWarning, match=f"{old} is the old name of {new}") as warnings:
        exec(compile(f"from {old} import {name}", __file__, "exec"), scope)
    assert scope[name] is getattr(importlib.import_module(new), name)
    assert {warning.filename for warning in warnings} == {__file__}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("old", [old for old, _, _ in OLD_NAMES])
def test_a_name_that_never_was_there_is_an_attribute_error(old: str) -> None:
    module = old_module(old)
    with pytest.raises(AttributeError, match="nonsense"):
        module.nonsense  # noqa: B018
    assert not hasattr(module, "__wrapped__")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # one for each of the other names
@pytest.mark.parametrize(("old", "new", "name"), OLD_NAMES)
def test_a_star_import_of_the_old_path_brings_the_names(old: str, new: str, name: str) -> None:
    old_module(old)
    names: dict[str, object] = {}
    with pytest.warns(DeprecationWarning, match=f"import {name} from {new}"):
        exec(f"from {old} import *", names)
    assert names[name] is getattr(importlib.import_module(new), name)
    assert "forward" not in names
