# SPDX-License-Identifier: Apache-2.0
"""Parameter files: values and lines as ROS sees them; what is hostile is refused in time."""

from __future__ import annotations

import doctest
import math
import os
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("yaml", reason="needs PyYAML")

from hypothesis import given
from hypothesis import strategies as st

from hbm_runtime_ros.check import yaml_file
from hbm_runtime_ros.check.yaml_file import (
    MAX_BYTES,
    ConfigFileError,
    ParameterFile,
    parse,
    parse_value,
    read,
    value_of_scalar,
)

CONFIG = Path(__file__).parents[4] / "config"


def parsed(text: str) -> ParameterFile:
    return parse(textwrap.dedent(text).encode())


def refusal(data: bytes) -> ConfigFileError | None:
    """Why these bytes are no parameter file, or None where they are read."""
    try:
        assert isinstance(parse(data), ParameterFile)
    except ConfigFileError as error:
        return error
    return None


def problem_of(text: str) -> tuple[int, str, str]:
    """The only problem of these lines below ros__parameters, which is line 2."""
    body = textwrap.indent(textwrap.dedent(text), "    ")
    (problem,) = parse(f"/**:\n  ros__parameters:\n{body}".encode()).problems
    return tuple(problem)


# -- structure -------------------------------------------------------------------------------------


def test_sections_hold_flat_keys_with_their_lines() -> None:
    (section,) = parsed(
        """\
        /camera/inference_node:  # comment
          ros__parameters:
            models: [a]
            a:
              file: a.hbm
              sync.policy: exact
              image_qos:
                depth: 3
        """
    ).sections
    assert (section.node, section.line) == ("/camera/inference_node", 2)
    assert section.values == {
        "models": ["a"],
        "a.file": "a.hbm",
        "a.sync.policy": "exact",
        "a.image_qos.depth": 3,
    }
    assert section.lines["a"] == 4 and section.lines["a.image_qos.depth"] == 8


@pytest.mark.parametrize(
    ("written", "node"),
    [
        ("/**: {ros__parameters: {x: 1}}", "/**"),
        ("inference_node: {ros__parameters: {x: 1}}", "/inference_node"),
        ("/inference_node: {ros__parameters: {x: 1}}", "/inference_node"),
        ("ns: {inference_node: {ros__parameters: {x: 1}}}", "/ns/inference_node"),
        ("/a/b: {c: {ros__parameters: {x: 1}}}", "/a/b/c"),
    ],
)
def test_the_name_of_a_node_may_be_written_in_several_ways(written: str, node: str) -> None:
    content = parsed(written)
    assert [section.node for section in content.sections] == [node]
    assert not content.problems


@pytest.mark.parametrize(
    ("section", "node", "fits"),
    [
        ("/**", "/inference_node", True),
        ("/**", "/a/b/inference_node", True),
        ("/*", "/inference_node", True),
        ("/*", "/a/inference_node", False),
        ("/**/inference_node", "/inference_node", True),
        ("/**/inference_node", "/a/b/inference_node", True),
        ("/*/inference_node", "/inference_node", False),
        ("/*/inference_node", "/a/inference_node", True),
        ("/a/**", "/a/b/inference_node", True),
        ("/a/**/c", "/a/b/inference_node", False),
        ("/inference_node", "/a/inference_node", False),
        ("/a/inference_node", "inference_node", True),
        ("/**", "inference_node", True),
        ("/**/image_player", "inference_node", False),
    ],
)
def test_sections_fit_nodes_as_in_ros(section: str, node: str, fits: bool) -> None:
    (found,) = parsed(f"{section}: {{ros__parameters: {{x: 1}}}}").sections
    assert found.is_for(node) is fits


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: 1\nb: 2\na: 3", (5, "a", "is given twice, first in line 3")),
        ("a.b: 1\na: {b: 2}", (4, "a.b", "is given twice, first in line 3")),
        ("a: {b: 1}\na: {c: 2}", (4, "a", "is given twice, first in line 3")),
        ("a:", (3, "a", 'must have a value; leave the line out, or write ""')),
        ("a: {}", (3, "a", "must have a value, got {}; leave the line out")),
        ("a: [1, 2.0]", (3, "a", "must hold values of one type, got [1, 2.0]")),
        ("a: [[1], [2]]", (3, "a", "must be a flat list, got a list")),
        ("a: [{b: 1}]", (3, "a", "must be a flat list, got a list")),
        ('"": 1', (3, "", "must have a name")),
    ],
)
def test_what_ros_refuses_or_takes_differently_is_a_problem_with_its_line(
    text: str, problem: tuple[int, str, str]
) -> None:
    assert problem_of(text) == problem


def test_an_empty_list_is_a_problem_that_says_what_to_write() -> None:
    line, key, text = problem_of("a: []")
    assert (line, key) == (3, "a") and 'write [""] for an empty list of strings' in text


