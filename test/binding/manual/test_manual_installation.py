# SPDX-License-Identifier: Apache-2.0
"""The manual's installation: what has to be there, as far as it is true of this package."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import tiny_models
from manual_text import promises

from hbm_runtime import HBMLibraryError
from hbm_runtime._loading import library

SECTIONS = ("安装说明(Installation)",)
PROMISES_NOTHING = {
    "支持通过系统 DEB 包": "the vendor's package; ours is a wheel or a ROS package",
    "Python≥ 3.10": "make test-pythons builds and tests a wheel for each Python",
    "pip≥ 22.0": "a tool of the user's",
    "scikit-build-core≥ 0.7": "ours is built by setuptools and CMake",
    "安装 hobot-dnn 包": "see NOT_RUN",
    "卸载安装的包": "see NOT_RUN",
}
NOT_RUN = {
    "sudo apt install hobot-dnn": "installs the vendor's package, for which this one stands in",
    "sudo apt remove hobot-dnn": "removes it",
}


@promises(
    "地平线提供的底层推理库(如 libdnn, libhbucp 等)", "如 libdnn.so、libucp.so 等,通常由 BSP 提供"
)
def test_it_stands_on_the_vendors_libraries(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:

    def nothing_there(folder: str) -> None:
        raise HBMLibraryError("not on the loader's path")

    monkeypatch.delenv(library.PATH_VARIABLE)
    monkeypatch.setattr(library, "_open", nothing_there)
    monkeypatch.setattr(library, "BOARD_FOLDER", tmp_path)
    monkeypatch.setattr(library, "SIMULATOR_FOLDER", tmp_path)
    library._open_default.cache_clear()
    with pytest.raises(HBMLibraryError, match="install the package hobot-dnn") as caught:
        library.open_library()
    assert "libhbucp.so and libdnn.so" in str(caught.value)


@promises("pybind11任意构建时使用,安装包时不需要依赖")
def test_no_build_tool_is_needed_to_run(
    save: Callable[..., str], run_python: Callable[..., str]
) -> None:
    printed = run_python(
        """
        import sys
        for tool in ("pybind11", "setuptools", "scikit_build_core", "cmake"):
            sys.modules[tool] = None  # importing it fails
        from hbm_runtime import HB_HBMRuntime
        print(HB_HBMRuntime(sys.argv[1]).model_names)
        """,
        save(tiny_models.pack(tiny_models.add(), "plus")),
    )
    assert printed == "['plus']\n"
