# SPDX-License-Identifier: Apache-2.0
"""What a node's process sets up: memory of one image is used again, threads take turns quickly."""

from __future__ import annotations

import platform
import subprocess
import sys
import textwrap

import pytest

from hbm_runtime_ros.ros import malloc_settings

PROGRAM = """
import resource
import runpy
import sys

keep_freed_memory = runpy.run_path(sys.argv[2])["keep_freed_memory"]

if sys.argv[1] == "keep":
    assert keep_freed_memory()


def images():
    for _ in range(50):
        two = [bytearray(3_000_000), bytearray(3_000_000)]
        del two


images()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
images()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(how: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(PROGRAM), how, malloc_settings.__file__],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is glibc's")
def test_images_that_come_and_go_cost_no_page_faults() -> None:
    assert page_faults("keep") < page_faults("as it is") / 10


def test_threads_take_turns_quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(malloc_settings, "keep_freed_memory", lambda: True)  # it could not go back
    before = sys.getswitchinterval()
    try:
        malloc_settings.tune_process_for_images()
        assert sys.getswitchinterval() < before
    finally:
        sys.setswitchinterval(before)


def test_another_c_library_is_no_obstacle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(malloc_settings.ctypes, "CDLL", lambda name: object())
    assert not malloc_settings.keep_freed_memory()
