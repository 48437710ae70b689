# SPDX-License-Identifier: Apache-2.0
"""Corners of the original that programs depend on: each test is one that broke somebody.

The numbers are those of doc/migration.md. Some were seen on the X5 only, whose models this package
does not load; there the test shows what becomes of such a program.
"""

from __future__ import annotations

import dataclasses
import gc
import hashlib
import json
import shutil
import subprocess
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import simulator_live
import tiny_models

from hbm_runtime import (
    HB_HBMRuntime,
    HBMInputError,
    HBMLibraryError,
    HBMModelError,
    QuantParams,
    SchedParam,
    hbDNNQuantiType,
)
from hbm_runtime.tools.packing.options import OutputQuantization

X = np.arange(60, dtype=np.float32).reshape(1, 3, 4, 5)


@pytest.fixture
def nv12(save: Callable[..., str]) -> HB_HBMRuntime:
    """Model "net" on a picture of 12 × 8 pixels: x_y, x_uv; y [1, 4, 8, 12] float32."""
    spec = tiny_models.pack(tiny_models.conv(8, 12), "net", nv12_inputs=("x",))
    return HB_HBMRuntime(save(spec))


def test_01_enums_equal_integers_and_have_names(save: Callable[..., str]) -> None:
    options = {"y": OutputQuantization("int8", scales=(0.5,), zero_point=0)}
    spec = tiny_models.pack(tiny_models.add(), "m", output_quantization=options)
    runtime = HB_HBMRuntime(save(spec))
    scaled = runtime.output_quants["m"]["y"].quant_type
    plain = runtime.input_quants["m"]["x"].quant_type
    assert scaled == 1 and plain != 1
    assert getattr(scaled, "name", str(scaled)) in ("SCALE", "1")
    assert str(runtime.input_dtypes["m"]["x"]) == "hbDNNDataType.F32"
    assert repr(runtime.input_dtypes["m"]["x"]) == "<hbDNNDataType.F32: 7>"


def test_02_float_outputs_have_empty_quantisation(doubling: HB_HBMRuntime) -> None:
    params = doubling.output_quants["doubling"]["y"]
    assert params.quant_type is hbDNNQuantiType.NONE and params.axis == 0
    assert params.scale.tolist() == [] and params.zero_point.tolist() == []
    assert params.scale.size == params.zero_point.size == 0 and params.scale.ndim == 1


def test_03_transposed_views_are_neither_refused_nor_misread(doubling: HB_HBMRuntime) -> None:
    image = np.random.default_rng(0).random((1, 4, 5, 3), np.float32)
    view = image.transpose(0, 3, 1, 2)
    expected = 2 * np.ascontiguousarray(view)
    np.testing.assert_array_equal(doubling.run(view)["doubling"]["y"], expected)


@pytest.mark.parametrize("shape", [(144,), (12, 12), (1, 12, 12, 1), (1, 3, 8, 12)])
def test_04_a_picture_in_one_tensor_as_for_the_x5_is_refused(
    nv12: HB_HBMRuntime, shape: tuple[int, ...]
) -> None:
    """On the S series a picture is two tensors, and the message says so."""
    packed = np.zeros(shape, np.uint8)
    with pytest.raises(HBMInputError, match="'x_y', 'x_uv'"):
        nv12.run(packed)
    with pytest.raises(HBMInputError, match=r"expected shape \[1, 8, 12, 1\]"):
        nv12.run({"x_y": packed, "x_uv": np.zeros((1, 4, 6, 2), np.uint8)})


def test_04_a_picture_is_reshaped_by_input_shapes(nv12: HB_HBMRuntime) -> None:
    """Programs try reshape(input_shape) first and depend on its ValueError."""
    planes = np.arange(144, dtype=np.uint8)
    shapes = nv12.input_shapes["net"]
    with pytest.raises(ValueError, match="reshape"):
        planes.reshape(shapes["x_y"])
    inputs = {
        "x_y": planes[:96].reshape(shapes["x_y"]),
        "x_uv": planes[96:].reshape(shapes["x_uv"]),
    }
    assert nv12.run(inputs)["net"]["y"].shape == (1, 4, 8, 12)