@pytest.mark.parametrize(
    ("text", "line", "key", "says"),
    [
        ("ros__parameters: {a: 1}", 1, "ros__parameters", "below the name of a node"),
        ("\ninference_node: 3", 2, "/inference_node", "ros__parameters: and below that"),
        ("/**:\n  models: [a]", 2, "/**/models", "got a list"),
        ("- a", 1, "", "must be the name of a node"),
        ("/**: {ros__parameters: 3}", 1, "ros__parameters", "must hold parameters, got 3"),
        ("a: {ros__parameters: {x: 1}}\na: {ros__parameters: {y: 1}}", 2, "a", "given twice"),
    ],
)
def test_what_is_no_section_is_a_problem(text: str, line: int, key: str, says: str) -> None:
    (problem,) = parsed(text).problems
    assert problem[:2] == (line, key)
    assert says in problem.text


def test_an_empty_file_holds_nothing() -> None:
    for text in ("", "# only a comment\n", "---\n"):
        assert parsed(text) == ParameterFile()


# -- what is no parameter file ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "line", "says"),
    [
        (b"/**:\n  a: [1\nb: 2\n", 3, "is not YAML"),
        (b"\t- a", 1, "is not YAML"),
        (b"a: &x 1\nb: *x\n", 2, "has an alias, *x"),
        (b"a: 1\nb: \xff\n", 2, "must be UTF-8, got byte 0xff"),
        (b"a: 1\n? [b]\n: 2", 2, "has a key that is not a word"),
        (b"a: \0", 0, "is not YAML"),
        (b"[" * 100, 1, "is nested more than 16 levels deep"),
        (b"{a: " * 100, 1, "is nested more than 16 levels deep"),
        (b"a: [" + b"1," * 100_000 + b"]", 1, "holds more than 100000 values"),
        (b" " * (MAX_BYTES + 1), 0, f"is larger than {MAX_BYTES} bytes"),
    ],
    ids=["open", "tab", "alias", "latin", "key", "nul", "lists", "mappings", "values", "size"],
)
def test_what_is_no_parameter_file_is_refused_by_line(data: bytes, line: int, says: str) -> None:
    with pytest.raises(ConfigFileError) as raised:
        parse(data)
    assert says in raised.value.text
    assert raised.value.line == line


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigFileError, match="does not exist"):
        read(tmp_path / "missing.yaml")
    with pytest.raises(ConfigFileError, match="not a regular file"):
        read(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigFileError, match="not a regular file"):
        read(tmp_path / "pipe")
    with pytest.raises(ConfigFileError, match="cannot be read"):
        read("a\0b")


