# SPDX-License-Identifier: Apache-2.0
"""The libraries as the loader sees them: SONAMEs, symbol versions, exactly the listed exports."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from c_programs import EXAMPLE, PREPARE, ROOT, SIMULATOR, bash, need

LISTS = (ROOT / "src" / "abi" / "functions.hpp").read_text(encoding="utf-8")
PRIVATE_MAP = (ROOT / "src" / "simulator" / "exports_ucp.map").read_text(encoding="utf-8")


def listed(macro: str) -> set[str]:
    """The functions of one list of src/abi/functions.hpp."""
    body = LISTS.split(f"#define {macro}(X)")[1].split("\n\n")[0]
    return set(re.findall(r"X\((\w+)\)", body))


def readelf(*arguments: str | Path) -> str:
    need("readelf")
    command = ["readelf", "--wide", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def exports(library: Path) -> dict[str, str]:
    """Defined dynamic symbols and their version, `@@` or `@` included; version nodes left out."""
    found = {}
    for line in readelf("--dyn-syms", library).splitlines():
        columns = line.split()
        if len(columns) >= 8 and columns[0].endswith(":") and columns[6] not in ("UND", "Ndx"):
            name, mark, version = columns[7].partition("@")
            if columns[6] != "ABS":
                found[name] = mark + version
    return found


@pytest.mark.parametrize("name", ["libdnn.so", "libhbucp.so"])
def test_soname_is_the_boards(name: str) -> None:
    assert f"(SONAME)             Library soname: [{name}]" in readelf("-d", SIMULATOR / name)


def test_libdnn_exports_exactly_its_20_functions_with_the_version_config() -> None:
    functions = listed("HBM_DNN_FUNCTIONS")
    assert len(functions) == 20
    assert exports(SIMULATOR / "libdnn.so") == dict.fromkeys(functions, "@@CONFIG")


def test_libhbucp_exports_exactly_its_11_functions_and_the_private_node() -> None:
    functions = listed("HBM_UCP_FUNCTIONS")
    assert len(functions) == 11
    found = exports(SIMULATOR / "libhbucp.so")
    public = {name: version for name, version in found.items() if version == "@@CONFIG"}
    private = {name: version for name, version in found.items() if name not in public}
    assert public == dict.fromkeys(functions, "@@CONFIG")
    body = PRIVATE_MAP.split("HBM_SIM_PRIVATE {")[1].split("}")[0]
    assert private == dict.fromkeys(re.findall(r"(hbSim\w+);", body), "@@HBM_SIM_PRIVATE")


def test_private_node_is_documented() -> None:
    text = (ROOT / "src" / "simulator" / "README.md").read_text(encoding="utf-8")
    assert "HBM_SIM_PRIVATE" in text


def test_libraries_need_nothing_but_the_system_and_each_other() -> None:
    system = r"lib(stdc\+\+|m|c|gcc_s|pthread|dl)\.so\.\d+|ld-linux\S*\.so\.\d+"
    for name, allowed in (("libdnn.so", system + r"|libhbucp\.so"), ("libhbucp.so", system)):
        needed = re.findall(
            r"\(NEEDED\)\s+Shared library: \[(.*)\]", readelf("-d", SIMULATOR / name)
        )
        assert needed
        assert [library for library in needed if not re.fullmatch(allowed, library)] == []


def test_program_with_versioned_symbols_starts(tmp_path: Path, add_one: Path) -> None:
    need("cc")
    bash(f'{PREPARE}\ncc "{EXAMPLE}/run_model.c" -ldnn -lhbucp -o run_model', tmp_path)
    needs = readelf("-V", tmp_path / "run_model")
    for library in ("libdnn.so", "libhbucp.so"):
        part = needs.split(f"File: {library}")[1].split("File:")[0]
        assert "Name: CONFIG" in part, library
    answer = bash(f'{PREPARE}\n./run_model "{add_one}"', tmp_path)
    assert "begins with 1 1 1 1" in answer.stdout
