# SPDX-License-Identifier: Apache-2.0
"""Keeps repeated log lines apart: one per key and period, with the number left out."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable

REPORT_PERIOD = 5.0  # seconds between two log lines about the same fault of the same model


class LogThrottle:
    """Lets one message per key and period through; thread-safe.

    rclpy's own ``throttle_duration_sec`` goes by source line, which would let one model's errors
    hide another's.
    """

    def __init__(
        self, period: float = REPORT_PERIOD, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Start with nothing seen.

        Args:
            period: Seconds between two messages of the same key.
            clock: Monotonic time in seconds.
        """
        self._period = period
        self._clock = clock
        self._lock = threading.Lock()
        self._last: dict[Hashable, float] = {}
        self._held: dict[Hashable, int] = {}

    def admit(self, key: Hashable) -> int | None:
        """Ask whether a message may be logged now.

        Args:
            key: What the message is about.

        Returns:
            How many of the key were held back since the last one, or None to hold this one back
            too.
        """
        with self._lock:
            now = self._clock()
            last = self._last.get(key)
            if last is not None and now - last < self._period:
                self._held[key] = self._held.get(key, 0) + 1
                return None
            self._last[key] = now
            return self._held.pop(key, 0)
