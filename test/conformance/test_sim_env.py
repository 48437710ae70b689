# SPDX-License-Identifier: Apache-2.0
"""`hbm sim env`: settings that a shell can take, once or again, and what they make possible."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import pytest
from c_programs import PREPARE, SIMULATOR, bash, need

from hbm_runtime.tools import sim
from hbm_runtime.tools.errors import ToolError

pytest.importorskip("onnxruntime", reason="the simulator computes with it")

# -I, not the variables of `hbm sim env`: in system folders the compiler would keep warnings back.
STRICT = f"-Wall -Wextra -Wpedantic -Werror -I{shlex.quote(str(SIMULATOR))}/include"
HEADERS = (
    "hobot/dnn/hb_dnn.h",
    "hobot/dnn/hb_dnn_status.h",
    "hobot/hb_ucp.h",
    "hobot/hb_ucp_status.h",
    "hobot/hb_ucp_sys.h",
)


def test_output_is_export_lines_only(tmp_path: Path) -> None:
    lines = bash('eval "$HBM sim env"', tmp_path).stdout.splitlines()
    assert lines
    assert [line for line in lines if not re.fullmatch(r"export [A-Z_]+=.*;", line)] == []


def test_what_was_set_stays_behind_the_simulator(tmp_path: Path) -> None:
    script = f"export LD_LIBRARY_PATH=/first:/second\n{PREPARE}\necho $LD_LIBRARY_PATH"
    assert bash(script, tmp_path).stdout == f"{SIMULATOR}:/first:/second\n"


def test_simulator_is_first_also_where_it_was_last(tmp_path: Path) -> None:
    script = (
        f"export LIBRARY_PATH=/first:{shlex.quote(str(SIMULATOR))}\n{PREPARE}\necho $LIBRARY_PATH"
    )
    assert bash(script, tmp_path).stdout == f"{SIMULATOR}:/first\n"


def test_said_twice_nothing_changes(tmp_path: Path) -> None:
    names = "$LD_LIBRARY_PATH $LIBRARY_PATH $C_INCLUDE_PATH $CMAKE_PREFIX_PATH $HBM_SIM_ENGINE"
    first, second = bash(
        f"{PREPARE}\necho {names}\n{PREPARE}\necho {names}", tmp_path
    ).stdout.split("\n")[:2]
    assert first == second
    assert "libonnxruntime" in first


def test_no_folder_name_is_run_as_a_command(tmp_path: Path) -> None:
    folder = tmp_path / 'it\'s $(touch ran) "here" & `touch ran`'
    folder.mkdir()
    for name in sim.LIBRARIES:
        (folder / name).touch()
    program = (
        "import shlex, sys; from pathlib import Path; from hbm_runtime.tools import sim\n"
        "sim.SIMULATOR_FOLDER = Path(sys.argv[1]); sim.run_env(None)"
    )
    call = shlex.join([sys.executable, "-c", program, str(folder)])
    answer = bash(f'eval "$({call})"\nprintf %s "$LD_LIBRARY_PATH"', tmp_path)
    assert answer.stdout == str(folder)
    assert not (tmp_path / "ran").exists()


def test_folder_with_a_colon_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "a:b"
    folder.mkdir()
    for name in sim.LIBRARIES:
        (folder / name).touch()
    with pytest.raises(ToolError, match="separates the entries of"):
        sim.settings(folder)


def test_installation_without_a_simulator_is_told(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match=r"lacks libhbucp\.so and libdnn\.so"):
        sim.settings(tmp_path)


def test_engine_that_is_no_file_is_told(tmp_path: Path) -> None:
    answer = bash('eval "$HBM sim env"', tmp_path, check=False, HBM_SIM_ENGINE="/no/engine.so")
    assert answer.returncode == 2
    assert answer.stdout == ""
    assert "'/no/engine.so', which is no file" in answer.stderr
    assert "pip install" in answer.stderr


@pytest.mark.parametrize("standard", ["c99", "c11", "c17"])
def test_each_header_is_c_of_its_own(standard: str, tmp_path: Path) -> None:
    need("cc")
    for header in HEADERS:
        (tmp_path / "alone.c").write_text(f'#include "{header}"\nint main(void) {{ return 0; }}\n')
        flags = f"-std={standard} {STRICT}"
        bash(f"cc {flags} -c alone.c", tmp_path)


@pytest.mark.parametrize("standard", ["c++11", "c++17", "c++20"])
def test_each_header_is_cpp_of_its_own(standard: str, tmp_path: Path) -> None:
    need("c++")
    for header in HEADERS:
        (tmp_path / "alone.cpp").write_text(f"#include <{header}>\nint main() {{}}\n")
        flags = f"-std={standard} {STRICT}"
        bash(f"c++ {flags} -c alone.cpp", tmp_path)


def test_cpp_program_of_the_field_runs(tmp_path: Path) -> None:
    need("c++")
    (tmp_path / "program.cpp").write_text(
        """
#include <hobot/dnn/hb_dnn.h>
#include <hobot/dnn/hb_dnn_status.h>
#include <hobot/hb_ucp.h>
#include <hobot/hb_ucp_sys.h>
#include <cstdio>

int main() {
  hbUCPSysMem memory{};
  hbUCPSchedParam param;
  HB_UCP_INITIALIZE_SCHED_PARAM(&param);
  param.backend = HB_UCP_BPU_CORE_ANY;
  if (hbUCPMallocCached(&memory, 1000, 0) != HB_DNN_SUCCESS) return 1;
  hbUCPMemFlush(&memory, HB_SYS_MEM_CACHE_CLEAN);
  hbDNNPackedHandle_t packed = nullptr;
  const char* file = "missing.hbm";
  const int32_t status = hbDNNInitializeFromFiles(&packed, &file, 1);
  std::printf("%d %d %s\\n", status == HB_DNN_CAN_NOT_OPEN_FILE, hbUCPFree(&memory),
              hbUCPGetSocName());
}
"""
    )
    script = f"{PREPARE}\nc++ -std=c++17 program.cpp -ldnn -lhbucp -o program\n./program"
    assert bash(script, tmp_path).stdout.startswith("1 0 D-Robotics RDK S")
