# SPDX-License-Identifier: Apache-2.0
"""Runs fuzz targets for so many seconds each on fresh corpora; a find fails and is kept."""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
from pathlib import Path
from xml.sax.saxutils import quoteattr


def main() -> int:
    """Returns 0 unless a target found something."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", type=Path, nargs="+", help="programs named CORPUS_fuzzer")
    parser.add_argument("--folder", type=Path, required=True, help="for corpora and finds")
    parser.add_argument("--seconds", type=int, default=8, help="for each target (8)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--junit", type=Path, help="file for the results")
    arguments = parser.parse_args()
    missing = [name for name in ("numpy", "onnx") if importlib.util.find_spec(name) is None]
    reason = f"the corpora are made with the Python package {missing[0]}" if missing else ""
    if not reason:
        maker = Path(__file__).with_name("make_corpus.py")
        subprocess.run([sys.executable, maker, arguments.folder / "corpus"], check=True)
    cases = []
    found: list[Path] = []
    for target in arguments.targets:
        outcome = f"<skipped message={quoteattr(reason)}/>" if reason else ""
        if not reason and (why := run(target, arguments)):
            outcome = f"<failure message={quoteattr(why)}/>"
            found.append(target)
        cases.append(
            f'<testcase classname="fuzz" name={quoteattr(target.name)}>{outcome}</testcase>'
        )
    if arguments.junit:
        arguments.junit.parent.mkdir(parents=True, exist_ok=True)
        sums = (
            f'tests="{len(cases)}" errors="0" failures="{len(found)}"'
            f' skipped="{len(cases) if reason else 0}"'
        )
        suite = f'<testsuite name="fuzz" {sums}>{"".join(cases)}</testsuite>\n'
        arguments.junit.write_text(suite, encoding="utf-8")
    return 1 if found else 0


def run(target: Path, arguments: argparse.Namespace) -> str:
    """Runs one target; "" or what is wrong."""
    finds = arguments.folder / "finds"
    finds.mkdir(parents=True, exist_ok=True)
    name = target.name.removesuffix("_fuzzer")
    command = [
        *(str(target), f"-max_total_time={arguments.seconds}", f"-seed={arguments.seed}"),
        *(f"-artifact_prefix={finds}/{name}-", "-max_len=16384"),
        str(arguments.folder / "corpus" / name),
    ]
    # The fuzzer ends by itself; the limit is for a hang that it does not see.
    answer = subprocess.run(command, timeout=arguments.seconds + 60)
    if answer.returncode == 0:
        return ""
    return f"{name}: exit status {answer.returncode}; the input is in {finds}, the report is above"


if __name__ == "__main__":
    sys.exit(main())
