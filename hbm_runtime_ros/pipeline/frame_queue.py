# SPDX-License-Identifier: Apache-2.0
"""The frames that wait for a model, and which of them are dropped. Knows no ROS."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

from hbm_runtime_ros.pipeline import drop_reasons

if TYPE_CHECKING:
    from hbm_runtime_ros.parameters.settings import QueuePolicy

ItemT = TypeVar("ItemT")

# Frames kept beyond the depth with policy "block": those that several threads of an executor had
# already taken when the queue became full.
MARGIN = 2


class FrameQueue(Generic[ItemT]):
    """First in, first out; what does not fit is dropped by policy. Not thread-safe.

    Policy and depth come with each call and may change from one to the next.
    """

    def __init__(self) -> None:
        self._items: deque[ItemT] = deque()
        self._since_taken: int | None = None

    def __len__(self) -> int:
        return len(self._items)

    def skips(self, policy: QueuePolicy, every_nth: int) -> bool:
        """Count a new frame and say whether "every_nth" leaves it out.

        Args:
            policy: All but "every_nth" leave none out, and the next "every_nth" starts over.
            every_nth: Takes frame 1, n + 1, 2n + 1, …

        Returns:
            True if it is left out.
        """
        if policy != "every_nth":
            self._since_taken = None
            return False
        if self._since_taken is not None and self._since_taken + 1 < every_nth:
            self._since_taken += 1
            return True
        self._since_taken = 0
        return False

    def put(self, item: ItemT, policy: QueuePolicy, depth: int) -> list[tuple[ItemT, str]]:
        """Let a frame wait.

        Args:
            item: The newest frame.
            policy: "oldest" and "block" refuse it if there is no room, the others make room.
            depth: Frames that may wait, >= 1.

        Returns:
            What is dropped for it (or itself), with the reason.
        """
        if policy == "block" and len(self._items) >= depth + MARGIN:
            return [(item, drop_reasons.QUEUE_FULL)]
        self._items.append(item)
        return self.fit(policy, depth)

    def fit(self, policy: QueuePolicy, depth: int) -> list[tuple[ItemT, str]]:
        """Drop what is more than the depth.

        Args:
            policy: "oldest" drops the newest, "block" none, the others the oldest.
            depth: Frames that may wait, >= 1.

        Returns:
            What is dropped, with the reason.
        """
        dropped = []
        while policy != "block" and len(self._items) > depth:
            if policy == "oldest":
                dropped.append((self._items.pop(), drop_reasons.QUEUE_FULL))
            else:
                dropped.append((self._items.popleft(), drop_reasons.REPLACED))
        return dropped

    def blocks(self, policy: QueuePolicy, depth: int) -> bool:
        """Say whether no more frames should be taken: the policy is "block" and it is full."""
        return policy == "block" and len(self._items) >= depth

    def take(self) -> ItemT | None:
        """Remove and return the oldest frame; None if there is none."""
        return self._items.popleft() if self._items else None

    def clear(self) -> list[ItemT]:
        """Remove and return all frames; "every_nth" starts over."""
        items = list(self._items)
        self._items.clear()
        self._since_taken = None
        return items
