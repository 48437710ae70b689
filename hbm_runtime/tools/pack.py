# SPDX-License-Identifier: Apache-2.0
"""`hbm pack`: turns an ONNX model into a model file of the simulator."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from hbm_runtime import model_file
from hbm_runtime.model_file import ModelFile
from hbm_runtime.tools.errors import ToolError
from hbm_runtime.tools.extras import require
from hbm_runtime.tools.inspect import print_model
from hbm_runtime.tools.packing import options as parse
from hbm_runtime.tools.packing.options import Nv12Options, PackOptions

if TYPE_CHECKING:
    from hbm_runtime.tools.packing.agreement import OutputAgreement

_EXAMPLE = """\
example:
  hbm pack detector.onnx -o detector.hbm --shape x=1,3,384,640 \\
      --nv12 x --color bgr --mean 127.5 --scale 0.00784313725
"""

Parsed = TypeVar("Parsed")


def add_command(commands: Any) -> None:
    """Add `pack` to the subcommands of `hbm`."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "pack",
        help="turn an ONNX model into a model file of the simulator",
        description="Turn an ONNX model into a model file of the simulator. Options name tensors"
        " as the ONNX model does.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    parser.add_argument("model", metavar="MODEL.onnx", type=Path)
    parser.add_argument("-o", "--output", metavar="MODEL.hbm", type=Path, required=True)

    names = parser.add_argument_group("names and descriptions")
    names.add_argument("--name", help="name of the model (default: made from the file's name)")
    names.add_argument("--description", default="", metavar="TEXT", help="of the model")
    names.add_argument("--file-description", default="", metavar="TEXT", help="of the file")
    _add_pairs(names, "--tensor-description", "NAME=TEXT", parse.parse_pair, "of one tensor")
    _add_pairs(names, "--rename", "OLD=NEW", parse.parse_pair, "another name for one tensor")

    shapes = parser.add_argument_group("shapes")
    _add_pairs(
        shapes, "--shape", "NAME=1,3,224,224", parse.parse_shape, "fix the dimensions of an input"
    )
    shapes.add_argument(
        "--dynamic",
        action="store_true",
        help="keep the other dynamic dimensions; each input that has one needs --max-shape",
    )
    _add_pairs(
        shapes, "--max-shape", "NAME=1,3,1080,1920", parse.parse_shape,
        "with --dynamic: the largest shape that an input will have, or an output whose shape its"
        " values decide; callers provide memory for outputs of that size",
    )  # fmt: skip

    nv12 = parser.add_argument_group(
        "NV12 pictures", "The network's input is (pixel - mean) * scale, with pixels of 0..255."
    )
    nv12.add_argument(
        "--nv12",
        action="append",
        default=[],
        metavar="INPUT",
        help="make this image input two: INPUT_y [1,H,W,1] and INPUT_uv [1,H/2,W/2,2], uint8",
    )
    nv12.add_argument(
        "--color", choices=("rgb", "bgr"), default="rgb", help="channel order of the network"
    )
    nv12.add_argument(
        "--range", choices=("full", "limited"), default="full", help="BT.601 levels of the pictures"
    )
    nv12.add_argument(
        "--mean", type=_argument(parse.parse_numbers), default=(0.0,), metavar="M[,M,M]",
        help="one level, or one per channel in the order of the network",
    )  # fmt: skip
    nv12.add_argument(
        "--scale", type=_argument(parse.parse_numbers), default=(1.0,), metavar="S[,S,S]",
        help="one factor, or one per channel in the order of the network",
    )  # fmt: skip
    nv12.add_argument(
        "--layout", choices=("nchw", "nhwc"), default="", help="where the channels are, if unclear"
    )

    quantization = parser.add_argument_group("quantisation")
    _add_pairs(
        quantization, "--quantize-output", "NAME=int8|int16|int32[:SCALE[,ZERO]]",
        parse.parse_output_quantization,
        "make an output an integer; NAME=TYPE:axis=N[:SCALE,...] has one scale per entry of axis N",
    )  # fmt: skip
    _add_pairs(
        quantization, "--quantize-input", "NAME=int8|uint8:SCALE[,ZERO]",
        parse.parse_input_quantization, "make an input an integer",
    )  # fmt: skip
    quantization.add_argument(
        "--calibrate", type=Path, metavar="FILE.npz",
        help="real inputs, as the ONNX model takes them, for scales that are not given",
    )  # fmt: skip

    accelerator = parser.add_argument_group("accelerator")
    accelerator.add_argument(
        "--input-no-padding", action="store_true", help="dense rows (default: padded to 32 bytes)"
    )
    accelerator.add_argument(
        "--output-no-padding", action="store_true", help="dense rows (default: padded to 32 bytes)"
    )
    accelerator.add_argument(
        "--latency-us", type=int, default=0, metavar="N",
        help="a run takes at least this many microseconds (default: as fast as the CPU computes)",
    )  # fmt: skip
    accelerator.add_argument(
        "--march", default="", help="only a simulator of this march loads the file (default: any)"
    )


