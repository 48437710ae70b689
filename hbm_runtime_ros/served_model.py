# SPDX-License-Identifier: Apache-2.0
"""One model as the node serves it: runtime, pipeline, publisher, start-up checks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from hbm_runtime import HB_HBMRuntime, HBMError
from hbm_runtime_ros import qos
from hbm_runtime_ros.conversions import (
    array_to_tensor,
    image_to_frame,
    time_msg,
    transform_to_msg,
)
from hbm_runtime_ros.model_info import model_info
from hbm_runtime_ros.msg import ModelInfo, TensorList
from hbm_runtime_ros.parameter_table import ConfigurationError
from hbm_runtime_ros.parameters import ModelSettings
from hbm_runtime_ros.pipeline import ModelPipeline, Result, Steps
from hbm_runtime_ros.preprocessing import (
    InputSpec,
    ModelInputs,
    Preprocessor,
    UnsupportedInputsError,
    make_preprocessor,
)
from hbm_runtime_ros.throttle import Throttle

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from rclpy.node import Node
    from rclpy.publisher import Publisher
    from sensor_msgs.msg import Image

    from hbm_runtime_ros.pipeline import Tensors

RuntimeFactory = Callable[[str], HB_HBMRuntime]


class ServedModel:
    """One model: its runtime, its pipeline and its publisher."""

    def __init__(
        self, node: Node, runtime: HB_HBMRuntime, settings: ModelSettings, throttle: Throttle
    ) -> None:
        self.runtime = runtime
        self._settings = settings
        self._name_in_file = _choose_model(runtime, settings)
        self._preprocessor = self._make_preprocessor()
        self._set_scheduling()
        topic = f"~/{settings.name}/tensors"
        self.info: ModelInfo = model_info(
            runtime,
            self._name_in_file,
            settings,
            node.resolve_topic_name(settings.image_topic),
            node.resolve_topic_name(topic),
        )
        self._output_types = {tensor.name: tensor.data_type for tensor in self.info.outputs}
        self._publisher: Publisher = node.create_publisher(TensorList, topic, qos.TENSORS)
        self._node = node
        self._throttle = throttle
        clock = node.get_clock()
        self.pipeline: ModelPipeline[Image] = ModelPipeline(
            settings.name,
            Steps(self._prepare, self._infer, self._publish),
            self._report,
            lambda: int(clock.now().nanoseconds),
        )
        node.get_logger().info(
            f"{settings.name}: model '{self._name_in_file}' of {settings.file}, "
            f"{self._preprocessor.width}x{self._preprocessor.height}, "
            f"priority {settings.priority}, cores {list(settings.bpu_cores)}, "
            f"{self.info.image_topic} -> {self.info.tensors_topic}"
        )

    def _make_preprocessor(self) -> Preprocessor:
        runtime, model = self.runtime, self._name_in_file
        inputs = [
            InputSpec(
                name,
                tuple(runtime.input_shapes[model][name]),
                runtime.input_dtypes[model][name].name,
            )
            for name in runtime.input_names[model]
        ]
        try:
            return make_preprocessor(inputs, self._settings.resize)
        except UnsupportedInputsError as error:
            raise ConfigurationError(
                f"model '{self._settings.name}': '{model}' of {self._settings.file} cannot be fed "
                f"with images: {error}"
            ) from error

    def _set_scheduling(self) -> None:
        """Let the runtime check the values against the chip; they go along with each run too."""
        settings, model = self._settings, self._name_in_file
        try:
            self.runtime.set_scheduling_params(priority={model: settings.priority})
        except HBMError as error:
            raise ConfigurationError(f"parameter '{settings.name}.priority': {error}") from error
        try:
            self.runtime.set_scheduling_params(bpu_cores={model: list(settings.bpu_cores)})
        except HBMError as error:
            raise ConfigurationError(f"parameter '{settings.name}.bpu_cores': {error}") from error

    def _prepare(self, msg: Image) -> ModelInputs:
        return self._preprocessor(image_to_frame(msg))

    def _infer(self, inputs: Tensors) -> dict[str, NDArray[np.generic]]:
        settings, model = self._settings, self._name_in_file
        # two entries of `models` may share a runtime: each says its own scheduling
        outputs = self.runtime.run(
            {model: dict(inputs)},
            priority={model: settings.priority},
            bpu_cores={model: list(settings.bpu_cores)},
            timeout=settings.timeout,
        )
        return outputs[model]

    def _publish(self, result: Result[Image]) -> None:
        msg = TensorList(
            header=result.frame.header,
            model=self._settings.name,
            model_hash=self.info.hash,
            sequence=result.sequence,
            transform=transform_to_msg(result.transform),
            received=time_msg(result.received),
            started=time_msg(result.started),
            finished=time_msg(result.finished),
            tensors=[
                array_to_tensor(name, tensor, self._output_types[name])
                for name, tensor in result.tensors.items()
            ],
        )
        self._publisher.publish(msg)

    def _report(self, reason: str, text: str) -> None:
        if not self._node.context.ok():
            return  # shutting down: what fails now is no news
        held_back = self._throttle.admit((self._settings.name, reason))
        if held_back is None:
            return
        more = f" ({held_back} more since the last such line)" if held_back else ""
        self._node.get_logger().error(f"{self._settings.name}: {reason}: {text}{more}")


def open_model_file(load: RuntimeFactory, settings: ModelSettings) -> HB_HBMRuntime:
    """Load a model's file; raises ConfigurationError if that cannot be done."""
    try:
        return load(settings.file)
    except (HBMError, OSError) as error:
        raise ConfigurationError(
            f"model '{settings.name}': parameter '{settings.name}.file' {settings.file!r} cannot "
            f"be loaded: {error}"
        ) from error


def _choose_model(runtime: HB_HBMRuntime, settings: ModelSettings) -> str:
    names = list(runtime.model_names)
    if settings.model_name in names:
        return settings.model_name
    if not settings.model_name and len(names) == 1:
        return names[0]
    raise ConfigurationError(
        f"parameter '{settings.name}.model_name' must be one of {', '.join(names)} "
        f"(the models in {settings.file}), got {settings.model_name!r}"
    )
