# SPDX-License-Identifier: Apache-2.0
"""The configuration of inference_node, each parameter once: name, type, default, meaning, range.

Immutable values without ROS. The tables, the documents, the JSON schema and what is declared with
ROS are made of these dataclasses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from hbm_runtime.image.settings import PictureSettings
from hbm_runtime_ros.parameters.checks import (
    ENCODINGS,
    check_cores,
    check_encodings,
    check_names,
    check_roi,
    check_scale,
    check_tensors,
    check_topic,
    without_empty,
)
from hbm_runtime_ros.parameters.row_type import not_empty
from hbm_runtime_ros.parameters.rows import Facts, group, row, rows

MAX_MODELS = 64
MAX_IMAGES = 16  # of one model
MAX_PIXELS = 65536  # per row or column of an image
# Declared by ROS itself in every node.
ROS_PARAMETERS = ("use_sim_time", "start_type_description_service", "qos_overrides")

Transport = Literal["raw", "compressed"]
QueuePolicy = Literal["latest", "oldest", "block", "every_nth"]
SyncPolicy = Literal["exact", "approximate", "anchor"]
CustomId = Literal["none", "stamp", "sequence"]
QosProfileName = Literal["sensor_data", "reliable", "default", "latched", "system_default"]

_ABOUT_NAMES = "names of letters, digits and _, starting with a letter"


def _check_models(names: list[str]) -> str:
    if not without_empty(names):
        return "must list at least one model"
    return check_names(names, "a model", {*_first_words(NodeSettings()), *ROS_PARAMETERS})


def _check_images(names: list[str]) -> str:
    reserved = _first_words(ModelSettings("")) | _first_words(ImageSettings(), PICTURE_FACTS)
    return check_names(without_empty(names), "an image", reserved)


def _first_words(settings: Any, elsewhere: Mapping[str, Facts] | None = None) -> set[str]:
    return {spec.name.partition(".")[0] for spec in rows(settings, elsewhere or {})}


@dataclass(frozen=True)
class QosSettings:
    """Quality of service of one topic: a profile, and what differs from it."""

    profile: QosProfileName = row(
        "default",
        "Quality of service of {topic}: sensor_data is best effort, depth 5; reliable has depth 5; "
        "default is ROS's, reliable, depth 10; latched is reliable, transient local, depth 1; "
        "system_default is the middleware's.",
    )
    reliability: Literal["", "reliable", "best_effort"] = row(
        "", "Reliability of {topic}; empty for the profile's."
    )
    durability: Literal["", "volatile", "transient_local"] = row(
        "", "Durability of {topic}; empty for the profile's."
    )
    history: Literal["", "keep_last", "keep_all"] = row(
        "", "History of {topic}; empty for the profile's."
    )
    depth: int = row(
        0, "Messages that the middleware keeps of {topic}; 0 for the profile's.", bounds=(0, 1000)
    )
    deadline: float = row(
        0.0,
        "Seconds between messages of {topic} that the middleware watches over; 0.0 for none.",
        bounds=(0, 3600),
    )


@dataclass(frozen=True, kw_only=True)
class ImageSource:
    """Where an image comes from."""

    topic: str = row(
        "image_raw",
        "Topic that the image comes from.",
        name="image_topic",
        check=check_topic,
        constraint="words of letters, digits and _ between /",
    )
    transport: Transport = row(
        "raw",
        "raw subscribes to <image_topic> (sensor_msgs/Image), compressed to "
        "<image_topic>/compressed (sensor_msgs/CompressedImage).",
        name="image_transport",
    )


@dataclass(frozen=True)
class ImageSettings(PictureSettings, ImageSource):
    """One image that a model takes: where it comes from, and how it becomes the model's input."""

    qos: QosSettings = group(
        QosSettings("sensor_data"), prefix="image_qos.", topic="the image's topic"
    )


