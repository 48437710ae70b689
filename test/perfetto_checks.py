# SPDX-License-Identifier: Apache-2.0
"""Reads a Chrome trace as Perfetto does and fails where that would draw nonsense."""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Slice:
    """One bar of the picture, with those that it contains."""

    name: str
    begin_us: float
    end_us: float = -1.0
    arguments: dict[str, Any] = field(default_factory=dict)
    parts: list[Slice] = field(default_factory=list)


@dataclass
class Picture:
    """What is seen: ``{process: {track: [slices]}}``, and what the file says about itself."""

    processes: dict[str, dict[str, list[Slice]]]
    about: dict[str, Any]

    def slices(self, process: str, track: str) -> list[Slice]:
        """Slices of a track and of those below it that take what overlaps."""
        tracks = self.processes[process]
        names = [name for name in tracks if name == track or name.startswith(f"{track} (")]
        return sorted((s for name in names for s in tracks[name]), key=lambda s: s.begin_us)


def read_trace(path: Path) -> Picture:
    """Read a file; every begin needs its end, in order of time, on a track with a name."""
    data = path.read_bytes()
    content = json.loads(gzip.decompress(data) if path.suffix == ".gz" else data)
    process_names: dict[int, str] = {}
    track_names: dict[tuple[int, int], str] = {}
    tracks: dict[tuple[int, int], list[Slice]] = defaultdict(list)
    stacks: dict[tuple[int, int], list[Slice]] = defaultdict(list)
    now: dict[tuple[int, int], float] = defaultdict(float)
    for event in content["traceEvents"]:
        key = (event["pid"], event["tid"])
        assert all(isinstance(number, int) and 0 <= number < 2**31 for number in key), key
        if event["ph"] == "M":
            if event["name"] == "process_name":
                process_names[event["pid"]] = event["args"]["name"]
            elif event["name"] == "thread_name":
                track_names[key] = event["args"]["name"]
            continue
        assert event["ts"] >= now[key], f"{event} is before what was there on its track"
        now[key] = event["ts"]
        if event["ph"] == "B":
            new = Slice(event["name"], event["ts"], arguments=event.get("args", {}))
            (stacks[key][-1].parts if stacks[key] else tracks[key]).append(new)
            stacks[key].append(new)
        else:
            assert event["ph"] == "E", event
            stacks[key].pop().end_us = event["ts"]
    assert not any(stacks.values()), "slices that never end"
    assert set(track_names) == set(tracks), "a track without a name, or a name without a track"
    numbers = [thread for _, thread in track_names]
    assert len(numbers) == len(set(numbers)), "two processes with the same thread"
    picture: dict[str, dict[str, list[Slice]]] = {name: {} for name in process_names.values()}
    assert len(picture) == len(process_names)
    for (process, thread), slices in tracks.items():
        tracks_of_process = picture[process_names[process]]
        assert track_names[process, thread] not in tracks_of_process, "a name given twice"
        tracks_of_process[track_names[process, thread]] = slices
    return Picture(picture, content["otherData"])
