# SPDX-License-Identifier: Apache-2.0
"""Files are written whole or not at all, by several writers too, and never through links."""

from __future__ import annotations

import os
import socket
import stat
import threading
from pathlib import Path

import pytest

from hbm_runtime._whole_file import whole_file


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_old_content_stays_until_all_of_the_new_one_is_written(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with whole_file(path) as stream:
        stream.write(b"new")
        stream.flush()
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert names(tmp_path) == ["file"]


def test_an_error_while_writing_leaves_everything_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def fail_half_way() -> None:
        with whole_file(path) as stream:
            stream.write(b"ne")
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        fail_half_way()
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["file"]


def test_trying_makes_no_file(tmp_path: Path) -> None:
    with whole_file(tmp_path / "file", keep=False):
        pass
    assert names(tmp_path) == []


def test_a_new_file_has_the_permissions_of_the_umask_and_a_replaced_one_its_own(
    tmp_path: Path,
) -> None:
    path = tmp_path / "file"
    before = os.umask(0o027)
    try:
        with whole_file(path):
            pass
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        path.chmod(0o604)
        with whole_file(path):
            pass
        assert stat.S_IMODE(path.stat().st_mode) == 0o604
    finally:
        os.umask(before)


def test_a_name_as_long_as_a_name_can_be(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 255)
    with whole_file(path) as stream:
        stream.write(b"x")
    assert path.read_bytes() == b"x"


def make_link(path: Path) -> None:
    path.symlink_to("target")


def make_dangling_link(path: Path) -> None:
    path.symlink_to("nowhere")


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        os.chdir(path.parent)  # the name of a socket is short
        one.bind(path.name)


KINDS = {
    "a symbolic link": (make_link, make_dangling_link),
    "a folder": (Path.mkdir,),
    "a pipe": (os.mkfifo,),
    "a socket": (make_socket,),
}


@pytest.mark.parametrize(
    ("kind", "make"),
    [pytest.param(k, m, id=m.__name__) for k, makers in KINDS.items() for m in makers],
)
def test_only_a_regular_file_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, make: object
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "target").write_bytes(b"precious")
    path = tmp_path / "file"
    make(path)  # type: ignore[operator]
    before = path.lstat()
    text = f"is {kind}, no regular file; give the name of"
    with pytest.raises(OSError, match=text), whole_file(path):
        pytest.fail("it opened")
    assert os.path.samestat(before, path.lstat())
    assert (tmp_path / "target").read_bytes() == b"precious"
    assert names(tmp_path) == ["file", "target"]


def test_a_device_is_not_replaced() -> None:
    with pytest.raises(OSError, match="is a device"), whole_file("/dev/full"):
        pytest.fail("it opened")
    assert stat.S_ISCHR(os.stat("/dev/full").st_mode)


def test_a_link_that_is_put_there_while_the_file_is_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"precious")

    def write() -> None:
        with whole_file(tmp_path / "file") as stream:
            stream.write(b"new")
            (tmp_path / "file").symlink_to("target")

    with pytest.raises(OSError, match="is a symbolic link"):
        write()
    assert (tmp_path / "target").read_bytes() == b"precious"
    assert names(tmp_path) == ["file", "target"]


def test_writers_in_several_threads_each_put_a_whole_file_there(tmp_path: Path) -> None:
    path = tmp_path / "file"
    size = 1 << 16
    contents = [bytes([number]) * size for number in range(3)]
    with whole_file(path) as stream:
        stream.write(contents[0])
    stop = threading.Event()
    mixed: list[bytes] = []

    def read() -> None:
        while not stop.is_set():
            content = path.read_bytes()
            if content not in contents:
                mixed.append(content)

    def write(content: bytes) -> None:
        for _ in range(30):
            with whole_file(path) as stream:
                for start in range(0, size, 4096):
                    stream.write(content[start : start + 4096])
                    stream.flush()

    reader = threading.Thread(target=read)
    writers = [threading.Thread(target=write, args=(content,)) for content in contents]
    reader.start()
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    stop.set()
    reader.join()
    assert not mixed
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize("path", ["", ".", "missing/file", "/"])
def test_what_is_no_name_of_a_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OSError), whole_file(path):  # noqa: PT011  # by the system's own word
        pytest.fail("it opened")
    assert names(tmp_path) == []
