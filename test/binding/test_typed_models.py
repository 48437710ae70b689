# SPDX-License-Identifier: Apache-2.0
"""rt.models: models and tensors as typed objects that equal the manual's dicts, JSON and hashes."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_models
from onnx import TensorProto

from hbm_runtime import (
    HB_HBMRuntime,
    HBMInputError,
    HBMModelError,
    QuantParams,
    hbDNNDataType,
    hbDNNQuantiType,
    unpack_four_bit,
)
from hbm_runtime.models import Model, Models, Tensor, json_schema
from hbm_runtime.tools.packing.options import OutputQuantization

SCALES = (0.5, 0.25, 2.0, 1.0)


@pytest.fixture
def head(save: Callable[..., str]) -> Model:
    """A detector's head: y int8 [1, 4, 8, 12], a scale for each of 4 channels; NV12 in."""
    quantization = {"y": OutputQuantization("int8", 1, SCALES)}
    spec = tiny_models.pack(
        tiny_models.conv(),
        "head",
        description="a model",
        nv12_inputs=("x",),
        output_quantization=quantization,
        tensor_descriptions={"y": "a head"},
    )
    return HB_HBMRuntime(save(spec)).models["head"]


@pytest.fixture
def types(save: Callable[..., str]) -> HB_HBMRuntime:
    """Inputs and outputs of every data type of whole bytes."""
    return HB_HBMRuntime(save(tiny_models.pack(tiny_models.all_types(), "types")))


@pytest.fixture
def four_bit(save: Callable[..., str]) -> HB_HBMRuntime:
    """int8 x [1, 7] in, S4 y out."""
    model = tiny_models.converted(TensorProto.INT8, TensorProto.INT4, (1, 7))
    return HB_HBMRuntime(save(tiny_models.pack(model, "m")))


def test_models_are_a_mapping_in_load_order(pair: HB_HBMRuntime) -> None:
    assert isinstance(pair.models, Models)
    assert list(pair.models) == pair.model_names == ["plus", "sums"]
    assert [model.name for model in pair.models.values()] == ["plus", "sums"]
    assert "plus" in pair.models and "minus" not in pair.models
    assert pair.models.get("minus") is None


def test_tensors_are_found_by_name_and_by_index(pair: HB_HBMRuntime) -> None:
    inputs = pair.models["sums"].inputs
    assert inputs["b"] is inputs[1] is inputs[-1]
    assert list(inputs) == ["a", "b"] and len(inputs) == 2
    assert "b" in inputs and 1 not in inputs
    assert inputs.get("c") is None


@pytest.mark.parametrize("fixture", ["pair", "types", "doubling", "four_bit"])
def test_they_tell_what_the_manuals_dicts_tell(
    fixture: str, request: pytest.FixtureRequest
) -> None:
    rt: HB_HBMRuntime = request.getfixturevalue(fixture)
    for name, model in rt.models.items():
        assert model.name == name
        assert model.description == rt.model_descs[name]
        assert model.core_count == rt.compile_bpu_core_num[name]
        for side, tensors in (("input", model.inputs), ("output", model.outputs)):
            told = {
                key: getattr(rt, f"{side}_{key}")[name]
                for key in ("descs", "shapes", "dtypes", "quants", "strides", "aligned_byte_sizes")
            }
            assert list(tensors) == getattr(rt, f"{side}_names")[name]
            for tensor in tensors.values():
                assert tensor.description == told["descs"][tensor.name]
                assert list(tensor.shape) == told["shapes"][tensor.name]
                assert tensor.dtype is told["dtypes"][tensor.name]
                assert tensor.quant == told["quants"][tensor.name]
                assert list(tensor.strides) == told["strides"][tensor.name]
                assert tensor.aligned_byte_size == told["aligned_byte_sizes"][tensor.name]


def test_arrays_have_the_numpy_type_and_storage_shape(types: HB_HBMRuntime) -> None:
    inputs = types.models["types"].inputs.values()
    arrays = {tensor.name: np.zeros(tensor.storage_shape, tensor.numpy_dtype) for tensor in inputs}
    outputs = types.run(arrays)["types"]
    for tensor in types.models["types"].outputs.values():
        assert outputs[tensor.name].dtype == tensor.numpy_dtype
        assert outputs[tensor.name].shape == tensor.storage_shape == tensor.shape


def test_four_bit_tensors_are_stored_as_bytes_of_two(four_bit: HB_HBMRuntime) -> None:
    tensor = four_bit.models["m"].outputs[0]
    assert (tensor.shape, tensor.storage_shape, tensor.numpy_dtype) == ((1, 7), (1, 4), np.uint8)