def hostile() -> Iterator[Any]:
    yield pytest.param(b"[" * MAX_BYTES, id="deep")
    yield pytest.param(b"{" * MAX_BYTES, id="deep mappings")
    yield pytest.param(b"- " * (MAX_BYTES // 2), id="deep dashes")
    yield pytest.param(b"? " * (MAX_BYTES // 2), id="deep keys")
    yield pytest.param(b"a: [" + b"1," * (MAX_BYTES // 2 - 8) + b"1]", id="long list")
    yield pytest.param(b"a: " + b"9" * (MAX_BYTES - 8), id="long number")
    yield pytest.param(b"a: 0x" + b"f" * (MAX_BYTES - 8), id="long hexadecimal")
    yield pytest.param(b"a: 1e" + b"9" * (MAX_BYTES - 8), id="long exponent")
    yield pytest.param(b"a" * MAX_BYTES, id="long word")
    yield pytest.param(b"&a " * (MAX_BYTES // 3), id="anchors")
    yield pytest.param(b"--- a\n" * (MAX_BYTES // 6), id="documents")
    lines = b"".join(b"k%d: 1\n" % i for i in range(MAX_BYTES // 12))
    yield pytest.param(lines, id="many sections")
    yield pytest.param(b"/**: {ros__parameters: {" + b"a: 1, " * 100_000 + b"}}", id="twice")


@pytest.mark.timeout(120)  # a second or two with libyaml
@pytest.mark.parametrize("data", hostile())
def test_hostile_files_are_read_or_refused_in_time(data: bytes) -> None:
    assert len(str(refusal(data))) < 500


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    error = refusal(data)
    assert error is None or (error.text and error.line >= 0)


EXAMPLE = (CONFIG / "demo.yaml").read_bytes() if CONFIG.is_dir() else b"/**: {a: [b, 1.0]}"
mutations = st.lists(
    st.tuples(
        st.integers(0, len(EXAMPLE)),
        st.integers(0, 8),
        st.sampled_from([b"", b":", b"- ", b"[", b"]", b"{", b"}", b"*x", b"&x ", b"\n", b"\t"])
        | st.sampled_from([b"!!str ", b"|", b">", b"?", b"'", b'"', b"#", b"---\n", b"\xe9", b"~"]),
    ),
    min_size=1,
    max_size=6,
)


@given(mutations)
def test_any_mutation_of_a_good_file_is_read_or_refused(cuts: list[tuple[int, int, bytes]]) -> None:
    data = EXAMPLE
    for place, length, new in cuts:
        data = data[:place] + new + data[place + length :]
    error = refusal(data)
    assert error is None or error.text


# -- scalars ---------------------------------------------------------------------------------------

SCALARS = {
    "5": 5,
    "+5": 5,
    "-0": 0,
    "0x10": 16,
    "-0XfF": -255,
    "010": 8,
    "08": 8.0,
    "0o17": "0o17",
    "1_000": "1_000",
    "1:30": "1:30",
    "9223372036854775807": 2**63 - 1,
    "9223372036854775808": 2.0**63,
    "99999999999999999999": 1e20,
    "1.": 1.0,
    ".5": 0.5,
    ".": ".",
    "5.0e0": 5.0,
    "1e3": 1000.0,
    "1e": "1e",
    "0x1p3": 8.0,
    "0x.8": 0.5,
    "1e999": "1e999",
    "1e-400": "1e-400",
    "1e-310": "1e-310",
    "0e-400": 0.0,
    "0.0": 0.0,
    "inf": math.inf,
    "-Infinity": -math.inf,
    "-.inf": -math.inf,
    ".Inf": math.inf,
    ".iNf": ".iNf",
    "true": True,
    "Yes": True,
    "on": True,
    "y": True,
    "N": False,
    "OFF": False,
    "tRue": "tRue",
    "~": "~",
    "null": "null",
    "2020-01-01": "2020-01-01",
    "a#b": "a#b",
    "/camera/image": "/camera/image",
}


@pytest.mark.parametrize("text", SCALARS)
def test_scalars_are_what_ros_takes_them_for(text: str) -> None:
    value = value_of_scalar(text)
    assert value == SCALARS[text] and type(value) is type(SCALARS[text])
    assert value_of_scalar(text, quoted=True) == text


@pytest.mark.parametrize("text", ["nan", "-NaN", ".nan", ".NAN"])
def test_not_a_number_is_one(text: str) -> None:
    assert math.isnan(value_of_scalar(text))


def test_a_value_of_the_command_line_is_read_like_a_files() -> None:
    assert parse_value("[left, right]") == ["left", "right"]
    assert parse_value("3") == 3
    assert parse_value('"3"') == "3"
    assert parse_value("/a b/c.hbm") == "/a b/c.hbm"
    for text in ("", "a: 1", "[", "[]", "{}", "1\n    b: 2", "1\n/x: 3", "*x"):
        with pytest.raises(ConfigFileError):
            parse_value(text)


def test_the_examples_are_true() -> None:
    done = doctest.testmod(yaml_file)
    assert done.attempted > 0 and done.failed == 0


def test_rclpy_reads_a_file_like_we_do(tmp_path: Path) -> None:
    rclpy = pytest.importorskip("rclpy", reason="needs ROS 2 (rclpy)")
    from rclpy.node import Node

    lines = [f"    s{index}: {text}" for index, text in enumerate([*SCALARS, "nan", ".nan"])]
    lines += [f'    q{index}: "{text}"' for index, text in enumerate(SCALARS)]
    lines += [
        "    list: [0x10, 010, -3]",
        "    words: [a, 'b c', \"1\"]",
        "    deep: {a: {b: 1.5}}",
    ]
    file = tmp_path / "parameters.yaml"
    wildcards = [
        ("/**", "a: 1, b: 1, c: 1, d: 1"),
        ("/*/reader", "b: 2, c: 2, d: 2"),
        ("/**/reader", "c: 3, d: 3"),
        ("/space/reader", "d: 4"),
        ("/reader", "a: 5"),
        ("/other/reader", "a: 6"),
    ]
    text = "".join(f"{node}: {{ros__parameters: {{{body}}}}}\n" for node, body in wildcards)
    text += "space:\n  reader2:\n    ros__parameters:\n" + "\n".join("  " + line for line in lines)
    file.write_text(text)
    content = read(file)
    assert not content.problems
    context = rclpy.Context()
    rclpy.init(context=context, args=["--ros-args", "--params-file", str(file)])
    try:
        for name in ("reader", "reader2"):
            node = Node(
                name,
                namespace="space",
                context=context,
                automatically_declare_parameters_from_overrides=True,
            )
            theirs = {
                key: list(parameter.value) if key in ("list", "words") else parameter.value
                for key, parameter in node.get_parameters_by_prefix("").items()
                if key not in ("use_sim_time", "start_type_description_service")
            }
            node.destroy_node()
            ours: dict[str, Any] = {}
            for section in content.sections:
                if section.is_for(f"/space/{name}"):
                    ours.update(section.values)
            assert {k: repr(v) for k, v in ours.items()} == {k: repr(v) for k, v in theirs.items()}
    finally:
        rclpy.try_shutdown(context=context)