# What hbm_runtime.image, which knows of no parameters, does not say of its settings, by field.
PICTURE_FACTS: Mapping[str, Facts] = {
    "encodings": dict(
        description="Encodings that are accepted; [''] for all that the node knows. Others are "
        "counted and dropped.",
        check=check_encodings,
        constraint=f"of {', '.join(ENCODINGS)}",
    ),
    "tensors": dict(
        description="Input tensors of the model that the image feeds: luma and chroma, or one. "
        "[''] for those found by their shapes.",
        items=(0, 2),
        check=check_tensors,
        constraint="at most 2 names",
    ),
    "resize": dict(
        description="How an image is fitted into the model's input: stretch fills it, letterbox "
        "keeps the aspect ratio and pads, center_crop keeps it and cuts, roi takes a part of the "
        "image."
    ),
    "roi": dict(
        description="Left, top, width and height in pixels of the image, with resize roi only.",
        bounds=(0, MAX_PIXELS),
        items=(4, 4),
        check=check_roi,
    ),
    "pad_value": dict(
        description="Luma of the letterbox border (its chroma is grey), or the value of all "
        "channels.",
        bounds=(0, 255),
    ),
    "color_range": dict(
        description="Range of YUV where RGB is converted to it or from it; NV12 into an NV12 "
        "model is not converted."
    ),
    "color_matrix": dict(description="Matrix of that conversion."),
    "mean": dict(
        description="Subtracted from pixels of 0 to 255 where the model's input is not NV12: one "
        "for all channels, or one per channel in the order of channel_order.",
        bounds=(-1000000, 1000000),
        items=(1, 4),
    ),
    "scale": dict(
        description="Then multiplied, before the tensor's own scale and zero point: one or one "
        "per channel.",
        bounds=(-1000000, 1000000),
        items=(1, 4),
        check=check_scale,
        constraint="not 0.0",
    ),
    "channel_order": dict(description="Order of the channels in a tensor that is not NV12."),
}


@dataclass(frozen=True)
class SyncSettings:
    """How the images of a model with several are put together."""

    policy: SyncPolicy = row(
        "exact",
        "How several images are put together: exact wants equal stamps, approximate stamps at most "
        "sync.tolerance apart, anchor takes for each image sync.anchor the nearest of the others.",
    )
    tolerance: float = row(0.02, "Seconds that stamps may be apart; not for exact.", bounds=(0, 60))
    max_age: float = row(0.5, "Seconds that an image waits for its partners.", bounds=(0.001, 60))
    depth: int = row(5, "Images per topic that wait for their partners.", bounds=(1, 100))
    anchor: str = row(
        "",
        "Name of the image that sync.policy anchor goes by; empty for the first.",
        constraint="one of images, or empty",
    )


@dataclass(frozen=True)
class LiveSettings:
    """What may change while a model runs; read once per frame."""

    priority: int = row(
        0,
        "Priority among the tasks that wait for the accelerator, the highest runs first.",
        bounds=(0, 255),
    )
    bpu_cores: tuple[int, ...] = row(
        (-1,),
        "Accelerator cores that may run the model, [-1] for any.",
        items=(1, 64),
        check=check_cores,
        constraint="[-1], or different core numbers that the chip has",
    )
    custom_id: CustomId = row(
        "none",
        "Tie-break among tasks of equal priority, the smaller number runs first: none leaves it to "
        "their arrival, stamp takes the image's stamp, sequence counts the model's images.",
    )
    timeout: float = row(
        5.0,
        "Seconds that one inference may take, waiting for the accelerator included.",
        bounds=(0.001, 3600),
    )
    deadline: float = row(
        0.0,
        "Seconds from an image's reception to its result; what cannot make it is dropped; 0.0 for "
        "none.",
        bounds=(0, 3600),
    )
    max_rate: float = row(
        0.0, "Images per second that are taken, evenly spaced; 0.0 for no limit.", bounds=(0, 10000)
    )
    queue_policy: QueuePolicy = row(
        "latest",
        "What happens to images that come while the model is busy: latest keeps the newest, oldest "
        "those that came first, block leaves them to the middleware's queue, every_nth keeps the "
        "newest of every nth.",
    )
    queue_depth: int = row(1, "Images that may wait for the model.", bounds=(1, 100))
    every_nth: int = row(
        1,
        "Which images queue_policy every_nth takes; without a meaning for the others.",
        bounds=(1, 1000000),
    )
    max_age: float = row(
        0.0,
        "Seconds from an image's stamp until its turn, by the node's clock; older ones are "
        "dropped; 0.0 for no limit.",
        bounds=(0, 3600),
    )
    lazy: bool = row(
        False, "No subscription and no inference while nobody subscribes to the model's tensors."
    )
    stall_timeout: float = row(
        10.0,
        "Seconds of failing inferences until the watchdog recreates the model's runtime; 0.0 for "
        "never.",
        bounds=(0, 3600),
    )


