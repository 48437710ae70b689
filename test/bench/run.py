# SPDX-License-Identifier: Apache-2.0
"""`make bench`: the runtime's speed in ratios to others' on this machine, with conditions.

Ratios come from calls in turn in one process; absolute times are for orientation only.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from bench import (
    call_overhead,
    copies,
    engine_cost,
    lines,
    node_cost,
    packages,
    quantization_speed,
    scheduling_cost,
)
from bench.conditions import conditions
from bench.timing import FULL, QUICK, Effort
from hbm_runtime._loading import library

SECTIONS: dict[str, Callable[[Effort, Path], lines.Section]] = {
    "calls": call_overhead.measure,
    "copies": copies.measure,
    "engine": engine_cost.measure,
    "cores": scheduling_cost.measure,
    "quantization": quantization_speed.measure,
    "node": node_cost.measure,
}


def main() -> None:
    """Measures what was asked for and prints it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few calls of each: a smoke test")
    parser.add_argument(
        "--only", action="append", choices=SECTIONS, help="this table; may be repeated"
    )
    parser.add_argument("--markdown", action="store_true", help="print Markdown")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    parser.add_argument(
        "--no-install", action="store_true", help="do not install requirements/bench.txt"
    )
    arguments = parser.parse_args()
    console = Console(stderr=True)
    if not arguments.no_install:
        packages.install(console.print)
    packages.add_to_path()
    # First of all libraries: the null backend's have the same names, and need nothing of it.
    library.open_library(library.SIMULATOR_FOLDER)
    found = conditions()
    sections = []
    for name in arguments.only or SECTIONS:
        console.print(f"bench: measuring {name}")
        with tempfile.TemporaryDirectory() as folder:
            sections.append(SECTIONS[name](QUICK if arguments.quick else FULL, Path(folder)))
    if arguments.json:
        arguments.json.write_text(lines.as_json(sections, found), encoding="utf-8")
    output(sections, found, arguments.markdown)


def output(sections: list[lines.Section], found: dict[str, str], markdown: bool) -> None:
    """Prints the tables and the conditions to the standard output."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=160)  # a log has no width of its own
    if markdown:
        console.print(lines.markdown(sections, found), soft_wrap=True, markup=False)
        return
    for section in sections:
        lines.show(section, console)
    console.print("; ".join(f"{name}: {text}" for name, text in found.items()))


if __name__ == "__main__":
    main()
