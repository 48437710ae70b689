# SPDX-License-Identifier: Apache-2.0
"""Whether settings fit a model: which one of its file, and whether its images can feed it."""

from __future__ import annotations

import pytest

from hbm_runtime.image.preprocessing import InputSpec
from hbm_runtime_ros.parameters.model_fit import choose_model, preprocessor_of
from hbm_runtime_ros.parameters.row_type import ConfigurationError, Problem
from hbm_runtime_ros.parameters.settings import ImageSettings, ModelSettings

NV12 = [InputSpec("y", (1, 8, 12, 1), "U8"), InputSpec("uv", (1, 4, 6, 2), "U8")]


def settings(name: str = "", *images: ImageSettings) -> ModelSettings:
    return ModelSettings("eye", "m.hbm", name, images=images or (ImageSettings(),))


def problems(model: ModelSettings, inputs: list[InputSpec]) -> list[Problem]:
    with pytest.raises(ConfigurationError) as raised:
        preprocessor_of(model, "conv", inputs)
    return list(raised.value.problems)


def test_the_only_model_needs_no_name() -> None:
    assert choose_model(settings(), ["conv"]) == "conv"
    assert choose_model(settings("b"), ["a", "b"]) == "b"


@pytest.mark.parametrize(
    ("name", "names", "says"),
    [
        ("", ["a", "b"], "must be one of a, b (the models in m.hbm), got ''"),
        ("othr", ["conv", "other"], "got 'othr'; did you mean other?"),
        ("x", ["conv"], "must be one of conv (the models in m.hbm), got 'x'"),
    ],
)
def test_a_model_that_is_not_there_is_named(name: str, names: list[str], says: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        choose_model(settings(name), names)
    (problem,) = raised.value.problems
    assert problem.key == "eye.model_name" and problem.text.endswith(says)


def test_images_that_fit_make_a_preprocessor() -> None:
    (image,) = preprocessor_of(settings(), "conv", NV12).images
    assert (image.tensors, image.width, image.height) == (("y", "uv"), 12, 8)


def test_every_tensor_that_is_not_there_is_a_problem_of_its_image() -> None:
    left, right = ImageSettings("left", tensors=("yy",)), ImageSettings("right", tensors=("z",))
    assert problems(settings("", left, right), NV12) == [
        ("eye.left.tensors", "must hold inputs of conv, some of y, uv, got 'yy'; did you mean y?"),
        ("eye.right.tensors", "must hold inputs of conv, some of y, uv, got 'z'"),
    ]
    assert problems(settings("", ImageSettings(tensors=("z",))), NV12)[0].key == "eye.tensors"


def test_what_is_no_picture_is_a_problem_of_the_model() -> None:
    ((key, text),) = problems(settings(), [InputSpec("x", (1, 4), "F32")])
    assert key == "eye"
    assert text.startswith("model 'conv' of m.hbm cannot be fed with images: ")
