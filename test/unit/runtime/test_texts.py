# SPDX-License-Identifier: Apache-2.0
"""Parts of messages: bounded values, and what was probably meant."""

from __future__ import annotations

from hbm_runtime._texts import MOST_SHOWN, did_you_mean, nearest, shortened, shown


class Broken:
    """An object that cannot say what it is."""

    def __repr__(self) -> str:
        raise RuntimeError("no")


def test_a_value_is_shown_as_its_repr() -> None:
    assert shown("a'b") == '"a\'b"'
    assert shown([1, 2]) == "[1, 2]"


def test_a_long_value_is_cut_and_says_so() -> None:
    text = shown("x" * 1000)
    assert text == "'" + "x" * (MOST_SHOWN - 1) + "…"
    assert shown("x" * 1000, 3) == "'xx…"


def test_a_value_whose_repr_fails_is_named_by_its_type() -> None:
    assert shown(Broken()) == "a value of type Broken"


def test_a_text_that_fits_stays_as_it_is() -> None:
    assert shortened("abc", 3) == "abc"
    assert shortened("abcd", 3) == "abc…"


def test_the_nearest_names_come_first_and_strange_ones_not_at_all() -> None:
    names = ["priority", "prior", "timeout"]
    assert nearest("priorty", names) == ["priority"]
    assert nearest("priorty", names, 3) == ["priority", "prior"]
    assert nearest("zzz", names) == []
    assert nearest("timt", names, similarity=0.9) == []
    assert nearest(7, names) == []


def test_the_hint_names_the_nearest_and_all_that_are_known() -> None:
    assert did_you_mean("bb", ["a", "b"]) == "; did you mean 'b'? known are: 'a', 'b'"
    assert did_you_mean(None, iter(["a", "b"])) == "; known are: 'a', 'b'"
