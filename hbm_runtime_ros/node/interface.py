# SPDX-License-Identifier: Apache-2.0
"""What inference_node offers to other nodes, as a list: topics and services. Knows no ROS."""

from __future__ import annotations

from typing import Literal, NamedTuple

Direction = Literal["in", "out", "service"]


class Interface(NamedTuple):
    """A topic or a service.

    Attributes:
        name: As a node resolves it; <model> and <image_topic> stand for what is configured.
        direction: "in" and "out" are topics.
        type: Interface, e.g. "sensor_msgs/msg/Image".
        qos: Quality of service, in words.
        meaning: One sentence without its full stop.
    """

    name: str
    direction: Direction
    type: str
    qos: str
    meaning: str


_SERVICE = "services"

INTERFACES = (
    Interface(
        "<image_topic>",
        "in",
        "sensor_msgs/msg/Image",
        "sensor data, `image_qos`",
        "`nv12` of the right size goes in as it is, all other encodings are converted; what is "
        "malformed is counted and reported, never fatal",
    ),
    Interface(
        "<image_topic>/compressed",
        "in",
        "sensor_msgs/msg/CompressedImage",
        "sensor data, `image_qos`",
        "instead of it with `image_transport` compressed: JPEG or PNG",
    ),
    Interface(
        "~/<model>/tensors",
        "out",
        "hbm_runtime_ros/msg/TensorList",
        "reliable, depth 5, `tensors_qos`",
        "raw outputs for one image or one set of images: its header bit for bit, dtype, shape, "
        "strides, data, stage stamps, way back to source pixels",
    ),
    Interface(
        "~/model_info",
        "out",
        "hbm_runtime_ros/msg/ModelInfoList",
        "reliable, transient local, depth 1",
        "all that the runtime knows of each model and how it is run; again after each change; late "
        "joiners get it too",
    ),
    Interface(
        "~/stats",
        "out",
        "hbm_runtime_ros/msg/StatisticsList",
        "reliable, depth 10",
        "once per second: images in, results, drops by reason, p50 to max per stage, use of cores",
    ),
    Interface(
        "/diagnostics",
        "out",
        "diagnostic_msgs/msg/DiagnosticArray",
        "reliable, depth 10",
        "each `diagnostics.period`, also when nothing arrives: a status of the node, of each model "
        "and of each input",
    ),
    Interface(
        "~/list_models",
        "service",
        "hbm_runtime_ros/srv/ListModels",
        _SERVICE,
        "what `~/model_info` last said",
    ),
    Interface(
        "~/load",
        "service",
        "hbm_runtime_ros/srv/ChangeModel",
        _SERVICE,
        "loads a model of `models` that was unloaded",
    ),
    Interface(
        "~/unload",
        "service",
        "hbm_runtime_ros/srv/ChangeModel",
        _SERVICE,
        "ends one model and frees it; the others go on",
    ),
    Interface(
        "~/reload",
        "service",
        "hbm_runtime_ros/srv/ChangeModel",
        _SERVICE,
        "loads a model's file anew; the others go on",
    ),
    Interface(
        "~/infer",
        "service",
        "hbm_runtime_ros/srv/Infer",
        _SERVICE,
        "images in, tensors out, through the same checks, preparation and scheduling, with a "
        "time-out",
    ),
    Interface(
        "~/reset_stats",
        "service",
        "hbm_runtime_ros/srv/ChangeModel",
        _SERVICE,
        "sets counters and latencies to zero",
    ),
    Interface(
        "~/change_state",
        "service",
        "lifecycle_msgs/srv/ChangeState",
        _SERVICE,
        "life cycle: configure loads, activate subscribes, deactivate drains, cleanup frees",
    ),
    Interface(
        "~/get_state",
        "service",
        "lifecycle_msgs/srv/GetState",
        _SERVICE,
        "state of the life cycle; with it come `~/get_available_states`, "
        "`~/get_available_transitions`, `~/get_transition_graph` and the topic "
        "`~/transition_event`",
    ),
)
