# SPDX-License-Identifier: Apache-2.0
"""The three forms of run, the choice of the model, and what comes out."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnxruntime
import pytest
import tiny_models

from hbm_runtime import HB_HBMRuntime

A = np.arange(6, dtype=np.float32).reshape(2, 3)
B = np.ones((2, 3), np.float32)
X = np.arange(4, dtype=np.float32).reshape(1, 4)


def test_an_array_for_a_model_with_one_input(doubling: HB_HBMRuntime) -> None:
    x = np.random.default_rng(0).random((1, 3, 4, 5), np.float32)
    results = doubling.run(x)
    assert list(results) == ["doubling"] and list(results["doubling"]) == ["y"]
    np.testing.assert_array_equal(results["doubling"]["y"], 2 * x)


def test_a_dict_of_inputs(sums: HB_HBMRuntime) -> None:
    outputs = sums.run({"b": B, "a": A})["sums"]
    assert list(outputs) == ["total", "difference", "flat"]
    np.testing.assert_array_equal(outputs["total"], A + B)
    np.testing.assert_array_equal(outputs["difference"], A - B)
    np.testing.assert_array_equal(outputs["flat"], (A + B).ravel())


def test_a_dict_of_models_runs_them_together(pair: HB_HBMRuntime) -> None:
    results = pair.run({"sums": {"a": A, "b": B}, "plus": {"x": X}})
    assert list(results) == ["sums", "plus"]
    np.testing.assert_array_equal(results["plus"]["y"], X + 1)
    np.testing.assert_array_equal(results["sums"]["total"], A + B)


def test_model_name_chooses_and_filters(pair: HB_HBMRuntime) -> None:
    np.testing.assert_array_equal(pair.run(X, model_name="plus")["plus"]["y"], X + 1)
    assert list(pair.run({"x": X}, model_name="plus")) == ["plus"]
    both = {"sums": {"a": A, "b": B}, "plus": {"x": X}}
    assert list(pair.run(both, model_name="sums")) == ["sums"]


@pytest.mark.parametrize("keyword", ["input_tensor", "input_tensors", "multi_input_tensors"])
def test_the_input_may_be_named_as_in_the_manual(doubling: HB_HBMRuntime, keyword: str) -> None:
    x = np.ones((1, 3, 4, 5), np.float32)
    assert doubling.run(**{keyword: x})["doubling"]["y"].sum() == 120


def test_several_models_of_one_file(save: Callable[..., str]) -> None:
    one = tiny_models.pack(tiny_models.add(constant=1), "one")
    two = tiny_models.pack(tiny_models.add(constant=2), "two")
    rt = HB_HBMRuntime(save(one, two))
    results = rt.run({"two": {"x": X}, "one": {"x": X}})
    np.testing.assert_array_equal(results["two"]["y"] - results["one"]["y"], np.ones_like(X))


@pytest.mark.parametrize(
    "view",
    [
        lambda x: x.transpose(0, 1, 3, 2).copy().transpose(0, 1, 3, 2),
        lambda x: x[:, :, ::-1],
        lambda x: np.repeat(x, 2, axis=3)[..., ::2],
        lambda x: np.broadcast_to(x[:, :1], x.shape),
        lambda x: x.astype(">f4"),
        lambda x: (
            np.frombuffer(b"\0" + x.tobytes(), np.uint8)[1:].view(np.float32).reshape(x.shape)
        ),
    ],
    ids=["transposed", "reversed", "strided", "broadcast", "big-endian", "unaligned"],
)
def test_any_view_of_an_array_will_do(doubling: HB_HBMRuntime, view: Callable[..., object]) -> None:
    x = view(np.random.default_rng(1).random((1, 3, 4, 5), np.float32))
    np.testing.assert_array_equal(doubling.run(x)["doubling"]["y"], 2 * np.asarray(x))


def test_all_byte_sized_data_types_pass_unchanged(save: Callable[..., str]) -> None:
    model = tiny_models.all_types()
    rt = HB_HBMRuntime(save(tiny_models.pack(model, "types")))
    session = onnxruntime.InferenceSession(model.SerializeToString())
    random = np.random.default_rng(2)
    names = {"tensor(float16)": "f2", "tensor(float)": "f4", "tensor(double)": "f8",
             "tensor(bool)": "?"}  # fmt: skip
    inputs = {
        value.name: random.integers(0, 100, (1, 5)).astype(
            names.get(value.type, value.type[len("tensor(") : -1])
        )
        for value in session.get_inputs()
    }
    outputs = rt.run(inputs)["types"]
    for (name, given), output in zip(inputs.items(), outputs.values(), strict=True):
        assert output.dtype == given.dtype, name
        np.testing.assert_array_equal(output, given)


def test_numpys_other_name_of_a_type_is_the_same_type(save: Callable[..., str]) -> None:
    rt = HB_HBMRuntime(save(tiny_models.pack(tiny_models.identity(element_type=7), "m")))
    for alias in (np.longlong, np.int_, np.int64):
        x = np.arange(4, dtype=alias).reshape(1, 4)
        np.testing.assert_array_equal(rt.run(x)["m"]["y"], x)
