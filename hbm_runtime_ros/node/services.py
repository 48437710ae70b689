# SPDX-License-Identifier: Apache-2.0
"""The node's own services; each answers in bounded time and holds up nobody meanwhile."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.exceptions import InvalidHandle
from rclpy.task import Future

from hbm_runtime._texts import one_line, shortened
from hbm_runtime_ros.messages.received_image import ReceivedImage
from hbm_runtime_ros.models.changes import Completion, ModelChanges, Refused
from hbm_runtime_ros.msg import DropCount
from hbm_runtime_ros.parameters.reading import ConfigurationError
from hbm_runtime_ros.pipeline.attempt import Rejected
from hbm_runtime_ros.ros import qos
from hbm_runtime_ros.srv import ChangeModel, Infer, ListModels

if TYPE_CHECKING:
    from rclpy.node import Node
    from rclpy.service import Service

    from hbm_runtime_ros.models.served_model import ServedModel
    from hbm_runtime_ros.models.served_models import ServedModels
    from hbm_runtime_ros.msg import ModelInfoList

MAX_INFERENCES = 16  # requests of ~/infer that wait for their answers at once
MAX_TIMEOUT = 3600.0  # seconds that a request may ask for


class Services:
    """~/list_models, ~/load, ~/unload, ~/reload, ~/reset_stats and ~/infer."""

    def __init__(
        self,
        node: Node,
        served: ServedModels,
        changes: ModelChanges,
        *,
        state: Callable[[], str],
        info: Callable[[], ModelInfoList],
        max_bytes: Callable[[], int],
        call_soon: Callable[[Callable[[], None]], None],
    ) -> None:
        """Offer them.

        Args:
            node: That offers them.
            served: The models.
            changes: Of the models.
            state: Label of the node's life cycle.
            info: Describes the models.
            max_bytes: Of an image's data.
            call_soon: Runs work in the thread that carries out transitions.
        """
        self._node = node
        self._served = served
        self._state = state
        self._info = info
        self._max_bytes = max_bytes
        self._call_soon = call_soon
        self._inferences = threading.BoundedSemaphore(MAX_INFERENCES)
        self._threads: set[threading.Thread] = set()
        # a callback that awaits would keep others of a mutually exclusive group from being called
        group = ReentrantCallbackGroup()

        def offer(kind: Any, name: str, callback: Callable[..., Any]) -> Service:
            return node.create_service(
                kind, f"~/{name}", callback, qos_profile=qos.SERVICES, callback_group=group
            )

        offer(ListModels, "list_models", self._list_models)
        offer(ChangeModel, "load", self._change(changes.load))
        offer(ChangeModel, "unload", self._change(changes.unload))
        offer(ChangeModel, "reload", self._change(changes.reload))
        offer(ChangeModel, "reset_stats", self._change(changes.reset))
        offer(Infer, "infer", self._infer)

    def wait(self, timeout: float) -> bool:
        """Wait for what was begun outside of the executor, such as the loading of a model.

        Args:
            timeout: Seconds.

        Returns:
            False if something was still going on then.
        """
        until = time.monotonic() + timeout
        for thread in tuple(self._threads):
            thread.join(max(0.0, until - time.monotonic()))
        return not any(thread.is_alive() for thread in tuple(self._threads))

    def _list_models(
        self, request: ListModels.Request, response: ListModels.Response
    ) -> ListModels.Response:
        response.info = self._info()
        return response

    def _change(self, prepare: Callable[[str], Completion]) -> Callable[..., Any]:
        """Make a service of a method that prepares a change of models.

        Args:
            prepare: Takes a model's name and does what takes time, outside of the executor;
                returns what completes the change and says what was done.
        """

        async def callback(
            request: ChangeModel.Request, response: ChangeModel.Response
        ) -> ChangeModel.Response:
            try:
                complete = await self._in_thread(lambda: prepare(request.model))
                response.message = await self._among_transitions(complete)
                response.success = True
            except (Refused, ConfigurationError) as error:
                response.message = one_line(str(error))
            except Exception as error:
                response.message = one_line(f"{type(error).__name__}: {error}")
                self._node.get_logger().error(f"a service failed: {response.message}")
            return response

        return callback

    async def _infer(self, request: Infer.Request, response: Infer.Response) -> Infer.Response:
        try:
            response.result = await self._in_thread(self._inference(request))
            response.success = True
        except Rejected as error:
            response.reason, response.message = error.reason, error.text
        except Exception as error:
            response.reason = DropCount.INTERNAL_ERROR
            response.message = one_line(f"{type(error).__name__}: {error}")
            self._node.get_logger().error(f"~/infer failed: {response.message}")
        return response

    def _inference(self, request: Infer.Request) -> Callable[[], Any]:
        """Check a request and return the rest of the work."""
        until = time.monotonic()
        model = self._model(request)
        if not math.isfinite(request.timeout) or not 0 <= request.timeout <= MAX_TIMEOUT:
            raise Rejected(
                DropCount.TIMEOUT,
                f"timeout must be 0 to {MAX_TIMEOUT:g} seconds, got {request.timeout}",
            )
        timeout = request.timeout or model.settings.live.timeout
        until += timeout
        limit = self._max_bytes()
        images = tuple(ReceivedImage(image, limit) for image in request.images)
        if not self._inferences.acquire(blocking=False):
            raise Rejected(
                DropCount.QUEUE_FULL,
                f"{MAX_INFERENCES} requests of ~/infer wait for their answers already; try again",
            )

        def work() -> Any:
            try:
                result = model.pipeline.infer_now(images, max(0.0, until - time.monotonic()))
                return model.message(result)
            finally:
                self._inferences.release()

        return work

    def _model(self, request: Infer.Request) -> ServedModel:
        models, state = self._served.models, self._state()
        model = next((model for model in models if model.name == request.model), None)
        if model is None:
            names = ", ".join(model.name for model in models) or "none"
            raise Rejected(
                DropCount.STOPPED,
                f"there is no model '{shortened(request.model)}' in this {state} node, "
                f"which has {names}",
            )
        if state != "active" or model.loaded is None:
            why = "not loaded" if model.loaded is None else f"not active ({state})"
            raise Rejected(DropCount.STOPPED, f"model '{model.name}' is {why}")
        expected = len(model.settings.images)
        if len(request.images) != expected:
            names = ", ".join(image.name or image.topic for image in model.settings.images)
            raise Rejected(
                DropCount.UNMATCHED,
                f"model '{model.name}' takes {expected} image(s) ({names}), got "
                f"{len(request.images)}",
            )
        return model

    def _in_thread(self, work: Callable[[], Any]) -> Future:
        """Do something outside of the executor's threads.

        Args:
            work: Bounded in time.

        Returns:
            To be awaited for its result or exception.
        """
        future = Future()

        def run() -> None:
            try:
                result = work()
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(result)
            self._threads.discard(threading.current_thread())
            executor = self._node.executor
            if executor is not None:
                with contextlib.suppress(InvalidHandle):  # it has been shut down
                    executor.wake()  # it looks after waiting callbacks only when something happens

        thread = threading.Thread(target=run, name="hbm-service", daemon=True)
        self._threads.add(thread)
        try:
            thread.start()
        except RuntimeError:  # the system gives no more threads
            self._threads.discard(thread)
            raise
        return future

    def _among_transitions(self, work: Callable[[], Any]) -> Future:
        """Do something where transitions are done, so that neither disturbs the other."""
        future = Future()

        def run() -> None:
            try:
                result = work()
            except Exception as error:
                future.set_exception(error)
            else:
                future.set_result(result)

        self._call_soon(run)
        return future
