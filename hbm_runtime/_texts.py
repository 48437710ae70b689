# SPDX-License-Identifier: Apache-2.0
"""Texts of messages: on one line, of bounded length, and the name that was probably meant."""

from __future__ import annotations

import difflib
import traceback
from collections.abc import Iterable

MOST_SHOWN = 200  # characters of a value in a message
MOST_IN_MESSAGE = 4000  # characters of a whole message
_MOST_LINES = 60  # of a traceback


def shown(value: object, most: int = MOST_SHOWN) -> str:
    """Return a value as a message shows it: its `repr`, bounded, whatever the caller passed.

    Args:
        value: Anything; objects whose `repr` fails are named by their type.
        most: Characters to keep.
    """
    try:
        text = repr(value)
    except Exception:  # the caller's own __repr__, or an integer of too many digits
        return f"a value of type {type(value).__name__}"
    return shortened(text, most)


def shortened(text: str, most: int = MOST_SHOWN) -> str:
    r"""Return a text from outside as a part of a message, on one line and bounded.

    Args:
        text: Of a message, a file or a caller.
        most: Characters to keep; "…" follows where some were left out.

    Returns:
        The text with an escape, such as ``\n`` or ``\x1b``, for all that cannot be printed.
    """
    escaped = _printable(text[: most + 1])
    return escaped if len(escaped) <= most else f"{escaped[:most]}…"


def one_line(text: str, most: int = MOST_IN_MESSAGE) -> str:
    """Return a whole message as exceptions, log lines and diagnostics hold it.

    Args:
        text: With parts from outside.
        most: Characters to keep; of a longer text the middle is left out, as its end says what to
            do.

    Returns:
        The text, escaped as by `shortened`; what was returned before comes back unchanged.
    """
    if len(text) <= most:
        escaped = _printable(text)
        if len(escaped) <= most:
            return escaped
    half = (most - 1) // 2
    return f"{_printable(text[:half])[:half]}…{_printable(text[-half:])[-half:]}"


def said(error: BaseException) -> str:
    """Return what an exception says, with spaces for line breaks; its type if it says nothing."""
    return one_line(" ".join(str(error).split())) or type(error).__name__


def handled_traceback() -> str:
    """Return the traceback of the exception being handled: its last lines, indented.

    No line of the exception's own text can pass for another line of the log.
    """
    lines = traceback.format_exc().splitlines()
    return "\n".join(f"  {shortened(line, 2 * MOST_SHOWN)}" for line in lines[-_MOST_LINES:])


def _printable(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def nearest(
    name: object, names: Iterable[str], most: int = 1, similarity: float = 0.6
) -> list[str]:
    """Return the names that are most like an unknown one, the most similar first.

    Args:
        name: What was given; nothing is like something other than a str.
        names: The known names.
        most: How many to return.
        similarity: 0 to 1; names that are less similar are left out.
    """
    if not isinstance(name, str):
        return []
    return difflib.get_close_matches(name, list(names), most, similarity)


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'? known are: …"`` for an unknown name."""
    names = list(known)
    near = nearest(name, names)
    hint = f"; did you mean {near[0]!r}?" if near else ";"
    return f"{hint} known are: {', '.join(map(repr, names))}"
