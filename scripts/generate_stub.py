# SPDX-License-Identifier: Apache-2.0
"""Makes hbm_runtime/_core.pyi, the types of the compiled core, from the built module."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

import generated_file

ROOT = generated_file.ROOT
STUB = ROOT / "hbm_runtime" / "_core.pyi"
MODULE = "hbm_runtime._core"
CONTAINERS = {
    "list": "list[typing.Any]",
    "tuple": "tuple[typing.Any, ...]",
    "dict": "dict[str, typing.Any]",
}
# Elsewhere than ruff's settings: a docstring on one line, sorted imports, none that is not used.
FIXES = ("check", "--quiet", "--fix", "--unsafe-fixes", "--select", "D200,D212,F401,I,RUF022,UP")


def generate() -> str:
    """Returns the stub of the module that is installed in this environment.

    Raises:
        SystemExit: The module is not there, or the generator cannot read a signature of it.
    """
    with tempfile.TemporaryDirectory() as folder:
        # Not from the repository: its folder hbm_runtime lacks the compiled core.
        generator = subprocess.run(
            [
                *(sys.executable, "-m", "pybind11_stubgen", MODULE, "-o", folder, "--exit-code"),
                "--numpy-array-remove-parameters",
            ],
            cwd=folder,
            capture_output=True,
            text=True,
        )
        if generator.returncode != 0:
            sys.exit(f"pybind11-stubgen failed on {MODULE}:\n{generator.stdout}{generator.stderr}")
        text = Path(folder, *MODULE.split(".")).with_suffix(".pyi").read_text(encoding="utf-8")
    # pybind11 does not know what is in a py::list, py::tuple or py::dict.
    for bare, typed in CONTAINERS.items():
        text = re.sub(rf"\b{bare}(?=[,:)]| *$| = )", typed, text, flags=re.MULTILINE)
    text = f"# SPDX-License-Identifier: Apache-2.0\n{text}"
    return ruff("format", text=ruff(*FIXES, text=text))


def ruff(*command: str, text: str) -> str:
    """Returns what a command of ruff makes of a text, by the settings of the repository."""
    run = subprocess.run(
        [sys.executable, "-m", "ruff", *command, "--stdin-filename", str(STUB), "-"],
        cwd=ROOT,
        input=text,
        capture_output=True,
        text=True,
    )
    if run.returncode != 0:
        sys.exit(f"ruff {command[0]} failed on the stub:\n{run.stdout}{run.stderr}")
    return run.stdout


if __name__ == "__main__":
    sys.exit(generated_file.main(STUB, generate, __doc__))
