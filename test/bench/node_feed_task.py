# SPDX-License-Identifier: Apache-2.0
"""What the feed of the bench of the node is told to do."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class StreamTask:
    """Images to one topic, results from another.

    Attributes:
        name: In what is found.
        images: Topic.
        results: Topic, "" to subscribe none.
        width: Of the NV12 images, pixels.
        height: Likewise.
        period: Seconds between two images; 0 sends none.
        offset: Seconds from the start to the first image.
    """

    name: str
    images: str
    results: str
    width: int
    height: int
    period: float
    offset: float = 0.0


@dataclass(frozen=True)
class Task:
    """What to send, for how long, and whose use of the CPU to look at.

    Attributes:
        streams: Together.
        seconds: Duration.
        pid: Process whose CPU time is taken; 0 for none.
    """

    streams: list[StreamTask]
    seconds: float
    pid: int = 0
