# SPDX-License-Identifier: Apache-2.0
"""The inference node: a managed node that makes raw tensors of images and describes its models."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.srv import ChangeState
from rcl_interfaces.msg import ParameterDescriptor
from rclpy.clock import Clock, ClockType
from rclpy.exceptions import InvalidHandle
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.logging import get_logger
from rclpy.parameter import Parameter

from hbm_runtime import HB_HBMRuntime
from hbm_runtime._texts import handled_traceback, one_line, said, shortened
from hbm_runtime_ros.models.changes import ModelChanges
from hbm_runtime_ros.models.model_file_runtime import RuntimeFactory
from hbm_runtime_ros.models.model_info import model_info_list
from hbm_runtime_ros.models.model_version import scheduling_problems
from hbm_runtime_ros.models.served_model import Listener, ServedModel
from hbm_runtime_ros.models.served_models import ServedModels
from hbm_runtime_ros.msg import ModelInfoList, StatisticsList
from hbm_runtime_ros.node.services import Services
from hbm_runtime_ros.node.subscriptions import Subscriptions
from hbm_runtime_ros.parameters.reading import ConfigurationError, Problem
from hbm_runtime_ros.parameters.settings import DiagnosticsSettings, ModelSettings, NodeSettings
from hbm_runtime_ros.ros import qos
from hbm_runtime_ros.ros.declared import DeclaredParameters
from hbm_runtime_ros.ros.log_bridge import ROOT, forward_runtime_log
from hbm_runtime_ros.ros.log_throttle import LogThrottle
from hbm_runtime_ros.ros.node_clock import NodeClock
from hbm_runtime_ros.ros.run_node import run_node
from hbm_runtime_ros.ros.safe_callbacks import safe_callback
from hbm_runtime_ros.ros.subscriber_watch import SubscriberWatch
from hbm_runtime_ros.telemetry.core_use import CoreUse
from hbm_runtime_ros.telemetry.diagnostics_message import TOPIC as DIAGNOSTICS_TOPIC
from hbm_runtime_ros.telemetry.diagnostics_message import DiagnosticsReporter
from hbm_runtime_ros.telemetry.report import NodeReport, report_model
from hbm_runtime_ros.telemetry.statistics_message import StatisticsReporter

if TYPE_CHECKING:
    from rclpy.publisher import Publisher
    from rclpy.timer import Timer

NAME = "inference_node"
STATISTICS_PERIOD = 1.0  # seconds
STOP_TIMEOUT = 5.0  # seconds for running inferences to end


class InferenceNode(LifecycleNode):
    """Runs models on image topics; the README describes its topics, services and parameters.

    The executor's threads only store images, answer requests and carry out transitions.
    Conversion, inference and publishing of results happen in one worker thread per model.

    Example:
        >>> import rclpy
        >>> from rclpy.parameter import Parameter
        >>> rclpy.init()
        >>> values = {"models": ["eye"], "eye.file": "eye.hbm", "eye.image_topic": "/camera/image"}
        >>> parameters = [Parameter(name, value=value) for name, value in values.items()]
        >>> node = InferenceNode(parameter_overrides=parameters)
        >>> remove = node.add_result_listener("eye", lambda result: print(result.tensors))
        >>> node.trigger_configure().name  # spun by an executor, it does this by itself
        'SUCCESS'
        >>> node.lifecycle_state, [model.name for model in node.models]
        ('inactive', ['eye'])
        >>> node.destroy_node()
        >>> rclpy.shutdown()
    """

    def __init__(
        self, node_name: str = NAME, *, load: RuntimeFactory = HB_HBMRuntime, **options: Any
    ) -> None:
        """Make an unconfigured node; with the parameter `autostart` it starts when it is spun.

        Args:
            node_name: Name of the node.
            load: Opens a model file; `SharedRuntimes()` lets several nodes share what they open.
            options: For rclpy's Node, e.g. `parameter_overrides` or `context`.
        """
        options["automatically_declare_parameters_from_overrides"] = True
        super().__init__(node_name, **options)
        try:
            self._set_up(load)
        except BaseException:
            super().destroy_node()
            raise

    def declare_parameters(
        self, namespace: str, parameters: Any, ignore_override: bool = False
    ) -> Any:
        """Declare parameters; plain rclpy ends the process for an empty list, which has no type."""
        typed = [tuple(each) for each in parameters]
        dynamic = ParameterDescriptor(dynamic_typing=True)
        return super().declare_parameters(
            namespace,
            [(each[0], None, dynamic) if each[1:2] == (None,) else each for each in typed],
            ignore_override,
        )

    def _set_up(self, load: RuntimeFactory) -> None:
        self._state = "unconfigured"
        self._settings: NodeSettings | None = None
        self._problems: tuple[str, ...] = ()
        self._listeners: dict[str, tuple[Listener, ...]] = {}
        self._listeners_lock = threading.Lock()
        self._calls: deque[Callable[[], None]] = deque()
        # The wall clock of timers: the node's own may stand still in a simulation.
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._wake_up = self.create_guard_condition(safe_callback(self, self._run_calls))
        throttle = LogThrottle()
        clock = NodeClock(self)
        self._image_subscriptions = Subscriptions(
            self, clock, lambda: self.max_image_bytes, throttle
        )
        watch = SubscriberWatch(self, self._subscribe)
        self._served = ServedModels(
            self, clock, load, watch, self._listeners_of, self._wake, throttle
        )
        self._info_publisher: Publisher | None = None
        self._statistics_publisher: Publisher | None = None
        self._statistics_timer: Timer | None = None
        self._declared = DeclaredParameters(self, self._check_change, self._apply_change)
        changes = ModelChanges(self._served, lambda: self._state, self._models_changed)
        self._offered = Services(
            self,
            self._served,
            changes,
            state=lambda: self._state,
            info=lambda: self.model_info,
            max_bytes=lambda: self.max_image_bytes,
            call_soon=self.call_soon,
        )
        self._guard_transition_service()
        self._diagnostics = DiagnosticsReporter(self)
        self._diagnostics_publisher = self.create_publisher(
            DiagnosticArray, DIAGNOSTICS_TOPIC, qos.DIAGNOSTICS
        )
        self._diagnostics_timer: Timer | None = None
        self._diagnostics_period = 0.0
        self._set_diagnostics_period(DiagnosticsSettings().period)
        self._start_timer: Timer | None = self.create_timer(
            0.0, safe_callback(self, self._start), clock=self._steady
        )

    @property
    def settings(self) -> NodeSettings | None:
        """The configuration, None until the first configure has read it."""
        return self._settings

    @property
    def models(self) -> Sequence[ServedModel]:
        """In the order of the parameter `models`; empty while unconfigured."""
        return self._served.models

    @property
    def problems(self) -> Sequence[str]:
        """Why the last configure failed, one text per problem; empty if it did not."""
        return self._problems

    @property
    def lifecycle_state(self) -> str:
        """Label: "unconfigured", "inactive", "active" or "finalized"."""
        return self._state

    @property
    def library(self) -> Any:
        """`HB_HBMRuntime.library` of a loaded model, None while there is none."""
        runtime = self._any_runtime()
        return None if runtime is None else runtime.library

    @property
    def max_image_bytes(self) -> int:
        """The parameter of that name."""
        settings = self._settings
        return NodeSettings(()).max_image_bytes if settings is None else settings.max_image_bytes

    @property
    def model_info(self) -> ModelInfoList:
        """The message of ~/model_info."""
        infos = [model.info for model in self._served.models if model.info is not None]
        return model_info_list(self.get_clock().now().to_msg(), infos, self._any_runtime())

    def add_result_listener(self, model: str, callback: Listener) -> Callable[[], None]:
        """Get a model's results without ROS messages.

        The listener counts as a subscriber: a lazy model works for it. It may be added at any
        time, also before the node is configured, and stays when the node is configured again.

        Args:
            model: Name in the parameter `models`.
            callback: Called with each Result in the model's worker thread, which waits for it;
                what it raises is logged. The tensors stay valid for as long as they are held.

        Returns:
            Removes it; from then on no call begins.

        Raises:
            ValueError: If the node is configured and has no such model.
        """
        names = [each.name for each in self._served.models]
        if names and model not in names:
            raise ValueError(
                f"there is no model '{shortened(model)}'; the node has {', '.join(names)}"
            )
        # an object of its own: the same callback may be added twice
        entry: Listener = partial(callback)
        with self._listeners_lock:
            self._listeners[model] = (*self._listeners.get(model, ()), entry)
        self.call_soon(self._subscribe)

        def remove() -> None:
            with self._listeners_lock:
                left = tuple(each for each in self._listeners.get(model, ()) if each is not entry)
                self._listeners[model] = left
            self.call_soon(self._subscribe)

        return remove

    def call_soon(self, work: Callable[[], None]) -> None:
        """Let the executor do something that must not happen during a transition.

        Args:
            work: Quick; from any thread.
        """
        self._calls.append(work)
        self._wake()

    def stop(self, timeout: float = STOP_TIMEOUT) -> bool:
        """End all work and free the models, whatever the state; for the end of the node.

        Args:
            timeout: Seconds for running inferences, as many for closing runtimes and as many for
                models that a service loads.

        Returns:
            False if an inference was still running then, or a model being loaded.
        """
        ended = self._free(timeout, drain=False)
        self._state = "finalized"
        return self._offered.wait(timeout) and ended

    def destroy_node(self) -> None:
        """End all work, then destroy the node."""
        self.stop()
        super().destroy_node()
        # rclpy's state machine holds the middleware's node, which would stay in the graph until
        # Python collects the cycles that this object is part of
        self.__dict__.pop("_state_machine", None)

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Read the parameters, load the models, publish their descriptions."""
        try:
            self._configure()
        except ConfigurationError as error:
            self._not_configured(error.problems)
        except Exception as error:
            if self.context.ok():  # else a signal has ended ROS under it
                self.get_logger().error(handled_traceback())
                text = f"{type(error).__name__}: {error}"
                self._not_configured((Problem("configure", f"failed: {text}"),))
        else:
            self._state = "inactive"
            return TransitionCallbackReturn.SUCCESS
        self._free(STOP_TIMEOUT)
        return TransitionCallbackReturn.FAILURE

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Let the models work and subscribe to their images."""

        def activate() -> None:
            self._served.start()
            self._state = "active"
            self._subscribe()

        return self._transition("activate", activate)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Unsubscribe, and finish the images that wait; takes at most STOP_TIMEOUT."""

        def deactivate() -> None:
            self._state = "inactive"
            self._subscribe()
            if not self._served.stop(STOP_TIMEOUT):
                self.get_logger().warning(
                    f"an inference still runs after {STOP_TIMEOUT:g} s; it is left to itself"
                )

        return self._transition("deactivate", deactivate)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free all that configure made."""

        def clean_up() -> None:
            self._free(STOP_TIMEOUT)
            self._state = "unconfigured"

        return self._transition("clean up", clean_up)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free everything; the node can only be destroyed from then on."""

        def shut_down() -> None:
            self._free(STOP_TIMEOUT)
            self._state = "finalized"

        return self._transition("shut down", shut_down)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Come back from a transition that failed: as an unconfigured node."""
        try:
            self._free(STOP_TIMEOUT)
        except Exception:
            self.get_logger().error(f"cannot free everything:\n{handled_traceback()}")
        self._state = "unconfigured"
        return TransitionCallbackReturn.SUCCESS

    def _transition(self, name: str, work: Callable[[], None]) -> TransitionCallbackReturn:
        """Do the work of a transition; rclpy would swallow what it raises without a word."""
        try:
            work()
        except Exception:
            if self.context.ok():
                self.get_logger().error(f"cannot {name}:\n{handled_traceback()}")
            return TransitionCallbackReturn.ERROR
        return TransitionCallbackReturn.SUCCESS

    def _configure(self) -> None:
        settings = self._declared.read()
        self._settings = settings
        self._set_diagnostics_period(settings.diagnostics.period)
        self._served.configure(settings)
        self._declared.set_configured(True)
        self._problems = ()
        runtime = self._any_runtime()
        if runtime is not None:
            library = runtime.library
            kind = "simulated accelerator" if library.is_simulator else library.soc_name
            self.get_logger().info(
                f"{kind}, {library.core_count} cores, libraries in {library.path}"
            )
        self._info_publisher = self.create_publisher(ModelInfoList, "~/model_info", qos.MODEL_INFO)
        self._publish_model_info()
        self._statistics = StatisticsReporter()
        self._core_use = CoreUse()
        self._statistics_publisher = self.create_publisher(
            StatisticsList, "~/stats", qos.STATISTICS
        )
        self._statistics_timer = self.create_timer(
            STATISTICS_PERIOD,
            safe_callback(self, self._publish_statistics),
            clock=self._steady,
        )

    def _not_configured(self, problems: Sequence[Problem]) -> None:
        self._problems = tuple(one_line(f"parameter '{key}' {text}") for key, text in problems)
        for problem in self._problems:
            self.get_logger().error(f"cannot configure: {' '.join(problem.split())}")
        self.get_logger().warning(
            "the node stays unconfigured; correct the parameters with `ros2 param set "
            f"{self.get_fully_qualified_name()} …`, then `ros2 lifecycle set "
            f"{self.get_fully_qualified_name()} configure`"
        )

    def _free(self, timeout: float, drain: bool = True) -> bool:
        """Free all that configure and activate made; whatever the state."""
        self._image_subscriptions.update(())
        ended = self._served.stop(timeout, drain)
        closed = self._served.clear(timeout)
        if not closed:
            self.get_logger().warning("a runtime does not close; it is left to itself")
        if self._statistics_timer is not None:
            self.destroy_timer(self._statistics_timer)
            self._statistics_timer = None
        for publisher in (self._info_publisher, self._statistics_publisher):
            if publisher is not None:
                self.destroy_publisher(publisher)
        self._info_publisher = self._statistics_publisher = None
        self._declared.set_configured(False)
        return ended

    def _start(self) -> None:
        """Configure and activate, once, when the node begins to be spun."""
        if self._start_timer is not None:
            self.destroy_timer(self._start_timer)
            self._start_timer = None
        wanted = self.get_parameter_or("autostart", Parameter("autostart", value=True)).value
        if wanted is False or self._state != "unconfigured":
            return
        if self.trigger_configure() == TransitionCallbackReturn.SUCCESS:
            self.trigger_activate()

    def _subscribe(self) -> None:
        """Have subscriptions for the models that want images now, and no others."""
        models = self._served.models
        wanted = [model for model in models if self._state == "active" and model.wanted]
        self._image_subscriptions.update(wanted)
        for model in models:
            model.subscribed = model in wanted

    def _models_changed(self) -> None:
        self._subscribe()
        self._publish_model_info()

    def _check_change(self, settings: NodeSettings) -> str:
        """Let the chip have its say; returns why not, or ""."""
        problems: list[Problem] = []
        changes = []
        for model, new in self._with_new_settings(settings):
            loaded = model.loaded
            if loaded is not None:
                changes.append((loaded, model.settings))
                problems += scheduling_problems(loaded.file.runtime, loaded.model, new)
        if problems:
            for loaded, old in changes:
                scheduling_problems(loaded.file.runtime, loaded.model, old)
        return one_line("; ".join(f"parameter '{key}' {text}" for key, text in problems))

    def _apply_change(self, settings: NodeSettings) -> None:
        self._settings = settings
        self._set_diagnostics_period(settings.diagnostics.period)
        for model, new in self._with_new_settings(settings):
            model.set_settings(new)
        if self._served.models:
            self._models_changed()

    def _with_new_settings(self, settings: NodeSettings) -> list[tuple[ServedModel, ModelSettings]]:
        by_name = {model.name: model for model in settings.models}
        return [(m, by_name[m.name]) for m in self._served.models if m.name in by_name]

    def _listeners_of(self, model: str) -> Sequence[Listener]:
        return self._listeners.get(model, ())

    def _any_runtime(self) -> HB_HBMRuntime | None:
        runtimes = (model.runtime for model in self._served.models)
        return next((runtime for runtime in runtimes if runtime is not None), None)

    def _wake(self) -> None:
        """Let the executor look at everything again; from any thread."""
        with contextlib.suppress(InvalidHandle):  # the node is being destroyed
            self._wake_up.trigger()

    def _run_calls(self) -> None:
        while self._calls:
            safe_callback(self, self._calls.popleft())()

    def _publish_model_info(self) -> None:
        if self._info_publisher is not None:
            self._info_publisher.publish(self.model_info)

    def _publish_statistics(self) -> None:
        if self._statistics_publisher is None:
            return
        cores = self._core_use.shares(file.runtime for file in self._served.files())
        stamp = self.get_clock().now().to_msg()
        message = self._statistics.message(stamp, self._report().models, cores)
        self._statistics_publisher.publish(message)

    def _publish_diagnostics(self) -> None:
        settings = self._settings
        thresholds = DiagnosticsSettings() if settings is None else settings.diagnostics
        message = self._diagnostics.message(self.get_clock().now(), self._report(), thresholds)
        self._diagnostics_publisher.publish(message)

    def _report(self) -> NodeReport:
        """Look at everything now; whatever is published at this moment is made of it."""
        active = self._state == "active"
        return NodeReport(
            self._state,
            self._problems,
            tuple(report_model(each, active, self.count_publishers) for each in self.models),
            self._any_runtime(),
        )

    def _set_diagnostics_period(self, period: float) -> None:
        if period == self._diagnostics_period:
            return
        self._diagnostics_period = period
        if self._diagnostics_timer is not None:
            self.destroy_timer(self._diagnostics_timer)
            self._diagnostics_timer = None
        if period > 0:
            callback = safe_callback(self, self._publish_diagnostics)
            self._diagnostics_timer = self.create_timer(period, callback, clock=self._steady)

    def _guard_transition_service(self) -> None:
        """Answer requests for impossible transitions; rclpy lets them end the spinning."""
        service = getattr(self, "_service_change_state", None)
        if service is None:
            return
        change_state = service.callback

        def callback(request: ChangeState.Request, response: ChangeState.Response) -> Any:
            try:
                return change_state(request, response)
            except Exception as error:
                name = request.transition.label or request.transition.id
                if self.context.ok():
                    self.get_logger().warning(
                        f"no transition {name} from {self._state}: {said(error)}"
                    )
                return ChangeState.Response(success=False)

        service.callback = callback


def main(args: Sequence[str] | None = None) -> int:
    """Run the node until a signal stops it.

    Args:
        args: Command line with ROS arguments; None for the process's own.

    Returns:
        Exit code.
    """
    forward_runtime_log(get_logger(NAME).get_child(ROOT))
    return run_node(NAME, InferenceNode, args)
