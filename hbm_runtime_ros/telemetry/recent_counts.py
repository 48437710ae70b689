# SPDX-License-Identifier: Apache-2.0
"""What counters that only grow have gained within the latest seconds. Knows no ROS."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping


class RecentCounts:
    """Remembers counters from time to time; for one thread."""

    def __init__(self, window: float) -> None:
        """Start with nothing seen.

        Args:
            window: Seconds to look back; with rarer samples, to the previous one.
        """
        self._window = window
        self._samples: deque[tuple[float, Counter[str]]] = deque()

    def add(self, now: float, counts: Mapping[str, int]) -> None:
        """Remember the counters of this moment.

        Args:
            now: Monotonic seconds.
            counts: By name; one that is smaller than before says that all were reset.
        """
        latest = self._samples[-1][1] if self._samples else Counter[str]()
        if any(counts.get(name, 0) < count for name, count in latest.items()):
            self._samples.clear()
        self._samples.append((now, Counter(counts)))
        while len(self._samples) > 2 and self._samples[1][0] <= now - self._window:
            self._samples.popleft()

    @property
    def seconds(self) -> float:
        """Time that `gained` is about; 1 where there is only one sample, and nothing gained."""
        first, last = self._samples[0][0], self._samples[-1][0]
        return last - first if last > first else 1.0

    def gained(self, prefix: str = "") -> dict[str, int]:
        """Look at what was gained since the first sample in the window.

        Args:
            prefix: Of the counters to look at; the result is without it.

        Returns:
            Gain by name, of those that gained anything.
        """
        first, last = self._samples[0][1], self._samples[-1][1]
        return {
            name[len(prefix) :]: count - first[name]
            for name, count in last.items()
            if name.startswith(prefix) and count > first[name]
        }
