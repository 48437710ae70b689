# SPDX-License-Identifier: Apache-2.0
"""Builds a wheel with each Python, and at the boards' floor, and tests it without ROS.

What is installed stands in requirements/lock/; with --newest it is what the ranges allow.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from lock import lock_file
from pythons import find_python
from test_summary import Outcome, Result, read_results, report

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "build" / "pythons"
FLOOR = "floor"  # the oldest that boards have, see requirements/floor.txt
FLOOR_PYTHON = "3.10"
NAMES = ("3.10", "3.11", "3.12", "3.13", FLOOR)
EXTRAS = ("check", "simulator", "tools", "image")
TESTS = ("test/binding", "test/conformance", "test/unit", "test/typing/test_stub.py")
TEST_TOOLS = (
    "pytest>=7,<9",
    "pytest-timeout",
    "hypothesis",
    "jsonschema",
    "prometheus-client",
    "psutil",
)
STUB_TOOLS = ("pybind11-stubgen", "ruff")
STEP_LIMIT_S = 1800
SHOWN = ("numpy", "onnxruntime", "onnx", "opencv-python-headless")
# Of the shell that this was called from: nothing of it may reach the Pythons under test.
FOREIGN = re.compile(
    r"(AMENT|COLCON|ROS|RMW|HBM_SIM|HBM_RUNTIME_LIBRARY|PYTHON|PIP_CONSTRAINT|PYTEST)\w*"
    r"|CMAKE_PREFIX_PATH|LD_LIBRARY_PATH|VIRTUAL_ENV|MAKE\w*|MFLAGS"
)


class StepError(RuntimeError):
    """A step before the tests failed; the text says which, why and where its output is."""


@dataclass
class Target:
    """One Python, with the folder and the environment in which everything about it happens."""

    name: str
    python: Path
    version: str
    start: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.folder = FOLDER / self.name
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.bin = self.folder / "venv" / "bin"
        self.log = self.folder / "log.txt"
        self.constraints = self.folder / "constraints.txt"
        self.environment = {
            **{name: text for name, text in os.environ.items() if not FOREIGN.fullmatch(name)},
            "HYPOTHESIS_STORAGE_DIRECTORY": str(self.folder / "hypothesis"),
            "PATH": f"{self.bin}:{os.environ['PATH']}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONNOUSERSITE": "1",
            # Older pips know the first for the build's own environment, newer ones the second.
            "PIP_CONSTRAINT": str(self.constraints),
            "PIP_BUILD_CONSTRAINT": str(self.constraints),
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        }

    def say(self, text: str) -> None:
        """Prints a sign of life."""
        seconds = time.monotonic() - self.start
        print(f"test-pythons: {self.name:5}  {seconds:5.1f} s  {text}", flush=True)

    def run(self, step: str, *command: str | Path) -> str:
        """Runs a command with its output in the log, and returns that output.

        Raises:
            StepError: It failed.
        """
        self.say(step)
        try:
            run = subprocess.run(
                list(map(str, command)),
                cwd=self.folder,
                env=self.environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=STEP_LIMIT_S,
            )
        except subprocess.TimeoutExpired:
            raise StepError(f"{step}: not done after {STEP_LIMIT_S} s") from None
        with self.log.open("a", encoding="utf-8") as log:
            log.write(f"$ {' '.join(map(str, command))}\n{run.stdout}\n")
        if run.returncode != 0:
            lines = [line for line in run.stdout.splitlines() if line.strip()] or ["no output"]
            raise StepError(f"{step}: {lines[-1].strip()} (see {self.log.relative_to(ROOT)})")
        return run.stdout

    def pip_install(self, step: str, *what: str | Path) -> None:
        """Installs into the virtual environment."""
        self.run(step, self.bin / "python", "-m", "pip", "install", "-q", *what)

    def pytest(self, phase: str, *tests: str) -> list[Result]:
        """Runs tests on the installed package; their failures are results, not errors."""
        name = f"{self.name}-{phase}"
        self.environment["TMPDIR"] = str(self.folder / "tmp")
        (self.folder / "tmp").mkdir(exist_ok=True)
        try:
            self.run(
                f"running {' '.join(tests)}",
                *(self.bin / "pytest", "-p", "no:cacheprovider", "-q"),
                *(f"--junitxml={self.folder / name}.xml", f"--rootdir={ROOT}"),
                *(ROOT / test for test in tests),
            )
        except StepError as failure:
            self.say(str(failure))
            results = read_results(self.folder, [name])
            if any(result.outcome == "failed" for result in results):
                return results
            return [*results, Result(name, "failed", str(failure))]
        return read_results(self.folder, [name])


def main() -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {' '.join(NAMES)}; all")
    parser.add_argument("--newest", action="store_true", help="do not install from the lock")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(NAMES):
        parser.error(f"{', '.join(sorted(unknown))}: not among {' '.join(NAMES)}")
    names = arguments.names or [name for name in NAMES if not (arguments.newest and name == FLOOR)]
    results: list[Result] = []
    summaries: list[str] = []
    for name in names:
        python, found = find_python(FLOOR_PYTHON if name == FLOOR else name)
        if python is None:
            of_name = [Result(f"Python {name}", "skipped", f"is not on this machine: {found}")]
            summary = f"absent: {found}"
        else:
            target = Target(name, python, found)
            constrain(target, newest=arguments.newest)
            of_name, summary = try_python(target)
        results += of_name
        summaries.append(f"{name:5}  {summary}")
    print()
    return 0 if report(results, summaries, group_skipped=True) else 1


def try_python(target: Target) -> tuple[list[Result], str]:
    """Builds, installs and tests; returns the results and one line about them."""
    results: list[Result] = []
    conditions = f"Python {target.version}"
    try:
        target.run("making a virtual environment", target.python, "-m", "venv", "venv")
        if target.name == FLOOR:
            prepare_floor(target)
        wheel = build_wheel(target)
        target.pip_install("installing the wheel alone", wheel, *TEST_TOOLS[:2])
        results += target.pytest("wheel", "test/wheel")
        extras = f"{wheel}[{','.join(EXTRAS)}]"
        target.pip_install("installing its extras", extras, *TEST_TOOLS, *STUB_TOOLS)
        conditions += f", {describe(target)}"
        results += target.pytest("tests", *TESTS)
    except StepError as failure:
        target.say(str(failure))
        results.append(Result(f"Python {target.name}", "failed", str(failure)))
    outcomes = [result.outcome for result in results]
    kinds: tuple[Outcome, ...] = ("passed", "failed", "skipped")
    sums = ", ".join(f"{outcomes.count(kind)} {kind}" for kind in kinds)
    return results, f"{sums} in {time.monotonic() - target.start:.0f} s: {conditions}"


def constrain(target: Target, *, newest: bool) -> None:
    """Writes what pip is limited to: the versions of the lock, or nothing."""
    name, python = (FLOOR, FLOOR_PYTHON) if target.name == FLOOR else ("wheel", target.name)
    text = "" if newest else lock_file(name, python).read_text(encoding="utf-8")
    target.constraints.write_text(text, encoding="utf-8")


def prepare_floor(target: Target) -> None:
    """Puts the floor's CMake in front of this machine's, and its gcc if there is one."""
    tools = target.folder / "tools"
    pip = ("-m", "pip", "install", "-q", "--target")
    target.run("installing CMake", target.bin / "python", *pip, tools, "cmake")
    # The program itself: in a build's own environment its Python wrapper cannot be imported.
    target.environment["PATH"] = f"{tools}/cmake/data/bin:{target.environment['PATH']}"
    if shutil.which("g++-11"):
        target.environment.update(CC="gcc-11", CXX="g++-11")


def build_wheel(target: Target) -> Path:
    """Builds as `pip install .` does, and returns the wheel."""
    command = ("-m", "pip", "wheel", "-v", "--no-deps", "-w", target.folder, ROOT)
    target.run("building the wheel", target.bin / "python", *command)
    return next(target.folder.glob("*.whl"))


def describe(target: Target) -> str:
    """Names what the wheel was built with, and the packages that are installed."""
    script = (
        "import sys, importlib.metadata as m, hbm_runtime._core as c;"
        "print('pybind11', c.pybind11_version, *[f', {n} {m.version(n)}' for n in sys.argv[1:]])"
    )
    python = target.bin / "python"
    line = target.run("reading versions", python, "-c", script, *SHOWN).strip()
    cmake = target.run("reading the version of CMake", "cmake", "--version").split()[2]
    log = target.log.read_text(encoding="utf-8")
    compiler = re.findall(r"The CXX compiler identification is (.*)", log)
    return f"{', '.join(compiler[-1:])}, CMake {cmake}, {line}".replace(" ,", ",")


if __name__ == "__main__":
    sys.exit(main())
