# SPDX-License-Identifier: Apache-2.0
"""The SROS2 policies: well formed by the rules of the policy schema, version 0.2.0."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pytest

POLICIES = sorted((Path(__file__).parents[3] / "config" / "sros2").glob("*.policy.xml"))
# Element: its attributes with what they may be, whether they are required, and its children.
QUALIFIER = r"ALLOW|DENY"
SCHEMA: dict[str, tuple[dict[str, tuple[str, bool]], set[str]]] = {
    "policy": ({"version": (r"0\.2\.0", True)}, {"enclaves"}),
    "enclaves": ({}, {"enclave"}),
    "enclave": ({"path": (r"/\S*", True)}, {"profiles"}),
    "profiles": ({"type": (r".*", False)}, {"profile", "metadata"}),
    "profile": (
        {"ns": (r"/\S*", True), "node": (r"\w+", True)},
        {"topics", "services", "actions"},
    ),
    "topics": ({"publish": (QUALIFIER, False), "subscribe": (QUALIFIER, False)}, {"topic"}),
    "services": ({"reply": (QUALIFIER, False), "request": (QUALIFIER, False)}, {"service"}),
    "actions": ({"call": (QUALIFIER, False), "execute": (QUALIFIER, False)}, {"action"}),
    "topic": ({}, set()),
    "service": ({}, set()),
    "action": ({}, set()),
    "metadata": ({}, set()),
}
MAY_BE_EMPTY = {"profile", "topic", "service", "action", "metadata"}
LISTS = {"topics", "services", "actions"}
# A name of ROS: absolute, relative or private (~/), in which * stands for any letters.
EXPRESSION = re.compile(r"(?:/|~/)?(?:[A-Za-z_*][\w*]*)(?:/[A-Za-z_*][\w*]*)*")


def problems(element: Element) -> Iterator[str]:
    """What the schema would not let through."""
    if element.tag not in SCHEMA:
        yield f"<{element.tag}> is unknown"
        return
    attributes, children = SCHEMA[element.tag]
    for name, value in element.attrib.items():
        pattern, _ = attributes.get(name, ("", False))
        if name not in attributes or not re.fullmatch(pattern, value):
            yield f'<{element.tag} {name}="{value}">'
    for name, (_, required) in attributes.items():
        if required and name not in element.attrib:
            yield f"<{element.tag}> lacks {name}"
    if element.tag in LISTS and not element.attrib:
        yield f"<{element.tag}> neither allows nor denies"
    if not len(element) and element.tag not in MAY_BE_EMPTY:
        yield f"<{element.tag}> is empty"
    text = element.text or ""
    if element.tag in ("topic", "service", "action"):
        if not EXPRESSION.fullmatch(text):
            yield f"<{element.tag}>{text}</{element.tag}> is no name"
    elif text.strip():
        yield f"<{element.tag}> holds text"
    for child in element:
        if child.tag not in children:
            yield f"<{child.tag}> in <{element.tag}>"
        else:
            yield from problems(child)


def test_there_is_a_policy_of_the_node() -> None:
    assert "inference_node.policy.xml" in {file.name for file in POLICIES}


@pytest.mark.parametrize("file", POLICIES, ids=lambda file: file.name)
def test_a_policy_obeys_the_schema(file: Path) -> None:
    root = ElementTree.parse(file).getroot()
    assert root.tag == "policy"
    assert list(problems(root)) == []


@pytest.mark.parametrize("file", POLICIES, ids=lambda file: file.name)
def test_a_policy_allows_each_thing_once_and_nothing_wholesale(file: Path) -> None:
    for profile in ElementTree.parse(file).getroot().iter("profile"):
        rules = [
            (what, qualifier, expression.text)
            for group in profile
            for what, qualifier in group.attrib.items()
            for expression in group
        ]
        assert len(rules) == len(set(rules))
        for _, _, text in rules:
            # what is left of a name with * must still say what it is
            assert re.sub(r"[*~/]", "", str(text)), f"{text} allows everything"


@pytest.mark.parametrize(
    ("broken", "found"),
    [
        ('<policy version="0.1.0"/>', ['<policy version="0.1.0">', "<policy> is empty"]),
        ("<topics><topic>a</topic></topics>", ["<topics> neither allows nor denies"]),
        ('<topics publish="ALLOWED"><topic>a</topic></topics>', ['<topics publish="ALLOWED">']),
        ('<topics publish="ALLOW"><service>a</service></topics>', ["<service> in <topics>"]),
        ('<topics publish="ALLOW"><topic>a b</topic></topics>', ["<topic>a b</topic> is no name"]),
        ('<profile ns="/"/>', ["<profile> lacks node"]),
        ("<grant/>", ["<grant> is unknown"]),
    ],
)
def test_these_rules_find_what_is_wrong(broken: str, found: list[str]) -> None:
    assert list(problems(ElementTree.fromstring(broken))) == found