def run(arguments: argparse.Namespace) -> None:
    """Carry out `hbm pack`: pack, compare with the engine, write, report.

    Raises:
        ToolError: the model, an option or the output path is no good.
    """
    output: Path = arguments.output
    if output.suffix != ".hbm":
        raise ToolError(f"{output} must end in .hbm, the runtime loads no other name")
    if not output.parent.is_dir():
        raise ToolError(f"the folder of {output} does not exist")
    console = require("rich.console").Console()
    require("onnx")
    from hbm_runtime.tools.packing import agreement, build, engine, graph

    options = _options(arguments)
    with console.status(f"reading {arguments.model}") as status:
        source = graph.load(arguments.model)
        packed = build.pack_model(source, options, status.update)
        status.update("comparing with the ONNX model")
        try:
            comparison: Any = _agreement_table(
                f"agreement with {arguments.model.name} on onnxruntime {engine.version()}",
                agreement.compare(source, packed, options),
            )
        except agreement.NotComparedError as error:
            comparison = f"not compared with the ONNX model: {error}"
        content = ModelFile((packed.spec,), options.file_description, options.march)
        try:
            model_file.write(output, content)
        except OSError as error:
            raise ToolError(f"cannot write {output}: {error.strerror or error}") from None

    print_model(packed.spec, console)
    console.print(comparison, markup=False)
    size = output.stat().st_size
    console.print(f"wrote {output} ({size:,} bytes)", markup=False, highlight=False, soft_wrap=True)


def _options(arguments: argparse.Namespace) -> PackOptions:
    def pairs(option: str) -> dict[str, Any]:
        try:
            return parse.no_name_twice(option, getattr(arguments, option[2:].replace("-", "_")))
        except ValueError as error:
            raise ToolError(str(error)) from None

    return PackOptions(
        name=arguments.name or parse.model_name_of(arguments.model),
        description=arguments.description,
        file_description=arguments.file_description,
        tensor_descriptions=pairs("--tensor-description"),
        rename=pairs("--rename"),
        shapes=pairs("--shape"),
        dynamic=arguments.dynamic,
        max_shapes=pairs("--max-shape"),
        nv12_inputs=tuple(dict.fromkeys(arguments.nv12)),
        nv12=Nv12Options(
            arguments.color, arguments.range, arguments.mean, arguments.scale, arguments.layout
        ),
        output_quantization=pairs("--quantize-output"),
        input_quantization=pairs("--quantize-input"),
        calibration=arguments.calibrate,
        input_padding=not arguments.input_no_padding,
        output_padding=not arguments.output_no_padding,
        latency_us=arguments.latency_us,
        march=arguments.march,
    )


def _agreement_table(title: str, comparison: list[OutputAgreement]) -> Any:
    table = require("rich.table").Table(title=title, title_justify="left")
    for heading in ("output", "largest value", "largest difference"):
        table.add_column(heading, overflow="fold")
    for output in comparison:
        step = f" (half a step is {output.step / 2:.3g})" if output.step else ""
        difference = "0, bit for bit" if output.is_exact else f"{output.difference:.3g}{step}"
        name = require("rich.markup").escape(output.name)
        table.add_row(name, f"{output.largest:.4g}", difference)
    return table


def _add_pairs(group: Any, option: str, form: str, parser: Callable[[str], Any], text: str) -> None:
    group.add_argument(
        option,
        action="append",
        default=[],
        metavar=form,
        type=_argument(parser),
        help=f"{text} (repeatable)",
    )


def _argument(parser: Callable[[str], Parsed]) -> Callable[[str], Parsed]:
    """A parser whose ValueError text argparse shows."""

    def parse_argument(text: str) -> Parsed:
        try:
            return parser(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return parse_argument
