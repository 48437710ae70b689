# SPDX-License-Identifier: Apache-2.0
"""Lets so many frames per second through, evenly spaced. Knows no ROS."""

from __future__ import annotations

EARLY = 0.1  # share of a period that a frame may come early: cameras do not keep time exactly
NANOSECONDS = 1_000_000_000


class RateLimiter:
    """A schedule of the frames that are let through.

    A frame that comes late does not move the schedule, so that a camera of 30 Hz becomes 15 Hz, or
    20 Hz, and not the next whole part of 30 below. Not thread-safe.
    """

    def __init__(self) -> None:
        self._scheduled: int | None = None

    def restart(self) -> None:
        """Let the next frame through."""
        self._scheduled = None

    def admit(self, now: int, rate: float) -> bool:
        """Ask whether a frame that comes now is let through.

        Args:
            now: Nanoseconds of any clock; one that jumps back begins a new schedule; 0 means that
                simulated time has not begun, and nothing is held back.
            rate: Frames per second; 0 for no limit. May differ from call to call.

        Returns:
            False to hold it back.
        """
        if rate <= 0.0 or now == 0:
            self._scheduled = None
            return True
        period = max(1, int(NANOSECONDS / rate))
        early = int(period * EARLY)
        if self._scheduled is None or now < self._scheduled - early:
            self._scheduled = now
            return True
        due = self._scheduled + period
        if now < due - early:
            return False
        # At most one period behind: more would let a burst through after a pause.
        self._scheduled = now if now - due >= 2 * period else max(due, now - period)
        return True
