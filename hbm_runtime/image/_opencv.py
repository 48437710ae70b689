# SPDX-License-Identifier: Apache-2.0
"""Imports OpenCV late: hbm_runtime itself needs numpy only."""

from __future__ import annotations

from typing import Any


def opencv() -> Any:
    """Return the module cv2; raises ImportError that says how to get it."""
    try:
        import cv2
    except ImportError as error:
        raise ImportError(
            "resizing and colour conversion need OpenCV: pip install 'hbm-runtime[image]', "
            f"or apt install python3-opencv ({error})"
        ) from error
    return cv2
