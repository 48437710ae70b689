# SPDX-License-Identifier: Apache-2.0
"""What the node tells of its models, also to those who come late."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_models
from hbm_runtime_ros.msg import ModelInfo, ModelInfoList, Quantization

from hbm_runtime import HB_HBMRuntime
from hbm_runtime.tools.packing.options import OutputQuantization
from hbm_runtime_ros.ros.qos import MODEL_INFO


@pytest.fixture
def info(observer: Any) -> Callable[[], ModelInfoList]:
    """Subscribe now and return the one message that was kept."""

    def receive() -> ModelInfoList:
        messages = observer.collect(ModelInfoList, "/inference_node/model_info", MODEL_INFO)
        observer.until(lambda: messages, "model_info")
        return messages[0]

    return receive


def test_a_late_joiner_gets_it(serve: Callable, nv12_model: Path, info: Callable) -> None:
    rig = serve(eye=dict(file=nv12_model))
    rig.statistics("eye")  # at least a second after the one publication
    assert [model.name for model in info().models] == ["eye"]


def test_it_says_all_that_the_runtime_knows(
    serve: Callable, info: Callable, tmp_path: Path
) -> None:
    spec = tiny_models.pack(
        tiny_models.conv(),
        "inner",
        nv12_inputs=("x",),
        description="a convolution",
        tensor_descriptions={"y": "four channels"},
    )
    file = tiny_models.save(tmp_path / "one.hbm", spec, description="one file")
    serve(eye=dict(file=file, priority=200, bpu_cores=[1, 3], resize="letterbox", pad_value=4))
    message = info()
    runtime = HB_HBMRuntime(str(file))
    library = runtime.library
    assert message.simulator
    assert message.core_count == library.core_count
    assert (message.soc_name, message.library_path) == (library.soc_name, library.path)
    assert message.ucp_version == library.ucp_version
    assert message.dnn_version == library.dnn_version
    assert message.runtime_version == str(HB_HBMRuntime.version)
    (model,) = message.models
    assert (model.name, model.model_name, model.file) == ("eye", "inner", str(file))
    assert (model.description, model.file_description) == ("a convolution", "one file")
    assert (model.priority, list(model.bpu_cores)) == (200, [1, 3])
    assert model.compiled_core_count == runtime.compile_bpu_core_num["inner"]
    (image,) = model.images
    assert (image.name, image.topic, image.transport) == ("", "/camera/image", "raw")
    assert (image.width, image.height) == (12, 8)
    assert sorted(image.tensors) == sorted(tensor.name for tensor in model.inputs)
    assert (image.resize, image.pad_value, image.color_range) == ("letterbox", 4, "full")
    assert model.content_hash == runtime.models["inner"].content_hash
    assert model.tensors_topic == "/inference_node/eye/tensors"
    for side, tensors in (("input", model.inputs), ("output", model.outputs)):
        names = getattr(runtime, f"{side}_names")["inner"]
        assert [tensor.name for tensor in tensors] == names
        for tensor in tensors:
            assert list(tensor.shape) == getattr(runtime, f"{side}_shapes")["inner"][tensor.name]
            assert list(tensor.strides) == getattr(runtime, f"{side}_strides")["inner"][tensor.name]
            assert tensor.data_type == getattr(runtime, f"{side}_dtypes")["inner"][tensor.name]
            assert tensor.description == getattr(runtime, f"{side}_descs")["inner"][tensor.name]
            sizes = getattr(runtime, f"{side}_aligned_byte_sizes")["inner"]
            assert tensor.aligned_byte_size == sizes[tensor.name]
            assert tensor.quantization.type == Quantization.NONE


def test_quantisation_is_told_per_axis(serve: Callable, info: Callable, tmp_path: Path) -> None:
    how = OutputQuantization("int8", axis=1, scales=(0.5, 0.25, 1.0, 2.0))
    spec = tiny_models.pack(tiny_models.conv(), "q", output_quantization={"y": how})
    file = tiny_models.save(tmp_path / "q.hbm", spec)
    serve(eye=dict(file=file))
    (output,) = info().models[0].outputs
    quant = HB_HBMRuntime(str(file)).output_quants["q"]["y"]
    told = output.quantization
    assert (told.type, told.axis) == (Quantization.SCALE, quant.axis)
    assert list(told.scale) == [0.5, 0.25, 1.0, 2.0]
    assert np.array_equal(told.scale, quant.scale)
    assert list(told.zero_point) == quant.zero_point.tolist()


def test_the_hash_follows_what_tensors_mean_and_comes_with_each_result(
    serve: Callable, info: Callable, tmp_path: Path, make_image: Callable
) -> None:
    def save(name: str, height: int, **options: Any) -> Path:
        model = tiny_models.pack(tiny_models.conv(height), "m", nv12_inputs=("x",), **options)
        return tiny_models.save(tmp_path / name, model)

    rig = serve(
        first=dict(file=save("a.hbm", 8)),
        copy=dict(file=save("b.hbm", 8, description="other words"), priority=7),
        other=dict(file=save("c.hbm", 10)),
    )
    models: dict[str, ModelInfo] = {model.name: model for model in info().models}
    assert models["first"].hash == models["copy"].hash != models["other"].hash
    assert rig.publish_until_result(make_image(), "first").model_hash == models["first"].hash
