# SPDX-License-Identifier: Apache-2.0
"""The node's services: typed answers, in time, whatever is asked; nobody else is held up."""

from __future__ import annotations

import array
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_models
from binding.simulator_faults import faults
from binding.simulator_live import count as live_on_accelerator
from hbm_runtime_ros.msg import ModelInfoList
from hbm_runtime_ros.srv import ChangeModel, Infer, ListModels

from hbm_runtime import HB_HBMRuntime
from hbm_runtime_ros.messages.conversions import tensors_to_numpy
from hbm_runtime_ros.messages.received_image import ReceivedImage
from hbm_runtime_ros.ros.qos import MODEL_INFO, SERVICES


def change(rig: Any, what: str, model: str = "") -> ChangeModel.Response:
    return rig.call(ChangeModel, what, ChangeModel.Request(model=model))


def infer(rig: Any, model: str, *images: Any, timeout: float = 0.0) -> Infer.Response:
    request = Infer.Request(model=model, images=list(images), timeout=timeout)
    return rig.call(Infer, "infer", request)


def models(rig: Any) -> ModelInfoList:
    return rig.call(ListModels, "list_models", ListModels.Request()).info


def test_list_models_says_what_model_info_says(embed: Callable, nv12_model: Path) -> None:
    rig = embed(eye=dict(file=nv12_model, priority=3), ear=dict(file=nv12_model)).until_active()
    info = rig.observer.collect(ModelInfoList, "/inference_node/model_info", MODEL_INFO)
    rig.until(lambda: info, "model_info")
    answer = models(rig)
    answer.stamp = info[0].stamp
    assert answer == info[0]


def test_list_models_of_an_unconfigured_node_is_empty(embed: Callable, nv12_model: Path) -> None:
    rig = embed({"autostart": False}, eye=dict(file=nv12_model))
    assert models(rig).models == []


def test_infer_answers_with_the_tensors_that_the_topic_gives(
    embed: Callable, nv12_model: Path, make_image: Callable
) -> None:
    rig = embed(eye=dict(file=nv12_model)).until_active()
    image = make_image(seed=3)
    on_topic = rig.publish_until_result(image, "eye")
    before = rig.statistics("eye")
    answer = infer(rig, "eye", image)
    assert answer.success
    assert (answer.reason, answer.message) == ("", "")
    assert answer.result.header == image.header
    assert answer.result.model_hash == on_topic.model_hash
    assert answer.result.images == on_topic.images
    for name, tensor in tensors_to_numpy(on_topic).items():
        assert np.array_equal(tensors_to_numpy(answer.result)[name], tensor)
    after = rig.statistics("eye")
    assert (after.frames_in, after.results) == (before.frames_in, before.results)


BROKEN = {
    "short_data": dict(data=array.array("B", bytes(10))),
    "zero_size": dict(height=0),
    "bad_step": dict(step=3),
    "encoding": dict(encoding="smell"),
}


@pytest.mark.parametrize("reason", BROKEN)
def test_infer_refuses_a_broken_image_with_its_reason(
    embed: Callable, nv12_model: Path, make_image: Callable, reason: str
) -> None:
    rig = embed(eye=dict(file=nv12_model)).until_active()
    answer = infer(rig, "eye", make_image(**BROKEN[reason]))
    assert not answer.success
    assert answer.reason == reason
    assert answer.message
    assert infer(rig, "eye", make_image()).success


def test_infer_says_what_is_wrong_with_a_request(
    embed: Callable, nv12_model: Path, make_image: Callable
) -> None:
    rig = embed(eye=dict(file=nv12_model)).until_active()
    unknown = infer(rig, "nose", make_image())
    assert not unknown.success
    assert "'nose'" in unknown.message
    assert "eye" in unknown.message
    for images in ((), (make_image(), make_image())):
        answer = infer(rig, "eye", *images)
        assert not answer.success
        assert f"takes 1 image(s) (/camera/image), got {len(images)}" in answer.message
    for timeout in (-1.0, float("nan"), float("inf"), 1e9):
        answer = infer(rig, "eye", make_image(), timeout=timeout)
        assert (answer.success, answer.reason) == (False, "timeout")
        assert "timeout must be" in answer.message
    assert rig.change_state("deactivate")
    assert "not active (inactive)" in infer(rig, "eye", make_image()).message