def test_dynamic_tensors_say_so(save: Callable[..., str]) -> None:
    spec = tiny_models.pack(
        tiny_models.dynamic(), "m", dynamic=True, max_shapes={"x": (2, 3, 8, 16)}
    )
    model = HB_HBMRuntime(save(spec)).models["m"]
    assert model.inputs["x"].is_dynamic and model.outputs["y"].is_dynamic
    assert model.inputs["x"].shape == (-1, 3, -1, -1)
    x = np.ones((1, 3, 2, 5), np.float32)
    np.testing.assert_array_equal(model.outputs["y"].dequantize(x), x)
    with pytest.raises(HBMInputError, match=r"expected shape \[-1, 3, -1, -1\] \(-1: any\), got"):
        model.outputs["y"].dequantize(x[:, :2])


def test_nv12_planes_are_not_dynamic_though_run_chooses_their_strides(head: Model) -> None:
    assert not head.inputs["x_y"].is_dynamic
    assert head.inputs["x_y"].strides == (-1, -1, 1, 1)


def test_outputs_are_dequantised_and_quantised_back(head: Model) -> None:
    stored = np.random.default_rng(0).integers(-128, 128, (1, 4, 8, 12)).astype(np.int8)
    scale = np.array(SCALES, np.float32).reshape(4, 1, 1)
    real = head.outputs["y"].dequantize(stored)
    assert real.dtype == np.float32
    np.testing.assert_array_equal(real, stored * scale)
    np.testing.assert_array_equal(head.outputs["y"].quantize(real), stored)
    out = np.empty((1, 4, 8, 12))
    assert head.outputs["y"].dequantize(stored, out) is out


def test_what_run_returns_is_dequantised(save: Callable[..., str]) -> None:
    quantization = {"y": OutputQuantization("int8", 1, SCALES)}
    spec = tiny_models.pack(tiny_models.conv(), "m", output_quantization=quantization)
    rt = HB_HBMRuntime(save(spec))
    output = rt.models["m"].outputs["y"]
    stored = rt.run(np.ones((1, 3, 8, 12), np.float32))["m"]["y"]
    assert not stored.flags.c_contiguous  # rows padded to 32 bytes
    float_rt = HB_HBMRuntime(save(tiny_models.pack(tiny_models.conv(), "m"), file="float.hbm"))
    exact = float_rt.run(np.ones((1, 3, 8, 12), np.float32))["m"]["y"]
    error = np.abs(output.dequantize(stored) - exact)
    inside = (stored > -128) & (stored < 127)
    assert inside.mean() > 0.5
    assert np.all((error <= output.quant.scale.reshape(4, 1, 1) / 2)[inside])


def test_four_bit_outputs_are_dequantised_to_their_own_length(four_bit: HB_HBMRuntime) -> None:
    x = np.array([[-8, 7, -1, 0, 1, 3, -5]], np.int8)
    stored = four_bit.run(x)["m"]["y"]
    tensor = four_bit.models["m"].outputs["y"]
    real = tensor.dequantize(stored)
    assert real.shape == (1, 7)
    np.testing.assert_array_equal(real, unpack_four_bit(stored, tensor.dtype, 7))
    # The half byte behind an odd row is nobody's.
    again = tensor.quantize(real)
    np.testing.assert_array_equal(unpack_four_bit(again, tensor.dtype, 7), real)


def test_an_array_of_another_tensor_is_refused_by_name(head: Model, types: HB_HBMRuntime) -> None:
    tensor = head.outputs["y"]
    with pytest.raises(HBMInputError, match=r"model 'head', output 'y': expected shape") as caught:
        tensor.dequantize(np.zeros((1, 4, 8), np.int8))
    assert (caught.value.model, caught.value.tensor) == ("head", "y")
    with pytest.raises(HBMInputError, match=r"output 'y': S8 is stored as int8, got .* float32"):
        tensor.dequantize(np.zeros((1, 4, 8, 12), np.float32))
    with pytest.raises(HBMInputError, match="output 'y': expected shape"):
        tensor.quantize(np.zeros((4, 8, 12)))
    truth = types.models["types"].inputs[-1]
    assert truth.dtype is hbDNNDataType.BOOL8
    with pytest.raises(HBMInputError, match=f"input '{truth.name}': .* BOOL8 holds truth values"):
        truth.quantize(np.zeros(truth.shape))


@pytest.mark.parametrize("key", ["c", 2, -3, None, 1.5])
def test_unknown_tensors_are_errors_of_mappings_and_of_this_package(
    pair: HB_HBMRuntime, key: Any
) -> None:
    for error in (KeyError, IndexError, HBMInputError):
        with pytest.raises(error, match="inputs of model 'sums'"):
            pair.models["sums"].inputs[key]


