# SPDX-License-Identifier: Apache-2.0
"""What values of single parameters must be beyond their type and range. Knows no ROS.

Each check returns what is wrong as a clause "must ...", or "" if nothing is.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from hbm_runtime.image.encodings import COMPRESSED, KNOWN

MAX_NAME = 64  # characters of a model's or an image's name

_TOKEN = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_TOPIC_PART = r"(?:[A-Za-z_{][A-Za-z0-9_{}]*)"
_TOPIC = re.compile(rf"(?:~/|/)?{_TOPIC_PART}(?:/{_TOPIC_PART})*")
# What is read without ROS, what cv_bridge makes BGR of, and formats of compressed images.
ENCODINGS = (
    *KNOWN,
    *("mono16", "rgb16", "bgr16", "rgba16", "bgra16"),
    *("bayer_rggb8", "bayer_bggr8", "bayer_gbrg8", "bayer_grbg8"),
    *("bayer_rggb16", "bayer_bggr16", "bayer_gbrg16", "bayer_grbg16"),
    *COMPRESSED,
    "jpg",
)


def is_token(name: object) -> bool:
    """Whether a model or an image may have this name, which becomes a part of topics."""
    return isinstance(name, str) and len(name) <= MAX_NAME and bool(_TOKEN.fullmatch(name))


def without_empty(names: Iterable[str]) -> list[str]:
    """A list as it is meant: [""] is how a parameter file writes an empty one."""
    kept = list(names)
    return [] if kept == [""] else kept


def check_names(names: list[str], what: str, reserved: Collection[str]) -> str:
    """Names of models or of images, whose parameters stand below them.

    Args:
        names: To be checked.
        what: "a model" or "an image".
        reserved: Names that stand for something else in the same place.
    """
    for name in names:
        if not is_token(name):
            text = name if len(name) <= MAX_NAME else f"{name[:MAX_NAME]}…"
            return (
                f"must hold names of letters, digits and _ after a letter, {MAX_NAME} characters "
                f"at most; {text!r} is not one"
            )
        if name in reserved:
            return f"must hold names of your own; {name!r} is a parameter of the same place"
    if len(set(names)) != len(names):
        return f"must not list {what} twice"
    return ""


def check_cores(cores: list[int]) -> str:
    """Cores of the accelerator."""
    if cores == [-1] or (cores and min(cores) >= 0 and len(set(cores)) == len(cores)):
        return ""
    return "must be [-1] for any core, or different core numbers from 0 up"


def check_topic(topic: str) -> str:
    """Name of a topic, before it is resolved."""
    if _TOPIC.fullmatch(topic):
        return ""
    return "must be the name of a topic: words of letters, digits and _ between /"


def check_encodings(names: list[str]) -> str:
    """Encodings of images."""
    if all(name in ENCODINGS for name in without_empty(names)):
        return ""
    return f"must hold names of encodings ({', '.join(ENCODINGS)}), or be [''] for all"


def check_tensors(names: list[str]) -> str:
    """Input tensors that an image feeds."""
    kept = without_empty(names)
    if not all(kept):
        return "must hold names of input tensors, or be [''] for those found by their shapes"
    return "must not list a tensor twice" if len(set(kept)) != len(kept) else ""


def check_roi(roi: list[int]) -> str:
    """Left, top, width and height of a part of an image."""
    if not any(roi) or all(side > 0 for side in roi[2:]):
        return ""
    return "must be left, top, width and height in pixels, or all 0 for none"


def check_scale(scale: list[float]) -> str:
    """Factors of pixels."""
    return "" if all(scale) else "must not hold 0.0, which would make all pixels equal"
