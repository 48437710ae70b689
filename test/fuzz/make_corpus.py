# SPDX-License-Identifier: Apache-2.0
"""Makes the fuzzers' corpora: the conformance suite's files, good and broken, and their graphs."""

from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "conformance"))
import make_models  # prepares the import below

from hbm_runtime import model_file
from hbm_runtime.model_file import ModelFileError

LARGEST = 16 * 1024  # bytes; small inputs make quick runs


def main() -> None:
    """Writes the folders model_file and graph_bytes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    make_models.write_all(folder / "model_file")
    graphs = folder / "graph_bytes"
    graphs.mkdir(parents=True, exist_ok=True)
    for path in sorted((folder / "model_file").iterdir()):
        try:
            content = model_file.read(path)
        except ModelFileError:
            continue
        for model in content.models:
            for call in model.calls:
                if 0 < len(call.graph) <= LARGEST:
                    name = hashlib.sha256(call.graph).hexdigest()[:16]
                    (graphs / name).write_bytes(call.graph)


if __name__ == "__main__":
    main()
