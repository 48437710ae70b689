# SPDX-License-Identifier: Apache-2.0
"""The command line: what it writes and prints, its exit codes, and what it does not import."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tiny_models
from onnx import ModelProto, TensorProto

from hbm_runtime import model_file
from hbm_runtime.tools import cli, pack
from hbm_runtime.tools.packing.options import InputQuantization, OutputQuantization
from hbm_runtime.tools.packing.parsing import (
    parse_input_quantization,
    parse_numbers,
    parse_output_type,
    parse_pair,
    parse_shape,
)

pytest.importorskip("onnxruntime", reason="`hbm pack` compares with the engine")

SaveModel = Callable[[ModelProto], str]


@pytest.fixture
def onnx_file(tmp_path: Path) -> SaveModel:
    """Writes an ONNX model to net.onnx and returns its path."""
    path = tmp_path / "net.onnx"

    def write(model: ModelProto) -> str:
        path.write_bytes(model.SerializeToString())
        return str(path)

    return write


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "net.hbm"


def error_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What `hbm` says on stderr when it exits with 2."""
    assert cli.main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("hbm: error: ")
    assert captured.err.count("\n") == 1
    assert captured.out == ""
    return captured.err


# -- pack ------------------------------------------------------------------------------------------


def test_pack_writes_a_file_and_reports_it(
    capsys: pytest.CaptureFixture[str], onnx_file: SaveModel, output: Path
) -> None:
    assert cli.main(["pack", onnx_file(tiny_models.add()), "-o", str(output)]) == 0
    printed = capsys.readouterr().out
    assert "0, bit for bit" in printed
    assert f"wrote {output}" in printed
    (model,) = model_file.read(output).models
    assert model.name == "net"
    assert [tensor.name for tensor in (*model.inputs, *model.outputs)] == ["x", "y"]


def test_every_option_of_pack_reaches_the_file(onnx_file: SaveModel, output: Path) -> None:
    arguments = ["pack", onnx_file(tiny_models.dynamic()), "--output", str(output)]
    arguments += ["--name", "camera", "--description", "d", "--file-description", "f"]
    arguments += ["--tensor-description", "y=twice = 2x", "--rename", "y=out"]
    arguments += ["--shape", "x=1,3,4,8", "--nv12", "x", "--color", "bgr", "--range", "limited"]
    arguments += ["--mean", "1,2,3", "--scale", "0.5", "--layout", "nchw", "--output-no-padding"]
    arguments += ["--quantize-output", "y=int8:0.25,-3", "--latency-us", "7", "--march", "nash-m"]
    assert cli.main(arguments) == 0
    content = model_file.read(output)
    assert (content.description, content.march) == ("f", "nash-m")
    (model,) = content.models
    assert (model.name, model.latency_us) == ("camera", 7)
    assert json.loads(model.description)["DESCRIPTION"] == "d"
    assert [tensor.name for tensor in model.inputs] == ["x_y", "x_uv"]
    assert "BT.601 limited range" in model.inputs[0].description
    (out,) = model.outputs
    assert (out.name, out.description, out.shape) == ("out", "twice = 2x", (1, 3, 4, 8))
    assert (out.strides, out.scale, out.zero_point) == ((96, 32, 8, 1), (0.25,), (-3,))


def test_pack_keeps_dynamic_dimensions_up_to_a_largest_shape(
    onnx_file: SaveModel, output: Path
) -> None:
    arguments = ["pack", onnx_file(tiny_models.dynamic()), "-o", str(output), "--dynamic"]
    assert cli.main([*arguments, "--max-shape", "x=1,3,6,8"]) == 0
    (model,) = model_file.read(output).models
    assert model.inputs[0].aligned_byte_size == -1
    assert model.outputs[0].aligned_byte_size == 640  # 3 * 6 * 8 * 4 = 576, rounded up to 128


