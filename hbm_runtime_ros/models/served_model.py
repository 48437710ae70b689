# SPDX-License-Identifier: Apache-2.0
"""One model as the node serves it: what is loaded, its pipeline, its results."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from rclpy.qos import DurabilityPolicy

from hbm_runtime._texts import one_line
from hbm_runtime_ros.messages.conversions import array_to_tensor, time_msg, transform_to_msg
from hbm_runtime_ros.messages.received_image import ReceivedImage
from hbm_runtime_ros.models.model_info import TopicNames, with_live
from hbm_runtime_ros.models.model_version import ModelVersion
from hbm_runtime_ros.msg import InputImage, ModelInfo, TensorList
from hbm_runtime_ros.pipeline import drop_reasons
from hbm_runtime_ros.pipeline.attempt import Rejected, Result, Steps
from hbm_runtime_ros.pipeline.pipeline import RECOVERED, ModelPipeline

if TYPE_CHECKING:
    import numpy as np
    from builtin_interfaces.msg import Time
    from numpy.typing import NDArray
    from rclpy.node import Node
    from rclpy.publisher import Publisher

    from hbm_runtime import HB_HBMRuntime
    from hbm_runtime.image.preprocessing import ModelInputs
    from hbm_runtime_ros.parameters.settings import LiveSettings, ModelSettings
    from hbm_runtime_ros.pipeline.attempt import Tensors
    from hbm_runtime_ros.ros.log_throttle import LogThrottle

ImageResult = Result[ReceivedImage]
Listener = Callable[[ImageResult], None]


class _Outputs(dict[str, "NDArray[np.generic]"]):
    """Output arrays by name, and the version of the model that they are from."""

    def __init__(self, tensors: Tensors, version: ModelVersion) -> None:
        super().__init__(tensors)
        self.version = version


class InputCounters:
    """Counters of one image topic of one model, since the node was configured.

    For the executor thread.

    Attributes:
        name: Of the image in the settings.
        topic: Resolved name.
        received: Messages.
        messages_lost: Reported lost by the middleware.
        qos_mismatches: Publishers whose QoS does not fit, as reported by the middleware.
    """

    def __init__(self, name: str, topic: str) -> None:
        self.name = name
        self.topic = topic
        self.received = 0
        self._latest: tuple[Time, int] | None = None
        self.messages_lost = 0
        self.qos_mismatches = 0

    def count(self, stamp: Time, received: int) -> None:
        """A message came: its stamp, and when, in nanoseconds of the node's clock."""
        self.received += 1
        self._latest = (stamp, received)  # the age is computed only when it is read

    @property
    def age(self) -> float:
        """Seconds from the latest image's stamp until its reception, NaN before the first."""
        if self._latest is None:
            return float("nan")
        stamp, received = self._latest
        return received / 1e9 - float(stamp.sec) - float(stamp.nanosec) / 1e9

    def reset(self) -> None:
        """Count from zero."""
        self.received = self.messages_lost = self.qos_mismatches = 0


