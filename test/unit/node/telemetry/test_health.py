# SPDX-License-Identifier: Apache-2.0
"""What /diagnostics says of the node, its models and its inputs, and when."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest

from hbm_runtime_ros.parameters.settings import DiagnosticsSettings, LiveSettings
from hbm_runtime_ros.pipeline import drop_reasons
from hbm_runtime_ros.pipeline.counters import CounterSnapshot, LatencySummary, NodeStage
from hbm_runtime_ros.telemetry.health import (
    GRACE,
    NOT_LOADED,
    Health,
    Level,
    State,
    input_health,
    model_health,
    node_health,
)
from hbm_runtime_ros.telemetry.report import (
    InputReport,
    ModelReport,
    NodeReport,
    RecentInput,
    RecentModel,
)

THRESHOLDS = DiagnosticsSettings(
    stale_warn=2.0,
    stale_error=10.0,
    drop_rate_warn=0.1,
    drop_rate_error=0.5,
    latency_warn=0.1,
    latency_error=0.2,
)
OFF = DiagnosticsSettings(1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
CAMERA = InputReport("", "/camera", received=100, publishers=1)
MODEL = ModelReport("eye", live=LiveSettings(timeout=5.0, stall_timeout=0.0), inputs=(CAMERA,))
RECENT = RecentModel(seconds=5.0, frames=50, results=50)
LEFT, RIGHT = replace(CAMERA, topic="/left"), replace(CAMERA, topic="/right")
WAITING = {"frames": 0, "results": 0}


def changed(made: Any, changes: dict[str, Any]) -> Any:
    """A copy with those of the changes that are fields of it, which are used up."""
    names = {each.name for each in fields(made)} & set(changes)
    return replace(made, **{name: changes.pop(name) for name in names})


def of_input(
    thresholds: DiagnosticsSettings = THRESHOLDS,
    recent_received: int = 50,
    recent_lost: int = 0,
    rejected: dict[str, int] | None = None,
    looked_at: int = 50,
    **changes: Any,
) -> Health:
    """Judge an input that has this, of a model that has lost its images to these faults."""
    rejected = rejected or {}
    results = looked_at - sum(rejected.values())
    model = replace(MODEL, recent=replace(RECENT, results=results, drops=rejected))
    input, model = changed(CAMERA, changes), changed(model, changes)
    recent = changed(RecentInput(received=recent_received, lost=recent_lost), changes)
    input = replace(input, recent=recent)
    assert not changes
    return input_health(model, input, thresholds)


def of_model(
    thresholds: DiagnosticsSettings = THRESHOLDS, latency: float = 0.01, **changes: Any
) -> Health:
    """Judge a model that has this, in its report, its settings or what is recent."""
    latencies = {NodeStage.TOTAL: LatencySummary(50, p99=latency)}
    counters = CounterSnapshot(latencies=latencies)
    recent = changed(RECENT, changes)
    live = changed(MODEL.live, changes)
    model = replace(MODEL, counters=counters, live=live, recent=recent)
    model = changed(model, changes)
    assert not changes
    return model_health(model, thresholds)


def verdict(health: Health) -> tuple[Level, State]:
    return health.level, health.state


class TestAnInput:
    def test_on_which_images_arrive_is_active_and_tells_its_rate(self) -> None:
        assert of_input() == Health(Level.OK, State.ACTIVE, "10.0 images per second on /camera")

    @pytest.mark.parametrize(
        ("silence", "level"),
        [
            (0.0, Level.OK),
            (1.9, Level.OK),
            (2.0, Level.WARN),
            (9.9, Level.WARN),
            (10.0, Level.ERROR),
        ],
    )
    def test_waits_for_its_first_image_with_growing_concern(
        self, silence: float, level: Level
    ) -> None:
        health = of_input(received=0, recent_received=0, silence=silence)
        assert verdict(health) == (level, State.WAITING)
        assert "no image yet on /camera" in health.text

    @pytest.mark.parametrize(("silence", "level"), [(2.0, Level.WARN), (10.0, Level.ERROR)])
    def test_whose_images_end_is_stale(self, silence: float, level: Level) -> None:
        health = of_input(silence=silence, recent_received=0, publishers=0)
        assert verdict(health) == (level, State.STALE)
        assert health.text == f"no image on /camera for {silence:.1f} s, 0 publishers"

    def test_is_not_stale_before_the_threshold(self) -> None:
        assert verdict(of_input(silence=1.9)) == (Level.OK, State.ACTIVE)

    def test_that_is_slower_than_the_thresholds_is_fine_once_they_are_off(self) -> None:
        assert verdict(of_input(OFF, silence=3600.0)) == (Level.OK, State.ACTIVE)

    def test_with_some_malformed_images_is_degraded_and_says_what_is_wrong_with_them(self) -> None:
        health = of_input(rejected={"odd_size": 2, "bad_step": 5})
        assert verdict(health) == (Level.WARN, State.DEGRADED)
        assert health.text == "14% of the images on /camera cannot be used (bad_step 5, odd_size 2)"

    def test_with_many_malformed_images_is_degraded_at_the_level_of_an_error(self) -> None:
        assert verdict(of_input(rejected={"bad_step": 25})) == (Level.ERROR, State.DEGRADED)

    def test_with_fewer_malformed_images_than_the_threshold_is_active(self) -> None:
        assert verdict(of_input(rejected={"bad_step": 4})) == (Level.OK, State.ACTIVE)

    def test_with_nothing_but_malformed_images_is_in_error(self) -> None:
        health = of_input(rejected={"encoding": 50})
        assert verdict(health) == (Level.ERROR, State.ERROR)
        assert health.text == "none of the images on /camera can be used (encoding 50)"

    def test_is_judged_by_the_images_looked_at_not_by_those_that_were_replaced(self) -> None:
        health = of_input(recent_received=1000, looked_at=10, rejected={"bad_step": 5})
        assert verdict(health) == (Level.ERROR, State.DEGRADED)

    def test_that_loses_messages_is_degraded(self) -> None:
        health = of_input(recent_lost=50)
        assert verdict(health) == (Level.ERROR, State.DEGRADED)
        assert health.text == "50% of the messages on /camera are lost on the way"
        assert verdict(of_input(recent_lost=10)) == (Level.WARN, State.DEGRADED)
        assert verdict(of_input(recent_lost=5)) == (Level.OK, State.ACTIVE)

    def test_with_a_publisher_of_another_qos_is_degraded_even_before_the_first_image(self) -> None:
        health = of_input(received=0, silence=0.5, qos_mismatch=True)
        assert verdict(health) == (Level.WARN, State.DEGRADED)
        assert "QoS on /camera does not fit" in health.text

    def test_tells_everything_that_is_wrong_with_it_and_the_worst_first(self) -> None:
        health = of_input(silence=20.0, qos_mismatch=True)
        assert verdict(health) == (Level.ERROR, State.STALE)
        assert health.text.startswith("no image on /camera for 20.0 s")
        assert "QoS on /camera does not fit" in health.text

    def test_of_a_lazy_model_without_subscribers_is_idle_whatever_its_camera_does(self) -> None:
        health = of_input(subscribed=False, silence=3600.0, qos_mismatch=True)
        assert verdict(health) == (Level.OK, State.IDLE)

    def test_of_a_node_that_is_not_active_is_inactive(self) -> None:
        health = of_input(active=False, silence=3600.0)
        assert health == Health(Level.OK, State.INACTIVE, "the node is not active")

    def test_of_a_model_that_is_not_loaded_is_inactive_and_says_so(self) -> None:
        health = of_input(loaded=False, active=False, silence=3600.0)
        assert health == Health(Level.OK, State.INACTIVE, NOT_LOADED)

    def test_is_not_blamed_for_malformed_images_where_another_could_have_sent_them(self) -> None:
        both = (CAMERA, replace(CAMERA, topic="/other"))
        health = of_input(rejected={"encoding": 50}, inputs=both)
        assert verdict(health) == (Level.OK, State.ACTIVE)


class TestAModel:
    def test_with_results_is_active_and_tells_their_rate(self) -> None:
        assert of_model() == Health(Level.OK, State.ACTIVE, "10.0 results per second")

    def test_without_images_is_waiting_and_leaves_the_alarm_to_its_inputs(self) -> None:
        health = of_model(**WAITING, inputs=(LEFT, RIGHT))
        assert verdict(health) == (Level.OK, State.WAITING)
        assert health.text == "no image to work on from /left and /right"

    def test_that_is_lazy_is_idle_while_nobody_subscribes(self) -> None:
        health = of_model(subscribed=False, **WAITING)
        assert verdict(health) == (Level.OK, State.IDLE)

    def test_that_is_unloaded_is_in_error_and_names_the_service_that_helps(self) -> None:
        health = of_model(loaded=False)
        assert verdict(health) == (Level.ERROR, State.ERROR)
        assert "~/load" in health.text

    def test_of_a_node_that_is_not_active_is_inactive(self) -> None:
        assert verdict(of_model(active=False, frames=0)) == (Level.OK, State.INACTIVE)

    @pytest.mark.parametrize("policy", sorted(drop_reasons.POLICY))
    def test_that_drops_by_policy_is_active(self, policy: str) -> None:
        health = of_model(results=5, drops={policy: 45})
        assert verdict(health) == (Level.OK, State.ACTIVE)

    @pytest.mark.parametrize(
        ("timeouts", "level", "state"),
        [
            (5, Level.OK, State.ACTIVE),
            (6, Level.WARN, State.DEGRADED),
            (50, Level.ERROR, State.DEGRADED),
        ],
    )
    def test_that_loses_images_to_faults_is_degraded_from_the_thresholds_on(
        self, timeouts: int, level: Level, state: State
    ) -> None:
        assert verdict(of_model(drops={"timeout": timeouts})) == (level, state)

    def test_names_the_faults_but_not_the_drops_by_policy(self) -> None:
        health = of_model(
            results=10,
            drops={"timeout": 2, "inference_error": 8, "replaced": 30},
        )
        assert health.text == "50% of the images are lost to faults (inference_error 8, timeout 2)"

    def test_without_a_single_result_for_faults_is_in_error(self) -> None:
        health = of_model(results=0, drops={"timeout": 3, "replaced": 47})
        assert verdict(health) == (Level.ERROR, State.ERROR)
        assert health.text == "no image became a result (timeout 3)"

    @pytest.mark.parametrize("policy", ["age", "deadline", "unmatched"])
    def test_whose_images_are_all_too_late_or_without_partner_is_degraded(
        self, policy: str
    ) -> None:
        health = of_model(results=0, drops={policy: 50})
        assert verdict(health) == (Level.WARN, State.DEGRADED)
        assert health.text == f"no image became a result ({policy} 50)"

    def test_that_is_slow_is_degraded_from_the_thresholds_on(self) -> None:
        assert verdict(of_model(latency=0.099)) == (Level.OK, State.ACTIVE)
        assert verdict(of_model(latency=0.1)) == (Level.WARN, State.DEGRADED)
        health = of_model(latency=0.2)
        assert verdict(health) == (Level.ERROR, State.DEGRADED)
        assert health.text == "p99 latency 0.200 s, ERROR from 0.2 s"

    def test_is_not_judged_by_the_latency_of_results_long_ago(self) -> None:
        health = of_model(latency=9.0, **WAITING)
        assert verdict(health) == (Level.OK, State.WAITING)

    def test_that_hangs_in_one_step_is_in_error_after_its_timeout(self) -> None:
        assert verdict(of_model(busy=5.0 + GRACE)) == (Level.OK, State.ACTIVE)
        health = of_model(busy=12.3, **WAITING)
        assert verdict(health) == (Level.ERROR, State.ERROR)
        assert health.text == "busy with one image for 12.3 s, timeout is 5 s"

    def test_that_keeps_failing_is_in_error_once_the_watchdog_has_to_act(self) -> None:
        failing = {"results": 40, "failing": 9.9, "stall_timeout": 10.0}
        assert verdict(of_model(**failing)) == (Level.OK, State.ACTIVE)
        health = of_model(**{**failing, "failing": 10.0}, last_error="no such device")
        assert verdict(health) == (Level.ERROR, State.ERROR)
        assert health.text == "every inference has failed for 10.0 s: no such device"

    def test_that_is_being_recovered_is_degraded_however_long_that_takes(self) -> None:
        health = of_model(recovering=True, busy=30.0, failing=40.0, stall_timeout=10.0)
        assert verdict(health) == (Level.WARN, State.DEGRADED)
        assert health.text == "it is being loaded again"

    def test_without_a_watchdog_is_not_judged_by_it(self) -> None:
        assert verdict(of_model(failing=99.0, stall_timeout=0.0)) == (Level.OK, State.ACTIVE)

    def test_that_could_not_be_recovered_is_in_error_at_once(self) -> None:
        health = of_model(failing=1.0, stall_timeout=10.0, failed_recoveries=1)
        assert verdict(health) == (Level.ERROR, State.ERROR)
        assert "could not be loaded again" in health.text

    def test_that_was_recovered_lately_is_degraded_and_then_active_again(self) -> None:
        health = of_model(recoveries=1, last_error="the accelerator hung")
        assert verdict(health) == (Level.WARN, State.DEGRADED)
        assert health.text == "loaded again after its inferences had failed: the accelerator hung"
        assert verdict(of_model(recoveries=0)) == (Level.OK, State.ACTIVE)

    def test_has_no_thresholds_once_they_are_off(self) -> None:
        health = of_model(OFF, results=0, drops={"timeout": 50}, latency=60.0)
        assert verdict(health) == (Level.OK, State.ACTIVE)


class TestTheNode:
    def test_tells_its_state_and_its_models(self) -> None:
        assert node_health(NodeReport("active", models=(MODEL, MODEL))) == (
            Level.OK,
            "active, 2 models",
        )
        assert node_health(NodeReport("active", models=(MODEL,))) == (Level.OK, "active, 1 model")
        assert node_health(NodeReport("unconfigured")) == (Level.OK, "unconfigured")

    def test_that_could_not_be_configured_is_an_error_and_says_why(self) -> None:
        report = NodeReport("unconfigured", problems=("'eye.file' is missing", "b", "c"))
        assert node_health(report) == (
            Level.ERROR,
            "unconfigured: cannot be configured: 'eye.file' is missing (and 2 more)",
        )