def test_pack_compares_4_bit_models_too(
    capsys: pytest.CaptureFixture[str], onnx_file: SaveModel, output: Path
) -> None:
    network = tiny_models.transposed(TensorProto.INT4)
    assert cli.main(["pack", onnx_file(network), "-o", str(output)]) == 0
    printed = capsys.readouterr().out
    assert "0, bit for bit" in printed
    assert "S4" in printed


def test_pack_calibrates_from_a_file(onnx_file: SaveModel, output: Path, tmp_path: Path) -> None:
    import numpy as np

    np.savez(tmp_path / "real.npz", x=np.full((1, 4), 126, np.float32))
    arguments = ["pack", onnx_file(tiny_models.add()), "-o", str(output), "--input-no-padding"]
    arguments += ["--quantize-output", "y=int8", "--calibrate", str(tmp_path / "real.npz")]
    assert cli.main(arguments) == 0
    (model,) = model_file.read(output).models
    assert model.outputs[0].scale == (1.0,)
    assert model.inputs[0].strides == (16, 4)


FIXED = ("--shape", "x=1,3,4,4")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ((), "input 'x' has the shape [-1, 3, -1, -1] with dynamic dimensions"),
        (("--shape", "x=1,3,5,8", "--nv12", "x"), "5 rows and 8 columns"),
        (("--shape", "x=1,3"), "input 'x' has 4 dimensions, --shape gives 2"),
        (("--shape", "x"), "argument --shape: 'x' is not of the form NAME=1,3,224,224"),
        (("--shape", "x=1,3,4,4", "--shape", "x=1,3,4,4"), "--shape names 'x' twice"),
        (("--mean", "1,2"), "argument --mean: '1,2': expected one number or three"),
        (("--scale", "nan"), "argument --scale: 'nan': every number must be finite"),
        (
            ("--quantize-output", "y=int4"),
            "argument --output-type/--quantize-output: 'y=int4' is not of the",
        ),
        (("--quantize-input", "x=int8"), "argument --quantize-input: 'x=int8' is not of the"),
        (("--color", "gray"), "argument --color: 'gray' is not one of rgb, bgr"),
        (("--frobnicate",), "unrecognized arguments: --frobnicate"),
        (("--dynamic",), "input 'x' stays dynamic; give the largest it will have with --max-shape"),
        (("--dynamic", "--max-shape", "x=1,3"), "input 'x' has 4 dimensions, --max-shape gives 2"),
        (("--dynamic", "--max-shape", "x"), "argument --max-shape: 'x' is not of the form"),
        ((*FIXED, "--max-shape", "x=1,3,4,4"), "--max-shape names 'x'"),
        ((*FIXED, "--latency-us", "-1"), "--latency-us: '-1' is no whole number of 0..60000000"),
        ((*FIXED, "--name", "n" * 256), "models[0].name: 256 bytes of UTF-8"),
        (("--dynamic", "--calibrate", "none.npz", "--quantize-output", "y=int8"), "none.npz"),
    ],
)
def test_a_wrong_option_is_one_line_and_no_file(
    capsys: pytest.CaptureFixture[str],
    onnx_file: SaveModel,
    output: Path,
    options: tuple[str, ...],
    expected: str,
) -> None:
    model = onnx_file(tiny_models.dynamic())
    assert expected in error_of(capsys, "pack", model, "-o", str(output), *options)
    assert not output.exists()


def test_a_wrong_path_is_one_line(
    capsys: pytest.CaptureFixture[str], onnx_file: SaveModel, tmp_path: Path
) -> None:
    model = onnx_file(tiny_models.add())
    none = str(tmp_path / "none.onnx")
    assert "No such file" in error_of(capsys, "pack", none, "-o", str(tmp_path / "m.hbm"))
    foreign = str(tmp_path / "m.bin")
    assert "must end in .hbm" in error_of(capsys, "pack", model, "-o", foreign)
    nowhere = str(tmp_path / "none" / "m.hbm")
    assert "the folder of" in error_of(capsys, "pack", model, "-o", nowhere)
    (tmp_path / "folder.hbm").mkdir()
    folder = str(tmp_path / "folder.hbm")
    assert "cannot write" in error_of(capsys, "pack", model, "-o", folder)
    assert "required: -o/--output" in error_of(capsys, "pack", model)