@dataclass(frozen=True)
class ModelSettings:
    """One model, by its name in the parameter `models`."""

    name: str
    file: str = row(
        "",
        "Path of the model file (.hbm); a relative path starts at the node's working folder.",
        check=not_empty("the path of a model file"),
        constraint="not empty",
    )
    model_name: str = row("", "Name of the model inside the file; empty for the only one.")
    device_id: int = row(0, "Accelerator device; today's chips have one, 0.", bounds=(0, 255))
    live: LiveSettings = group(LiveSettings(), live=True)
    tensors_qos: QosSettings = group(
        QosSettings("reliable"), prefix="tensors_qos.", topic="~/<model>/tensors"
    )
    images: tuple[ImageSettings, ...] = row(
        (ImageSettings(),),
        "Names of the images that the model takes, where it takes several; each has its own "
        "parameters <model>.<image>.<parameter>. [''] for one image without a name.",
        items=(0, MAX_IMAGES),
        check=_check_images,
        constraint=f"at most {MAX_IMAGES} {_ABOUT_NAMES}",
    )
    sync: SyncSettings = group(SyncSettings(), prefix="sync.")


@dataclass(frozen=True)
class DiagnosticsSettings:
    """Thresholds of `/diagnostics`; 0 switches one off."""

    period: float = row(1.0, "Seconds between two messages on /diagnostics.", bounds=(0.1, 60))
    stale_warn: float = row(
        2.0,
        "Seconds without an image of an active input that make a warning; 0.0 for never.",
        bounds=(0, 3600),
    )
    stale_error: float = row(
        10.0,
        "Seconds without an image of an active input that make an error; 0.0 for never.",
        bounds=(0, 3600),
    )
    drop_rate_warn: float = row(
        0.05,
        "Share of images dropped for faults, not by policy, that makes a warning; 0.0 for never.",
        bounds=(0, 1),
    )
    drop_rate_error: float = row(
        0.5,
        "Share of images dropped for faults, not by policy, that makes an error; 0.0 for never.",
        bounds=(0, 1),
    )
    latency_warn: float = row(
        0.0,
        "Seconds from reception to publication, 99th percentile, that make a warning; 0.0 for "
        "never.",
        bounds=(0, 3600),
    )
    latency_error: float = row(
        0.0,
        "Seconds from reception to publication, 99th percentile, that make an error; 0.0 for "
        "never.",
        bounds=(0, 3600),
    )


@dataclass(frozen=True)
class NodeSettings:
    """The whole configuration."""

    models: tuple[ModelSettings, ...] = row(
        (),
        "Names of the models to run; each has its own parameters <name>.file and so on, "
        "and its own topic ~/<name>/tensors.",
        items=(1, MAX_MODELS),
        check=_check_models,
        constraint=f"1 to {MAX_MODELS} {_ABOUT_NAMES}",
    )
    autostart: bool = row(
        True,
        "Configure and activate when the node starts; false waits for the life-cycle services.",
    )
    library: str = row("", "Folder of the accelerator's libraries; empty for the usual search.")
    max_image_bytes: int = row(
        134217728,
        "Bytes of an image's data, compressed or not; larger images are counted and dropped.",
        bounds=(1024, 2147483647),
    )
    diagnostics: DiagnosticsSettings = group(
        DiagnosticsSettings(), prefix="diagnostics.", live=True
    )