def test_infer_ends_by_its_time_out_and_blocks_nobody(
    embed: Callable, nv12_model: Path, make_image: Callable, tmp_path: Path
) -> None:
    spec = tiny_models.pack(tiny_models.conv(), "long", nv12_inputs=("x",), latency_us=3_000_000)
    file = tiny_models.save(tmp_path / "long.hbm", spec)
    rig = embed(long=dict(file=file), eye=dict(file=nv12_model)).until_active()
    node = rig.observer.node
    client = node.create_client(Infer, "/inference_node/infer")
    rig.until(client.service_is_ready, "the service")
    since = time.monotonic()
    answer = client.call_async(Infer.Request(model="long", images=[make_image()], timeout=1.5))
    while not answer.done():
        rig.publish_until_result(make_image(stamp=(int(time.monotonic() * 100), 0)), "eye")
        rig.observer.spin(0.05)
    assert time.monotonic() - since > 1.0
    assert (answer.result().success, answer.result().reason) == (False, "timeout")
    assert len(rig.results["eye"]) > 2  # they came while the request waited


def test_more_requests_than_can_wait_are_refused_at_once(
    embed: Callable, slow_model: Path, make_image: Callable
) -> None:
    rig = embed(slow=dict(file=slow_model)).until_active()
    client = rig.observer.node.create_client(Infer, "/inference_node/infer", qos_profile=SERVICES)
    rig.until(client.service_is_ready, "the service")
    request = Infer.Request(model="slow", images=[make_image()], timeout=2.0)
    answers = [client.call_async(request) for _ in range(40)]
    rig.until(lambda: all(answer.done() for answer in answers), "all answers")
    reasons = [answer.result().reason for answer in answers]
    assert "" in reasons
    assert reasons.count("queue_full") >= 10
    assert set(reasons) <= {"", "queue_full", "timeout"}


def test_unload_frees_a_model_and_load_brings_it_back(
    embed: Callable, nv12_model: Path, make_image: Callable, tmp_path: Path
) -> None:
    other_file = tmp_path / "other.hbm"
    shutil.copy(nv12_model, other_file)
    rig = embed(
        eye=dict(file=nv12_model), ear=dict(file=other_file, image_topic="/other")
    ).until_active()
    assert live_on_accelerator()["models"] == 2
    answer = change(rig, "unload", "eye")
    assert (answer.success, answer.message) == (True, "unloaded eye")
    assert [model.name for model in models(rig).models] == ["ear"]
    rig.until(lambda: live_on_accelerator()["models"] == 1, "the model's end")
    rig.until(lambda: rig.camera.get_subscription_count() == 0, "the unsubscription")
    assert "not loaded" in infer(rig, "eye", make_image()).message
    assert infer(rig, "ear", make_image()).success
    assert change(rig, "unload", "eye").message == "nothing to do"

    assert change(rig, "load", "eye").message == "loaded eye"
    rig.until_active()
    rig.publish_until_result(make_image(stamp=(4, 4)), "eye")
    assert [model.name for model in models(rig).models] == ["eye", "ear"]
    assert change(rig, "load").message == "nothing to do"


def test_an_unloaded_model_stays_so_through_a_deactivation(
    embed: Callable, nv12_model: Path
) -> None:
    rig = embed(eye=dict(file=nv12_model)).until_active()
    assert change(rig, "unload").success
    for transition in ("deactivate", "activate", "deactivate", "cleanup"):
        assert rig.change_state(transition)
    assert live_on_accelerator()["models"] == 0


