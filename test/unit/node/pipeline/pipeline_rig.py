# SPDX-License-Identifier: Apache-2.0
"""A pipeline with fake steps, in which a test decides what happens when."""

from __future__ import annotations

import contextlib
import itertools
import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from types import SimpleNamespace, TracebackType
from typing import Any

from hbm_runtime.image import place
from hbm_runtime_ros.parameters.settings import (
    ImageSettings,
    LiveSettings,
    ModelSettings,
    SyncSettings,
)
from hbm_runtime_ros.pipeline.attempt import Rejected, Result, Steps
from hbm_runtime_ros.pipeline.pipeline import ModelPipeline

PATIENCE = 20.0  # seconds; only reached by a failing test
TRANSFORM = place(4, 4, 2, 2, "stretch").transform
SECOND = 1_000_000_000


def eventually(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.001)
    return condition()


@dataclass(frozen=True)
class Frame:
    """What a pipeline sees of a message."""

    name: object
    header: Any = field(compare=False)


def frame(name: object = "frame", stamp: int = 0) -> Frame:
    """Make a frame with a stamp in nanoseconds."""
    parts = SimpleNamespace(sec=stamp // SECOND, nanosec=stamp % SECOND)
    return Frame(name, SimpleNamespace(stamp=parts))


class Rig:
    """A pipeline whose inference waits for permission while `hold` is set."""

    Rejected = Rejected

    def __init__(
        self,
        images: Sequence[str] = ("",),
        sync: SyncSettings | None = None,
        steady: Callable[[], float] = time.monotonic,
        clock: Callable[[], int] | None = None,
        **live: Any,
    ) -> None:
        self.live = LiveSettings(**live)
        self.hold = True
        self.may_infer: queue.Queue[BaseException | None] = queue.Queue()
        self.inferring: queue.Queue[Any] = queue.Queue()
        self.results: queue.Queue[Result[Frame]] = queue.Queue()
        self.reports: queue.Queue[tuple[str, str]] = queue.Queue()
        self.rooms = 0
        self.prepare_fault: BaseException | None = None
        self.deliver_fault: BaseException | None = None
        self.numbers = itertools.count()
        self.pipeline: ModelPipeline[Frame] = ModelPipeline(
            "model",
            Steps(self.prepare, self.infer, self.deliver, self.recover),
            ModelSettings(
                "model",
                "model.hbm",
                images=tuple(ImageSettings(name=name) for name in images),
                sync=sync or SyncSettings(max_age=0.0),
                live=self.live,
            ),
            lambda: self.live,
            lambda reason, text: self.reports.put((reason, text)),
            time.time_ns if clock is None else clock,
            self.on_room,
            steady=steady,
        )

    def prepare(self, frames: Sequence[Frame]) -> Any:
        if self.prepare_fault is not None:
            raise self.prepare_fault
        names = tuple(frame.name for frame in frames)
        return SimpleNamespace(tensors={"x": names}, transforms=(TRANSFORM,) * len(frames))

    def infer(
        self, inputs: Any, live: LiveSettings, timeout: float, custom_id: int | None
    ) -> dict[str, Any]:
        self.inferred_with = (live, timeout, custom_id)
        self.inferring.put(inputs["x"])
        if self.hold:
            fault = self.may_infer.get(timeout=PATIENCE)
            if fault is not None:
                raise fault
        return {"y": inputs["x"]}

    def deliver(self, result: Result[Frame]) -> None:
        if self.deliver_fault is not None:
            raise self.deliver_fault
        self.results.put(result)

    def recover(self) -> None:
        pass

    def on_room(self) -> None:
        self.rooms += 1

    def __enter__(self) -> Rig:
        self.pipeline.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.hold = False
        self.may_infer.put(None)
        assert self.pipeline.stop(PATIENCE, drain=False)

    def change(self, **live: Any) -> None:
        """Set live parameters."""
        self.live = replace(self.live, **live)

    def frame(self, name: object = None, stamp: int = 0) -> Frame:
        return frame(next(self.numbers) if name is None else name, stamp)

    def offer(self, *names: object, image: int = 0) -> None:
        for name in names or (None,):
            self.pipeline.offer(image, self.frame(name))

    def occupy(self, name: object = "busy") -> None:
        """Let the worker be busy with a frame until `allow`."""
        self.offer(name)
        while self.inferring.get(timeout=PATIENCE) != (name,):
            pass

    def allow(self, count: int = 1) -> None:
        for _ in range(count):
            self.may_infer.put(None)

    def run(self, name: object = None) -> Result[Frame]:
        """Take one frame all the way."""
        self.offer(name)
        if self.hold:
            self.allow()
        return self.next_result()

    def next_result(self) -> Result[Frame]:
        return self.results.get(timeout=PATIENCE)

    def names(self, count: int) -> list[object]:
        """Names of the frames of the next results."""
        return [self.next_result().frames[0].name for _ in range(count)]

    def all_reports(self) -> list[tuple[str, str]]:
        reports = []
        with contextlib.suppress(queue.Empty):
            while True:
                reports.append(self.reports.get_nowait())
        return reports

    def drops(self) -> dict[str, int]:
        return dict(self.pipeline.snapshot().drops)

    def settled(self) -> bool:
        """Whether nothing waits or runs any more."""
        now = self.pipeline.snapshot()
        return now.waiting == now.running == 0


def workers() -> list[threading.Thread]:
    """Worker threads of all pipelines."""
    return [thread for thread in threading.enumerate() if thread.name.startswith("hbm-model")]
