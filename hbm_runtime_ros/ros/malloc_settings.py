# SPDX-License-Identifier: Apache-2.0
"""Settings of memory and threads for a process that handles images; for programs only."""

from __future__ import annotations

import ctypes
import sys

# From glibc's malloc.h.
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3

LARGEST = 32 * 1024 * 1024  # bytes; glibc allows no larger M_MMAP_THRESHOLD on 64 bits
KEPT = 256 * 1024 * 1024  # bytes of freed memory at the end of the heap

SWITCH_INTERVAL = 0.0001  # seconds


def tune_process_for_images() -> None:
    """Set up memory and thread switching of a process; call it once, at its start."""
    keep_freed_memory()
    # The executor's thread goes on for half a millisecond of Python after it has woken the worker
    # of a model, which had to wait for that: the default is 5 ms.
    sys.setswitchinterval(SWITCH_INTERVAL)


def keep_freed_memory() -> bool:
    """Configure glibc not to give freed blocks of an image's size back to the system at once.

    Each received image is some MB that come and go. glibc's own thresholds follow the largest block
    so that two of them, freed together, are given back, and the kernel clears and maps every page
    again for the next image: 7 ms instead of 1 ms for 1080p NV12.

    Returns:
        Whether glibc took the settings; False with another C library.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):  # another C library
        return False
    mallopt.argtypes = (ctypes.c_int, ctypes.c_int)
    mallopt.restype = ctypes.c_int
    kept = mallopt(_M_TRIM_THRESHOLD, KEPT)
    return bool(mallopt(_M_MMAP_THRESHOLD, LARGEST) and kept)
