# SPDX-License-Identifier: Apache-2.0
"""Runs all tests with colcon and judges results, colcon's own verdict and what is left behind.

colcon and ctest run the session; neither names skipped tests with reasons or what is left behind.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import uuid
from pathlib import Path

import leftovers
from test_summary import Result, read_results, report

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "hbm_runtime_ros"
RESULTS = BUILD / "test_results" / "hbm_runtime_ros"
MANUAL = "HBM_RUNTIME_MANUAL"  # the vendor's manual as text; without it its tests are skipped
COLCON_TEST = (
    *("colcon", "test", "--packages-select", "hbm_runtime_ros"),
    *("--event-handlers", "console_direct+", "desktop_notification-"),
)
COLCON_RESULT = ("colcon", "test-result", "--test-result-base", str(BUILD), "--verbose")


def main() -> int:
    """Returns the exit status."""
    for stale in (RESULTS, BUILD / "Testing"):
        shutil.rmtree(stale, ignore_errors=True)
    mark = uuid.uuid4().hex
    files_before = leftovers.shared_memory_files()

    environment = {**os.environ, leftovers.MARK: mark}
    for manual in sorted(ROOT.parent.glob("*/facts/hbm_runtime_manual.md")):
        environment.setdefault(MANUAL, str(manual))
    run = subprocess.run(COLCON_TEST, cwd=ROOT, env=environment)
    left = leftovers.find(mark, files_before)
    print(flush=True)
    verdict = subprocess.run(COLCON_RESULT, cwd=ROOT)
    print(flush=True)

    results = read_results(RESULTS, registered_tests())
    if run.returncode != 0:
        results.append(Result("colcon test", "failed", f"exit status {run.returncode}"))
    if verdict.returncode != 0 and not any(result.outcome == "failed" for result in results):
        results.append(Result("colcon test-result", "failed", "reports a failure, see above"))
    results += [Result("left behind", "failed", name) for name in left]
    return 0 if report(results) else 1


def registered_tests() -> list[str]:
    """Returns the names of all tests that CMake registered.

    Raises:
        SystemExit: the build folder holds no tests.
    """
    command = ["ctest", "--test-dir", str(BUILD), "--show-only=json-v1"]
    answer = subprocess.run(command, capture_output=True, text=True)
    names = [str(test["name"]) for test in json.loads(answer.stdout or "{}").get("tests", [])]
    if not names:
        sys.exit(
            f"test: no tests are registered in {BUILD}: {answer.stderr.strip() or 'run make build'}"
        )
    return names


if __name__ == "__main__":
    sys.exit(main())
