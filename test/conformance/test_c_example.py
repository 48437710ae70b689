# SPDX-License-Identifier: Apache-2.0
"""examples/c/run_model.c, built in each of the ways that doc/simulator.md shows, and run."""

from __future__ import annotations

from pathlib import Path

import pytest
from c_programs import EXAMPLE, PREPARE, bash, need

SOURCE = f'"{EXAMPLE}/run_model.c"'
STRICT = "-std=c11 -Wall -Wextra -Wpedantic -Werror"
BUILDS = {
    "cc": f"cc {STRICT} -D_DEFAULT_SOURCE {SOURCE} -ldnn -lhbucp -o run_model",
    "pkg-config": f"cc {SOURCE} $(pkg-config --cflags --libs hbm_simulator) -o run_model",
    "cmake": f'cmake -S "{EXAMPLE}" -B build && cmake --build build && cp build/run_model .',
}


@pytest.mark.parametrize("way", BUILDS)
def test_example_is_built_and_runs(way: str, tmp_path: Path, add_one: Path) -> None:
    need("cc", way)
    answer = bash(f'{PREPARE}\n{BUILDS[way]}\n./run_model "{add_one}"', tmp_path)
    *_, model, source, target, values, order = answer.stdout.splitlines()
    assert model == "model add_one"
    assert source.startswith("input  x: type 7, shape 1x4, ")
    assert target.startswith("output y: type 7, shape 1x4, ")
    assert values == "  begins with 1 1 1 1"
    first, *waiting = map(
        int, order.removeprefix("priorities in the order of their ends: ").split()
    )
    # The one that came first found the core free; if not even that, all went by priority.
    assert [first, *waiting] in ([0, 200, 100, 10], [200, 100, 10, 0], [10, 200, 100, 0])


def test_pkg_config_suffices_without_the_compilers_variables(tmp_path: Path) -> None:
    need("cc", "pkg-config")
    script = f"{PREPARE}\nunset LIBRARY_PATH C_INCLUDE_PATH\n{BUILDS['pkg-config']}"
    bash(script, tmp_path)


def test_cmake_package_suffices_without_the_compilers_variables(tmp_path: Path) -> None:
    need("cc", "cmake")
    bash(f"{PREPARE}\nunset LIBRARY_PATH C_INCLUDE_PATH\n{BUILDS['cmake']}", tmp_path)


def test_missing_model_ends_the_program_with_the_reason(tmp_path: Path) -> None:
    need("cc")
    pytest.importorskip("onnxruntime", reason="the simulator computes with it")
    script = f"{PREPARE}\n{BUILDS['cc']}\n./run_model missing.hbm"
    answer = bash(script, tmp_path, check=False)
    assert answer.returncode == 1
    assert "hbDNNInitializeFromFiles(&packed, &file, 1): -500001, " in answer.stderr
