# SPDX-License-Identifier: Apache-2.0
"""A user's program that touches every public name; it is read by the type checkers, never run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from typing_extensions import assert_type

import hbm_runtime
from hbm_runtime import (
    PRIORITY_PREEMPT,
    PRIORITY_URGENT,
    Binding,
    HB_HBMRuntime,
    HBMBusyError,
    HBMClosedError,
    HBMError,
    HBMInputError,
    HBMLibraryError,
    HBMMemoryError,
    HBMModelError,
    HBMTaskError,
    HBMTimeoutError,
    QuantParams,
    RunFuture,
    RunResult,
    SchedParam,
    StageTimes,
    Statistics,
    Trace,
    dequantize,
    hbDNNDataType,
    hbDNNQuantiType,
    image,
    model_file,
    models,
    pack_four_bit,
    quantize,
    unpack_four_bit,
)


def load() -> HB_HBMRuntime:
    HB_HBMRuntime(Path("model.hbm"))
    HB_HBMRuntime(["first.hbm", Path("second.hbm")])
    HB_HBMRuntime(("first.hbm", "second.hbm"))
    HB_HBMRuntime(model_file="model.hbm", library=Path("/usr/hobot/lib"))
    HB_HBMRuntime(model_files=["first.hbm", "second.hbm"])
    return hbm_runtime.HB_HBMRuntime("model.hbm")


def look_at_models(runtime: HB_HBMRuntime) -> None:
    assert_type(runtime.model_names, list[str])
    assert_type(runtime.model_count, int)
    assert_type(runtime.model_descs, dict[str, str])
    assert_type(runtime.hbm_descs, dict[str, str])
    assert_type(runtime.compile_bpu_core_num, dict[str, int])
    assert_type(runtime.sched_params, dict[str, SchedParam])
    assert_type(runtime.version(), str)
    version: str = HB_HBMRuntime.version
    assert_type(version.split("."), list[str])


def look_at_inputs(runtime: HB_HBMRuntime) -> None:
    assert_type(runtime.input_counts, dict[str, int])
    assert_type(runtime.input_names, dict[str, list[str]])
    assert_type(runtime.input_descs, dict[str, dict[str, str]])
    assert_type(runtime.input_shapes, dict[str, dict[str, list[int]]])
    assert_type(runtime.input_dtypes, dict[str, dict[str, hbDNNDataType]])
    assert_type(runtime.input_quants, dict[str, dict[str, QuantParams]])
    assert_type(runtime.input_strides, dict[str, dict[str, list[int]]])
    assert_type(runtime.input_aligned_byte_sizes, dict[str, dict[str, int]])


def look_at_outputs(runtime: HB_HBMRuntime) -> None:
    assert_type(runtime.output_counts, dict[str, int])
    assert_type(runtime.output_names, dict[str, list[str]])
    assert_type(runtime.output_descs, dict[str, dict[str, str]])
    assert_type(runtime.output_shapes, dict[str, dict[str, list[int]]])
    assert_type(runtime.output_dtypes, dict[str, dict[str, hbDNNDataType]])
    assert_type(runtime.output_quants, dict[str, dict[str, QuantParams]])
    assert_type(runtime.output_strides, dict[str, dict[str, list[int]]])
    assert_type(runtime.output_aligned_byte_sizes, dict[str, dict[str, int]])


def look_at_typed_models(runtime: HB_HBMRuntime, content_hash: bool) -> None:
    assert_type(runtime.models, models.Models)
    for name, model in runtime.models.items():
        assert_type(model, models.Model)
        assert_type(name + model.name + model.description, str)
        assert_type(model.core_count, int)
        assert_type(model.file, str | None)
        assert_type(model.metadata_hash + model.content_hash, str)
        assert_type(model.to_dict(content_hash=content_hash), dict[str, Any])
        assert_type(model.to_json(indent=2), str)
        assert_type(model.to_kserve(), dict[str, Any])
        assert_type(list(model.outputs), list[str])
    assert_type(runtime.models.to_dict(), dict[str, Any])
    assert_type(runtime.models.to_json(content_hash=True), str)
    assert_type(models.json_schema(), dict[str, Any])
    versions: list[int] = [models.SCHEMA_VERSION]
    assert_type(versions[0], int)


def look_at_typed_tensors(model: models.Model, real: npt.NDArray[np.float64]) -> None:
    inputs: models.Tensors = model.inputs
    tensor: models.Tensor = inputs["image"]
    assert_type(inputs[0], models.Tensor)
    assert_type(tensor.name + tensor.description, str)
    assert_type(tensor.shape + tensor.storage_shape + tensor.strides, tuple[int, ...])
    assert_type(tensor.dtype, hbDNNDataType)
    assert_type(tensor.numpy_dtype, np.dtype[Any])
    assert_type(tensor.aligned_byte_size, int)
    assert_type(tensor.quant, QuantParams)
    assert_type(tensor.is_dynamic, bool)
    assert_type(tensor.to_dict(), dict[str, Any])
    stored = tensor.quantize(real)
    assert_type(stored, npt.NDArray[Any])
    assert_type(tensor.quantize(real, out=stored), npt.NDArray[Any])
    assert_type(tensor.dequantize(stored), npt.NDArray[np.float32])
    assert_type(tensor.dequantize(stored, out=real), npt.NDArray[np.float64])


def quantise(quant: QuantParams, real: npt.NDArray[np.float32]) -> None:
    stored = quantize(real, quant, hbDNNDataType.S4)
    assert_type(stored, npt.NDArray[Any])
    quantize(real, quant, np.int8, out=np.zeros(3, np.int8))
    quantize(real, quant, "int8")
    assert_type(dequantize(stored, quant), npt.NDArray[np.float32])
    assert_type(dequantize(stored, quant, real), npt.NDArray[np.float32])
    four_bits = dequantize(stored, quant, dtype=hbDNNDataType.S4, length=3)
    assert_type(four_bits, npt.NDArray[np.float32])


def look_at_the_library(runtime: HB_HBMRuntime) -> None:
    library = runtime.library
    assert_type(library.path, str)
    assert_type(library.is_simulator, bool)
    assert_type(library.soc_name, str)
    assert_type(library.core_count, int)
    assert_type(library.ucp_version, str)
    assert_type(library.dnn_version, str)


def run(runtime: HB_HBMRuntime, picture: npt.NDArray[np.uint8]) -> None:
    one = np.zeros((1, 3, 224, 224), np.float32)
    outputs = runtime.run(one)
    assert_type(outputs, dict[str, dict[str, npt.NDArray[Any]]])
    runtime.run({"image_y": picture, "mean": one})
    runtime.run({"first": {"image": picture}, "second": {"x": one}}, timeout=0.5)
    runtime.run(one, "first", 5, [0, 1], 7, 0)
    runtime.run(one, model_name="first", priority=5, bpu_cores=[0], custom_id=7, device_id=0)
    runtime.run(
        {"first": {"image": picture}},
        priority={"first": 255},
        bpu_cores={"first": (0, 1)},
        custom_id={"first": 7},
        device_id={"first": 0},
        timeout=None,
        dense=True,
    )
    runtime.run(input_tensor=one)
    runtime.run(input_tensors={"image": one})
    runtime.run(multi_input_tensors={"first": {"image": one}})
    arguments: dict[str, npt.NDArray[Any]] = {"a": one, "b": one}
    runtime.run(arguments)


async def run_in_the_background(
    runtime: HB_HBMRuntime, one: npt.NDArray[np.float32]
) -> RunFuture | None:
    future: RunFuture = runtime.run_async(one, timeout=0.5, when_full="raise", callback=print)
    future.result(timeout=1)["first"]["y"] += 1
    assert_type(future.exception(), BaseException | None)
    assert_type(future.cancel() or future.running(), bool)
    future.add_done_callback(lambda done: assert_type(done, RunFuture))
    await future
    assert_type(runtime.run_many([one, one]), list[dict[str, dict[str, npt.NDArray[Any]]]])
    try:
        return runtime.run_async({"image": one}, "first")
    except HBMBusyError:
        return None


def run_in_place(runtime: HB_HBMRuntime) -> None:
    buffers = runtime.input_buffers("first", shapes={"image": [1, 4]})
    assert_type(buffers, dict[str, npt.NDArray[Any]])
    binding = runtime.bind("first", inputs=buffers, priority=PRIORITY_URGENT, bpu_cores=[0])
    assert_type(binding, Binding)
    binding.inputs["image"][:] = len(binding.model_name)
    assert_type(binding.run(timeout=1), dict[str, npt.NDArray[Any]])
    assert_type(binding.outputs, dict[str, npt.NDArray[Any]])
    assert_type(binding.run_async(callback=print), RunFuture)


def watch(runtime: HB_HBMRuntime, one: npt.NDArray[np.float32]) -> None:
    result = runtime.run(one, timing=True)
    if isinstance(result, RunResult):
        times: StageTimes = result.timing["first"]
        assert_type(times.queue_ns + times.copy_in_ns + times.execute_ns, int)
        assert_type(times.copy_out_ns == times.total_ns, bool)
        assert_type(times.to_dict(), dict[str, int])
    stats: Statistics = runtime.stats()
    assert_type(stats.models["first"].stages["total"].p99_ns, int)
    assert_type(stats.in_flight + stats.waiting, int)
    assert_type(stats.to_json() + stats.to_prometheus(), str)
    assert_type(stats.to_dict(), dict[str, Any])
    assert_type(stats.seconds * stats.cores.count, float)
    assert_type(stats.device_memory.to_dict(), dict[str, int])
    runtime.reset_stats()
    trace: Trace = runtime.trace("run.json", max_runs=1000)
    trace.stop()
    assert_type(trace.runs + trace.dropped, int)
    assert_type(trace.path, Path)


def change_models(runtime: HB_HBMRuntime) -> None:
    assert_type(runtime.load(["third.hbm"]), list[str])
    runtime.warm_up("third", runs=2)
    runtime.reload("third", Path("fourth.hbm"))
    runtime.unload("third")
    runtime.set_scheduling_params(
        {"first": PRIORITY_PREEMPT}, timeout={"first": 1.5}, max_wait_ms={"first": None}
    )
    with runtime as same:
        assert_type(same.closed, bool)
    runtime.close(timeout=1)
    try:
        runtime.warm_up()
    except HBMClosedError as error:
        raise KeyError from error


def schedule(runtime: HB_HBMRuntime) -> None:
    runtime.set_scheduling_params({"first": 255}, {"first": [0]}, {"first": 7}, {"first": 0})
    runtime.set_scheduling_params(priority=None, bpu_cores={"first": [-1], "second": []})
    params = SchedParam()
    params.priority = {"first": 255}
    params.customId = 7
    params.bpu_cores = [0, 1]
    params.deviceId = 0
    runtime.set_scheduling_params(params.priority)
    assert_type(SchedParam(priority=5) == params, bool)


def use_values(quant: QuantParams, data_type: hbDNNDataType) -> None:
    assert_type(quant.scale, npt.NDArray[np.float32])
    assert_type(quant.zero_point, npt.NDArray[np.int32])
    assert_type(quant.quant_type, hbDNNQuantiType)
    assert_type(quant.axis, int)
    assert_type(QuantParams() == quant, bool)
    assert_type(quant.quant_type != 1, bool)
    assert_type(quant.quant_type is hbDNNQuantiType.SCALE, bool)
    assert_type(quant.quant_type == hbDNNQuantiType.NONE, bool)
    name: str = data_type.name
    value: int = data_type.value
    assert_type(data_type == 3, bool)
    number: int = data_type + value + len(name)
    by_type: dict[int, str] = {
        hbDNNDataType.S4: "two in a byte",
        hbDNNDataType.U4: "two in a byte",
        hbDNNDataType.S8: "int8",
        hbDNNDataType.U8: "uint8",
        hbDNNDataType.F16: "float16",
        hbDNNDataType.S16: "int16",
        hbDNNDataType.U16: "uint16",
        hbDNNDataType.F32: "float32",
        hbDNNDataType.S32: "int32",
        hbDNNDataType.U32: "uint32",
        hbDNNDataType.F64: "float64",
        hbDNNDataType.S64: "int64",
        hbDNNDataType.U64: "uint64",
        hbDNNDataType.BOOL8: "bool",
        hbDNNDataType.MAX: "none",
    }
    assert_type(by_type[number], str)


def use_four_bits(values: npt.NDArray[np.int8]) -> None:
    packed = pack_four_bit(values, hbDNNDataType.S4)
    assert_type(packed, npt.NDArray[np.uint8])
    assert_type(unpack_four_bit(packed, hbDNNDataType.S4, length=3), npt.NDArray[Any])


def handle_errors(runtime: HB_HBMRuntime) -> str | None:
    try:
        runtime.run(np.zeros(1))
    except HBMTimeoutError as error:
        timeout: TimeoutError = error
        raise timeout from None
    except (HBMInputError, HBMMemoryError, HBMModelError, HBMLibraryError) as error:
        assert_type(error.model, str | None)
        assert_type(error.tensor, str | None)
    except HBMTaskError as error:
        assert_type(error.call, str | None)
        assert_type(error.status, int | None)
        return error.status_name
    except HBMError as error:
        program_error: RuntimeError = error
        raise program_error from None
    bad: ValueError = HBMInputError("text", model="first", tensor="image")
    missing: ImportError = HBMLibraryError("text", call="dlopen")
    no_room: MemoryError = HBMMemoryError("text", status=-600008, status_name="a name")
    return str((bad, missing, no_room))


def use_images(picture: npt.NDArray[np.uint8]) -> None:
    mode: image.ResizeMode = "letterbox"
    color_range: image.ColorRange = "limited"
    frame = image.nv12_from_buffer(bytes(96), 8, 8, step=8)
    assert_type(frame, image.NV12Frame)
    assert_type((frame.width, frame.height), tuple[int, int])
    assert_type(frame.y, npt.NDArray[np.uint8])
    y, uv = image.new_nv12(8, 8)
    resized, transform = image.nv12_resize(frame, 4, 4, mode, 127, image.NV12Frame(y, uv))
    assert_type(resized.uv, npt.NDArray[np.uint8])
    assert_type(transform, image.ImageTransform)
    image.bgr_resize_to_nv12(picture, 4, 4, mode, 127, color_range, resized)
    assert_type(
        image.bgr_resize(picture, 4, 4, mode, 0, picture),
        tuple[npt.NDArray[np.uint8], image.ImageTransform],
    )
    assert_type(image.bgr_to_nv12(picture, color_range, resized), image.NV12Frame)
    assert_type(image.rgb_to_nv12(picture, color_range, resized), image.NV12Frame)
    assert_type(image.nv12_to_rgb(frame, color_range), npt.NDArray[np.uint8])
    assert_type(image.nv12_to_bgr(frame, color_range), npt.NDArray[np.uint8])
    matrix: image.ColorMatrix = "bt709"
    order: image.YUV422Order = "uyvy"
    packed = image.yuv422_from_buffer(bytes(128), 8, 8, 16, order)
    assert_type(image.bgr_to_yuv422(picture, color_range, matrix, order), image.YUV422Frame)
    assert_type((packed.packed, packed.order), tuple[npt.NDArray[np.uint8], image.YUV422Order])
    assert_type(packed.width * packed.height, int)
    frames: list[image.Frame] = [frame, packed, picture]
    assert_type(frames[0], image.NV12Frame | image.YUV422Frame | npt.NDArray[np.uint8])
    assert_type(image.frame_size(packed), tuple[int, int])
    assert_type(image.frame_to_bgr(packed, color_range, matrix), npt.NDArray[np.uint8])
    assert_type(image.frame_to_grey(frames[0], color_range), npt.NDArray[np.uint8])
    fitted, _ = image.fit_nv12(
        packed, 4, 4, "roi", 0, roi=(2, 0, 4, 4), color_matrix=matrix, out=resized, copy=False
    )
    assert_type(fitted, image.NV12Frame)
    bgr, _ = image.fit_bgr(packed, 4, 4, "center_crop", color_range=color_range, out=picture)
    grey, _ = image.fit_grey(frame, 4, 4, mode, roi=None)
    assert_type([bgr, grey], list[npt.NDArray[np.uint8]])
    plane: image.Plane = picture
    plane[:] = image.CHROMA_GREY


def prepare_inputs(runtime: HB_HBMRuntime, frame: image.Frame) -> None:
    fit = image.FitSettings(
        resize="letterbox",
        roi=(0, 0, 8, 8),
        pad_value=114,
        color_range="limited",
        color_matrix="bt709",
    )
    normalize = image.NormalizeSettings(mean=(127.5,), scale=(1 / 127.5,), channel_order="bgr")
    settings = image.PictureSettings(
        name="left", encodings=("nv12",), tensors=("x",), fit=fit, normalize=normalize
    )
    spec = image.InputSpec(name="x", shape=(1, 3, 8, 8), data_type="F32", quantization=None)
    image.Preprocessor([spec], [settings], shared=True)
    try:
        prepare = image.Preprocessor.for_model(runtime.models["model"])
    except image.UnsupportedInputsError:
        return
    inputs, transforms = prepare(frame)
    assert_type(inputs, dict[str, npt.NDArray[np.generic]])
    assert_type(transforms, tuple[image.ImageTransform, ...])
    made: image.ModelInputs = prepare(frame)
    runtime.run({"model": made.tensors})
    assert_type(made.transforms[0], image.ImageTransform)
    prepared: image.PreparedImage = prepare.images[0]
    assert_type((prepared.name, prepared.width, prepared.height), tuple[str, int, int])
    assert_type(prepared.tensors, tuple[str, ...])


def place_images() -> None:
    placement: image.Placement = image.place(1280, 720, 640, 640, "stretch")
    assert_type(
        (placement.x, placement.y, placement.width, placement.height), tuple[int, int, int, int]
    )
    region: image.Region = image.place(64, 48, 8, 8, "roi", (0, 0, 9, 9), (2, 2)).region
    assert_type((region.left, region.top, region.width, region.height), tuple[int, int, int, int])
    transform = placement.transform
    corners: image.Points = transform.to_source([[0, 0], [1.5, 2]])
    assert_type(transform.to_model(corners), npt.NDArray[np.float64])
    assert_type(transform.source_width * transform.source_height, int)
    assert_type(transform.model_width * transform.model_height, int)
    assert_type(transform.scale_x * transform.scale_y, float)
    assert_type(transform.offset_x + transform.offset_y, float)
    try:
        image.place(0, 0, 1, 1, "stretch")
    except image.ImageError as error:
        assert_type(error.fault, image.ImageFault)
        counter: str = error.fault.value
        assert_type(error.fault in (image.ImageFault.ZERO_SIZE, image.ImageFault.ODD_SIZE), bool)
        assert_type(error.fault is image.ImageFault.BAD_STEP, bool)
        assert_type(error.fault == image.ImageFault.SHORT_DATA, bool)
        assert_type(error.fault != image.ImageFault.ENCODING, bool)
        assert_type(error.fault in (image.ImageFault.TOO_LARGE, image.ImageFault.OUTSIDE), bool)
        assert_type(error.fault == image.ImageFault.UNDECODABLE, bool)
        raise KeyError(counter) from None


def use_model_files(path: Path) -> None:
    tensor = model_file.TensorSpec(
        "image",
        model_file.DATA_TYPE_NAMES.index("F32"),
        (1, 4),
        (16, model_file.ELEMENT_SIZES[7]),
        16,
        quanti_type=model_file.QUANTI_SCALE,
        quantize_axis=-1,
        scale=(0.5,),
        zero_point=(3,),
    )
    spec = model_file.ModelSpec("model", b"\x08\x08", (tensor,), (tensor,), latency_us=1000)
    model_file.write(path, model_file.ModelFile((spec,), "description", "march"))
    content = model_file.read(str(path))
    assert_type(content, model_file.ModelFile)
    assert_type((content.description, content.march), tuple[str, str])
    for model in content.models:
        assert_type(model.name + model.description, str)
        assert_type(model.graph, bytes)
        assert_type(model.core_count * model.latency_us * model.max_time_per_fc_us, int)
        assert_type(model.calls, tuple[model_file.CallSpec, ...])
        call = model_file.CallSpec(model.graph, latency_us=20)
        assert_type((call.graph, call.latency_us), tuple[bytes, int])
        assert_type(model.outputs, tuple[model_file.TensorSpec, ...])
        for described in model.inputs:
            assert_type(described.name + described.description, str)
            assert_type(described.data_type in model_file.FOUR_BIT_TYPES, bool)
            assert_type(described.shape, tuple[int, ...])
            assert_type(described.strides, tuple[int, ...])
            assert_type(described.aligned_byte_size, int)
            assert_type(described.quanti_type == model_file.QUANTI_NONE, bool)
            assert_type(described.quantize_axis, int)
            assert_type(described.scale, tuple[float, ...])
            assert_type(described.zero_point, tuple[int, ...])
            shape = model_file.storage_shape(described.data_type, described.shape)
            assert_type(shape, tuple[int, ...])
            assert_type(model_file.rows_share_bytes(described.data_type, shape), bool)
    assert_type(model_file.is_simulator_file(path), bool)
    assert_type(model_file.why_unreadable(path), str | None)
    magic: bytes = model_file.MAGIC
    version: int = model_file.FORMAT_VERSION
    assert_type(path.read_bytes().startswith(magic + bytes([version])), bool)
    try:
        model_file.read("model.hbm")
    except model_file.ModelFileError as error:
        value_error: ValueError = error
        assert_type(error.reason + error.field, str)
        assert_type(error.offset, int | None)
        raise value_error from None
