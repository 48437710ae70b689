# SPDX-License-Identifier: Apache-2.0
"""Settings of flat values: defaults, inheritance, what does not go together, unknown keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from hbm_runtime_ros.parameters.known import known_parameters
from hbm_runtime_ros.parameters.reading import check, settings
from hbm_runtime_ros.parameters.row_type import ConfigurationError, Problem
from hbm_runtime_ros.parameters.settings import LiveSettings, ModelSettings, NodeSettings

Values = dict[str, Any]
ONE = {"models": ["a"], "a.file": "a.hbm"}
STEREO = {**ONE, "a.images": ["left", "right"], "a.right.image_topic": "right/image_raw"}


def problems(**values: Any) -> dict[str, str]:
    """Text per key for a configuration of two images; `__` stands for a dot."""
    given = {key.replace("__", "."): value for key, value in values.items()}
    return dict(check({**STEREO, **given}))


# -- settings --------------------------------------------------------------------------------------


def test_without_values_everything_has_the_settings_defaults() -> None:
    assert settings(ONE) == NodeSettings((ModelSettings("a", "a.hbm"),))


ANOTHER = {
    "models": ["a", "b"],
    "a.images": ["left", "right", "top"],
    "a.sync.anchor": "right",
    "bpu_cores": [0],
    "encodings": ["nv12"],
    "tensors": ["x"],
    "resize": "center_crop",
    "roi": [0, 0, 2, 2],
    "mean": [1.0],
    "scale": [2.0],
    "image_topic": "other",
    "file": "other.hbm",
}
# What another value needs beside it.
COMPANIONS = {
    "models": {"b.file": "b.hbm"},
    "a.images": {"a.top.image_topic": "top"},
    "a.tensors": {"a.right.tensors": ["y"]},
    "diagnostics.stale_warn": {"diagnostics.stale_error": 3600.0},
    "diagnostics.drop_rate_warn": {"diagnostics.drop_rate_error": 1.0},
    "a.roi": {"a.resize": "roi"},
    "a.left.roi": {"a.left.resize": "roi"},
    "a.right.roi": {"a.right.resize": "roi"},
}


def another(key: str) -> Any:
    """An allowed value of a parameter that is not its default."""
    spec = known_parameters(STEREO)[key]
    for name in (key, spec.name):
        if name in ANOTHER:
            return ANOTHER[name]
    if spec.choices:
        return next(choice for choice in reversed(spec.choices) if choice != spec.default)
    if spec.bounds:
        return type(spec.default)(spec.bounds[1])
    return not spec.default if isinstance(spec.default, bool) else "other"


@pytest.mark.parametrize("key", known_parameters(STEREO))
def test_every_parameter_arrives_in_the_settings(key: str) -> None:
    beside = {**STEREO, **COMPANIONS.get(key, {})}
    changed = settings({**beside, key: another(key)})
    assert changed != settings(STEREO)
    if not key.endswith(("roi", "models", "images", "tensors")):
        assert changed != settings(beside)


def test_a_model_has_values_of_its_own() -> None:
    first, second = settings(
        {
            **ONE,
            "models": ["a", "b"],
            "b.file": "b.hbm",
            "a.priority": 255,
            "a.bpu_cores": [0, 2],
            "b.max_rate": 12.5,
            "b.tensors_qos.depth": 7,
        }
    ).models
    assert (first.live.priority, first.live.bpu_cores, first.live.max_rate) == (255, (0, 2), 0.0)
    assert (second.live, second.file) == (LiveSettings(max_rate=12.5), "b.hbm")
    assert (second.tensors_qos.profile, second.tensors_qos.depth) == ("reliable", 7)


def test_an_image_has_its_models_values_except_its_own() -> None:
    values = {"a.resize": "letterbox", "a.mean": [1.0, 2.0, 3.0], "a.image_qos.depth": 2}
    own = {"a.right.resize": "center_crop", "a.right.image_qos.reliability": "reliable"}
    (model,) = settings({**STEREO, **values, **own}).models
    left, right = model.images
    assert (left.name, left.topic, left.fit.resize) == ("left", "image_raw", "letterbox")
    assert (right.name, right.topic, right.fit.resize) == (
        "right",
        "right/image_raw",
        "center_crop",
    )
    assert left.normalize == right.normalize and right.normalize.mean == (1.0, 2.0, 3.0)
    assert (left.qos.depth, left.qos.reliability) == (2, "")
    assert (right.qos.depth, right.qos.reliability) == (2, "reliable")


def test_a_list_of_one_empty_string_is_an_empty_list() -> None:
    (model,) = settings({**ONE, "a.images": [""], "a.encodings": [""], "a.tensors": [""]}).models
    (image,) = model.images
    assert (image.name, image.encodings, image.tensors) == ("", (), ())


def test_settings_can_be_keys_and_cannot_change() -> None:
    made = settings(STEREO)
    assert hash(made) == hash(settings(STEREO))
    with pytest.raises(AttributeError):
        made.autostart = False


# -- what does not go together ---------------------------------------------------------------------


def test_a_region_needs_its_mode_and_the_mode_its_region() -> None:
    assert problems(a__resize="roi") == {
        "a.roi": "must be left, top, width and height in pixels where resize is roi, "
        "got [0, 0, 0, 0]"
    }
    assert problems(a__roi=[0, 0, 4, 4]) == {
        "a.resize": "must be roi where roi is given, got 'stretch'"
    }
    assert problems(a__right__roi=[0, 0, 4, 4], a__resize="letterbox") == {
        "a.resize": "must be roi where roi is given, got 'letterbox'"
    }
    assert not problems(a__roi=[0, 0, 4, 4], a__resize="roi")
    assert not problems(a__roi=[0, 0, 4, 4], a__resize="roi", a__left__resize="stretch")
    assert problems(a__resize="roi", a__right__roi=[0, 0, 4, 4])  # the left one has none


def test_mean_and_scale_have_as_many_entries_or_one() -> None:
    assert problems(a__mean=[1.0, 2.0, 3.0], a__scale=[1.0, 2.0]) == {
        "a.scale": "must have 1 entry or 3 as mean has, got [1.0, 2.0]"
    }
    assert not problems(a__mean=[1.0, 2.0, 3.0], a__scale=[0.5])
    assert not problems(a__mean=[1.0], a__scale=[1.0, 2.0, 3.0])
    assert list(problems(a__mean=[1.0, 2.0, 3.0], a__right__scale=[1.0, 2.0])) == ["a.right.scale"]


def test_the_images_of_a_model_come_from_different_places() -> None:
    assert problems(a__right__image_topic="image_raw") == {
        "a.right.image_topic": "must be another topic than that of a.left, got 'image_raw'"
    }
    assert not problems(a__right__image_topic="image_raw", a__right__image_transport="compressed")
    assert list(check({**ONE, "a.images": ["left", "right"]})) == [
        Problem("a.right.image_topic", "must be another topic than that of a.left, got 'image_raw'")
    ]


def test_two_models_may_have_the_same_topic() -> None:
    assert not check({**ONE, "models": ["a", "b"], "b.file": "b.hbm"})


def test_a_tensor_is_fed_by_one_image() -> None:
    assert problems(a__left__tensors=["x", "y"], a__right__tensors=["y"]) == {
        "a.right.tensors": "must be other tensors than those of a.left, got 'y'"
    }


def test_the_anchor_is_an_image() -> None:
    assert problems(a__sync__anchor="top") == {
        "a.sync.anchor": "must be one of images (left, right), got 'top'"
    }
    assert not problems(a__sync__anchor="right", a__sync__policy="anchor")
    assert "one image" in dict(check({**ONE, "a.sync.anchor": "left"}))["a.sync.anchor"]


@pytest.mark.parametrize("what", ["stale", "drop_rate", "latency"])
def test_an_error_comes_after_its_warning(what: str) -> None:
    warn, error = f"diagnostics.{what}_warn", f"diagnostics.{what}_error"
    assert dict(check({**ONE, warn: 0.5, error: 0.25})) == {
        error: f"must be 0.0 or at least {warn}, 0.5; got 0.25"
    }
    assert not check({**ONE, warn: 0.5, error: 0.0})
    assert not check({**ONE, warn: 0.0, error: 0.25})


def test_a_wrong_value_is_not_blamed_for_more() -> None:
    assert list(problems(a__resize="zoom", a__roi=[0, 0, 4, 4])) == ["a.resize"]
    assert list(problems(a__mean=3, a__scale=[1.0, 2.0])) == ["a.mean"]


# -- what is missing -------------------------------------------------------------------------------


def test_models_and_their_files_must_be_given() -> None:
    assert check({}) == (Problem("models", "must list at least one model; it is not given"),)
    assert check({"models": ["a"]}) == (
        Problem("a.file", "must be the path of a model file; it is not given"),
    )


def test_the_error_says_everything_by_name() -> None:
    with pytest.raises(ConfigurationError) as raised:
        settings({"models": ["a"], "a.priority": 256, "a.file": ""})
    assert str(raised.value) == (
        "parameter 'a.priority' must be 0 to 255, got 256; "
        "parameter 'a.file' must be the path of a model file, got ''"
    )
    assert [problem.key for problem in raised.value.problems] == ["a.priority", "a.file"]


# -- unknown keys ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("a.priorty", "is unknown; did you mean a.priority?"),
        ("a.image_qos.dept", "is unknown; did you mean a.image_qos.depth?"),
        ("a.rigth.resize", "is unknown; did you mean a.right.resize?"),
        ("a.right.rezise", "is unknown; did you mean a.right.resize?"),
        ("a.top.resize", "is unknown; a.images does not list top"),
        ("a.right.priority", "is unknown; it belongs to the model: did you mean a.priority?"),
        ("a.zzzzzzzz", "is unknown"),
        ("priority", "is unknown; it belongs to a model: did you mean a.priority?"),
        ("modls", "is unknown; did you mean models?"),
        ("diagnostics.stale_eror", "is unknown; did you mean diagnostics.stale_error?"),
        ("detector.file", "is unknown; models does not list detector"),
        ("aa.priority", "is unknown; did you mean a.priority?"),
        ("zzzzzzzz", "is unknown"),
        ("a", "is unknown"),
    ],
)
def test_an_unknown_key_is_a_problem_with_the_nearest_known_name(key: str, says: str) -> None:
    assert dict(check({**STEREO, key: 3})) == {key: says}


def test_values_of_ros_itself_are_known() -> None:
    own = {"use_sim_time": True, "start_type_description_service": False}
    assert not check({**ONE, **own, "qos_overrides./image.subscription.depth": 3})


def test_a_wrong_list_of_models_does_not_make_all_their_parameters_unknown() -> None:
    assert [problem.key for problem in check({"models": "a", "a.file": "a.hbm"})] == ["models"]
    assert [problem.key for problem in check({"a.file": "a.hbm"})] == ["models"]


@pytest.mark.timeout(60)  # a second or two; quadratic would be hours
def test_many_unknown_keys_do_not_take_long() -> None:
    values = {**STEREO, "models": [f"m{i}" for i in range(64)]}
    values |= {f"m{i}.file": "x" for i in range(64)}
    values |= {f"m{i % 64}.unknown_parameter_{i}": 1 for i in range(20_000)}
    assert len(check(values)) >= 20_000


# -- anything at all -------------------------------------------------------------------------------

names = st.sampled_from(
    [
        "models",
        "a.images",
        *known_parameters(STEREO),
        "a.x",
        "a.top.roi",
        "",
        ".",
        "a..",
        "use_sim_time",
    ]
)
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text("ab. /", max_size=5), st.just("a")
)
anything = st.one_of(scalars, st.lists(scalars, max_size=5), st.lists(st.just("a"), max_size=2))


@hypothesis_settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(names, anything, max_size=12))
def test_any_values_make_settings_or_problems(values: Mapping[str, Any]) -> None:
    found = check(values)
    for key, text in found:
        assert isinstance(key, str) and text.startswith(("must ", "is unknown"))
    if found:
        with pytest.raises(ConfigurationError):
            settings(values)
    else:
        assert isinstance(settings(values), NodeSettings)
