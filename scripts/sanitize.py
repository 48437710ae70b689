# SPDX-License-Identifier: Apache-2.0
"""Builds the C and C++ tests with sanitizers and runs them: ASan with UBSan, then TSan.

With ASan and UBSan the Python module is built, too, and fuzzed image messages run through it.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

from test_summary import Result, read_results, report

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "build" / "sanitize"
PRESETS = {"address": "asan-ubsan", "thread": "tsan"}  # of src/CMakePresets.json
# A find ends the process at once, so no test passes over it.
OPTIONS = {
    "ASAN_OPTIONS": "detect_stack_use_after_return=1:strict_string_checks=1",
    "UBSAN_OPTIONS": "print_stacktrace=1",
    "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1",
}
STEP_LIMIT_S = 1200
# In Python, on the instrumented libraries; the messages' classes are those of `make build`.
FUZZING = "fuzzing image messages"


def main() -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"of {' '.join(PRESETS)}; all")
    kinds = parser.parse_args().kinds or list(PRESETS)
    if unknown := set(kinds) - set(PRESETS):
        parser.error(f"{', '.join(sorted(unknown))}: not among {' '.join(PRESETS)}")
    results: list[Result] = []
    for kind in kinds:
        results += sanitize(kind)
    print()
    return 0 if report(results, group_skipped=True) else 1


def sanitize(kind: str) -> list[Result]:
    """Builds and runs with one kind; what cannot be built is a failure, too."""
    build = FOLDER / kind
    start = time.monotonic()

    def say(text: str) -> None:
        print(f"sanitize: {kind:8} {time.monotonic() - start:5.1f} s  {text}", flush=True)

    shutil.rmtree(build / "test_results", ignore_errors=True)
    build.mkdir(parents=True, exist_ok=True)
    log = build / "log.txt"
    log.unlink(missing_ok=True)
    jobs = str(len(os.sched_getaffinity(0)))
    steps = {
        "configuring": [
            *("cmake", "-S", str(ROOT / "src"), "-B", str(build), f"--preset={PRESETS[kind]}"),
            f"-DHBM_BUILD_PYTHON={'ON' if kind == 'address' else 'OFF'}",
            *(f"-DPython3_EXECUTABLE={sys.executable}", "--no-warn-unused-cli"),
        ],
        "building": ["cmake", "--build", str(build), "--parallel", jobs],
        "testing": ["ctest", "--test-dir", str(build), "--output-on-failure", "--timeout", "600"],
    }
    if kind == "address":
        steps[FUZZING] = ["bash", str(ROOT / "test" / "fuzz" / "under_asan.sh"), str(build)]
    # The outer make's job server is not for the inner one.
    environment = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS")}
    environment.update(OPTIONS)
    fuzzed: list[Result] = []
    for step, command in steps.items():
        say(step)
        with log.open("ab") as output:
            status = run(command, environment, output)
        if status != 0:
            tail = log.read_text(encoding="utf-8", errors="replace").splitlines()[-60:]
            print("\n".join(tail))
            say(f"{step} failed (see {log.relative_to(ROOT)})")
            if step in ("configuring", "building"):
                return [Result(kind, "failed", f"{step} failed, see above")]
        if step == FUZZING:
            reason = f"see above and {log.relative_to(ROOT)}" if status else ""
            fuzzed.append(Result("fuzz::images", "failed" if status else "passed", reason))
    found = [*read_results(build / "test_results", registered(build)), *fuzzed]
    say(f"done: {len(found)} results")
    return [Result(f"{kind}::{one.name}", one.outcome, one.reason) for one in found]


def run(command: list[str], environment: dict[str, str], output: IO[bytes]) -> int:
    """Runs one step; its exit status, or 1 when it takes too long."""
    try:
        return subprocess.run(
            command,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            timeout=STEP_LIMIT_S,
        ).returncode
    except subprocess.TimeoutExpired:
        return 1


def registered(build: Path) -> list[str]:
    """Returns the names of the tests that CMake registered there."""
    command = ["ctest", "--test-dir", str(build), "--show-only=json-v1"]
    answer = subprocess.run(command, capture_output=True, text=True)
    return [str(test["name"]) for test in json.loads(answer.stdout or "{}").get("tests", [])]


if __name__ == "__main__":
    sys.exit(main())
