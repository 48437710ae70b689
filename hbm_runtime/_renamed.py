# SPDX-License-Identifier: Apache-2.0
"""Old names of modules: they work for one more version, with a DeprecationWarning."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable
from typing import Any

LAST_VERSION = "0.2"


def forward(old: str, new: str) -> Callable[[str], Any]:
    """Make the `__getattr__` of a module whose content has moved.

    Args:
        old: Name that the module had.
        new: Name of the module that holds the content now.

    Returns:
        The function: it answers from the new module and warns the caller.
    """

    def get(name: str) -> Any:
        if name == "__all__":  # of `import *`, which then asks for each of them
            return [each for each in vars(importlib.import_module(new)) if each[0] != "_"]
        if name.startswith("__") and name.endswith("__"):  # the import system's own questions
            raise AttributeError(name)
        value = getattr(importlib.import_module(new), name)
        warnings.warn(
            f"{old} is the old name of {new} and works until version {LAST_VERSION}: import "
            f"{name} from {new}",
            DeprecationWarning,
            stacklevel=2,
        )
        return value

    return get
