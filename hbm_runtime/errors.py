# SPDX-License-Identifier: Apache-2.0
"""The errors of hbm_runtime: one tree, each class also the builtin that old handlers expect."""

from __future__ import annotations

import concurrent.futures
import sys
from typing import Any

from hbm_runtime._texts import one_line


class HBMError(RuntimeError):
    """Base of all errors of this package.

    Attributes:
        call: Function of the accelerator's libraries that failed, or None.
        status: Its status code, negative, or None.
        status_name: The code's name, e.g. ``"HB_UCP_MEM_ALLOC_FAIL"``, or None.
        model: Name of the model concerned, or None.
        tensor: Name of the tensor concerned, or None.

    Examples:
        >>> import numpy as np
        >>> from hbm_runtime import HB_HBMRuntime, HBMError
        >>> try:
        ...     HB_HBMRuntime("model.hbm").run(np.zeros((1, 5), np.float32))
        ... except HBMError as error:
        ...     print(error.model, error.tensor)
        plus x
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
        super().__init__(one_line(message))
        self.call = call
        self.status = status
        self.status_name = status_name
        self.model = model
        self.tensor = tensor


class HBMInputError(HBMError, ValueError):
    """An argument is wrong: a name, a shape, a data type, a priority, a core; also a ValueError.

    Examples:
        >>> from hbm_runtime import HB_HBMRuntime
        >>> HB_HBMRuntime("model.hbm").set_scheduling_params(priority={"pluss": 200})
        Traceback (most recent call last):
        hbm_runtime.errors.HBMInputError: Invalid model name in priority setting: ...
    """


class HBMLibraryError(HBMError, ImportError):
    """The accelerator's libraries are missing, foreign or cannot start; also an ImportError.

    Examples:
        >>> from hbm_runtime import HB_HBMRuntime
        >>> HB_HBMRuntime("model.hbm", library="/missing")
        Traceback (most recent call last):
        hbm_runtime.errors.HBMLibraryError: the argument 'library' names the folder '/missing', ...
    """

    def __init__(self, message: str, **where: Any) -> None:
        super().__init__(message, **where)
        self.msg: str = str(self.args[0])  # what handlers of ImportError read


class HBMModelError(HBMError):
    """A model file cannot be loaded; the message says why and what to do.

    Examples:
        >>> from hbm_runtime import HB_HBMRuntime
        >>> HB_HBMRuntime("missing.hbm")
        Traceback (most recent call last):
        hbm_runtime.errors.HBMModelError: The input hbm model missing.hbm does not exist.
    """


class HBMMemoryError(HBMError, MemoryError):
    """The accelerator has no memory left; also a MemoryError.

    Examples:
        >>> from hbm_runtime import HB_HBMRuntime, HBMMemoryError
        >>> rt = HB_HBMRuntime("model.hbm")
        >>> try:
        ...     bindings = [rt.bind() for _ in range(4)]
        ... except HBMMemoryError:
        ...     bindings = []  # do with runs that borrow their memory
    """


class HBMTaskError(HBMError):
    """The accelerator failed to run a model; the next run may succeed.

    Examples:
        >>> import numpy as np
        >>> from hbm_runtime import HB_HBMRuntime, HBMTaskError
        >>> rt = HB_HBMRuntime("model.hbm")
        >>> try:
        ...     outputs = rt.run(np.zeros((1, 4), np.float32))
        ... except HBMTaskError as error:
        ...     print(error.call, error.status_name)
    """


if sys.version_info >= (3, 11):

    class HBMTimeoutError(HBMError, TimeoutError):
        """A deadline passed; also a TimeoutError, which futures and asyncio raise as well.

        Examples:
            >>> import numpy as np
            >>> from hbm_runtime import HB_HBMRuntime, HBMTimeoutError
            >>> rt = HB_HBMRuntime("model.hbm")
            >>> try:
            ...     outputs = rt.run(np.zeros((1, 4), np.float32), timeout=0.5)
            ... except HBMTimeoutError:
            ...     outputs = None  # too late; the model is ready for the next run
        """

else:

    class HBMTimeoutError(HBMError, TimeoutError, concurrent.futures.TimeoutError):
        """A deadline passed; also a TimeoutError, and the one of futures.

        Examples:
            >>> import numpy as np
            >>> from hbm_runtime import HB_HBMRuntime, HBMTimeoutError
            >>> rt = HB_HBMRuntime("model.hbm")
            >>> try:
            ...     outputs = rt.run(np.zeros((1, 4), np.float32), timeout=0.5)
            ... except HBMTimeoutError:
            ...     outputs = None  # too late; the model is ready for the next run
        """


class HBMBusyError(HBMError):
    """Nothing is free right now: too many runs in flight, or a binding that is running.

    Examples:
        >>> import numpy as np
        >>> from hbm_runtime import HB_HBMRuntime, HBMBusyError
        >>> rt = HB_HBMRuntime("model.hbm", max_in_flight=8)
        >>> try:
        ...     future = rt.run_async(np.zeros((1, 4), np.float32), when_full="raise")
        ... except HBMBusyError:
        ...     future = None  # drop this input: eight runs are unfinished
    """


class HBMClosedError(HBMError):
    """The runtime was closed, or the program is ending.

    Examples:
        >>> from hbm_runtime import HB_HBMRuntime
        >>> rt = HB_HBMRuntime("model.hbm")
        >>> rt.close()
        >>> rt.model_names
        Traceback (most recent call last):
        hbm_runtime.errors.HBMClosedError: the runtime is closed; make a new HB_HBMRuntime
    """
