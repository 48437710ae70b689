# SPDX-License-Identifier: Apache-2.0
"""Priority, cores and the rest on their way to the runtime."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import tiny_models
from recording import Recorder


def test_priority_cores_device_and_timeout_go_along_with_each_run(
    embed: Callable, nv12_model: Path, make_image: Callable
) -> None:
    recorder = Recorder()
    rig = embed(
        options=dict(load=recorder),
        eye=dict(file=nv12_model, priority=201, bpu_cores=[2], timeout=7.5),
    ).until_active()
    rig.publish_until_result(make_image(), "eye")
    call = recorder.calls[0]
    assert call["priority"] == {"conv": 201}
    assert call["bpu_cores"] == {"conv": [2]}
    assert call["device_id"] == {"conv": 0}
    assert 0 < call["timeout"] <= 7.5
    assert call["custom_id"] is None
    params = recorder.runtimes[0].sched_params["conv"]
    assert (params.priority, params.bpu_cores) == (201, [2])


@pytest.mark.parametrize(
    ("policy", "expected"), [("sequence", [0, 1]), ("stamp", [7_000_000_001, 8_000_000_001])]
)
def test_the_custom_id_follows_its_policy(
    embed: Callable, nv12_model: Path, make_image: Callable, policy: str, expected: list[int]
) -> None:
    recorder = Recorder()
    options = dict(load=recorder)
    rig = embed(options=options, eye=dict(file=nv12_model, custom_id=policy)).until_active()
    for second in (7, 8):
        rig.publish_until_result(make_image(stamp=(second, 1)), "eye")
    ids = [call["custom_id"]["conv"] for call in recorder.calls]
    # an image that the middleware lost was published again
    assert [each for each in expected if each in ids] == expected
    assert ids == sorted(ids)


def test_two_models_of_one_network_each_bring_their_own(
    embed: Callable, nv12_model: Path, make_image: Callable
) -> None:
    recorder = Recorder()
    rig = embed(
        options=dict(load=recorder),
        first=dict(file=nv12_model, priority=250),
        last=dict(file=nv12_model, priority=1),
    ).until_active()
    image = make_image()
    rig.publish_until_result(image, "first")
    rig.publish_until_result(image, "last")
    assert {call["priority"]["conv"] for call in recorder.calls} == {250, 1}


def test_one_file_is_opened_once_however_many_models_use_it(
    embed: Callable, tmp_path: Path
) -> None:
    specs = [tiny_models.pack(tiny_models.conv(), name, nv12_inputs=("x",)) for name in ("a", "b")]
    file = tiny_models.save(tmp_path / "two.hbm", *specs)
    recorder = Recorder()
    embed(
        options=dict(load=recorder),
        left=dict(file=file, model_name="a"),
        right=dict(file=file, model_name="b"),
        again=dict(file=file, model_name="a"),
    ).until_active()
    assert len(recorder.runtimes) == 1