def test_a_broken_model_leaves_the_old_file(
    capsys: pytest.CaptureFixture[str], onnx_file: SaveModel, output: Path
) -> None:
    model = onnx_file(tiny_models.add())
    assert cli.main(["pack", model, "-o", str(output)]) == 0
    before = output.read_bytes()
    capsys.readouterr()
    Path(model).write_bytes(b"broken")
    assert "is not an ONNX model" in error_of(capsys, "pack", model, "-o", str(output))
    assert output.read_bytes() == before


# -- inspect ---------------------------------------------------------------------------------------


@pytest.fixture
def packed(output: Path) -> Path:
    quantization = {"y": OutputQuantization("int32", 1, (0.5, 0.25, 1.0, 2.0))}
    spec = tiny_models.pack(
        tiny_models.conv(), "camera", nv12_inputs=("x",), output_quantization=quantization,
        latency_us=5000, description="a [test] model",
    )  # fmt: skip
    return tiny_models.save(output, spec, description="for the lab")


def test_inspect_shows_what_a_user_looks_for(
    capsys: pytest.CaptureFixture[str], packed: Path
) -> None:
    assert cli.main(["inspect", str(packed)]) == 0
    printed = capsys.readouterr().out
    for text in (
        "description: for the lab",
        "camera: ",
        "at least 5000 µs",
        "a [test] model",
        "-1,-1,2,1",
        "x_uv: chroma (U, V interleaved), NV12, BT.601 full range",
        "S32",
    ):
        assert text in printed
    assert "4 scales" in " ".join(printed.split())