def test_unknown_names_come_with_the_known_ones(pair: HB_HBMRuntime) -> None:
    with pytest.raises(KeyError) as caught:
        pair.models["suns"]
    assert str(caught.value) == (
        "model 'suns' is not loaded; did you mean 'sums'? known are: 'plus', 'sums'"
    )
    with pytest.raises(HBMInputError, match=r"there is no 'totl'; did you mean 'total'\?"):
        pair.models["sums"].outputs["totl"]


def test_they_cannot_be_changed(head: Model) -> None:
    for thing, field in ((head, "name"), (head.outputs["y"], "shape")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(thing, field, "other")
    with pytest.raises(TypeError):
        head.inputs["x"] = head.outputs["y"]  # type: ignore[index]
    quant = head.outputs["y"].quant
    quant.scale[:] = 7
    quant.axis = 3
    assert head.outputs["y"].quant.scale.tolist() == list(SCALES)
    assert head.outputs["y"].quant.axis == 1


def test_they_are_equal_hashable_and_can_be_copied(save: Callable[..., str]) -> None:
    path = save(tiny_models.pack(tiny_models.two_inputs_three_outputs(), "sums"))
    first, second = (HB_HBMRuntime(path).models["sums"] for _ in range(2))
    assert first == second and hash(first) == hash(second)
    assert first.inputs["a"] == second.inputs["a"] != first.inputs["b"]
    assert len({first.inputs["a"], second.inputs["a"], first.inputs["b"]}) == 2
    for other in (copy.deepcopy(first), pickle.loads(pickle.dumps(first))):
        assert other == first
        assert other.content_hash == first.content_hash


def test_they_show_what_matters(head: Model, pair: HB_HBMRuntime) -> None:
    assert repr(head) == "Model('head', inputs=['x_y', 'x_uv'], outputs=['y'], core_count=1)"
    assert repr(head.outputs["y"]) == (
        "Tensor('y', S8, shape=(1, 4, 8, 12), strides=(1024, 256, 32, 1), "
        "quant=4 scales along axis 1)"
    )
    assert repr(head.outputs) == f"Tensors([{head.outputs['y']!r}])"
    assert repr(pair.models) == f"Models([{pair.models['plus']!r}, {pair.models['sums']!r}])"


@pytest.mark.parametrize("fixture", ["pair", "types", "doubling", "four_bit"])
def test_json_fits_its_schema(fixture: str, request: pytest.FixtureRequest) -> None:
    jsonschema = pytest.importorskip(
        "jsonschema", reason="jsonschema is a test tool of requirements/python.txt"
    )
    rt: HB_HBMRuntime = request.getfixturevalue(fixture)
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    for hashed in (False, True):
        assert list(validator.iter_errors(json.loads(rt.models.to_json(content_hash=hashed)))) == []
        for model in rt.models.values():
            document = json.loads(model.to_json(content_hash=hashed))
            assert list(validator.iter_errors(document)) == []
            assert document == model.to_dict(content_hash=hashed)
            # The schema is no rubber stamp.
            for wrong in ({"name": 7}, {"inputs": None}, {"other": 1}, {"metadata_hash": "x"}):
                assert not validator.is_valid({**document, **wrong})
            del document["outputs"][0]["quant"]
            assert not validator.is_valid(document)


def test_the_dict_of_a_model(head: Model) -> None:
    described = head.to_dict()
    assert described["schema_version"] == 1
    assert (described["name"], described["description"]) == ("head", "a model")
    assert [tensor["name"] for tensor in described["inputs"]] == ["x_y", "x_uv"]
    assert described["file"] == head.file and described["file"].endswith("model.hbm")
    assert "content_hash" not in described
    assert head.to_dict(content_hash=True)["content_hash"] == head.content_hash
    assert described["outputs"] == [
        {
            "name": "y",
            "description": "a head",
            "dtype": "S8",
            "numpy_dtype": "int8",
            "shape": [1, 4, 8, 12],
            "strides": [1024, 256, 32, 1],
            "aligned_byte_size": 1024,
            "is_dynamic": False,
            "quant": {
                "type": "SCALE",
                "axis": 1,
                "scale": list(SCALES),
                "zero_point": [0, 0, 0, 0],
            },
        }
    ]
    assert head.to_json(indent=2).startswith('{\n  "schema_version": 1,')


def test_scales_that_json_has_no_number_for_are_text() -> None:
    scale = np.array([np.nan, np.inf, -np.inf, 0.1], np.float32)
    quant = QuantParams(scale, np.empty(0, np.int32), hbDNNQuantiType.SCALE, 0)
    tensor = Tensor("t", "", (4,), hbDNNDataType.S8, (1,), 4, quant, "m", "input")
    told = tensor.to_dict()["quant"]["scale"]
    assert told == ["NaN", "Infinity", "-Infinity", float(np.float32(0.1))]


def test_kserve_metadata_have_the_shape_of_version_2(
    head: Model, types: HB_HBMRuntime, four_bit: HB_HBMRuntime
) -> None:
    assert head.to_kserve() == {
        "name": "head",
        "platform": "hbm_runtime",
        "inputs": [
            {"name": "x_y", "datatype": "UINT8", "shape": [1, 8, 12, 1]},
            {"name": "x_uv", "datatype": "UINT8", "shape": [1, 4, 6, 2]},
        ],
        "outputs": [{"name": "y", "datatype": "INT8", "shape": [1, 4, 8, 12]}],
    }
    told = [tensor["datatype"] for tensor in types.models["types"].to_kserve()["inputs"]]
    expected = "INT8 UINT8 FP16 INT16 UINT16 FP32 INT32 UINT32 FP64 INT64 UINT64 BOOL"
    assert told == expected.split()
    packed = {"name": "y", "datatype": "UINT8", "shape": [1, 4]}
    assert four_bit.models["m"].to_kserve()["outputs"] == [packed]


class TestMetadataHash:
    def test_it_is_that_of_the_canonical_json(self, head: Model) -> None:
        described = head.to_dict()
        told = described.pop("metadata_hash")
        del described["file"]
        text = json.dumps(described, sort_keys=True, separators=(",", ":"))
        assert told == head.metadata_hash == hashlib.sha256(text.encode()).hexdigest()

    def test_it_depends_on_metadata_only(self, save: Callable[..., str]) -> None:
        def hash_of(file: str, model: Any, **options: Any) -> str:
            path = save(tiny_models.pack(model, "m", **options), file=file)
            return HB_HBMRuntime(path).models["m"].metadata_hash

        one = hash_of("a.hbm", tiny_models.add(constant=1))
        assert hash_of("b.hbm", tiny_models.add(constant=2)) == one
        assert hash_of("c.hbm", tiny_models.add(), description="other") != one
        assert hash_of("d.hbm", tiny_models.add((1, 8))) != one


class TestContentHash:
    def test_it_is_that_of_the_file_and_the_name(self, save: Callable[..., str]) -> None:
        specs = [tiny_models.pack(tiny_models.add(), name) for name in ("first", "zweites-ä")]
        path = save(*specs)
        models = HB_HBMRuntime(path).models
        digest = hashlib.sha256(Path(path).read_bytes()).digest()
        for name, model in models.items():
            assert model.content_hash == hashlib.sha256(digest + name.encode()).hexdigest()

    def test_it_knows_the_files_of_several_models(self, pair: HB_HBMRuntime) -> None:
        files = [model.file for model in pair.models.values()]
        assert files == list(pair.hbm_descs)
        for model in pair.models.values():
            digest = hashlib.sha256(Path(model.file or "").read_bytes()).digest()
            assert model.content_hash == hashlib.sha256(digest + model.name.encode()).hexdigest()

    def test_the_file_is_read_once_and_only_when_asked(
        self, save: Callable[..., str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = save(*(tiny_models.pack(tiny_models.add(), name) for name in ("one", "two")))
        models = HB_HBMRuntime(path).models
        os.rename(path, f"{path}.moved")
        with pytest.raises(HBMModelError, match=r"model 'one': .* cannot be read any more"):
            _ = models["one"].content_hash
        os.rename(f"{path}.moved", path)
        first = models["one"].content_hash
        os.remove(path)
        assert models["one"].content_hash == first != models["two"].content_hash

    def test_a_relative_path_stays_the_same_file(
        self, save: Callable[..., str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        folder, name = os.path.split(save(tiny_models.pack(tiny_models.add(), "m")))
        monkeypatch.chdir(folder)
        model = HB_HBMRuntime(name).models["m"]
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")
        assert model.file == name
        assert len(model.content_hash) == 64

    @pytest.mark.parametrize("change", ["grow", "rewrite", "replace"])
    def test_a_file_that_was_changed_since_is_an_error(
        self, save: Callable[..., str], change: str
    ) -> None:
        path = Path(save(tiny_models.pack(tiny_models.add(), "m")))
        model = HB_HBMRuntime(path).models["m"]
        before, content = path.stat(), path.read_bytes()
        if change == "grow":
            path.write_bytes(content + b"\0")
        elif change == "rewrite":
            path.write_bytes(content[::-1])
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
        else:
            other = path.with_suffix(".new")
            other.write_bytes(content[::-1])
            os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
            os.replace(other, path)
        with pytest.raises(HBMModelError, match="was changed since it was loaded") as caught:
            _ = model.content_hash
        assert caught.value.model == "m"

    def test_a_model_of_an_unknown_file_has_none(self, head: Model) -> None:
        model = dataclasses.replace(head, _source=None)
        assert model.file is None and model.to_dict()["file"] is None
        with pytest.raises(HBMModelError, match="does not tell which of the files"):
            _ = model.content_hash
        assert len(model.metadata_hash) == 64
