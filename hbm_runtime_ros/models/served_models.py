# SPDX-License-Identifier: Apache-2.0
"""The models that a node serves, from its settings to its end."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from hbm_runtime import HBMError
from hbm_runtime._texts import shortened
from hbm_runtime_ros.models.model_file_runtime import (
    CLOSE_TIMEOUT,
    ModelFileRuntime,
    RuntimeFactory,
    close_files,
)
from hbm_runtime_ros.models.model_info import TopicNames
from hbm_runtime_ros.models.model_version import ModelVersion, load_model
from hbm_runtime_ros.models.served_model import Listener, ServedModel
from hbm_runtime_ros.parameters.reading import ConfigurationError, Problem
from hbm_runtime_ros.parameters.settings import ImageSettings, ModelSettings, NodeSettings
from hbm_runtime_ros.parameters.topics import topic_of
from hbm_runtime_ros.ros.topic_qos import publisher_profile, subscription_profile

if TYPE_CHECKING:
    from rclpy.node import Node

    from hbm_runtime_ros.ros.log_throttle import LogThrottle
    from hbm_runtime_ros.ros.subscriber_watch import SubscriberWatch

STOP_GRACE = 1.0  # seconds that a stop may take beyond its time-out


class ServedModels:
    """Loads the models of a configuration, all or none, and frees them.

    For the thread that carries out transitions, except `load`.

    Attributes:
        models: In the order of the parameter `models`; empty while unconfigured.
    """

    def __init__(
        self,
        node: Node,
        clock: Callable[[], int],
        factory: RuntimeFactory,
        watch: SubscriberWatch,
        listeners: Callable[[str], Sequence[Listener]],
        on_room: Callable[[], None],
        throttle: LogThrottle,
    ) -> None:
        """Start without models.

        Args:
            node: That serves them.
            clock: The node's, nanoseconds.
            factory: Opens model files.
            watch: Makes the publishers.
            listeners: Those of a model, who get its results without ROS.
            on_room: Called when a full queue has room again; from any thread.
            throttle: For log lines.
        """
        self._node = node
        self._clock = clock
        self._factory = factory
        self._watch = watch
        self._listeners = listeners
        self._on_room = on_room
        self._throttle = throttle
        self._library = ""
        self._shared: Counter[tuple[str, ImageSettings]] = Counter()
        self.models: tuple[ServedModel, ...] = ()

    def configure(self, settings: NodeSettings) -> None:
        """Load all models and make their publishers.

        Args:
            settings: Checked without the files.

        Raises:
            ConfigurationError: All that does not fit; then there is no model and no publisher.
        """
        self._library = settings.library
        self._shared = Counter(
            self._subscription(image) for model in settings.models for image in model.images
        )
        files: dict[str, ModelFileRuntime] = {}
        try:
            loaded = self._load_all(settings.models, files)
            self.models = tuple(self._serve(model) for model in loaded)
        except BaseException:
            self._watch.clear()
            close_files(files.values())
            raise

    def load(self, settings: ModelSettings, file: ModelFileRuntime | None = None) -> ModelVersion:
        """Load one model; from any thread.

        Args:
            settings: Of the model.
            file: That it is in, if it is open already.

        Returns:
            What runs it; a caller that does not use it closes its file, if that was not open.

        Raises:
            ConfigurationError: If it cannot be loaded or does not fit.
        """
        used = self._open(settings) if file is None else file
        try:
            shared = any(self._shared[self._subscription(image)] > 1 for image in settings.images)
            return load_model(used, settings, self._topics(settings), shared)
        except BaseException:
            if file is None:
                used.close()
            raise

    def files(self) -> list[ModelFileRuntime]:
        """All open files, each once."""
        files = [model.loaded.file for model in self.models if model.loaded is not None]
        return list(dict.fromkeys(files))

    def close_unused(self, file: ModelFileRuntime) -> None:
        """Free a file in the background unless a model uses it; frames under way end first."""
        if file in self.files():
            return
        models = [model for model in self.models if model.settings.file == file.path]

        def let_attempts_end() -> None:
            until = time.monotonic() + CLOSE_TIMEOUT
            for model in models:
                model.pipeline.wait_for_attempt(until - time.monotonic())

        file.close(let_attempts_end)

    def start(self) -> None:
        """Let the loaded models work."""
        for model in self.models:
            if model.loaded is not None:
                model.pipeline.start()

    def stop(self, timeout: float, drain: bool = True) -> bool:
        """Let the models end what they are doing.

        Args:
            timeout: Seconds for all of them together.
            drain: Compute what waits, too.

        Returns:
            False if one was still busy then.
        """
        if len(self.models) == 1:
            return self.models[0].pipeline.stop(timeout, drain)
        stopped: list[ServedModel] = []

        def stop(model: ServedModel) -> None:
            if model.pipeline.stop(timeout, drain):
                stopped.append(model)

        # side by side: each may use all the time
        threads = [
            threading.Thread(target=stop, args=(model,), daemon=True) for model in self.models
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout + STOP_GRACE)
        return len(stopped) == len(threads)

    def clear(self, timeout: float) -> bool:
        """Free everything; the models must be stopped.

        Args:
            timeout: Seconds for the runtimes to close.

        Returns:
            False if one was not closed by then.
        """
        files = self.files()
        self.models = ()
        self._watch.clear()
        return close_files(files, timeout)

    def _load_all(
        self, models: Sequence[ModelSettings], files: dict[str, ModelFileRuntime]
    ) -> list[tuple[ModelSettings, ModelVersion]]:
        loaded = []
        problems: list[Problem] = []
        unusable: set[str] = set()
        for settings in models:
            if settings.file in unusable:
                continue  # said already
            try:
                if settings.file not in files:
                    files[settings.file] = self._open(settings)
            except ConfigurationError as error:
                unusable.add(settings.file)
                problems.extend(error.problems)
                continue
            try:
                loaded.append((settings, self.load(settings, files[settings.file])))
            except ConfigurationError as error:
                problems.extend(error.problems)
            problems.extend(self._override_problems(settings))
        if problems:
            raise ConfigurationError(tuple(dict.fromkeys(problems)))
        return loaded

    def _serve(self, model: tuple[ModelSettings, ModelVersion]) -> ServedModel:
        settings, loaded = model
        topics = self._topics(settings)
        profile, _ = publisher_profile(self._node, topics.tensors, settings.tensors_qos)
        served = ServedModel(
            self._node,
            self._clock,
            settings,
            loaded,
            topics,
            self._watch.create_publisher(topics.tensors, profile),
            lambda: self._listeners(settings.name),
            self._on_room,
            self._throttle,
        )
        sizes = ", ".join(f"{image.width}x{image.height}" for image in loaded.preprocessor.images)
        self._node.get_logger().info(
            f"{settings.name}: model '{shortened(loaded.model)}' of {settings.file}, {sizes}, "
            f"priority {settings.live.priority}, cores {list(settings.live.bpu_cores)}, "
            f"{', '.join(topics.images)} -> {topics.tensors}"
        )
        return served

    def _open(self, settings: ModelSettings) -> ModelFileRuntime:
        try:
            return ModelFileRuntime(settings.file, self._factory, self._library)
        except (HBMError, OSError) as error:
            text = f"{settings.file!r} cannot be loaded: {error}"
            raise ConfigurationError((Problem(f"{settings.name}.file", text),)) from error

    def _topics(self, settings: ModelSettings) -> TopicNames:
        resolve = self._node.resolve_topic_name
        return TopicNames(
            tuple(resolve(topic_of(image)) for image in settings.images),
            resolve(f"~/{settings.name}/tensors"),
        )

    def _subscription(self, image: ImageSettings) -> tuple[str, ImageSettings]:
        """What two images have in common that come by one subscription."""
        topic = self._node.resolve_topic_name(topic_of(image))
        return topic, ImageSettings(transport=image.transport, qos=image.qos)

    def _override_problems(self, settings: ModelSettings) -> list[Problem]:
        topics = self._topics(settings)
        found = []
        for topic, image in zip(topics.images, settings.images, strict=True):
            _, text = subscription_profile(self._node, topic, image.qos)
            if text:
                found.append(Problem(f"qos_overrides.{topic}.subscription", text))
        _, text = publisher_profile(self._node, topics.tensors, settings.tensors_qos)
        if text:
            found.append(Problem(f"qos_overrides.{topics.tensors}.publisher", text))
        return found