def test_04_a_model_file_of_the_x5_is_refused(tmp_path: Any) -> None:
    (tmp_path / "resnet18.bin").write_bytes(b"\0" * 100)
    with pytest.raises(HBMModelError, match=r"Only \.hbm supported.*X3/X5"):
        HB_HBMRuntime(tmp_path / "resnet18.bin")


def test_04_libraries_of_the_x5_are_told_from_ours(tmp_path: Any, save: Callable[..., str]) -> None:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler (cc) to make libraries like those of the X5")
    for name, function in (("hbucp", "hbSysAllocMem"), ("dnn", "hbDNNInfer")):
        library = tmp_path / f"lib{name}.so"
        command = [compiler, "-shared", "-x", "c", "-", "-o", library]
        subprocess.run(command, input=f"void {function}(void) {{}}".encode(), check=True)
    with pytest.raises(HBMLibraryError, match=r"X3/X5 family.*supports S100, S100P and S600"):
        HB_HBMRuntime(save(tiny_models.pack(tiny_models.add(), "m")), library=tmp_path)


@pytest.mark.parametrize("wrong", [np.int16, np.float64, np.uint8, np.float16])
def test_05_data_types_are_strict_and_the_error_is_of_both_kinds(
    doubling: HB_HBMRuntime, wrong: type[np.generic]
) -> None:
    """Boards raise RuntimeError, the manual says ValueError."""
    with pytest.raises(HBMInputError, match=r"'x' in model 'doubling'.*float32") as caught:
        doubling.run(X.astype(wrong))
    assert isinstance(caught.value, RuntimeError) and isinstance(caught.value, ValueError)


def test_06_outputs_are_writable_and_stay_valid(doubling: HB_HBMRuntime) -> None:
    kept = [doubling.run(np.full_like(X, number))["doubling"]["y"] for number in range(40)]
    logits = kept[0].astype(np.float32, copy=False)
    logits -= logits.max(axis=1, keepdims=True)
    kept[1] += 0.5
    chained = doubling.run(kept[2])["doubling"]["y"]
    assert chained.flat[0] == 8
    assert [float(output.flat[0]) for output in kept] == [0, 2.5, *range(4, 80, 2)]


def test_07_quantisations_can_be_copied(doubling: HB_HBMRuntime) -> None:
    """`dataclasses.asdict` on a program's own dataclass that holds one."""

    @dataclasses.dataclass
    class Head:
        name: str
        quant: QuantParams

    copied = dataclasses.asdict(Head("y", doubling.output_quants["doubling"]["y"]))
    assert copied["name"] == "y" and copied["quant"] is not None


def test_08_version_is_a_text_on_the_class_that_may_be_called() -> None:
    assert json.loads(json.dumps({"version": HB_HBMRuntime.version}))["version"]
    assert HB_HBMRuntime.version() == HB_HBMRuntime.version


def test_09_none_as_a_scheduling_parameter_changes_nothing(doubling: HB_HBMRuntime) -> None:
    assert hasattr(doubling, "set_scheduling_params")
    doubling.set_scheduling_params(priority={"doubling": 7})
    doubling.set_scheduling_params(priority=None, bpu_cores=None)
    doubling.set_scheduling_params(None, None, None, None)
    doubling.set_scheduling_params()
    assert doubling.sched_params["doubling"] == SchedParam(7, 0, [-1], 0)


@pytest.mark.parametrize("cores", [[0], [0, 1, 2, 3], [], [-1], (0,), np.array([0])])
@pytest.mark.parametrize("priority", [0, 5, 255])
def test_10_the_samples_own_settings_are_accepted(
    doubling: HB_HBMRuntime, cores: Any, priority: int
) -> None:
    settings = {"priority": {"doubling": priority}, "bpu_cores": {"doubling": cores}}
    doubling.set_scheduling_params(**settings)
    np.testing.assert_array_equal(doubling.run(X)["doubling"]["y"], 2 * X)


