# SPDX-License-Identifier: Apache-2.0
"""Imports of the packages that only the command line needs, with a message that names the extra."""

from __future__ import annotations

import importlib
import importlib.util
import os
from typing import Any

from hbm_runtime.tools.errors import ToolError

_EXTRA_OF = {"onnx": "tools", "rich": "tools", "onnxruntime": "simulator", "cv2": "image"}


def require(module: str) -> Any:
    """Import a module of an optional package (`onnx`, `onnx.helper`, `rich.table`, …).

    Raises:
        ToolError: the package is not installed; the message says how to install it.
    """
    package = module.partition(".")[0]
    try:
        importlib.import_module(package)
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != package:
            raise
        extra = _EXTRA_OF[package]
        raise ToolError(
            f"this command needs the Python package {package}: pip install 'hbm-runtime[{extra}]'"
        ) from None


def onnxruntime() -> Any | None:
    """The engine's Python package, or None when it is not installed."""
    if importlib.util.find_spec("onnxruntime") is None:
        return None
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # newer wheels report by default
    return require("onnxruntime")
