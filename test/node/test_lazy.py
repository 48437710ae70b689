# SPDX-License-Identifier: Apache-2.0
"""Lazy models: nobody wants the tensors, so no image is even received."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from recording import Recorder

from hbm_runtime_ros.parameters.settings import LiveSettings
from hbm_runtime_ros.ros import subscriber_watch


def test_without_subscribers_nothing_is_received_nor_computed(
    embed: Callable, nv12_model: Path, make_image: Callable
) -> None:
    recorder = Recorder()
    rig = embed(options=dict(load=recorder), tensors=False, eye=dict(file=nv12_model, lazy=True))
    rig.until(lambda: rig.node.lifecycle_state == "active", "the active node")
    statistics = rig.statistics("eye")
    assert statistics.idle
    assert rig.camera.get_subscription_count() == 0
    for _ in range(5):
        rig.camera.publish(make_image())
        rig.observer.spin(0.05)
    assert recorder.calls == []
    assert rig.statistics("eye").inputs[0].received == 0


@pytest.mark.parametrize("events", [True, False], ids=["matched_events", "polling"])
def test_it_works_while_somebody_subscribes(
    embed: Callable,
    nv12_model: Path,
    make_image: Callable,
    events: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if not events:  # as on Humble
        monkeypatch.setattr(subscriber_watch.SubscriberWatch, "_with_events", lambda *_: None)
    rig = embed(tensors=False, eye=dict(file=nv12_model, lazy=True))
    rig.until(lambda: rig.node.lifecycle_state == "active", "the active node")
    rig.observer.spin(0.3)
    assert rig.camera.get_subscription_count() == 0
    for second in (1, 2):
        rig.results["eye"] = rig.collect_results("eye")
        rig.until(lambda: rig.camera.get_subscription_count() > 0, "the subscription")
        rig.publish_until_result(make_image(stamp=(second, 0)), "eye")
        assert not rig.statistics("eye").idle
        (subscription,) = (
            each for each in rig.observer.node.subscriptions if "tensors" in each.topic_name
        )
        rig.observer.node.destroy_subscription(subscription)
        rig.until(lambda: rig.camera.get_subscription_count() == 0, "the unsubscription")
        assert rig.statistics("eye").idle


def test_one_model_of_a_topic_may_sleep_while_the_other_works(
    embed: Callable, nv12_model: Path, make_image: Callable
) -> None:
    recorder = Recorder()
    rig = embed(
        options=dict(load=recorder),
        tensors=False,
        eye=dict(file=nv12_model, lazy=True, priority=1),
        ear=dict(file=nv12_model, priority=2),
    )
    rig.results["ear"] = rig.collect_results("ear")
    rig.until_active()
    rig.publish_until_result(make_image(), "ear")
    assert {call["priority"]["conv"] for call in recorder.calls} == {2}
    assert [model.subscribed for model in rig.node.models] == [False, True]


def test_laziness_is_a_live_parameter(
    embed: Callable, nv12_model: Path, make_image: Callable
) -> None:
    rig = embed(tensors=False, eye=dict(file=nv12_model)).until_active()
    rig.publish_until_received(make_image(), "eye")
    assert rig.set_parameters(eye__lazy=True) == ""
    rig.until(lambda: rig.camera.get_subscription_count() == 0, "the unsubscription")
    assert rig.set_parameters(eye__lazy=False) == ""
    rig.until(lambda: rig.camera.get_subscription_count() > 0, "the subscription")
    rig.publish_until_received(make_image(), "eye")


def test_a_listener_of_this_process_counts_as_a_subscriber(
    embed: Callable, nv12_model: Path, make_image: Callable
) -> None:
    rig = embed(tensors=False, eye=dict(file=nv12_model, lazy=True))
    heard: list[Any] = []
    remove = rig.node.add_result_listener("eye", heard.append)
    rig.until_active()
    while not heard:
        rig.camera.publish(make_image(stamp=(7, 0)))
        rig.observer.spin(0.1)
    assert heard[0].frames[0].header.stamp.sec == 7
    remove()
    rig.until(lambda: rig.camera.get_subscription_count() == 0, "the unsubscription")


def test_an_idle_lazy_node_costs_next_to_nothing(serve: Callable, nv12_model: Path) -> None:
    rig = serve(eye=dict(file=nv12_model))
    assert not LiveSettings().lazy
    rig.set_parameters(eye__lazy=True)
    for subscription in list(rig.observer.node.subscriptions):
        if "tensors" in subscription.topic_name:
            rig.observer.node.destroy_subscription(subscription)
    rig.until(lambda: rig.camera.get_subscription_count() == 0, "the unsubscription")

    def cpu_seconds() -> float:
        fields = Path(f"/proc/{rig.process.process.pid}/stat").read_text().rsplit(")")[1].split()
        import os

        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    before, since = cpu_seconds(), time.monotonic()
    rig.observer.spin(4.0)
    # 1 % is what is promised (make bench measures it); a busy wait takes 100 %
    assert (cpu_seconds() - before) / (time.monotonic() - since) < 0.1
