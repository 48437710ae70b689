# SPDX-License-Identifier: Apache-2.0
"""The errors of hbm_runtime: one tree, each class also the builtin that old handlers expect."""

from __future__ import annotations

import concurrent.futures
import sys
from typing import Any


class HBMError(RuntimeError):
    """Base of all errors of this package.

    Attributes:
        call: Function of the accelerator's libraries that failed, or None.
        status: Its status code, negative, or None.
        status_name: The code's name, e.g. ``"HB_UCP_MEM_ALLOC_FAIL"``, or None.
        model: Name of the model concerned, or None.
        tensor: Name of the tensor concerned, or None.
    """

    def __init__(
        self,
        message: str,
        *,
        call: str | None = None,
        status: int | None = None,
        status_name: str | None = None,
        model: str | None = None,
        tensor: str | None = None,
    ) -> None:
        super().__init__(message)
        self.call = call
        self.status = status
        self.status_name = status_name
        self.model = model
        self.tensor = tensor


class HBMInputError(HBMError, ValueError):
    """An argument is wrong: a name, a shape, a data type, a priority, a core; also a ValueError."""


class HBMLibraryError(HBMError, ImportError):
    """The accelerator's libraries are missing, foreign or cannot start; also an ImportError."""

    def __init__(self, message: str, **where: Any) -> None:
        super().__init__(message, **where)
        self.msg = message  # what handlers of ImportError read


class HBMModelError(HBMError):
    """A model file cannot be loaded; the message says why and what to do."""


class HBMMemoryError(HBMError, MemoryError):
    """The accelerator has no memory left; also a MemoryError."""


class HBMTaskError(HBMError):
    """The accelerator failed to run a model; the next run may succeed."""


if sys.version_info >= (3, 11):

    class HBMTimeoutError(HBMError, TimeoutError):
        """A deadline passed; also a TimeoutError, which futures and asyncio raise as well."""

else:

    class HBMTimeoutError(HBMError, TimeoutError, concurrent.futures.TimeoutError):
        """A deadline passed; also a TimeoutError, and the one of futures."""


class HBMBusyError(HBMError):
    """Nothing is free right now: too many runs in flight, or a binding that is running."""


class HBMClosedError(HBMError):
    """The runtime was closed, or the program is ending."""
