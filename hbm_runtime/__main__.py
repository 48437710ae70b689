# SPDX-License-Identifier: Apache-2.0
"""`python -m hbm_runtime` is the command `hbm`."""

from __future__ import annotations

import sys

from hbm_runtime.tools.cli import main

if __name__ == "__main__":
    sys.exit(main())
