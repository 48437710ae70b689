# SPDX-License-Identifier: Apache-2.0
"""The command line of `hbm pack`: its options, and what they ask for of each model."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from hbm_runtime.chips import CHIPS
from hbm_runtime.model_file.spec import MAX_LATENCY_US
from hbm_runtime.tools.errors import ToolError
from hbm_runtime.tools.packing import parsing as parse
from hbm_runtime.tools.packing.options import (
    ANY_MARCH,
    MARCH_OF_SOC,
    PackOptions,
    PictureOptions,
    model_name_of,
)

EXAMPLES = """\
examples:
  hbm pack detector.onnx -o detector.hbm --shape x=1,3,384,640 \\
      --nv12 x --color bgr --mean 127.5 --std 127.5 --quantize photos/

  Two models in one file: options before the first --model hold for both, the others for the model
  that they follow.
  hbm pack -o both.hbm --soc S100P --nv12 x --color bgr \\
      --model detector=det.onnx --shape x=1,3,288,512 --max-time-per-fc 2000 \\
      --model orientation=turn.onnx --shape x=1,3,224,224 --latency-us 1500

  The same from a file of such options, with # before comments.
  hbm pack @both.txt
"""

Parsed = TypeVar("Parsed")

_MOST_CORES = max(chip.cores for chip in CHIPS.values())


class Job(NamedTuple):
    """One model to pack: the ONNX file and what is asked for."""

    source: Path
    options: PackOptions


class _OfModel(argparse.Action):
    """Keeps the options of models in the order they are given, which `--model` divides."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        given = [*(getattr(namespace, "given", None) or [])]
        given.append((self.dest, True if self.nargs == 0 else values))
        namespace.given = given


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add all options of `hbm pack`."""
    parser.add_argument("source", metavar="MODEL.onnx", type=Path, nargs="?")
    parser.add_argument("-o", "--output", metavar="MODEL.hbm", type=Path, required=True)
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    _of_model(
        parser, "--model", "NAME=MODEL.onnx", parse.parse_named_model,
        "one of several models; options behind it are for this one",
    )  # fmt: skip

    names = parser.add_argument_group("names and descriptions")
    _of_model(names, "--name", "NAME", str, "of the model (default: made from the file's name)")
    _of_model(names, "--description", "TEXT", str, "of the model")
    names.add_argument("--file-description", default="", metavar="TEXT", help="of the file")
    _of_model(names, "--tensor-description", "NAME=TEXT", parse.parse_pair, "of one tensor", many=1)
    _of_model(names, "--rename", "OLD=NEW", parse.parse_pair, "another name for one tensor", many=1)

    shapes = parser.add_argument_group("shapes")
    _of_model(
        shapes, "--shape", "NAME=1,3,224,224", parse.parse_shape, "fix the dimensions of an input",
        many=1,
    )  # fmt: skip
    _flag(
        shapes,
        "--dynamic",
        "keep the other dynamic dimensions; each input that has one needs --max-shape",
    )
    _of_model(
        shapes, "--max-shape", "NAME=1,3,1080,1920", parse.parse_shape,
        "with --dynamic: the largest shape that an input will have, or an output whose shape its"
        " values decide; callers provide memory for outputs of that size", many=1,
    )  # fmt: skip
    _add_picture_options(parser)
    _add_quantization_options(parser)
    _add_accelerator_options(parser)


def jobs_of(arguments: argparse.Namespace) -> list[Job]:
    """The models that a command line asks for.

    Raises:
        ToolError: there is none, or options contradict each other.
    """
    common: list[tuple[str, Any]] = []
    groups: list[tuple[str, Path, list[tuple[str, Any]]]] = []
    for name, value in getattr(arguments, "given", None) or []:
        if name == "model":
            groups.append((value[0], Path(value[1]), []))
        else:
            (groups[-1][2] if groups else common).append((name, value))
    march = march_of(arguments)
    if not groups:
        if arguments.source is None:
            raise ToolError("no model: give MODEL.onnx, or --model NAME=MODEL.onnx for each")
        name = _last(common, "name", model_name_of(arguments.source))
        return [Job(arguments.source, _options(name, march, {}, _by_name(common)))]
    if arguments.source is not None:
        raise ToolError(f"{arguments.source} stands beside --model; write --model NAME=… for it")
    jobs: list[Job] = []
    for name, source, own in groups:
        if any(key == "name" for key, _ in (*common, *own)):
            raise ToolError(f"--name is for a single model; here --model {name}=… gives the name")
        if any(job.options.name == name for job in jobs):
            raise ToolError(f"two models are named {name!r}; a name is there once in a file")
        jobs.append(Job(source, _options(name, march, _by_name(common), _by_name(own))))
    return jobs


def march_of(arguments: argparse.Namespace) -> str:
    """The march of the file, "" for any."""
    if arguments.soc:
        return MARCH_OF_SOC[arguments.soc]
    return "" if arguments.march == ANY_MARCH else str(arguments.march)


def _add_picture_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "pictures",
        "The network's input is (pixel - mean) * scale, with pixels of 0..255. With INPUT= before"
        " the value these are for one input, otherwise for all.",
    )
    _of_model(
        group, "--input", "INPUT=nv12|rgb|bgr|gray|featuremap", parse.parse_fed,
        "what the caller puts in (default: featuremap, the network's own values); nv12 makes it two"
        " inputs, INPUT_y [1,H,W,1] and INPUT_uv [1,H/2,W/2,2]; rgb, bgr and gray are uint8"
        " [N,H,W,C], with :nchw behind them [N,C,H,W]", many=1,
    )  # fmt: skip
    _of_model(group, "--nv12", "INPUT", str, "the same as --input INPUT=nv12", many=1)
    _of_model(
        group, "--color", "rgb|bgr", parse.of_one_input(parse.choice("rgb", "bgr")),
        "channel order of the network (default: rgb)", many=1,
    )  # fmt: skip
    _of_model(
        group, "--range", "full|limited", parse.of_one_input(parse.choice("full", "limited")),
        "BT.601 levels of NV12 pictures (default: full)", many=1,
    )  # fmt: skip
    _of_model(
        group, "--mean", "M[,M,M]", parse.of_one_input(parse.parse_numbers),
        "one level, or one per channel in the order of the network", many=1,
    )  # fmt: skip
    _of_model(
        group, "--scale", "S[,S,S]", parse.of_one_input(parse.parse_numbers),
        "one factor, or one per channel in the order of the network", many=1,
    )  # fmt: skip
    _of_model(
        group, "--std", "S[,S,S]", parse.of_one_input(parse.parse_deviations),
        "instead of --scale: what to divide by", many=1,
    )  # fmt: skip
    _of_model(
        group, "--layout", "nchw|nhwc", parse.of_one_input(parse.choice("nchw", "nhwc")),
        "where the network has its channels, if unclear", many=1,
    )  # fmt: skip


def _add_quantization_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("quantisation")
    _of_model(
        group, "--quantize", "PICTURES", Path,
        "make the network int8 inside, calibrated on a folder of pictures (resized to the input)"
        " or on an .npz file of the network's own inputs",
    )  # fmt: skip
    _of_model(
        group, "--quantize-exclude", "NODE", str, "a node, or an operator, that stays float", many=1
    )
    _of_model(
        group, "--output-type", "NAME=int8|int16|int32|float32[:SCALE[,ZERO]]",
        parse.parse_output_type,
        "element type of an output; int8 and int16 have one scale, int32 one per channel;"
        " NAME=TYPE:axis=N[:SCALE,...] has one per entry of axis N", many=1,
        alias="--quantize-output",
    )  # fmt: skip
    _of_model(
        group, "--quantize-input", "NAME=int8|uint8:SCALE[,ZERO]", parse.parse_input_quantization,
        "make an input an integer", many=1,
    )  # fmt: skip
    _of_model(
        group, "--calibrate", "PATH", Path,
        "pictures or .npz as for --quantize, for scales of outputs that are not given",
    )  # fmt: skip
    _of_model(
        group, "--check", "PATH", Path,
        "a picture, a folder of them or .npz: compare with the ONNX model on these (default: those"
        " of --quantize or --calibrate, else noise)",
    )  # fmt: skip


def _add_accelerator_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("accelerator")
    _flag(group, "--input-no-padding", "dense rows (default: padded as on the chip)")
    _flag(group, "--output-no-padding", "dense rows (default: padded as on the chip)")
    _of_model(
        group, "--latency-us", "N", _whole("--latency-us", 0, MAX_LATENCY_US),
        "a run takes at least this many microseconds (default: as fast as the CPU computes)",
    )  # fmt: skip
    _of_model(
        group, "--max-time-per-fc", "US", _whole("--max-time-per-fc", 1, MAX_LATENCY_US),
        "cut the model into function calls of at most this many microseconds, between which tasks"
        " of priority 254 and 255 preempt it (default: not preemptible)",
    )  # fmt: skip
    _of_model(
        group, "--cores", "N", _whole("--cores", 1, _MOST_CORES),
        "cores that a run takes at the same time, 1 to 4 (default: 1)",
    )  # fmt: skip
    chip = group.add_mutually_exclusive_group()
    chip.add_argument(
        "--march", choices=(*MARCH_OF_SOC.values(), ANY_MARCH), default=ANY_MARCH,
        help="only a simulator of this march loads the file (default: any)",
    )  # fmt: skip
    chip.add_argument("--soc", choices=tuple(MARCH_OF_SOC), help="the march of this chip")


def _options(
    name: str,
    march: str,
    common: Mapping[str, list[Any]],
    own: Mapping[str, list[Any]],
) -> PackOptions:
    def one(option: str, default: Any) -> Any:
        return [default, *common.get(option, []), *own.get(option, [])][-1]

    def pairs(option: str) -> dict[str, Any]:
        text = "--" + option.replace("_", "-")
        try:
            first = parse.no_name_twice(text, common.get(option, []))
            return {**first, **parse.no_name_twice(text, own.get(option, []))}
        except ValueError as error:
            raise ToolError(str(error)) from None

    def several(option: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*common.get(option, []), *own.get(option, []))))

    nv12 = several("nv12")
    picture, pictures = _pictures(pairs, nv12)
    output_types = pairs("output_type")
    return PackOptions(
        name=name,
        description=one("description", ""),
        tensor_descriptions=pairs("tensor_description"),
        rename=pairs("rename"),
        shapes=pairs("shape"),
        dynamic=one("dynamic", False),
        max_shapes=pairs("max_shape"),
        nv12_inputs=nv12,
        picture=picture,
        pictures=pictures,
        quantize=one("quantize", None),
        quantize_exclude=several("quantize_exclude"),
        output_quantization={n: given for n, given in output_types.items() if given is not None},
        float_outputs=tuple(n for n, given in output_types.items() if given is None),
        input_quantization=pairs("quantize_input"),
        calibration=one("calibrate", None),
        check=one("check", None),
        input_padding=not one("input_no_padding", False),
        output_padding=not one("output_no_padding", False),
        latency_us=one("latency_us", 0),
        max_time_per_fc_us=one("max_time_per_fc", 0),
        core_count=one("cores", 1),
        march=march,
    )


def _pictures(
    pairs: Callable[[str], dict[str, Any]], nv12: tuple[str, ...]
) -> tuple[PictureOptions, dict[str, PictureOptions]]:
    """How pictures become inputs: in general, and of each input that is named."""
    fed = pairs("input")
    for name in nv12:
        if fed.get(name, ("nv12", ""))[0] != "nv12":
            raise ToolError(f"input {name!r} cannot be --nv12 and --input {name}={fed[name][0]}")
        fed[name] = ("nv12", "nhwc")
    scales, deviations = pairs("scale"), pairs("std")
    for name in deviations:
        if name in scales:
            of_input = f" of input {name!r}" if name else ""
            raise ToolError(f"--scale and --std{of_input} say the same; give one of them")
    values = {
        "color": pairs("color"),
        "range": pairs("range"),
        "mean": pairs("mean"),
        "scale": {**scales, **deviations},
        "layout": pairs("layout"),
    }
    general = replace(
        PictureOptions(), **{key: given[""] for key, given in values.items() if "" in given}
    )
    named = dict.fromkeys([*fed, *(name for given in values.values() for name in given if name)])
    pictures: dict[str, PictureOptions] = {}
    for name in named:
        kind, layout = fed.get(name, ("featuremap", "nhwc"))
        own = {key: given[name] for key, given in values.items() if name in given}
        pictures[name] = replace(general, fed=kind, fed_layout=layout, **own)
    return general, pictures


def _by_name(given: list[tuple[str, Any]]) -> dict[str, list[Any]]:
    values: dict[str, list[Any]] = {}
    for name, value in given:
        values.setdefault(name, []).append(value)
    return values


def _last(given: list[tuple[str, Any]], name: str, default: str) -> str:
    return str([default, *(value for key, value in given if key == name)][-1])


def _of_model(
    group: Any,
    option: str,
    form: str,
    parser: Callable[[str], Any],
    text: str,
    *,
    many: int = 0,
    alias: str = "",
) -> None:
    group.add_argument(
        *((option, alias) if alias else (option,)),
        action=_OfModel,
        metavar=form,
        default=argparse.SUPPRESS,
        type=_argument(parser),
        help=f"{text} (repeatable)" if many else text,
    )


def _flag(group: Any, option: str, text: str) -> None:
    group.add_argument(option, action=_OfModel, nargs=0, default=argparse.SUPPRESS, help=text)


def _whole(option: str, low: int, high: int) -> Callable[[str], int]:
    def parse_whole(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = low - 1
        if not low <= number <= high:
            raise ValueError(f"{text!r} is no whole number of {low}..{high}")
        return number

    return parse_whole


def _argument(parser: Callable[[str], Parsed]) -> Callable[[str], Parsed]:
    """A parser whose ValueError text argparse shows."""

    def parse_argument(text: str) -> Parsed:
        try:
            return parser(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return parse_argument
