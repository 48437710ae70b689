# SPDX-License-Identifier: Apache-2.0
"""Files that cannot be loaded: each kind has a message of its own that says what to do."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_models

from hbm_runtime import (
    HB_HBMRuntime,
    HBMError,
    HBMInputError,
    HBMLibraryError,
    HBMModelError,
    _core,
)
from hbm_runtime._loading import library as library_choice
from hbm_runtime._loading.library import open_library


@pytest.fixture
def good(save: Callable[..., str]) -> str:
    return save(tiny_models.pack(tiny_models.add(), "plus"), file="good.hbm")


def why_refused(path: Any, error: type[HBMError] = HBMModelError) -> str:
    with pytest.raises(error) as caught:
        HB_HBMRuntime(path)
    return str(caught.value)


def test_a_missing_file_is_named() -> None:
    assert "The input hbm model nowhere.hbm does not exist" in why_refused("nowhere.hbm")


def test_a_folder_is_no_model(tmp_path: Path) -> None:
    folder = tmp_path / "models.hbm"
    folder.mkdir()
    assert "is a folder" in why_refused(folder)


@pytest.mark.parametrize(
    ("make", "kind"),
    [(os.mkfifo, "a pipe"), (lambda path: path.symlink_to(os.devnull), "a device")],
)
def test_only_a_regular_file_is_a_model(
    good: str, tmp_path: Path, make: Callable[[Path], object], kind: str
) -> None:
    path = tmp_path / "odd.hbm"
    make(path)
    said = why_refused(path)
    assert f"odd.hbm is {kind}, no regular file" in said and "empty" not in said
    with pytest.raises(HBMModelError, match="no regular file"):
        HB_HBMRuntime(good).reload("plus", path)


def test_a_path_through_a_file_leads_nowhere(good: str) -> None:
    assert "does not exist" in why_refused(good + "/model.hbm")


def test_an_empty_file_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "empty.hbm").touch()
    assert "is empty" in why_refused(tmp_path / "empty.hbm")


def test_another_extension_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"x")
    said = why_refused(tmp_path / "model.bin")
    assert "Only .hbm supported" in said and "X3/X5" in said


def test_a_vendor_compiled_file_is_told_from_ours(tmp_path: Path) -> None:
    (tmp_path / "vendor.hbm").write_bytes(bytes(range(256)) * 64)
    said = why_refused(tmp_path / "vendor.hbm")
    assert "vendor" in said and "board" in said and "hbm pack" in said


def test_a_truncated_file_is_refused(good: str, tmp_path: Path) -> None:
    data = Path(good).read_bytes()
    for size in (1, 8, 31, 32, 100, len(data) // 2, len(data) - 1):
        (tmp_path / "short.hbm").write_bytes(data[:size])
        assert "short.hbm" in why_refused(tmp_path / "short.hbm")


def test_a_damaged_file_is_refused(good: str, tmp_path: Path) -> None:
    data = bytearray(Path(good).read_bytes())
    data[-5] ^= 0xFF
    (tmp_path / "damaged.hbm").write_bytes(data)
    assert "damaged.hbm" in why_refused(tmp_path / "damaged.hbm")


def test_an_unreadable_file_is_refused(good: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # the superuser reads everything
    assert "permission denied" in why_refused(good)


def test_a_message_may_hold_any_bytes() -> None:
    library = open_library(library_choice.SIMULATOR_FOLDER)
    with pytest.raises(HBMModelError, match=r"nowhere\\xff\.hbm"):
        _core.load(library, [b"nowhere\xff.hbm"])  # type: ignore[list-item]


@pytest.mark.parametrize("nonsense", [None, 3, 1.5, b"model.hbm", {"a": 1}, [None], [3], object()])
def test_what_is_no_path_is_refused(nonsense: Any) -> None:
    why_refused(nonsense, HBMInputError)


def test_no_files_are_refused() -> None:
    assert "No input hbm model files provided" in why_refused([], HBMInputError)


def test_one_bad_file_of_several_is_named(good: str) -> None:
    assert "nowhere.hbm" in why_refused([good, "nowhere.hbm"])


@pytest.mark.parametrize("form", [str, Path, lambda path: [path], lambda path: (Path(path),)])
def test_paths_come_in_many_forms(good: str, form: Callable[[str], Any]) -> None:
    assert HB_HBMRuntime(form(good)).model_names == ["plus"]


def test_files_may_be_named_as_in_the_manual(good: str) -> None:
    assert HB_HBMRuntime(model_file=good).model_count == 1
    assert HB_HBMRuntime(model_files=[good]).model_count == 1
    with pytest.raises(HBMInputError, match="either"):
        HB_HBMRuntime(good, [good])


def test_a_name_that_comes_twice_is_dropped_with_a_warning(
    good: str, save: Callable[..., str], caplog: pytest.LogCaptureFixture
) -> None:
    second = save(tiny_models.pack(tiny_models.add(constant=5), "plus"), file="second.hbm")
    rt = HB_HBMRuntime([good, second])
    assert rt.model_names == ["plus"]
    assert list(rt.hbm_descs) == [good, second]
    assert (rt.run(np.zeros((1, 4), np.float32))["plus"]["y"] == 1).all(), "the first wins"
    assert "second.hbm is left out" in caplog.text and "good.hbm" in caplog.text


def test_a_folder_without_libraries_is_named(good: str, tmp_path: Path) -> None:
    with pytest.raises(HBMLibraryError) as caught:
        HB_HBMRuntime(good, library=tmp_path)
    assert isinstance(caught.value, ImportError)
    assert "libhbucp.so and libdnn.so" in str(caught.value) and str(tmp_path) in str(caught.value)


def test_a_library_of_another_family_is_told(good: str, tmp_path: Path) -> None:
    for name in ("libhbucp.so", "libdnn.so"):
        (tmp_path / name).write_bytes(b"not a library")
    with pytest.raises(HBMLibraryError, match=r"libhbucp\.so"):
        HB_HBMRuntime(good, library=tmp_path)