def test_inspect_prints_json_that_says_everything(
    capsys: pytest.CaptureFixture[str], packed: Path
) -> None:
    assert cli.main(["inspect", str(packed), "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    (model,) = content["models"]
    (spec,) = model_file.read(packed).models
    assert content["description"] == "for the lab"
    assert (model["name"], model["graph_size"]) == ("camera", len(spec.graph))
    assert model["inputs"][1]["strides"] == [-1, -1, 2, 1]
    assert model["outputs"][0] == {
        "name": "y",
        "description": "",
        "data_type": "S32",
        "shape": [1, 4, 8, 12],
        "strides": [2048, 512, 64, 4],
        "aligned_byte_size": 2048,
        "quanti_type": "SCALE",
        "quantize_axis": 1,
        "scale": [0.5, 0.25, 1.0, 2.0],
        "zero_point": [0, 0, 0, 0],
    }


def test_inspect_says_why_a_file_cannot_be_read(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    vendors = tmp_path / "board.hbm"
    vendors.write_bytes(b"something else")
    assert "it runs on a board only" in error_of(capsys, "inspect", str(vendors))
    assert "does not exist" in error_of(capsys, "inspect", str(tmp_path / "none.hbm"))
    assert "is a directory" in error_of(capsys, "inspect", str(tmp_path))


# -- the command itself ----------------------------------------------------------------------------


def test_help_and_version_are_no_errors(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("hbm ")
    for arguments in (["--help"], ["pack", "--help"], ["inspect", "--help"]):
        assert cli.main(arguments) == 0
        assert "usage: hbm" in capsys.readouterr().out


def test_no_command_is_bad_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert "required: COMMAND" in error_of(capsys)
    assert "invalid choice: 'fly'" in error_of(capsys, "fly")


def test_ctrl_c_leaves_quietly(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    onnx_file: SaveModel,
    output: Path,
) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(pack, "jobs_of", interrupted)
    assert cli.main(["pack", onnx_file(tiny_models.add()), "-o", str(output)]) == 130
    assert "Traceback" not in capsys.readouterr().err
    assert not output.exists()


def test_a_reader_that_leaves_early_causes_no_complaint(output: Path) -> None:
    long = tiny_models.pack(tiny_models.add(), description="long " * 100_000)
    tiny_models.save(output, long)
    command = [sys.executable, "-m", "hbm_runtime", "inspect", "--json", str(output)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 0


@pytest.mark.parametrize("package", ["onnx", "rich"])
def test_a_missing_package_is_named_with_its_extra(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    onnx_file: SaveModel,
    output: Path,
    package: str,
) -> None:
    model = onnx_file(tiny_models.add())
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)  # as Python marks what cannot be imported
    sentence = error_of(capsys, "pack", model, "-o", str(output))
    assert f"needs the Python package {package}: pip install 'hbm-runtime[tools]'" in sentence


def test_the_command_line_imports_neither_onnx_nor_rich() -> None:
    code = (
        "import sys, hbm_runtime.tools.cli;"
        "sys.exit(bool({'onnx', 'rich', 'onnxruntime'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_package_runs_as_the_command() -> None:
    command = [sys.executable, "-m", "hbm_runtime", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "usage: hbm" in done.stdout
    done = subprocess.run([*command[:-1], "fly"], capture_output=True, text=True, check=False)
    assert done.returncode == 2


# -- the texts of options --------------------------------------------------------------------------


def test_names_of_tensors_may_hold_what_options_use_as_marks() -> None:
    assert parse_shape("a=b:0=1,3") == ("a=b:0", (1, 3))
    assert parse_pair("x:0=a=b") == ("x:0", "a=b")
    name, _ = parse_output_type("a=b:0=int8:0.5")
    assert name == "a=b:0"


def test_forms_of_quantisation() -> None:
    output, given = parse_output_type, OutputQuantization
    assert output("y=int8") == ("y", given("int8"))
    assert output("y=int16:0.5") == ("y", given("int16", None, (0.5,)))
    assert output("y=int8:0.5,-7") == ("y", given("int8", None, (0.5,), -7))
    assert output("y=int32:axis=3") == ("y", given("int32", 3))
    assert output("y=int32:axis=-1:1,2,3") == ("y", given("int32", -1, (1.0, 2.0, 3.0)))
    assert parse_input_quantization("x=uint8:0.5,128") == (
        "x",
        InputQuantization("uint8", 0.5, 128),
    )


@pytest.mark.parametrize(
    ("parser", "text", "expected"),
    [
        (parse_pair, "=y", "not of the form NAME=VALUE"),
        (parse_pair, "name", "not of the form NAME=VALUE"),
        (parse_shape, "x=1,0", "with positive numbers"),
        (parse_shape, "x=1,a", "with positive numbers"),
        (parse_shape, "=1,3", "with positive numbers"),
        (parse_numbers, "1,2,3,4", "expected one number or three"),
        (parse_numbers, "a", "is not a list of numbers"),
        (parse_output_type, "y=int8:0", "a scale must be above 0"),
        (parse_output_type, "y=int8:1,128", "the zero point 128 is outside -128..127"),
        (parse_output_type, "y=int8:1,a", "the zero point 'a' is not a whole number"),
        (parse_output_type, "y=int8:axis=x", "is not of the form"),
        (parse_output_type, "y=int8:axis=1:1,-1", "a scale must be above 0"),
        (parse_input_quantization, "x=uint8:1,-1", "the zero point -1 is outside 0..255"),
        (parse_input_quantization, "x=int16:1", "is not of the form NAME=int8|uint8"),
    ],
)
def test_a_text_of_the_wrong_form_is_refused(
    parser: Callable[[str], Any], text: str, expected: str
) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011  # the text is compared below
        parser(text)
    assert expected in str(caught.value)
