# SPDX-License-Identifier: Apache-2.0
"""`hbm pack`: turns ONNX models into a model file of the simulator."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from hbm_runtime import model_file
from hbm_runtime.model_file import ModelFile
from hbm_runtime.tools import pack_arguments
from hbm_runtime.tools.errors import ToolError
from hbm_runtime.tools.optional_packages import require
from hbm_runtime.tools.pack_arguments import Job, jobs_of, march_of

if TYPE_CHECKING:
    from hbm_runtime.tools.pack_report import PackedJob
    from hbm_runtime.tools.packing import Progress


def add_command(commands: Any) -> None:
    """Add `pack` to the subcommands of `hbm`."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "pack",
        help="turn ONNX models into a model file of the simulator",
        usage="hbm pack MODEL.onnx -o MODEL.hbm [options]\n"
        "       hbm pack -o MODEL.hbm [options] --model NAME=MODEL.onnx [options] ...\n"
        "       hbm pack @FILE",
        description="Turn ONNX models into a model file of the simulator. Options name tensors"
        " as the ONNX model does.",
        epilog=pack_arguments.EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        fromfile_prefix_chars="@",
    )
    parser.set_defaults(run=run)
    pack_arguments.add_arguments(parser)


def run(arguments: argparse.Namespace) -> None:
    """Carry out `hbm pack`: pack, compare with the engine, write, report.

    Raises:
        ToolError: a model, an option or the output path is no good.
    """
    output = arguments.output
    if output.suffix != ".hbm":
        raise ToolError(f"{output} must end in .hbm, the runtime loads no other name")
    if not output.parent.is_dir():
        raise ToolError(f"the folder of {output} does not exist")
    console = require("rich.console").Console()
    require("onnx")
    from hbm_runtime.tools import pack_report

    jobs = jobs_of(arguments)
    packed: list[PackedJob] = []
    for job in jobs:
        try:
            with _progress(job.options.name if len(jobs) > 1 else "") as progress:
                packed.append(_pack(job, progress))
        except ToolError as error:
            if len(jobs) == 1:
                raise
            raise ToolError(f"model {job.options.name!r}: {error}") from None
    specs = tuple(result.spec for result in packed)
    content = ModelFile(specs, arguments.file_description, march_of(arguments))
    try:
        model_file.write(output, content)
    except OSError as error:
        raise ToolError(f"cannot write {output}: {error.strerror or error}") from None
    if arguments.json:
        report = pack_report.as_json(output, content, packed)
        print(json.dumps(report, indent=2, ensure_ascii=False))
    else:
        pack_report.print_report(output, packed, console)


def _pack(job: Job, progress: Progress) -> PackedJob:
    from hbm_runtime.tools.pack_report import PackedJob
    from hbm_runtime.tools.packing import agreement, build, description, graph

    progress(f"reading {job.source}", 0, 0)
    source = graph.load(job.source)
    packed = build.pack_model(source, job.options, progress)
    progress("comparing with the ONNX model", 0, 0)
    comparison, why_not = None, ""
    try:
        comparison = agreement.compare(source, packed, job.options)
    except agreement.NotComparedError as error:
        why_not = str(error)
    text = description.model_description(job.options, packed.network_inputs, _builder())
    spec = replace(packed.spec, description=text)
    return PackedJob(job.source, spec, packed.plan, comparison, why_not)


@contextmanager
def _progress(name: str) -> Iterator[Progress]:
    """Shows steps on the terminal, on stderr, and nothing where that is none."""
    rich = require("rich.progress")
    console = require("rich.console").Console(stderr=True)
    if not console.is_terminal:
        yield lambda *_: None
        return
    columns = (
        rich.SpinnerColumn(),
        rich.TextColumn("{task.description}", markup=False),
        rich.BarColumn(),
        rich.TimeElapsedColumn(),
    )
    with rich.Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=None)

        def show(text: str, done: int, total: int) -> None:
            described = f"{name}: {text}" if name else text
            bar.update(task, description=described, completed=done, total=total or None)

        yield show


def _builder() -> str:
    try:
        return f"hbm-runtime {version('hbm-runtime')} (simulator)"
    except PackageNotFoundError:
        return "hbm-runtime (simulator)"