def test_reload_takes_a_new_version_of_the_file_while_images_flow(
    embed: Callable, make_image: Callable, tmp_path: Path
) -> None:
    def save(height: int) -> None:
        spec = tiny_models.pack(tiny_models.conv(height), "m", nv12_inputs=("x",))
        tiny_models.save(tmp_path / "new.hbm", spec)
        (tmp_path / "new.hbm").rename(tmp_path / "m.hbm")

    save(8)
    rig = embed(eye=dict(file=tmp_path / "m.hbm"), ear=dict(file=tmp_path / "m.hbm"))
    rig.until_active()
    old = rig.publish_until_result(make_image(), "eye")
    before = models(rig).models[0]
    save(10)
    answer = change(rig, "reload", "eye")
    assert (answer.success, answer.message) == (True, "loaded eye, ear")  # they share the file
    new = rig.publish_until_result(make_image(stamp=(9, 0)), "eye")
    assert new.model_hash != old.model_hash
    assert new.images[0].transform.model_height == 10
    after = models(rig).models
    assert after[0].content_hash != before.content_hash
    assert after[0].hash == after[1].hash == new.model_hash
    assert new.sequence > old.sequence
    rig.until(lambda: live_on_accelerator()["models"] == 1, "the old version's end")


def test_a_reload_that_fails_leaves_the_old_version_working(
    embed: Callable, make_image: Callable, nv12_model: Path
) -> None:
    rig = embed(eye=dict(file=nv12_model)).until_active()
    content = nv12_model.read_bytes()
    nv12_model.unlink()
    nv12_model.write_bytes(content[:300])
    answer = change(rig, "reload", "eye")
    assert not answer.success
    assert "parameter 'eye.file'" in answer.message
    assert str(nv12_model) in answer.message
    rig.publish_until_result(make_image(), "eye")
    assert "there is no model 'nose'" in change(rig, "reload", "nose").message


def test_loading_does_not_stop_the_others(
    embed: Callable, nv12_model: Path, make_image: Callable, tmp_path: Path
) -> None:
    other_file = tmp_path / "other.hbm"
    shutil.copy(nv12_model, other_file)
    rig = embed(
        eye=dict(file=nv12_model), ear=dict(file=other_file, image_topic="/other")
    ).until_active()
    client = rig.observer.node.create_client(ChangeModel, "/inference_node/reload")
    rig.until(client.service_is_ready, "the service")
    with faults("hbDNNInitializeFromFiles@1+=delay:1500"):
        since = time.monotonic()
        answer = client.call_async(ChangeModel.Request(model="ear"))
        count = 0
        while not answer.done():
            rig.publish_until_result(make_image(stamp=(count, 1)), "eye")
            count += 1
            rig.observer.spin(0.02)
        assert time.monotonic() - since > 1.0
    assert answer.result().success, answer.result().message
    assert count > 3


def test_reset_stats_counts_from_zero(
    embed: Callable, nv12_model: Path, make_image: Callable
) -> None:
    rig = embed(eye=dict(file=nv12_model), ear=dict(file=nv12_model)).until_active()
    rig.publish_until_result(make_image(), "eye")
    rig.publish_until_result(make_image(stamp=(5, 5)), "ear")
    assert rig.statistics("eye").results > 0
    assert change(rig, "reset_stats", "eye").success
    assert rig.statistics("eye").results == rig.statistics("eye").inputs[0].received == 0
    assert rig.statistics("ear").results > 0


@pytest.mark.parametrize("service", ["load", "unload", "reload", "reset_stats"])
def test_without_models_the_state_is_told(embed: Callable, nv12_model: Path, service: str) -> None:
    rig = embed({"autostart": False}, eye=dict(file=nv12_model))
    answer = change(rig, service, "eye")
    assert not answer.success
    assert "the node is unconfigured and has no models; configure it first" in answer.message