def test_11_shapes_are_plain_lists_of_integers(doubling: HB_HBMRuntime) -> None:
    name = doubling.model_names[0]
    shape = doubling.input_shapes[name][doubling.input_names[name][0]]
    random = np.random.rand(*shape).astype(np.float32)
    assert doubling.run(random.ravel().reshape(shape))[name]["y"].shape == tuple(shape)
    assert json.dumps(shape) == "[1, 3, 4, 5]"


def test_12_padded_outputs_have_the_models_shape_and_strides(save: Callable[..., str]) -> None:
    spec = tiny_models.pack(tiny_models.int32_255_channels(21), "head")
    runtime = HB_HBMRuntime(save(spec))
    output = runtime.run(np.ones((1, 3, 21, 21), np.float32))["head"]["head"]
    assert list(output.shape) == runtime.output_shapes["head"]["head"] == [1, 21, 21, 255]
    assert list(output.strides) == runtime.output_strides["head"]["head"]
    # What programs do with it does not see the padding.
    dense = np.ascontiguousarray(output)
    np.testing.assert_array_equal(output.reshape(21, 21, 3, 85), dense.reshape(21, 21, 3, 85))
    np.testing.assert_array_equal(output.astype(np.float32), dense.astype(np.float32))


def test_13_height_and_width_are_where_programs_guess_them(
    nv12: HB_HBMRuntime, doubling: HB_HBMRuntime
) -> None:
    first = nv12.input_shapes["net"][nv12.input_names["net"][0]]
    assert (first[1], first[2]) == (8, 12)
    shape = doubling.input_shapes["doubling"]["x"]
    assert "NCHW" if shape[1] == 3 else "NHWC" == "NCHW"


def test_14_the_types_can_be_imported_where_nothing_can_run(run_python: Callable[..., str]) -> None:
    printed = run_python(
        """
        from hbm_runtime import QuantParams
        import hbm_runtime
        print(QuantParams.__name__, hbm_runtime.HB_HBMRuntime.__name__)
        """,
        HBM_RUNTIME_LIBRARY_PATH="/nonexistent",
        HBM_SIM_ENGINE="/nonexistent",
    )
    assert printed == "QuantParams HB_HBMRuntime\n"


def test_15_standard_output_belongs_to_the_program(
    save: Callable[..., str], run_python: Callable[..., str]
) -> None:
    """Programs that print JSON had to cut off banners; not even errors and warnings go there."""
    one = save(tiny_models.pack(tiny_models.add(), "m"))
    printed = run_python(
        """
        import sys, json, numpy as np
        import hbm_runtime
        x = np.zeros((1, 4), np.float32)
        rt = hbm_runtime.HB_HBMRuntime([sys.argv[1]] * 2)  # a warning: names come twice
        try:
            rt.run(x[0])
        except ValueError:
            pass
        try:
            rt.run(x)
        except RuntimeError:
            pass
        print(json.dumps({"y": rt.run(x)["m"]["y"].tolist()}))
        """,
        one,
        HB_UCP_LOG_LEVEL="0",
        HBM_SIM_FAULTS="hbUCPSubmitTask@1=-100004",
    )
    assert printed == '{"y": [[1.0, 1.0, 1.0, 1.0]]}\n'


def test_16_memory_comes_back_when_runtime_and_outputs_are_gone(save: Callable[..., str]) -> None:
    before = simulator_live.count()
    runtime = HB_HBMRuntime(save(tiny_models.pack(tiny_models.identity((1, 1 << 16)), "m")))
    output = runtime.run(np.zeros((1, 1 << 16), np.float32))
    array = output["m"]["y"]
    del output, array
    del runtime
    gc.collect()
    assert simulator_live.count() == before


