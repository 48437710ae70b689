# SPDX-License-Identifier: Apache-2.0
"""Parts of error messages: values of bounded length, and the name that was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

MOST_SHOWN = 200  # characters of a value in a message


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
    """Return a text of at most so many characters, and "…" where some were left out."""
    return text if len(text) <= most else f"{text[:most]}…"


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