class Gate:
    """Opens model files whose runs wait at a gate; remembers how many were opened at a time."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.open.set()
        self.waiting = threading.Event()
        self.opening = self.most_opening = 0

    def __call__(self, path: str, **how: Any) -> HB_HBMRuntime:
        gate = self

        class Gated(HB_HBMRuntime):
            def run(self, *inputs: Any, **how: Any) -> Any:
                gate.waiting.set()
                assert gate.open.wait(20.0)
                return super().run(*inputs, **how)

        self.opening += 1
        self.most_opening = max(self.most_opening, self.opening)
        time.sleep(0.05)
        runtime = Gated(path, **how)
        self.opening -= 1
        return runtime


@pytest.mark.parametrize("what", ["reload", "unload"])
def test_the_frame_under_way_ends_with_the_version_that_it_began_with(
    embed: Callable, nv12_model: Path, make_image: Callable, what: str
) -> None:
    gate = Gate()
    rig = embed(options=dict(load=gate), eye=dict(file=nv12_model)).until_active()
    rig.publish_until_result(make_image(), "eye")
    gate.open.clear()
    gate.waiting.clear()
    while not gate.waiting.is_set():
        rig.camera.publish(make_image(stamp=(5, 0)))
        rig.observer.spin(0.1)
    assert change(rig, what, "eye").success
    rig.observer.spin(0.5)  # time enough for the old runtime to be closed too early
    gate.open.set()
    rig.until(lambda: rig.counters("eye").running == 0, "the end of the frame")
    assert set(rig.counters("eye").drops) <= {"replaced", "stopped"}, rig.log
    assert rig.counters("eye").results >= 2
    live = 1 if what == "reload" else 0
    rig.until(lambda: live_on_accelerator()["models"] == live, "the old version's end")


def test_changes_that_load_models_are_made_one_after_the_other(
    embed: Callable, nv12_model: Path
) -> None:
    gate = Gate()
    rig = embed(options=dict(load=gate), eye=dict(file=nv12_model)).until_active()
    client = rig.observer.node.create_client(
        ChangeModel, "/inference_node/reload", qos_profile=SERVICES
    )
    rig.until(client.service_is_ready, "the service")
    answers = [client.call_async(ChangeModel.Request(model="eye")) for _ in range(12)]
    rig.until(lambda: all(answer.done() for answer in answers), "all answers")
    assert [answer.result().message for answer in answers] == ["loaded eye"] * 12
    assert gate.most_opening == 1
    rig.until(lambda: live_on_accelerator()["models"] == 1, "the old versions' ends")


def test_a_result_tells_of_the_version_that_made_it(
    embed: Callable, make_image: Callable, tmp_path: Path
) -> None:
    def save(height: int) -> None:
        spec = tiny_models.pack(tiny_models.conv(height), "m", nv12_inputs=("x",))
        tiny_models.save(tmp_path / "new.hbm", spec).rename(tmp_path / "m.hbm")

    save(8)
    rig = embed(eye=dict(file=tmp_path / "m.hbm")).until_active()
    model = rig.node.models[0]
    result = model.pipeline.infer_now((ReceivedImage(make_image()),), 10.0)
    old = model.info.hash
    save(10)
    assert change(rig, "reload", "eye").success
    assert rig.publish_until_result(make_image(stamp=(9, 0)), "eye").model_hash != old
    assert model.message(result).model_hash == old


def test_the_end_of_the_process_waits_for_a_model_that_is_being_loaded(
    serve: Callable, nv12_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HBM_SIM_FAULTS", "hbDNNInitializeFromFiles@2+=delay:1500")
    rig = serve(eye=dict(file=nv12_model))
    client = rig.observer.node.create_client(ChangeModel, "/inference_node/reload")
    rig.until(client.service_is_ready, "the service")
    answer = client.call_async(ChangeModel.Request(model="eye"))
    rig.observer.spin(0.7)
    assert not answer.done()
    assert rig.process.stop() == 0, rig.log  # it would crash under a load that goes on


@pytest.mark.parametrize(
    ("meanwhile", "says"),
    [("cleanup", "configured anew meanwhile"), ("unload", "changed meanwhile")],
)
def test_a_reload_that_was_overtaken_is_refused_and_leaves_nothing(
    embed: Callable, nv12_model: Path, meanwhile: str, says: str
) -> None:
    rig = embed(eye=dict(file=nv12_model)).until_active()
    client = rig.observer.node.create_client(ChangeModel, "/inference_node/reload")
    rig.until(client.service_is_ready, "the service")
    with faults("hbDNNInitializeFromFiles@1+=delay:1500"):
        answer = client.call_async(ChangeModel.Request(model="eye"))
        rig.observer.spin(0.5)
        if meanwhile == "unload":
            assert change(rig, "unload", "eye").success
        else:
            assert rig.change_state("deactivate")
            assert rig.change_state("cleanup")
        assert not answer.done()
        rig.until(answer.done, "the answer")
    assert not answer.result().success
    assert says in answer.result().message
    rig.until(lambda: live_on_accelerator()["models"] == 0, "the end of what was loaded")