def test_16_memory_of_dropped_outputs_serves_other_models(
    save: Callable[..., str], run_python: Callable[..., str]
) -> None:
    large = tiny_models.pack(tiny_models.identity((1, 1 << 20)), "large")
    other = tiny_models.pack(tiny_models.identity((1, 3 << 19)), "other")
    printed = run_python(
        """
        import sys, numpy as np
        from hbm_runtime import HB_HBMRuntime
        rt = HB_HBMRuntime(sys.argv[1])
        for _ in range(3):
            rt.run(np.zeros((1, 1 << 20), np.float32), model_name="large")  # 4 MiB in, 4 MiB out
            rt.run(np.zeros((1, 3 << 19), np.float32), model_name="other")  # 6 MiB in, 6 MiB out
        print("ok")
        """,
        save(large, other),
        HBM_SIM_MEMORY_MB="16",
    )
    assert printed == "ok\n"


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_17_one_process_per_model_talks_through_a_pipe(
    save: Callable[..., str], run_python: Callable[..., str], tmp_path: Any, method: str
) -> None:
    paths = [
        save(tiny_models.pack(tiny_models.add(constant=n), "m"), file=f"{n}.hbm") for n in (1, 2)
    ]
    (tmp_path / "worker.py").write_text(
        "import numpy as np\n"
        "from hbm_runtime import HB_HBMRuntime\n"
        "def serve(path, pipe):\n"
        "    rt = HB_HBMRuntime(path)\n"
        "    while (x := pipe.recv()) is not None:\n"
        "        pipe.send(rt.run(x)['m']['y'])\n"
    )
    printed = run_python(
        """
        import multiprocessing, sys, numpy as np
        sys.path.insert(0, "")
        from worker import serve
        context = multiprocessing.get_context(sys.argv[1])
        workers = []
        for path in sys.argv[2:]:
            here, there = context.Pipe()
            process = context.Process(target=serve, args=(path, there))
            process.start()
            workers.append((process, here))
        for _, pipe in workers:
            pipe.send(np.zeros((1, 4), np.float32))
        print([float(pipe.recv()[0, 0]) for _, pipe in workers])
        for process, pipe in workers:
            pipe.send(None)
            process.join(30)
            assert process.exitcode == 0
        """,
        method,
        *paths,
    )
    assert printed == "[1.0, 2.0]\n"


def test_18_the_chip_is_told_without_reading_system_files(doubling: HB_HBMRuntime) -> None:
    """Programs read /sys/class/boardinfo/soc_name, which a computer without a BPU lacks."""
    assert doubling.library.is_simulator
    chips = [chip for chip in ("S100P", "S600", "S100") if chip in doubling.library.soc_name]
    assert chips and doubling.library.soc_name != chips[0]  # a board's name
    assert doubling.library.core_count in (1, 2, 3, 4)


def test_19_a_lock_around_run_does_no_harm(doubling: HB_HBMRuntime) -> None:
    lock = threading.Lock()
    wrong: list[int] = []

    def work(number: int) -> None:
        for _ in range(50):
            with lock:
                output = doubling.run(np.full_like(X, number))["doubling"]["y"]
            if not (output == 2 * number).all():
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize("dense", [False, True])
def test_20_the_same_input_gives_the_same_bytes(save: Callable[..., str], dense: bool) -> None:
    runtime = HB_HBMRuntime(save(tiny_models.pack(tiny_models.int32_255_channels(21), "head")))
    image = np.random.default_rng(0).random((1, 3, 21, 21), np.float32)
    digests = {
        hashlib.sha256(
            np.ascontiguousarray(runtime.run(image, dense=dense)["head"]["head"])
        ).digest()
        for _ in range(200)
    }
    assert len(digests) == 1


def test_21_a_program_can_fall_back_when_there_is_no_accelerator(
    save: Callable[..., str], run_python: Callable[..., str]
) -> None:
    """Programs fall back on ImportError; it comes when a model is loaded, not at the import."""
    printed = run_python(
        """
        import sys
        import hbm_runtime
        try:
            runtime = hbm_runtime.HB_HBMRuntime(sys.argv[1])
        except ImportError as error:
            print(error.msg)
        """,
        save(tiny_models.pack(tiny_models.add(), "m")),
        HBM_RUNTIME_LIBRARY_PATH="/nonexistent",
    )
    assert "lacks libhbucp.so and libdnn.so" in printed
