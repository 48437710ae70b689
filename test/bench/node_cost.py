# SPDX-License-Identifier: Apache-2.0
"""Table 6: what the inference node adds to preprocessing, model and middleware."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.lines import Line, Section
from bench.node_feed_task import StreamTask, Task
from bench.timing import Effort, p50_us, p99_us, ratio

WIDTH, HEIGHT = 1920, 1080
LATENCY_US = 5000  # of the model under test
CALL_US = 10_000  # the one function call of the models that saturate a core
RATE = 30.0  # Hz
LOW_RATE = 100.0  # Hz, more than the saturating models can do
ROUND = 10  # images of each side between two looks at the ratio
PHASES = 2  # alone and beside each other, in turn

ADDED = "added by the node / preprocessing + one message through a bare node, p50"
TAIL = "added by the node: p99 / p50"
CALLBACK = "image callback, p50"
TAKE = "before the callback: message to Python by rclpy, p50"
PAIR = "priority 200 on a core that 10 saturates, p99 / (1.2 × alone + one function call)"
IDLE = "idle, part of a CPU core"
LAZY = "lazy without subscribers, images at 30 Hz, part of a CPU core"

NAMES = (ADDED, TAIL, CALLBACK, TAKE, PAIR, IDLE, LAZY)
AIMS = {ADDED: 1.5, TAIL: 2.0, CALLBACK: 100.0, PAIR: 1.0, IDLE: 1.0, LAZY: 1.0}
UNITS = {CALLBACK: "µs", TAKE: "µs", IDLE: "%", LAZY: "%"}

PUBLISHED, RECEIVED, STARTED, PREPARED, FINISHED, ARRIVED = range(6)

Stamps = npt.NDArray[np.int64]  # ns, [results, 6]


def measure(effort: Effort, folder: Path) -> Section:
    """Every line of the table."""
    conditions = (
        f"{WIDTH}x{HEIGHT} NV12 to a 672x672 NV12 model with 451 KB of outputs and a latency of "
        f"{LATENCY_US / 1000:g} ms; camera and consumer are one process, each node another; "
        "shared-memory profile; images go to the node and to the bare node in turn"
    )
    if importlib.util.find_spec("rclpy") is None:
        found = [_line(name, None, "rclpy is absent") for name in NAMES]
    else:
        found = [*_one_model(effort, folder), _two_models(effort, folder)]
        found.sort(key=lambda line: NAMES.index(line.what))
    return Section("Inference node", conditions, tuple(found))


def _one_model(effort: Effort, folder: Path) -> list[Line]:
    from bench.node_models import SIDE, save_model
    from bench.node_processes import node_processes

    times = folder / "times.json"
    file = save_model(folder / "detector.hbm", SIDE, LATENCY_US)
    # lazy: the last figure is of the same node, after the consumer has gone
    parameters = {"file": str(file), "image_topic": "/camera", "lazy": True}
    node = StreamTask(
        "node", "/camera", "/inference_node/detector/tensors", WIDTH, HEIGHT, 2 / RATE
    )
    echo = StreamTask("echo", "/image_raw", "/echo/tensors", WIDTH, HEIGHT, 2 / RATE, 1 / RATE)
    without_images = StreamTask("node", node.images, node.results, WIDTH, HEIGHT, 0.0)
    without_results = StreamTask("node", node.images, "", WIDTH, HEIGHT, 1 / RATE)
    with node_processes(folder, cores=1) as processes:
        pid = processes.start_node(times, {"detector": parameters})
        processes.start_echo()
        found = processes.feed(Task([node, echo], effort.stream_s))
        idle = processes.feed(Task([without_images], effort.stream_s / 2, pid))
        lazy = processes.feed(Task([without_results], effort.stream_s / 2, pid))
    clocks = json.loads(times.read_text(encoding="utf-8"))
    return [
        *_added(found),
        *_callback(clocks),
        _cpu(IDLE, idle, "active, one subscriber, no images"),
        _cpu(LAZY, lazy, f"{lazy['streams']['node']['sent']} images passed by"),
    ]


def _added(found: Mapping[str, Any]) -> list[Line]:
    streams = found["streams"]
    node, echo = (_stamps(streams[name]) for name in ("node", "echo"))
    size = min(len(node), len(echo)) // ROUND * ROUND
    if size == 0:
        return [_line(name, None, "no results", _lost(streams)) for name in (ADDED, TAIL)]
    node, echo = node[-size:], echo[-size:]
    added = (node[:, ARRIVED] - node[:, RECEIVED] - LATENCY_US * 1000).astype(np.float64)
    bare = (echo[:, ARRIVED] - echo[:, RECEIVED]).astype(np.float64)
    by_round = ratio(added.reshape(-1, ROUND), bare.reshape(-1, ROUND))
    return [
        _line(
            ADDED,
            by_round.median,
            f"{_ms(added)} / {_ms(bare)} ms; node: waiting {_between(node, RECEIVED, STARTED)}, "
            f"preprocessing {_between(node, STARTED, PREPARED)}, runtime "
            f"{_between(node, PREPARED, FINISHED, LATENCY_US)}, message "
            f"{_between(node, FINISHED, ARRIVED)}; bare: preprocessing "
            f"{_between(echo, STARTED, PREPARED)}, message {_between(echo, FINISHED, ARRIVED)}; "
            f"dropped by the node, warming up included: {found['models']['detector'] or 'none'}",
            _lost(streams),
        ),
        _line(
            TAIL,
            p99_us(added) / p50_us(added),
            f"p99 {p99_us(added) / 1000:.2f} ms; of the bare node p99 / p50 "
            f"{p99_us(bare) / p50_us(bare):.2f}",
            _lost(streams),
        ),
    ]


def _callback(clocks: Mapping[str, list[int]]) -> list[Line]:
    found = []
    for name, key, more in (
        (CALLBACK, "callback_ns", "what the executor is held up by"),
        (TAKE, "take_ns", f"{WIDTH * HEIGHT * 3 // 2 / 1e6:.1f} MB; not the node's"),
    ):
        times = np.array(clocks[key], np.float64)
        if times.size == 0:
            found.append(_line(name, None, "no images"))
            continue
        detail = f"p99 {p99_us(times):.0f} µs of {times.size}; {more}"
        found.append(_line(name, p50_us(times), detail))
    return found


def _cpu(name: str, found: Mapping[str, Any], detail: str) -> Line:
    return _line(name, 100 * found["cpu"], detail)


def _two_models(effort: Effort, folder: Path) -> Line:
    from bench.node_models import SIDE, save_model
    from bench.node_processes import node_processes

    high = save_model(folder / "high.hbm", SIDE, LATENCY_US)
    low = save_model(folder / "low.hbm", 64, CALL_US)
    models = {
        "high": {"file": str(high), "image_topic": "/high", "priority": 200},
        # two of them: while one prepares or publishes, the other one keeps the core busy
        "low_a": {"file": str(low), "image_topic": "/low", "priority": 10},
        "low_b": {"file": str(low), "image_topic": "/low", "priority": 10},
    }
    streams = [
        StreamTask("high", "/high", "/inference_node/high/tensors", SIDE, SIDE, 1 / RATE),
        StreamTask("low", "/low", "/inference_node/low_a/tensors", 64, 64, 1 / LOW_RATE),
    ]
    seconds = effort.stream_s / PHASES
    alone: list[dict[str, Any]] = []
    beside: list[dict[str, Any]] = []
    with node_processes(folder, cores=1) as processes:
        processes.start_node(folder / "times.json", models)
        for _ in range(PHASES):
            alone.append(processes.feed(Task(streams[:1], seconds)))
            beside.append(processes.feed(Task(streams, seconds)))
    times = [_whole_way(phases) for phases in (alone, beside)]
    lost = _lost(*[phase["streams"] for phase in (*alone, *beside)], of="high")
    if not all(each.size for each in times):
        return _line(PAIR, None, "no results", lost)
    p99_alone, p99_beside = (p99_us(each) for each in times)
    drops = beside[-1]["models"]
    use = np.mean([share for phase in beside for share in phase["core_use"]])
    return _line(
        PAIR,
        p99_beside / (1.2 * p99_alone + CALL_US),
        f"p99 {p99_alone / 1000:.1f} alone, {p99_beside / 1000:.1f} ms on a core that is "
        f"{use:.0%} busy with calls of {CALL_US / 1000:g} ms; "
        f"p50 {p50_us(times[0]) / 1000:.1f}, {p50_us(times[1]) / 1000:.1f} ms; dropped: "
        f"{drops['high'] or 'none'}",
        lost,
    )


def _whole_way(phases: list[dict[str, Any]]) -> npt.NDArray[np.float64]:
    """From publishing an image to the arrival of its tensors, ns."""
    stamps = [_stamps(phase["streams"]["high"]) for phase in phases]
    both = np.concatenate(stamps)
    return (both[:, ARRIVED] - both[:, PUBLISHED]).astype(np.float64)


def _stamps(stream: Mapping[str, Any]) -> Stamps:
    return np.array(stream["times"], np.int64).reshape(-1, 6)


def _lost(*phases: Mapping[str, Any], of: str = "") -> str:
    streams = [stream for phase in phases for name, stream in phase.items() if not of or name == of]
    return f"{sum(each['lost'] for each in streams)} of {sum(each['sent'] for each in streams)}"


def _between(stamps: Stamps, start: int, end: int, less_us: float = 0.0) -> str:
    """Median of a stage in ms."""
    return f"{np.median(stamps[:, end] - stamps[:, start]) / 1e6 - less_us / 1e3:.2f}"


def _ms(times: npt.NDArray[np.float64]) -> str:
    return f"{p50_us(times) / 1000:.2f}"


def _line(what: str, value: float | None, detail: str, lost: str = "") -> Line:
    return Line(what, value, UNITS.get(what, ""), at_most=AIMS.get(what), detail=detail, lost=lost)
