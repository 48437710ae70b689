# SPDX-License-Identifier: Apache-2.0
"""Makes doc/api.md, the reference of the Python packages, from their docstrings."""

from __future__ import annotations

import importlib
import re
import sys
from typing import Any

import generated_file
import griffe
import griffe2md

ROOT = generated_file.ROOT
REFERENCE = ROOT / "doc" / "api.md"
PACKAGE = "hbm_runtime"
# Each with the files that it is made of, in the order in which they are best read.
MODULES = {
    "hbm_runtime": (
        *("runtime", "binding", "futures", "_calling.calls", "types", "quantization", "four_bit"),
        *("telemetry.statistics", "telemetry.trace", "_loading.preemption", "errors"),
    ),
    "hbm_runtime.models": ("models",),
    "hbm_runtime.image": (
        *("preprocessing", "settings", "picture_inputs"),
        *("frames", "fit_pixels", "fit_geometry", "color", "faults"),
    ),
    "hbm_runtime.model_file": ("spec", "reader", "writer"),
}
INTRODUCTION = """\
<!-- Made by scripts/generate_api_reference.py from the docstrings: change those instead. -->

# Python API

What can be imported from {modules}.
Everything else in the package may change without notice. `[n, m]` after a data type is an array's
shape. Which libraries are used, environment variables and loggers:
[configuration.md](configuration.md). The file format: [model_file.md](model_file.md).
"""
SETTINGS: dict[str, Any] = {
    **griffe2md.default_config,
    "docstring_section_style": "table",
    "heading_level": 3,
    "inherited_members": True,
    "line_length": 88,
    "members_order": "source",
    "show_if_no_docstring": False,
    "show_object_full_path": False,
    "show_root_full_path": False,
    "show_root_members_full_path": False,
    "show_signature_annotations": True,
    "show_submodules": False,
    "summary": False,
}
# What the source says for reasons of its own, and what that means to a reader.
REWRITTEN = (
    (r"\bVersionProperty = VersionProperty\(\)", "str"),
    (r"\bMISSING\b", "..."),
    (r"\b_core\.", ""),
    (r"\b_NamedInt\b", "IntEnum"),
    (r"\(lambda: (.+?)\)\(\)", r"\1"),
    (r"^    _\w+: .+,\n", ""),
    # griffe2md links types to headings that a forge does not have.
    (r"\[([^\[\]\n]+)\]\(#[\w.]+\)", r"\1"),
    (r"<code>(.*?)</code>", r"`\1`"),
    # A constructor returns its class.
    (r"(```python\n[A-Z][^`]*\)) -> None\n```", r"\1\n```"),
    (r"[ \t]+$", ""),
)
EMPTY_TYPES = re.compile(
    r"Name \| Type \| Description\n---- \| ---- \| -+\n((?:`\w+` \|  \| .*\n)+)"
)


def generate() -> str:
    """Returns the whole reference."""
    loader = griffe.GriffeLoader(
        search_paths=[ROOT],
        docstring_parser="google",
        docstring_options={"returns_named_value": False, "returns_multiple_items": False},
        allow_inspection=False,
    )
    loader.load(PACKAGE)
    loader.resolve_aliases(external=False)
    modules = [loader.modules_collection[name] for name in MODULES]
    names = [f"`{name}`" for name in MODULES]
    parts = [INTRODUCTION.format(modules=f"{', '.join(names[:-1])} and {names[-1]}")]
    parts += [contents(module) for module in modules]
    parts += [part for module in modules for part in describe(module)]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(parts)).rstrip() + "\n"


def public_members(module: Any) -> list[Any]:
    """Returns what a module exports: in the order of its files, and in each of their lines."""
    files = MODULES[module.path]
    members = [
        module[name].final_target if module[name].is_alias else module[name]
        for name in module.exports
    ]
    return sorted(members, key=lambda member: (files.index(file_of(member)), member.lineno))


def file_of(member: Any) -> str:
    """Returns the name of the module that defines a member, as MODULES gives it."""
    return str(
        member.module.path.removeprefix(f"{PACKAGE}.")
        .removeprefix("image.")
        .removeprefix("model_file.")
    )


def contents(module: Any) -> str:
    """Returns links to all that has a heading."""
    members = [member for member in public_members(module) if not member.is_attribute]
    links = ", ".join(f"[`{member.name}`](#{member.name.lower()})" for member in members)
    return f"- [`{module.path}`](#{module.path.replace('.', '')}): {links}"


def describe(module: Any) -> list[str]:
    """Returns a module's section."""
    members = public_members(module)
    parts = [f"\n## `{module.path}`\n", f"{module.docstring.value}\n"]
    parts += [render(member) for member in members if not member.is_attribute]
    if module.path == PACKAGE:
        members += [module["runtime"][name] for name in ("Array", "Inputs", "PathLike")]
    parts += ["### Constants and names of types\n", "Name | Value", "---- | -----"]
    for member in members:
        if member.is_attribute:
            value = constant(module, member.name) or " ".join(str(member.value).split())
            value = value.replace("|", "\\|")
            parts.append(f"`{member.name}` | `{value}`")
    parts += [render(member) for member in members if member.is_attribute and member.docstring]
    return parts


def constant(module: Any, name: str) -> str:
    """Returns a plain constant's value, which may come from the compiled core; "" of a type."""
    value = getattr(importlib.import_module(module.path), name, None)
    return repr(value) if isinstance(value, (int, bytes, tuple)) else ""


def render(member: Any) -> str:
    """Returns the section of a class or function."""
    text = griffe2md.render_object_docs(member, SETTINGS)
    for pattern, replacement in REWRITTEN:
        text = re.sub(pattern, replacement, text, flags=re.MULTILINE)
    return EMPTY_TYPES.sub(without_types, text)


def without_types(table: re.Match[str]) -> str:
    """Returns a table of attributes without its empty column."""
    rows = re.sub(r"^(`\w+`) \|  \| ", r"\1 | ", table[1], flags=re.MULTILINE)
    return f"Name | Description\n---- | -----------\n{rows}"


if __name__ == "__main__":
    sys.exit(generated_file.main(REFERENCE, generate, __doc__))
