# SPDX-License-Identifier: Apache-2.0
"""Decides when a model that keeps failing gets a new runtime. Knows no ROS."""

from __future__ import annotations

import math

LONGEST_BACK_OFF = 60.0  # seconds between two recoveries that do not help


class Watchdog:
    """Watches failures and successes of one model. Not thread-safe; times are any steady seconds.

    Attributes:
        failing_since: When the first of the inferences began that have failed since the last
            success, None while they do not fail.
    """

    def __init__(self) -> None:
        self.failing_since: float | None = None
        self._back_off = 0.0
        self._not_before = -math.inf

    def succeeded(self) -> None:
        """An inference came to its end, or the pipeline starts: nothing is failing."""
        self.failing_since = None
        self._back_off = 0.0
        self._not_before = -math.inf

    def failed(self, began: float) -> None:
        """An inference failed in a way that a new runtime might repair.

        Args:
            began: When it began.
        """
        if self.failing_since is None:
            self.failing_since = began

    def is_due(self, now: float, stall_timeout: float) -> bool:
        """Tell whether to recover now.

        Args:
            now: The time.
            stall_timeout: Seconds of failing until a recovery; 0 for never.
        """
        return (
            stall_timeout > 0.0
            and self.failing_since is not None
            and now - self.failing_since >= stall_timeout
            and now >= self._not_before
        )

    def tried(self, now: float, stall_timeout: float) -> float:
        """A recovery ended, well or not: the next one waits twice as long.

        Args:
            now: The time.
            stall_timeout: Seconds that the first one waited.

        Returns:
            Seconds until the next one, if inferences go on failing.
        """
        longest = max(LONGEST_BACK_OFF, stall_timeout)
        self._back_off = min(max(stall_timeout, 2 * self._back_off), longest)
        self._not_before = now + self._back_off
        return self._back_off
