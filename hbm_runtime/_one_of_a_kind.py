# SPDX-License-Identifier: Apache-2.0
"""OneOfAKind: objects that stand for something outside of Python, which no copy would double."""

from __future__ import annotations

import copyreg
from typing import NoReturn, SupportsIndex

from hbm_runtime import _core


class OneOfAKind:
    """Base of classes whose objects can be shared but not copied or pickled."""

    _instead: str  # the end of the message

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        """Refuse what copy, pickle and multiprocessing ask for."""
        _refuse(self, self._instead)


def _refuse(
    thing: object, instead: str = "share it between threads, and make one in each process"
) -> NoReturn:
    name = type(thing).__name__
    raise TypeError(f"an object of {name} cannot be copied or pickled: {instead}")


for _kind in vars(_core).values():
    if isinstance(_kind, type):  # pybind11 would end the process at the pickle protocols 0 and 1
        copyreg.pickle(_kind, _refuse)
