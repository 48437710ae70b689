# SPDX-License-Identifier: Apache-2.0
"""The simulator's model file (.hbm): what it holds, its writer and its bounded reader.

The bytes, the limits and the reasons for refusal are documented in doc/model_file.md.
"""

from __future__ import annotations

from hbm_runtime.model_file.reader import is_simulator_file, read, why_unreadable
from hbm_runtime.model_file.spec import (
    DATA_TYPE_NAMES,
    ELEMENT_SIZES,
    FORMAT_VERSION,
    FOUR_BIT_TYPES,
    MAGIC,
    QUANTI_NONE,
    QUANTI_SCALE,
    CallSpec,
    ModelFile,
    ModelFileError,
    ModelSpec,
    TensorSpec,
    rows_share_bytes,
    storage_shape,
)
from hbm_runtime.model_file.writer import write

__all__ = [
    "DATA_TYPE_NAMES",
    "ELEMENT_SIZES",
    "FORMAT_VERSION",
    "FOUR_BIT_TYPES",
    "MAGIC",
    "QUANTI_NONE",
    "QUANTI_SCALE",
    "CallSpec",
    "ModelFile",
    "ModelFileError",
    "ModelSpec",
    "TensorSpec",
    "is_simulator_file",
    "read",
    "rows_share_bytes",
    "storage_shape",
    "why_unreadable",
    "write",
]
