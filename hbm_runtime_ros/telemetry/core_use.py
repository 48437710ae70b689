# SPDX-License-Identifier: Apache-2.0
"""How busy runtimes keep the accelerator's cores. Knows no ROS."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from hbm_runtime import HB_HBMRuntime
from hbm_runtime.telemetry.statistics import CoreStatistics


class CoreUse:
    """Shares of time since the previous question."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Start the first period now.

        Args:
            clock: Monotonic time in seconds.
        """
        self._clock = clock
        self._since = clock()
        self._before: dict[HB_HBMRuntime, CoreStatistics] = {}

    def shares(self, runtimes: Iterable[HB_HBMRuntime]) -> list[float]:
        """Ask for the period that ends now.

        The accelerator does not say which of several allowed cores a task ran on: what may run
        on any core is divided among them.

        Args:
            runtimes: All that are in use.

        Returns:
            Per core, 0 to 1; empty without a runtime.
        """
        now = self._clock()
        elapsed, self._since = max(now - self._since, 1e-9), now
        after = {runtime: runtime.stats().cores for runtime in runtimes if not runtime.closed}
        shares: list[float] = []
        for runtime, cores in after.items():
            old = self._before.get(runtime, CoreStatistics())
            old_pinned = old.pinned_s or (0.0,) * cores.count
            pinned = [a - b for a, b in zip(cores.pinned_s, old_pinned, strict=True)]
            anywhere = max(0.0, cores.occupied_s - old.occupied_s - sum(pinned))
            shares = shares or [0.0] * cores.count
            for core, seconds in enumerate(pinned):
                shares[core] += (max(0.0, seconds) + anywhere / cores.count) / elapsed
        self._before = after
        return [min(1.0, share) for share in shares]
