# SPDX-License-Identifier: Apache-2.0
"""Makes the conformance suite's models and runs it; a skip with its reason when it cannot run."""

from __future__ import annotations

import argparse
import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from xml.sax.saxutils import quoteattr


def main() -> int:
    """Returns the exit status of the suite, 0 for a skip."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("suite", type=Path, help="the program")
    parser.add_argument("models", type=Path, help="folder for the model files")
    parser.add_argument("junit", type=Path, help="file for the results, row by row")
    parser.add_argument("sections", nargs="*", help="all unless given")
    arguments = parser.parse_args()
    arguments.junit.parent.mkdir(parents=True, exist_ok=True)
    if reason := missing():
        case = f'<testcase name="all"><skipped message={quoteattr(reason)}/></testcase>'
        sums = 'tests="1" errors="0" failures="0" skipped="1"'
        suite = f'<testsuite name="conformance" {sums}>{case}</testsuite>\n'
        arguments.junit.write_text(suite, encoding="utf-8")
        print(f"skipped: {reason}")  # noqa: T201  # read in the log of ctest
        return 0
    maker = Path(__file__).with_name("make_models.py")
    subprocess.run([sys.executable, maker, arguments.models], check=True)
    command = [arguments.suite, "--junit", arguments.junit, arguments.models, *arguments.sections]
    return subprocess.run(command).returncode


def missing() -> str:
    """Says what the suite needs and does not find, "" when nothing is missing."""
    for package in ("numpy", "onnx"):
        if importlib.util.find_spec(package) is None:
            return f"the suite's models are made with the Python package {package}"
    if not os.environ.get("HBM_SIM_ENGINE"):
        return "HBM_SIM_ENGINE does not name ONNX Runtime's library"
    return ""


if __name__ == "__main__":
    sys.exit(main())
