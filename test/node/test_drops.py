# SPDX-License-Identifier: Apache-2.0
"""More images than a model can take: newest kept, rest counted, executor free."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tiny_models
from rcl_interfaces.srv import ListParameters


def stamps(results: list[Any]) -> list[int]:
    return [result.header.stamp.sec for result in results]


def test_the_newest_image_is_kept_and_the_others_are_counted(
    serve: Callable, slow_model: Path, make_image: Callable
) -> None:
    rig = serve(slow=dict(file=slow_model))
    rig.publish_until_result(make_image(stamp=(1, 0)), "slow")
    # one is being computed for half a second while the others come
    for second in range(2, 7):
        rig.camera.publish(make_image(stamp=(second, 0)))
    rig.observer.until(lambda: 6 in stamps(rig.results["slow"]), "the newest image's result")
    statistics = rig.statistics("slow")
    (replaced,) = statistics.drops
    assert replaced.reason == "replaced"
    assert statistics.frames_in == statistics.results + replaced.count
    assert len({2, 3, 4, 5} & set(stamps(rig.results["slow"]))) < 4
    assert stamps(rig.results["slow"]) == sorted(stamps(rig.results["slow"]))


def test_the_executor_answers_while_a_model_computes(
    serve: Callable, make_image: Callable, tmp_path: Path
) -> None:
    spec = tiny_models.pack(
        tiny_models.conv(), "very_slow", nv12_inputs=("x",), latency_us=3_000_000
    )
    file = tiny_models.save(tmp_path / "very_slow.hbm", spec)
    rig = serve(slow=dict(file=file))
    client = rig.observer.node.create_client(ListParameters, "/inference_node/list_parameters")
    rig.observer.until(client.service_is_ready, "the parameter service")

    rig.publish_until_received(make_image(), "slow")
    # three seconds of inference have begun at most two statistics ago: the answer must come before
    # their end
    answer = client.call_async(ListParameters.Request())
    rig.observer.until(answer.done, "an answer")
    assert rig.results["slow"] == []
    assert "slow.file" in answer.result().result.names
    rig.observer.until(lambda: rig.results["slow"], "the result")


def test_a_slow_model_does_not_hold_up_a_fast_one(
    serve: Callable, slow_model: Path, nv12_model: Path, make_image: Callable
) -> None:
    rig = serve(slow=dict(file=slow_model), fast=dict(file=nv12_model))
    rig.publish_until_result(make_image(), "slow")
    rig.publish_until_result(make_image(stamp=(2, 0)), "fast")
    count = len(rig.results["slow"])
    for second in range(3, 9):
        rig.publish_until_result(make_image(stamp=(second, 0)), "fast")
    assert len(rig.results["slow"]) - count < 6


def test_an_inference_that_takes_too_long_is_given_up_and_the_next_one_tried(
    embed: Callable, slow_model: Path, make_image: Callable
) -> None:
    rig = embed(slow=dict(file=slow_model, timeout=0.05)).until_active()
    for attempt in (1, 2):
        while rig.drops("slow").get("timeout", 0) < attempt:
            rig.camera.publish(make_image())
            rig.observer.spin(0.05)
    assert rig.counters("slow").results == 0
    assert "slow: timeout: " in rig.log


def test_statistics_add_up_and_tell_latencies(
    serve: Callable, nv12_model: Path, make_image: Callable
) -> None:
    rig = serve(eye=dict(file=nv12_model))
    for second in range(5):
        rig.publish_until_result(make_image(stamp=(second, 0)), "eye")
    statistics = rig.statistics("eye")
    assert statistics.frames_in == statistics.results + sum(d.count for d in statistics.drops)
    stages = {latency.stage: latency for latency in statistics.latencies}
    assert set(stages) == {"wait", "preprocess", "inference", "publish", "total"}
    for latency in stages.values():
        assert latency.samples == statistics.results
        assert 0 < latency.p50 <= latency.p99 <= latency.max
    assert stages["inference"].p50 < stages["total"].max


@pytest.mark.parametrize("stop_with", ["SIGINT", "SIGTERM"])
def test_a_signal_ends_the_node_cleanly_while_it_computes(
    serve: Callable, slow_model: Path, make_image: Callable, stop_with: str
) -> None:
    import signal

    rig = serve(slow=dict(file=slow_model))
    rig.publish_until_result(make_image(), "slow")
    rig.camera.publish(make_image(stamp=(2, 0)))
    assert rig.process.stop(signal.Signals[stop_with]) == 0
    assert "Traceback" not in rig.process.log
