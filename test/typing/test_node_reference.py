# SPDX-License-Identifier: Apache-2.0
"""What is said of the node in references and schema is what its tables give, and links lead on."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip(
    "hbm_runtime_ros.node", reason="needs the ROS package hbm_runtime_ros to be built"
)

from hbm_runtime_ros.node.interface import INTERFACES
from hbm_runtime_ros.parameters.derived_tables import (
    IMAGE_PARAMETERS,
    MODEL_PARAMETERS,
    NODE_PARAMETERS,
)


def test_references_and_schema_are_up_to_date(
    repository: Path, run_tool: Callable[..., Any]
) -> None:
    tool = run_tool(str(repository / "scripts" / "generate_node_reference.py"), "--check")
    assert tool.returncode == 0, f"\n{tool.stdout}{tool.stderr}"


def test_the_reference_has_every_parameter_topic_and_service(repository: Path) -> None:
    text = (repository / "doc" / "node.md").read_text(encoding="utf-8")
    for spec in (*NODE_PARAMETERS, *MODEL_PARAMETERS, *IMAGE_PARAMETERS):
        assert f"| `{spec.name}` |" in text
    for interface in INTERFACES:
        assert f"| `{interface.name}`" in text


def test_every_link_of_the_reference_leads_to_a_file(repository: Path) -> None:
    page = repository / "doc" / "node.md"
    links = re.findall(r"\]\(([^)\s#]+)\)", page.read_text(encoding="utf-8"))
    assert len(links) > 10
    assert [link for link in links if not (page.parent / link).is_file()] == []


@pytest.mark.parametrize("kind", ["msg", "srv"])
def test_the_list_of_interfaces_names_messages_that_exist(kind: str) -> None:
    messages = pytest.importorskip(f"hbm_runtime_ros.{kind}", reason="needs the built messages")
    ours = [each.type for each in INTERFACES if each.type.startswith(f"hbm_runtime_ros/{kind}/")]
    assert ours
    for name in ours:
        assert hasattr(messages, name.rpartition("/")[2]), name