class ServedModel:
    """One model: what is loaded of it, its pipeline and its publisher."""

    def __init__(
        self,
        node: Node,
        clock: Callable[[], int],
        settings: ModelSettings,
        loaded: ModelVersion,
        topics: TopicNames,
        publisher: Publisher,
        listeners: Callable[[], Sequence[Listener]],
        on_room: Callable[[], None],
        throttle: LogThrottle,
    ) -> None:
        """Put it together; nothing runs before the pipeline is started.

        Args:
            node: For its log.
            clock: The node's, nanoseconds.
            settings: Of the model.
            loaded: What to run.
            topics: Resolved names.
            publisher: Of TensorList.
            listeners: Who gets results without ROS, asked for each result.
            on_room: Called when a full queue has room again; from any thread.
            throttle: For log lines.
        """
        self.settings = settings
        self.topics = topics
        self.publisher = publisher
        self.subscribed = False
        self.inputs = [
            InputCounters(image.name, topic)
            for image, topic in zip(settings.images, topics.images, strict=True)
        ]
        names = [image.name for image in settings.images]
        anchored = settings.sync.policy == "anchor" and settings.sync.anchor in names
        self._anchor = names.index(settings.sync.anchor) if anchored else 0
        self._loaded: ModelVersion | None = loaded
        self._in_use = loaded
        self._runtime_in_use = loaded.file.runtime
        self._node = node
        self._listeners = listeners
        self._throttle = throttle
        self._keeps_results = publisher.qos_profile.durability != DurabilityPolicy.VOLATILE
        self.pipeline: ModelPipeline[ReceivedImage] = ModelPipeline(
            settings.name,
            Steps(self._prepare, self._infer, self._deliver, self._recover),
            settings,
            lambda: self.settings.live,
            self._report,
            clock,
            on_room,
        )

    @property
    def name(self) -> str:
        """In the parameter `models`."""
        return self.settings.name

    @property
    def loaded(self) -> ModelVersion | None:
        """What runs, None while it is unloaded."""
        return self._loaded

    @property
    def info(self) -> ModelInfo | None:
        """Description for ~/model_info, None while it is unloaded."""
        return None if self._loaded is None else self._loaded.info

    @property
    def runtime(self) -> HB_HBMRuntime | None:
        """What computes it now, None while it is unloaded."""
        return None if self._loaded is None else self._loaded.file.runtime

    @property
    def wanted(self) -> bool:
        """Whether images should be received for it."""
        return self._loaded is not None and (
            not self.settings.live.lazy
            or bool(self._listeners())
            or self.publisher.get_subscription_count() > 0
        )

    def set_loaded(self, loaded: ModelVersion | None) -> None:
        """Run this version from the next frame on.

        Args:
            loaded: Another version, or None for no model; then the pipeline must be stopped.
        """
        self._loaded = loaded
        self.set_settings(self.settings)  # they may have changed while it was loaded

    def set_settings(self, settings: ModelSettings) -> None:
        """Run with these from the next frame on.

        Args:
            settings: Differ from the present ones in what is live only.
        """
        self.settings = settings
        if self._loaded is not None:
            info = with_live(self._loaded.info, settings.live)
            self._loaded = replace(self._loaded, info=info)

    def _prepare(self, frames: Sequence[ReceivedImage]) -> ModelInputs:
        # all steps of one frame use the same version: this is read once
        loaded = self._loaded
        if loaded is None:
            raise Rejected(drop_reasons.STOPPED, f"model '{self.name}' is not loaded")
        self._in_use = loaded
        return loaded.preprocessor(*frames)

    def _infer(
        self, inputs: Tensors, live: LiveSettings, timeout: float, custom_id: int | None
    ) -> _Outputs:
        model, runtime = self._in_use.model, self._in_use.file.runtime
        self._runtime_in_use = runtime
        # two entries of `models` may share a runtime: each says its own scheduling
        outputs = runtime.run(
            {model: dict(inputs)},
            priority={model: live.priority},
            bpu_cores={model: list(live.bpu_cores)},
            custom_id=None if custom_id is None else {model: custom_id},
            device_id={model: self.settings.device_id},
            timeout=timeout,
        )
        return _Outputs(outputs[model], self._in_use)

    def _deliver(self, result: ImageResult) -> None:
        for listener in self._listeners():
            try:
                listener(result)
            except Exception as error:
                self._report("listener", f"{type(error).__name__}: {error}")
        if self._keeps_results or self.publisher.get_subscription_count() > 0:
            self.publisher.publish(self.message(result))

    def message(self, result: ImageResult) -> TensorList:
        """Put a result into a message.

        Args:
            result: Of this model's pipeline.

        Returns:
            The message, with copies of the tensors.
        """
        # not what is in use now: the model may have been loaded again since
        assert isinstance(result.tensors, _Outputs)
        loaded = result.tensors.version
        return TensorList(
            header=result.frames[self._anchor].header,
            model=self.name,
            model_hash=loaded.info.hash,
            sequence=result.sequence,
            images=[
                InputImage(
                    name=input.name,
                    topic=input.topic,
                    header=frame.header,
                    transform=transform_to_msg(transform),
                )
                for input, frame, transform in zip(
                    self.inputs, result.frames, result.transforms, strict=True
                )
            ],
            received=time_msg(result.received),
            started=time_msg(result.started),
            prepared=time_msg(result.prepared),
            finished=time_msg(result.finished),
            tensors=[
                array_to_tensor(name, tensor, loaded.output_types[name])
                for name, tensor in result.tensors.items()
            ],
        )

    def _recover(self) -> None:
        self._in_use.file.renew(self._runtime_in_use)

    def _report(self, reason: str, text: str) -> None:
        if not self._node.context.ok():
            return  # shutting down: what fails now is no news
        held_back = self._throttle.admit((self.name, reason))
        if held_back is None:
            return
        more = f" ({held_back} more since the last such line)" if held_back else ""
        line = one_line(f"{self.name}: {reason}: {text}{more}")
        if reason == RECOVERED:
            self._node.get_logger().warning(line)
        else:
            self._node.get_logger().error(line)
