# SPDX-License-Identifier: Apache-2.0
"""`hbm pack` with several models, options from files, chips, and what it reports to programs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_models
from onnx import ModelProto

from hbm_runtime import model_file
from hbm_runtime.tools import cli
from hbm_runtime.tools.packing.options import OutputQuantization, PackOptions, PictureOptions
from hbm_runtime.tools.packing.parsing import (
    of_one_input,
    parse_deviations,
    parse_fed,
    parse_named_model,
    parse_numbers,
    parse_output_type,
)

pytest.importorskip("onnxruntime", reason="`hbm pack` compares with the engine")


@pytest.fixture(autouse=True)
def models(tmp_path: Path) -> None:
    """The ONNX files in the current folder."""
    for name, model in {
        "add": tiny_models.add(),
        "conv": tiny_models.conv(8, 12),
        "dynamic": tiny_models.dynamic(),
        "slow": tiny_models.slow(4, 64),
    }.items():
        (tmp_path / f"{name}.onnx").write_bytes(model.SerializeToString())


def pack(*arguments: str) -> model_file.ModelFile:
    """The file that `hbm pack … -o out.hbm` wrote."""
    assert cli.main(["pack", "-o", "out.hbm", *arguments]) == 0
    return model_file.read("out.hbm")


def error_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert cli.main(["pack", "-o", "out.hbm", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("hbm: error: ")
    assert captured.err.count("\n") == 1
    assert not Path("out.hbm").exists()
    return captured.err


def described(model: model_file.ModelSpec) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(model.description)
    return content


# -- several models --------------------------------------------------------------------------------


def test_several_models_go_into_one_file_in_their_order() -> None:
    content = pack("--model", "second=conv.onnx", "--model", "first=add.onnx")
    assert [model.name for model in content.models] == ["second", "first"]
    assert [model.inputs[0].shape for model in content.models] == [(1, 3, 8, 12), (1, 4)]


def test_options_behind_a_model_are_for_that_model_only() -> None:
    content = pack(
        "--model", "a=dynamic.onnx", "--shape", "x=1,3,2,2", "--latency-us", "7", "--cores", "2",
        "--model", "b=dynamic.onnx", "--shape", "x=1,3,4,4", "--description", "the other",
    )  # fmt: skip
    a, b = content.models
    assert (a.inputs[0].shape, b.inputs[0].shape) == ((1, 3, 2, 2), (1, 3, 4, 4))
    assert (a.latency_us, b.latency_us) == (7, 0)
    assert (a.core_count, b.core_count) == (2, 1)
    assert "DESCRIPTION" not in described(a)
    assert described(b)["DESCRIPTION"] == "the other"


def test_options_before_the_first_model_are_for_all_and_give_way() -> None:
    content = pack(
        "--shape", "x=1,3,2,2", "--latency-us", "7", "--input-no-padding",
        "--model", "a=dynamic.onnx",
        "--model", "b=dynamic.onnx", "--shape", "x=1,3,4,4", "--latency-us", "8",
    )  # fmt: skip
    a, b = content.models
    assert (a.inputs[0].shape, b.inputs[0].shape) == ((1, 3, 2, 2), (1, 3, 4, 4))
    assert (a.latency_us, b.latency_us) == (7, 8)
    assert [model.inputs[0].strides[-2:] for model in (a, b)] == [(8, 4), (16, 4)]


def test_options_can_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "job.txt").write_text(
        "# two models\n"
        "--file-description 'for the lab'   # a comment\n"
        '--model a=add.onnx --description "it\'s # no comment"\n'
        "\n"
        "--model b=conv.onnx\n"
    )
    assert described(pack("add.onnx", "--description=@home").models[0])["DESCRIPTION"] == "@home"
    content = pack("@job.txt", "--march", "nash-e")
    assert (content.description, content.march) == ("for the lab", "nash-e")
    assert [model.name for model in content.models] == ["a", "b"]
    assert described(content.models[0])["DESCRIPTION"] == "it's # no comment"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), "no model: give MODEL.onnx, or --model NAME=MODEL.onnx for each"),
        (("add.onnx", "--model", "b=conv.onnx"), "add.onnx stands beside --model"),
        (("--model", "a=add.onnx", "--model", "a=conv.onnx"), "two models are named 'a'"),
        (("--model", "a=add.onnx", "--name", "b"), "--name is for a single model"),
        (("--model", "add.onnx"), "argument --model: 'add.onnx' is not of the form NAME=MODEL.onn"),
        (("--model", "a=add.onnx", "--model", "b=dynamic.onnx"), "model 'b': input 'x' has the"),
        (("--model", "a=add.onnx", "--model", "b=none.onnx"), "model 'b': cannot read none.onnx"),
        (
            ("--shape", "y=1", "--model", "a=add.onnx"),
            "output 'y' has the shape [1, 4], --shape says [1]",
        ),
        (("@none.txt",), "No such file or directory: 'none.txt'"),
        (("@bad.txt",), "--description 'no end\": No closing quotation"),
    ],
)
def test_a_wrong_list_of_models_is_one_line(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    arguments: tuple[str, ...],
    expected: str,
) -> None:
    (tmp_path / "bad.txt").write_text("--description 'no end\n")
    assert expected in error_of(capsys, *arguments)


# -- chips -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "march"),
    [
        ((), ""),
        (("--march", "any"), ""),
        (("--march", "nash-m"), "nash-m"),
        (("--soc", "S100"), "nash-e"),
        (("--soc", "S100P"), "nash-m"),
        (("--soc", "S600"), "nash-p"),
    ],
)
def test_a_file_is_for_a_chip_or_for_any(arguments: tuple[str, ...], march: str) -> None:
    content = pack("add.onnx", *arguments)
    assert content.march == march
    assert described(content.models[0])["MARCH"] == (march or "any")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--soc", "S100", "--march", "nash-e"), "not allowed with argument"),
        (("--soc", "X5"), "argument --soc: invalid choice: 'X5'"),
        (("--march", "bayes-e"), "argument --march: invalid choice: 'bayes-e'"),
        (("--cores", "5"), "argument --cores: '5' is no whole number of 1..4"),
        (("--cores", "x"), "argument --cores: 'x' is no whole number of 1..4"),
        (("--max-time-per-fc", "0"), "'0' is no whole number of 1..60000000"),
        (("--latency-us", "60000001"), "'60000001' is no whole number of 0..60000000"),
    ],
)
def test_a_chip_that_is_not_is_refused(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], expected: str
) -> None:
    assert expected in error_of(capsys, "add.onnx", *arguments)


# -- pictures --------------------------------------------------------------------------------------


def test_picture_options_hold_for_all_inputs_or_for_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[PackOptions] = []

    def keep(job: Any, _: Any) -> None:
        asked.append(job.options)
        raise KeyboardInterrupt

    monkeypatch.setattr("hbm_runtime.tools.pack._pack", keep)
    arguments = ["pack", "conv.onnx", "-o", "out.hbm", "--color", "bgr", "--mean", "1,2,3"]
    arguments += ["--nv12", "a", "--input", "b=gray:nchw", "--mean", "b=7", "--std", "b=4"]
    arguments += ["--scale", "0.5", "--range", "a=limited", "--layout", "c=nhwc"]
    assert cli.main(arguments) == 130
    (options,) = asked
    general = dict(color="bgr", mean=(1.0, 2.0, 3.0), scale=(0.5,))
    assert options.picture_of("a") == PictureOptions(**general, range="limited", fed="nv12")
    b = {**general, "mean": (7.0,), "scale": (0.25,)}
    assert options.picture_of("b") == PictureOptions(**b, fed="gray", fed_layout="nchw")
    assert options.picture_of("c") == PictureOptions(**general, layout="nhwc", fed="featuremap")
    assert options.picture_of("d") == PictureOptions(**general, fed="featuremap")
    assert options.nv12_names() == ["a"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--nv12", "x", "--input", "x=rgb"), "input 'x' cannot be --nv12 and --input x=rgb"),
        (("--scale", "2", "--std", "2"), "--scale and --std say the same"),
        (("--scale", "x=2", "--std", "x=2"), "--scale and --std of input 'x' say the same"),
        (("--mean", "1", "--mean", "2"), "--mean is given twice"),
        (("--std", "0"), "argument --std: '0': a standard deviation must be above 0"),
        (("--input", "x=yuv"), "argument --input: 'x=yuv' is not of the form"),
        (("--input", "image=rgb"), "--input names 'image'; the inputs are x"),
        (("--output-type", "z=float32"), "--output-type names 'z'; the outputs are y"),
    ],
)
def test_a_picture_that_cannot_be_is_one_line(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], expected: str
) -> None:
    assert expected in error_of(capsys, "conv.onnx", *arguments)


def test_outputs_get_the_types_that_are_asked_for() -> None:
    np.savez("real.npz", x=np.random.default_rng(0).random((2, 3, 8, 12), np.float32))
    for text, name, scales in (
        ("y=int8", "S8", 1), ("y=int16", "S16", 1), ("y=int32", "S32", 4), ("y=float32", "F32", 0),
    ):  # fmt: skip
        content = pack("conv.onnx", "--output-type", text, "--calibrate", "real.npz")
        (tensor,) = content.models[0].outputs
        assert model_file.DATA_TYPE_NAMES[tensor.data_type] == name
        assert len(tensor.scale) == scales


# -- what is reported ------------------------------------------------------------------------------


def test_the_description_has_the_compilers_keys() -> None:
    content = pack(
        "conv.onnx", "--name", "camera", "--nv12", "x", "--soc", "S100P", "--cores", "2",
        "--description", "größer", "--latency-us", "10", "--max-time-per-fc", "1000000",
    )  # fmt: skip
    keys = described(content.models[0])
    assert keys.pop("BUILDER_VERSION").startswith("hbm-runtime")
    assert keys == {
        "MARCH": "nash-m",
        "MODEL_PREFIX": "camera",
        "INPUT_TYPE_RT": "nv12",
        "INPUT_LAYOUT_RT": "NHWC",
        "INPUT_SOURCE": {"x": "pyramid"},
        "CORE_NUM": 2,
        "MAX_TIME_PER_FC": 1000000,
        "DESCRIPTION": "größer",
    }
    assert described(pack("add.onnx").models[0])["MAX_TIME_PER_FC"] == 0


def test_json_tells_all_that_tables_do(capsys: pytest.CaptureFixture[str]) -> None:
    pack("slow.onnx", "--max-time-per-fc", "1", "--json")
    report = json.loads(capsys.readouterr().out)
    assert report["file"] == "out.hbm"
    assert report["bytes"] == Path("out.hbm").stat().st_size
    (model,) = report["models"]
    assert (model["name"], model["source"]) == ("slow", "slow.onnx")
    assert model["max_time_per_fc_us"] == 1
    assert len(model["calls"]) == len(model["measured"]["calls_us"]) == 4
    assert model["graph_size"] == sum(call["graph_size"] for call in model["calls"])
    assert model["agreement"]["inputs"] == "seeded noise"
    assert model["agreement"]["cut_difference"] == 0.0
    (output,) = model["agreement"]["outputs"]
    assert (output["name"], output["is_exact"], output["cosine"]) == ("y", True, 1.0)


def words(capsys: pytest.CaptureFixture[str]) -> str:
    return " ".join(capsys.readouterr().out.split())


def test_function_calls_are_reported(capsys: pytest.CaptureFixture[str]) -> None:
    pack("slow.onnx", "--max-time-per-fc", "1")
    printed = words(capsys)
    assert "4 function calls of at most 1 µs, 4 of them with a graph; here these take" in printed
    assert "the calls compute what the whole graph does, bit for bit" in printed
    assert "warning: the call from node" in printed
    pack("add.onnx", "--max-time-per-fc", "1000000", "--latency-us", "2000001")
    assert "3 function calls of at most 1000000 µs; here the graph takes" in words(capsys)


def test_inspect_shows_function_calls_and_cores(capsys: pytest.CaptureFixture[str]) -> None:
    pack("add.onnx", "--max-time-per-fc", "1000000", "--latency-us", "2000001", "--cores", "3",
         "--soc", "S600")  # fmt: skip
    capsys.readouterr()
    assert cli.main(["inspect", "out.hbm"]) == 0
    printed = words(capsys)
    assert "march: nash-p" in printed
    assert "3 cores, at least 2000001 µs, 3 function calls of at most 1000000 µs" in printed
    assert "(1 with a graph)" in printed
    assert cli.main(["inspect", "--json", "out.hbm"]) == 0
    (model,) = json.loads(capsys.readouterr().out)["models"]
    assert [call["latency_us"] for call in model["calls"]] == [1000000, 1000000, 1]
    assert [call["graph_size"] > 0 for call in model["calls"]] == [True, False, False]
    assert (model["core_count"], model["max_time_per_fc_us"]) == (3, 1000000)


# -- the texts of options --------------------------------------------------------------------------


def test_forms_of_the_newer_options() -> None:
    assert parse_fed("a=b=nv12") == ("a=b", ("nv12", "nhwc"))
    assert parse_fed("x=rgb:nchw") == ("x", ("rgb", "nchw"))
    assert parse_named_model("a=b=c.onnx") == ("a", "b=c.onnx")
    assert of_one_input(parse_numbers)("1,2,3") == ("", (1.0, 2.0, 3.0))
    assert of_one_input(parse_numbers)("x=1") == ("x", (1.0,))
    assert parse_deviations("2,4,8") == (0.5, 0.25, 0.125)
    assert parse_output_type("y=int32") == ("y", OutputQuantization("int32", per_channel=True))
    assert parse_output_type("y=float32") == ("y", None)


@pytest.mark.parametrize(
    ("parser", "text"),
    [
        (parse_fed, "x=nv12:nchw"),
        (parse_fed, "x=rgb:hwc"),
        (parse_fed, "rgb"),
        (parse_named_model, "=a.onnx"),
        (parse_named_model, "folder/a=b.onnx"),
        (of_one_input(parse_numbers), "=1"),
        (parse_output_type, "=float32"),
    ],
)
def test_texts_of_the_wrong_form_are_refused(parser: Callable[[str], Any], text: str) -> None:
    with pytest.raises(ValueError, match="is not of the form"):
        parser(text)


def test_the_model_argument_is_a_model(tmp_path: Path) -> None:
    model = ModelProto()
    model.ParseFromString((tmp_path / "add.onnx").read_bytes())
    assert pack("add.onnx").models[0].graph == model.SerializeToString()


def test_progress_is_shown_on_a_terminal_and_nowhere_else(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pack("add.onnx")
    assert capsys.readouterr().err == ""
    monkeypatch.setenv("FORCE_COLOR", "1")  # by which rich takes a pipe for a terminal
    monkeypatch.setenv("TERM", "xterm")
    pack("--model", "a=add.onnx", "--model", "b=conv.onnx")
    shown = capsys.readouterr().err
    assert "a: comparing with the ONNX model" in shown
    assert "b: comparing with the ONNX model" in shown
