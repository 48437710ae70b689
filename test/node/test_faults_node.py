# SPDX-License-Identifier: Apache-2.0
"""A failing accelerator: counted, reported, recovered; other models do not notice."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tiny_models
from binding.simulator_faults import faults
from binding.simulator_live import count as live_on_accelerator
from recording import Recorder


@pytest.fixture
def other_model(tmp_path: Path) -> Path:
    """Another network that a fault of the first does not touch."""
    spec = tiny_models.pack(tiny_models.conv(), "other", nv12_inputs=("x",))
    return tiny_models.save(tmp_path / "other.hbm", spec)


def feed(rig: Any, make_image: Callable, until: Callable[[], Any], seconds: float = 20.0) -> None:
    """Publish images until something has happened."""
    deadline = time.monotonic() + seconds
    number = 0
    while not until():
        assert time.monotonic() < deadline, rig.log
        number += 1
        rig.camera.publish(make_image(stamp=(number, 0)))
        rig.observer.spin(0.02)


def test_an_accelerator_error_is_counted_and_the_next_image_tried(
    embed: Callable, nv12_model: Path, make_image: Callable
) -> None:
    rig = embed(eye=dict(file=nv12_model)).until_active()
    with faults("run@1+=TASK_RUN_FAILED"):
        feed(rig, make_image, lambda: rig.drops("eye").get("inference_error", 0) >= 2)
    assert "eye: inference_error: " in rig.log
    assert rig.node.models[0].pipeline.state().failing_since is not None
    rig.publish_until_result(make_image(stamp=(500, 0)), "eye")
    assert rig.node.models[0].pipeline.state().failing_since is None


def test_the_watchdog_loads_a_failing_model_anew_and_the_other_works_on(
    embed: Callable, nv12_model: Path, other_model: Path, make_image: Callable
) -> None:
    recorder = Recorder()
    rig = embed(
        options=dict(load=recorder),
        eye=dict(file=nv12_model, stall_timeout=0.3, timeout=0.2, bpu_cores=[0]),
        other=dict(file=other_model, stall_timeout=0.3, bpu_cores=[1]),
    ).until_active()
    rig.publish_until_result(make_image(), "eye")
    broken = rig.node.models[0].runtime
    # core 0 is deaf for a while: every inference of the first model times out
    with faults("core:0@1+=stall:1500"):
        feed(rig, make_image, lambda: rig.counters("eye").recoveries >= 1)
    rig.publish_until_result(make_image(stamp=(900, 0)), "eye")
    assert rig.drops("eye")["timeout"] >= 1
    assert rig.node.models[0].runtime is not broken
    statistics = rig.statistics("eye")
    assert statistics.recoveries >= 1
    assert len(recorder.runtimes) == 2 + statistics.recoveries
    assert "eye: recovered" in rig.log
    other = rig.counters("other")
    assert other.recoveries == 0
    assert set(other.drops) <= {"replaced"}
    assert other.results > 2
    rig.until(lambda: broken.closed, "the old runtime's end")
    rig.until(lambda: live_on_accelerator()["models"] == 2, "the old models' end")


def test_all_models_of_a_file_get_the_new_runtime(
    embed: Callable, nv12_model: Path, make_image: Callable
) -> None:
    recorder = Recorder()
    rig = embed(
        options=dict(load=recorder),
        eye=dict(file=nv12_model, stall_timeout=0.3, timeout=0.2),
        ear=dict(file=nv12_model, stall_timeout=0.0),
    ).until_active()
    rig.publish_until_result(make_image(), "eye")
    (before,) = recorder.runtimes
    with faults("run@1+=TASK_RUN_FAILED"):
        feed(rig, make_image, lambda: rig.counters("eye").recoveries >= 1)
    eye, ear = rig.node.models
    assert eye.runtime is ear.runtime is not before
    rig.publish_until_result(make_image(stamp=(900, 0)), "ear")
    rig.publish_until_result(make_image(stamp=(901, 0)), "eye")


def test_a_recovery_that_fails_is_counted_and_tried_again(
    embed: Callable, nv12_model: Path, make_image: Callable
) -> None:
    rig = embed(eye=dict(file=nv12_model, stall_timeout=0.2)).until_active()
    rig.publish_until_result(make_image(), "eye")
    away = nv12_model.with_suffix(".away")
    shutil.move(nv12_model, away)
    with faults("run@1+=TASK_RUN_FAILED"):
        feed(rig, make_image, lambda: rig.counters("eye").failed_recoveries >= 1)
        assert rig.counters("eye").recoveries == 0
        shutil.move(away, nv12_model)
        feed(rig, make_image, lambda: rig.counters("eye").recoveries >= 1, 60.0)
    rig.publish_until_result(make_image(stamp=(900, 0)), "eye")


def test_a_file_that_was_changed_is_not_taken_for_the_same_model(
    embed: Callable, nv12_model: Path, make_image: Callable, tmp_path: Path
) -> None:
    rig = embed(eye=dict(file=nv12_model, stall_timeout=0.2)).until_active()
    info = rig.node.models[0].info
    spec = tiny_models.pack(tiny_models.conv(10), "conv", nv12_inputs=("x",))
    tiny_models.save(tmp_path / "new.hbm", spec).rename(nv12_model)
    with faults("run@1+=TASK_RUN_FAILED"):
        feed(rig, make_image, lambda: rig.counters("eye").failed_recoveries >= 1)
    assert "call ~/reload" in rig.log
    result = rig.publish_until_result(make_image(stamp=(900, 0)), "eye")
    assert result.model_hash == info.hash
    assert result.images[0].transform.model_height == 8


def test_a_stalled_accelerator_does_not_hold_up_the_end_of_the_process(
    start: Callable,
    parameters: Callable,
    observer: Any,
    nv12_model: Path,
    make_image: Callable,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from node_rig import InferenceRig

    monkeypatch.setenv("HBM_SIM_FAULTS", "run@2+=stall:600000")
    process = start("inference_node", parameters(eye=dict(file=nv12_model, timeout=1.0)))
    rig = InferenceRig(observer, ["eye"], process=process).until_active()
    rig.publish_until_result(make_image(), "eye")
    feed(rig, make_image, lambda: "eye: timeout" in rig.log)
    assert process.stop() in (0, 1)  # 1: its work did not end in time
    assert "Traceback" not in rig.log


def resident_kilobytes() -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in status.splitlines() if "VmRSS" in line)


def test_a_flood_is_taken_as_the_policy_says_and_memory_stays_flat(
    embed: Callable, make_image: Callable, tmp_path: Path
) -> None:
    spec = tiny_models.pack(tiny_models.conv(), "busy", nv12_inputs=("x",), latency_us=30_000)
    file = tiny_models.save(tmp_path / "busy.hbm", spec)
    rig = embed(eye=dict(file=file)).until_active()
    rig.publish_until_result(make_image(), "eye")

    def flood(images: int) -> None:
        for number in range(images):  # ten times what the model can do
            rig.camera.publish(make_image(stamp=(1000 + number, 0), width=640, height=480))
            rig.observer.spin(0.003)

    flood(200)
    before = resident_kilobytes()
    flood(800)
    rig.observer.spin(0.3)
    # one image that was kept from each would be 450 kB
    assert resident_kilobytes() - before < 30 * 1024
    counted = rig.counters("eye")
    assert counted.drops["replaced"] > counted.results > 10
    assert counted.frames_in == (
        counted.results + sum(counted.drops.values()) + counted.waiting + counted.running
    )
    assert rig.statistics("eye").inputs[0].received == rig.counters("eye").frames_in


def test_garbage_is_counted_by_reason_among_good_images(
    embed: Callable, nv12_model: Path, make_image: Callable
) -> None:
    rig = embed(eye=dict(file=nv12_model, queue_policy="oldest", queue_depth=50)).until_active()
    garbage = [
        dict(width=0),
        dict(height=4_000_000_000),
        dict(step=1),
        dict(encoding="\x01\x02"),
        dict(encoding="x" * 10_000),
        dict(data=make_image().data[:7]),
        dict(width=2_000_000_000, step=4_000_000_000),
    ]
    for number, changes in enumerate(garbage * 3):
        broken = make_image()
        for field, value in changes.items():
            setattr(broken, field, value)
        rig.camera.publish(broken)
        rig.observer.spin(0.03)
        rig.publish_until_result(make_image(stamp=(number + 50, 0)), "eye")
    counted = rig.counters("eye")
    assert set(counted.drops) <= {
        "zero_size", "short_data", "bad_step", "encoding", "too_large", "odd_size"
    }  # fmt: skip
    assert {"zero_size", "bad_step", "encoding"} <= set(counted.drops)
    assert counted.frames_in == counted.results + sum(counted.drops.values())


def test_a_publisher_may_vanish_and_return(
    embed: Callable, nv12_model: Path, make_image: Callable
) -> None:
    rig = embed(eye=dict(file=nv12_model)).until_active()
    rig.publish_until_result(make_image(), "eye")
    rig.observer.node.destroy_publisher(rig.camera)
    rig.until(lambda: rig.node.count_publishers("/camera/image") == 0, "the publisher's end")
    rig.observer.spin(0.5)
    assert rig.statistics("eye").inputs[0].publishers == 0
    rig.camera = rig.observer.node.create_publisher(type(make_image()), "/camera/image", 5)
    rig.publish_until_result(make_image(stamp=(77, 0)), "eye")


def test_a_killed_node_can_be_started_again(
    may_kill: None,
    start: Callable,
    parameters: Callable,
    observer: Any,
    nv12_model: Path,
    make_image: Callable,
) -> None:
    from node_rig import InferenceRig

    for second in (1, 2):
        process = start("inference_node", parameters(eye=dict(file=nv12_model)))
        rig = InferenceRig(observer, ["eye"], process=process).until_active()
        rig.publish_until_result(make_image(stamp=(second, 0)), "eye")
        process.process.kill()
        process.process.wait()
        for publisher in list(observer.node.publishers):
            if publisher.topic_name == "/camera/image":
                observer.node.destroy_publisher(publisher)
