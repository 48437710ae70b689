# SPDX-License-Identifier: Apache-2.0
"""Texts of messages: printable, bounded, and what was probably meant."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hbm_runtime import errors
from hbm_runtime._loading import log
from hbm_runtime._texts import (
    MOST_IN_MESSAGE,
    MOST_SHOWN,
    did_you_mean,
    handled_traceback,
    nearest,
    one_line,
    said,
    shortened,
    shown,
)
from hbm_runtime.image import ImageError, ImageFault
from hbm_runtime.model_file import ModelFileError


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


# What comes from a message or a file


HOSTILE = "bgr8\n[FATAL] [node]: all is lost\x1b[31m\x00\x85\u2028\u202e\ud800"


def test_what_cannot_be_printed_is_escaped() -> None:
    escaped = r"bgr8\n[FATAL] [node]: all is lost\x1b[31m\x00\x85\u2028\u202e\ud800"
    assert shortened(HOSTILE) == one_line(HOSTILE) == escaped
    assert shortened("Kamera grün 相机 C:\\new") == "Kamera grün 相机 C:\\new"


def test_a_value_with_a_repr_of_several_lines_is_shown_on_one() -> None:
    class Lines:
        def __repr__(self) -> str:
            return "[1,\n 2]"

    assert shown(Lines()) == r"[1,\n 2]"


@given(st.text(), st.integers(10, 50))
def test_no_text_gets_out_of_its_bounds(text: str, most: int) -> None:
    part, message = shortened(text, most), one_line(text, most)
    assert part.isprintable()
    assert message.isprintable()
    assert len(part) <= most + 1
    assert len(message) <= most
    assert one_line(message, most) == message
    if text.isprintable() and len(text) <= most:
        assert part == message == text


def test_a_long_message_keeps_its_beginning_and_what_to_do() -> None:
    message = one_line(f"encoding '{'x' * 1_000_000}' cannot be used; use nv12")
    assert message.startswith("encoding 'xxx")
    assert message.endswith("xxx' cannot be used; use nv12")
    assert "x…x" in message
    assert len(message) <= MOST_IN_MESSAGE


def test_an_exception_says_something_on_one_line() -> None:
    assert said(ValueError("a\n  b\x1b")) == r"a b\x1b"
    assert said(KeyboardInterrupt()) == "KeyboardInterrupt"
    assert len(said(ValueError("x" * 1_000_000))) <= MOST_IN_MESSAGE


def test_lines_of_a_traceback_are_indented_so_that_no_text_passes_for_a_log_line() -> None:
    try:
        raise ValueError(HOSTILE + "x" * 1_000_000 + "\nand more" * 1000)
    except ValueError:
        text = handled_traceback()
    assert all(line.startswith("  ") and line.isprintable() for line in text.split("\n"))
    assert len(text) < 61 * (2 * MOST_SHOWN + 4)
    try:
        raise ValueError(HOSTILE)
    except ValueError:
        text = handled_traceback()
    assert "in test_lines_of_a_traceback" in text
    assert "\n  [FATAL] [node]" in text


def test_every_error_of_the_package_is_on_one_line_and_bounded() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    made = [kind(HOSTILE * 100_000) for kind in kinds if issubclass(kind, errors.HBMError)]
    made.append(ModelFileError(HOSTILE * 100_000, reason="corrupt"))
    made.append(ImageError(ImageFault.ENCODING, HOSTILE * 100_000))
    assert len(made) > 8
    for error in [*made, *(pickle.loads(pickle.dumps(error)) for error in made[:-2])]:
        assert str(error).isprintable()
        assert len(str(error)) <= MOST_IN_MESSAGE


def test_lines_of_the_accelerator_s_log_are_escaped(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(log._core, "has_log_lines", lambda: True)
    monkeypatch.setattr(log._core, "take_log_lines", lambda: [(4, HOSTILE * 100_000)])
    log.forward_log_lines()
    (record,) = caplog.records
    assert record.getMessage().isprintable()
    assert len(record.getMessage()) <= MOST_IN_MESSAGE
