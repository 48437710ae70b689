# SPDX-License-Identifier: Apache-2.0
"""Links of the documents lead somewhere, and the architecture names only what is there."""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[3]
BUILT = {"build", "install", "log", "dist"}
PAGES = sorted(
    page
    for page in REPOSITORY.rglob("*.md")
    if not {part for part in page.relative_to(REPOSITORY).parts if part[0] == "."}
    and page.relative_to(REPOSITORY).parts[0] not in BUILT
)
ARCHITECTURE = [page for page in PAGES if "architecture" in page.relative_to(REPOSITORY).as_posix()]
CODE_BLOCK = re.compile(r"^( *```+)\w*\n.*?^\1 *$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`[^`\n]*`")
LINK = re.compile(r"\]\(\s*<?([^)\s>]+)")
SOURCES = {".c", ".cpp", ".h", ".hpp", ".md", ".py", ".pyi", ".rst", ".txt", ".yaml"}
FOLDERS = "src|hbm_runtime|hbm_runtime_ros|test|scripts|doc|config|launch|msg|srv|examples"
PATH = re.compile(rf"(?<![\w./:-])((?:{FOLDERS})/[\w/.-]*\w\.(?!so\b)[a-z]+)(?![\w/.])")
NAMED = re.compile(r"`((?:[\w.-]+/)+[\w.*-]*)(?::([A-Za-z_][\w.:~]*))?`")


def anchors(text: str) -> set[str]:
    """The anchors that GitHub gives a page's headings, and those that the page sets itself."""
    found = set(re.findall(r"<a (?:id|name)=\"([^\"]+)\"", text))
    seen: Counter[str] = Counter()
    for heading in re.findall(r"^#{1,6} +(.+?) *#*$", CODE_BLOCK.sub("", text), re.MULTILINE):
        shown = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", shown.lower()).replace(" ", "-")
        found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return found


def broken_links(page: Path) -> list[str]:
    """The relative links of a page that lead to no file, or to no heading of a page."""
    text = page.read_text(encoding="utf-8")
    found = []
    for link in LINK.findall(CODE.sub("", CODE_BLOCK.sub("", text))):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if not target.exists() or (
            anchor and anchor not in anchors(target.read_text(encoding="utf-8"))
        ):
            found.append(link)
    return found


def missing_names(page: Path, root: Path = REPOSITORY) -> list[str]:
    """What a page names as `path` or `path:name` and is not there."""
    return [
        f"{path}:{name}" if name else path
        for path, name in NAMED.findall(CODE_BLOCK.sub("", page.read_text(encoding="utf-8")))
        if not any(root.glob(path)) or (name and not defines(root / path, name))
    ]


def defines(file: Path, name: str) -> bool:
    """Whether a file defines a name: in Python a function, class or variable, else a whole word."""
    text = file.read_text(encoding="utf-8")
    if file.suffix not in (".py", ".pyi"):
        return all(re.search(rf"\b{part}\b", text) for part in re.split(r"::|\.", name))
    body = [ast.parse(text)]
    for part in name.split("."):
        body = [node for outer in body for node in ast.walk(outer) if _is_named(node, part)]
    return bool(body)


def _is_named(node: ast.AST, name: str) -> bool:
    if isinstance(node, ast.Assign):
        return any(isinstance(each, ast.Name) and each.id == name for each in node.targets)
    if isinstance(node, ast.AnnAssign):
        return isinstance(node.target, ast.Name) and node.target.id == name
    return getattr(node, "name", None) == name and not isinstance(node, ast.alias)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_every_link_of_a_document_leads_somewhere(page: Path) -> None:
    assert broken_links(page) == []


def test_documents_and_links_were_found() -> None:
    assert {"README.md", "CONTRIBUTING.md", "node.md"} <= {page.name for page in PAGES}
    assert sum(len(LINK.findall(page.read_text(encoding="utf-8"))) for page in PAGES) > 150


def test_a_link_that_leads_nowhere_is_found(tmp_path: Path) -> None:
    (tmp_path / "there.md").write_text("# One `thing`, two\n## Same\n## Same\n", encoding="utf-8")
    page = tmp_path / "page.md"
    page.write_text(
        "# Here\n[a](there.md) [b](there.md#one-thing-two) [c](#here) [d](https://x.y/z)\n"
        "[e](there.md#same-1) `[f](code.md)`\n```\n[g](block.md)\n```\n",
        encoding="utf-8",
    )
    assert broken_links(page) == []
    page.write_text("[a](gone.md) [b](there.md#three) [c](#there)", encoding="utf-8")
    assert broken_links(page) == ["gone.md", "there.md#three", "#there"]


def test_no_file_names_a_path_that_is_not_there() -> None:
    """Comments, docstrings and documents; the tests of this folder invent paths."""
    files = [
        file
        for top in (*FOLDERS.split("|"), ".")
        for file in (REPOSITORY / top).glob("*" if top == "." else "**/*")
        if file.suffix in SOURCES and file.parent != Path(__file__).parent
    ]
    named = [(file, path) for file in files for path in PATH.findall(file.read_text("utf-8"))]
    assert len(named) > 200
    gone = [
        f"{file.relative_to(REPOSITORY)}: {path}"
        for file, path in named
        if not (REPOSITORY / path).exists() and not (REPOSITORY / "src" / path).exists()
    ]
    assert gone == []


@pytest.mark.parametrize("page", ARCHITECTURE, ids=lambda page: page.name)
def test_the_architecture_names_only_what_is_there(page: Path) -> None:
    assert missing_names(page) == []


def test_the_architecture_names_files_and_functions() -> None:
    texts = [page.read_text(encoding="utf-8") for page in ARCHITECTURE]
    named = [name for text in texts for _, name in NAMED.findall(text)]
    assert len(named) > 100
    assert len(list(filter(None, named))) > 20


def test_a_name_that_is_not_there_is_found(tmp_path: Path) -> None:
    (tmp_path / "room").mkdir()
    (tmp_path / "room" / "file.py").write_text(
        "import gone\nclass A:\n    def b(self): ...\nC: int = 1\nD = 2\n", encoding="utf-8"
    )
    (tmp_path / "room" / "file.cpp").write_text("void A::b() {}\n", encoding="utf-8")
    page = tmp_path / "page.md"
    there = ["room/", "room/*.py", "room/file.py:A.b", "room/file.py:C", "room/file.py:D"]
    there += ["room/file.cpp:A::b"]
    page.write_text(" ".join(f"`{name}`" for name in there), encoding="utf-8")
    assert missing_names(page, tmp_path) == []
    gone = [
        "room/a.py",
        "room/*.hpp",
        "room/file.py:b.A",
        "room/file.py:gone",
        "room/file.cpp:A::c",
    ]
    page.write_text(" ".join(f"`{name}`" for name in gone), encoding="utf-8")
    assert missing_names(page, tmp_path) == gone
