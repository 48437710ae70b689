# SPDX-License-Identifier: Apache-2.0
"""The examples in the docstrings of hbm_runtime.image: each public name has one, and it is true."""

from __future__ import annotations

import doctest
import inspect
from typing import get_origin

import numpy as np
import pytest

pytest.importorskip("cv2", reason="needs OpenCV: pip install 'hbm-runtime[image]'")

from hbm_runtime import image

# The other public names are aliases of types and a number, which have no docstring.
DESCRIBED = [
    name
    for name in image.__all__
    if inspect.isfunction(getattr(image, name))
    # inspect.isclass takes an alias such as NDArray[np.uint8] for a class on Python 3.10
    or (isinstance(getattr(image, name), type) and get_origin(getattr(image, name)) is None)
]


@pytest.mark.parametrize("name", DESCRIBED)
def test_a_public_name_has_an_example_that_is_true(name: str) -> None:
    names = {"np": np, **{each: getattr(image, each) for each in image.__all__}}
    (example,) = doctest.DocTestFinder(recurse=False).find(names[name], name, globs=names)
    assert example.examples, "has no example"
    said: list[str] = []
    failed, tried = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(
        example, out=said.append
    )
    assert (failed, tried) == (0, len(example.examples)), "".join(said)


def test_functions_and_classes_are_looked_at() -> None:
    assert {"fit_nv12", "Preprocessor"} <= set(DESCRIBED)
