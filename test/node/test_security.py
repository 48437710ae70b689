# SPDX-License-Identifier: Apache-2.0
"""Least privilege: the SROS2 policy allows just what the running node does."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

import pytest

POLICY = Path(__file__).parents[2] / "config" / "sros2" / "inference_node.policy.xml"
NODE = "inference_node"
# From Jazzy on nodes tell the description of their types.
SINCE_JAZZY = {("reply", f"/{NODE}/get_type_description")}


class Rule(NamedTuple):
    """One thing that the policy allows."""

    what: str
    name: str

    def allows(self, what: str, name: str) -> bool:
        """Whether an endpoint is meant by it; * as DDS has it."""
        return self.what == what and fnmatchcase(name, self.name)


@pytest.fixture(scope="module")
def rules() -> list[Rule]:
    (profile,) = ElementTree.parse(POLICY).getroot().iter("profile")
    assert (profile.get("ns"), profile.get("node")) == ("/", NODE)
    return list(_rules(profile))


def _rules(profile: ElementTree.Element) -> Iterator[Rule]:
    for group in profile:
        for what, qualifier in group.attrib.items():
            assert qualifier == "ALLOW"
            for expression in group:
                text = str(expression.text)
                text = text.replace("~/", f"/{NODE}/", 1)
                yield Rule(what, text if text.startswith("/") else f"/{text}")


@pytest.fixture
def endpoints(start: Callable, observer: Any, nv12_model: Path) -> set[tuple[str, str]]:
    """What a node has that uses all it can, e.g. ("publish", "/inference_node/stats")."""
    eye = {"file": str(nv12_model)}
    models = {"eye": eye, "ear": {**eye, "image_transport": "compressed"}}
    start(NODE, {"use_sim_time": True, "models": list(models), **models})
    graph = observer.node

    def found() -> set[tuple[str, str]]:
        if (NODE, "/") not in graph.get_node_names_and_namespaces():
            return set()
        ways = {
            "publish": graph.get_publisher_names_and_types_by_node,
            "subscribe": graph.get_subscriber_names_and_types_by_node,
            "reply": graph.get_service_names_and_types_by_node,
            "request": graph.get_client_names_and_types_by_node,
        }
        return {(what, name) for what, names in ways.items() for name, _ in names(NODE, "/")}

    wanted = {("subscribe", "/image_raw"), ("subscribe", "/image_raw/compressed")}
    observer.until(lambda: wanted <= found(), "the active node")
    observer.spin(1.0)  # until it is all known
    return found()


def test_the_policy_allows_what_the_node_does_and_nothing_else(
    rules: list[Rule], endpoints: set[tuple[str, str]]
) -> None:
    denied = {each for each in endpoints if not any(rule.allows(*each) for rule in rules)}
    assert not denied, "the node would not start"
    unused = {rule for rule in rules if not any(rule.allows(*each) for each in endpoints)}
    if os.environ.get("ROS_DISTRO") == "humble":
        unused -= SINCE_JAZZY
    assert not unused, "more is allowed than is needed"
