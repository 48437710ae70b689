# SPDX-License-Identifier: Apache-2.0
"""The parameters of inference_node: one table for the node, one per model, one per image.

Names are the attributes of `settings`. A parameter of the image table may be given for a model
(`detector.resize`) and, where `detector.images` names several, for one of them
(`detector.left.resize`); the model's value is the default of its images.
"""

from __future__ import annotations

import re
from typing import get_args

from hbm_runtime.image import ColorMatrix, ColorRange, ResizeMode
from hbm_runtime.image.settings import ChannelOrder
from hbm_runtime_ros.parameters.settings import CustomId, QueuePolicy, SyncPolicy, Transport
from hbm_runtime_ros.parameters.spec import ParameterSpec, not_empty

MAX_MODELS = 64
MAX_IMAGES = 16  # of one model
MAX_NAME = 64  # characters of a model's or an image's name
MAX_PIXELS = 65536  # per row or column of an image
QOS_PROFILES = ("sensor_data", "reliable", "default", "latched", "system_default")
# Declared by ROS itself in every node.
ROS_PARAMETERS = ("use_sim_time", "start_type_description_service", "qos_overrides")

_TOKEN = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_TOPIC_PART = r"(?:[A-Za-z_{][A-Za-z0-9_{}]*)"
_TOPIC = re.compile(rf"(?:~/|/)?{_TOPIC_PART}(?:/{_TOPIC_PART})*")
# What the node reads itself, and what cv_bridge makes BGR of, by the names of sensor_msgs.
ENCODINGS = (
    *("nv12", "nv21", "yuyv", "uyvy", "yuv422_yuy2", "yuv422", "rgb8", "bgr8", "rgba8", "bgra8"),
    *("mono8", "mono16", "rgb16", "bgr16", "rgba16", "bgra16"),
    *("bayer_rggb8", "bayer_bggr8", "bayer_gbrg8", "bayer_grbg8"),
    *("bayer_rggb16", "bayer_bggr16", "bayer_gbrg16", "bayer_grbg16"),
)
COMPRESSED_ENCODINGS = ("jpeg", "jpg", "png")


def is_token(name: object) -> bool:
    """Whether a model or an image may have this name, which becomes a part of topics."""
    return isinstance(name, str) and len(name) <= MAX_NAME and bool(_TOKEN.fullmatch(name))


def is_own_of_ros(key: str) -> bool:
    """Whether a parameter is ROS's, not the node's."""
    return key.partition(".")[0] in ROS_PARAMETERS


def without_empty(names: list[str]) -> list[str]:
    """A list as it is meant: [""] is how a parameter file writes an empty one."""
    return [] if list(names) == [""] else list(names)


def _check_names(names: list[str], what: str, reserved: frozenset[str]) -> str:
    for name in names:
        if not is_token(name):
            text = name if len(name) <= MAX_NAME else f"{name[:MAX_NAME]}…"
            return (
                f"must hold names of letters, digits and _ after a letter, {MAX_NAME} characters "
                f"at most; {text!r} is not one"
            )
        if name in reserved:
            return f"must hold names of your own; {name!r} is a parameter of the same place"
    if len(set(names)) != len(names):
        return f"must not list {what} twice"
    return ""


def _check_models(names: list[str]) -> str:
    if not without_empty(names):
        return "must list at least one model"
    reserved = {spec.name.partition(".")[0] for spec in NODE_PARAMETERS}
    return _check_names(names, "a model", frozenset(reserved.union(ROS_PARAMETERS)))


def _check_images(names: list[str]) -> str:
    rows = (*MODEL_PARAMETERS, *IMAGE_PARAMETERS)
    reserved = frozenset(spec.name.partition(".")[0] for spec in rows)
    return _check_names(without_empty(names), "an image", reserved)


def _check_cores(cores: list[int]) -> str:
    if cores == [-1] or (cores and min(cores) >= 0 and len(set(cores)) == len(cores)):
        return ""
    return "must be [-1] for any core, or different core numbers from 0 up"


def _check_topic(topic: str) -> str:
    if _TOPIC.fullmatch(topic):
        return ""
    return "must be the name of a topic: words of letters, digits and _ between /"


def _check_encodings(names: list[str]) -> str:
    known = (*ENCODINGS, *COMPRESSED_ENCODINGS)
    if all(name in known for name in without_empty(names)):
        return ""
    return f"must hold names of encodings ({', '.join(known)}), or be [''] for all"


def _check_tensors(names: list[str]) -> str:
    kept = without_empty(names)
    if not all(kept):
        return "must hold names of input tensors, or be [''] for those found by their shapes"
    return "must not list a tensor twice" if len(set(kept)) != len(kept) else ""


def _check_roi(roi: list[int]) -> str:
    if not any(roi) or all(side > 0 for side in roi[2:]):
        return ""
    return "must be left, top, width and height in pixels, or all 0 for none"


def _check_scale(scale: list[float]) -> str:
    return "" if all(scale) else "must not hold 0.0, which would make all pixels equal"


def _qos(name: str, profile: str, what: str) -> tuple[ParameterSpec, ...]:
    """The rows of one topic's quality of service."""
    return (
        ParameterSpec(
            f"{name}.profile",
            profile,
            f"Quality of service of {what}: sensor_data is best effort, depth 5; reliable has "
            "depth 5; default is ROS's, reliable, depth 10; latched is reliable, transient local, "
            "depth 1; system_default is the middleware's.",
            choices=QOS_PROFILES,
        ),
        ParameterSpec(
            f"{name}.reliability",
            "",
            f"Reliability of {what}; empty for the profile's.",
            choices=("", "reliable", "best_effort"),
        ),
        ParameterSpec(
            f"{name}.durability",
            "",
            f"Durability of {what}; empty for the profile's.",
            choices=("", "volatile", "transient_local"),
        ),
        ParameterSpec(
            f"{name}.history",
            "",
            f"History of {what}; empty for the profile's.",
            choices=("", "keep_last", "keep_all"),
        ),
        ParameterSpec(
            f"{name}.depth",
            0,
            f"Messages that the middleware keeps of {what}; 0 for the profile's.",
            bounds=(0, 1000),
        ),
        ParameterSpec(
            f"{name}.deadline",
            0.0,
            f"Seconds between messages of {what} that the middleware watches over; 0.0 for none.",
            bounds=(0, 3600),
        ),
    )


NODE_PARAMETERS = (
    ParameterSpec(
        "models",
        [""],
        "Names of the models to run; each has its own parameters <name>.file and so on, "
        "and its own topic ~/<name>/tensors.",
        items=(1, MAX_MODELS),
        check=_check_models,
        constraint=f"1 to {MAX_MODELS} names of letters, digits and _, starting with a letter",
    ),
    ParameterSpec(
        "autostart",
        True,
        "Configure and activate when the node starts; false waits for the life-cycle services.",
    ),
    ParameterSpec(
        "library",
        "",
        "Folder of the accelerator's libraries; empty for the usual search.",
    ),
    ParameterSpec(
        "max_image_bytes",
        134217728,
        "Bytes of an image's data, compressed or not; larger images are counted and dropped.",
        bounds=(1024, 2147483647),
    ),
    ParameterSpec(
        "diagnostics.period",
        1.0,
        "Seconds between two messages on /diagnostics.",
        bounds=(0.1, 60),
        live=True,
    ),
    ParameterSpec(
        "diagnostics.stale_warn",
        2.0,
        "Seconds without an image of an active input that make a warning; 0.0 for never.",
        bounds=(0, 3600),
        live=True,
    ),
    ParameterSpec(
        "diagnostics.stale_error",
        10.0,
        "Seconds without an image of an active input that make an error; 0.0 for never.",
        bounds=(0, 3600),
        live=True,
    ),
    ParameterSpec(
        "diagnostics.drop_rate_warn",
        0.05,
        "Share of images dropped for faults, not by policy, that makes a warning; 0.0 for never.",
        bounds=(0, 1),
        live=True,
    ),
    ParameterSpec(
        "diagnostics.drop_rate_error",
        0.5,
        "Share of images dropped for faults, not by policy, that makes an error; 0.0 for never.",
        bounds=(0, 1),
        live=True,
    ),
    ParameterSpec(
        "diagnostics.latency_warn",
        0.0,
        "Seconds from reception to publication, 99th percentile, that make a warning; 0.0 for "
        "never.",
        bounds=(0, 3600),
        live=True,
    ),
    ParameterSpec(
        "diagnostics.latency_error",
        0.0,
        "Seconds from reception to publication, 99th percentile, that make an error; 0.0 for "
        "never.",
        bounds=(0, 3600),
        live=True,
    ),
)

MODEL_PARAMETERS = (
    ParameterSpec(
        "file",
        "",
        "Path of the model file (.hbm); a relative path starts at the node's working folder.",
        check=not_empty("the path of a model file"),
        constraint="not empty",
    ),
    ParameterSpec(
        "model_name",
        "",
        "Name of the model inside the file; empty for the only one.",
    ),
    ParameterSpec(
        "device_id",
        0,
        "Accelerator device; today's chips have one, 0.",
        bounds=(0, 255),
    ),
    ParameterSpec(
        "priority",
        0,
        "Priority among the tasks that wait for the accelerator, the highest runs first.",
        bounds=(0, 255),
        live=True,
    ),
    ParameterSpec(
        "bpu_cores",
        [-1],
        "Accelerator cores that may run the model, [-1] for any.",
        items=(1, 64),
        check=_check_cores,
        constraint="[-1], or different core numbers that the chip has",
        live=True,
    ),
    ParameterSpec(
        "custom_id",
        "none",
        "Tie-break among tasks of equal priority, the smaller number runs first: none leaves it to "
        "their arrival, stamp takes the image's stamp, sequence counts the model's images.",
        choices=get_args(CustomId),
        live=True,
    ),
    ParameterSpec(
        "timeout",
        5.0,
        "Seconds that one inference may take, waiting for the accelerator included.",
        bounds=(0.001, 3600),
        live=True,
    ),
    ParameterSpec(
        "deadline",
        0.0,
        "Seconds from an image's reception to its result; what cannot make it is dropped; 0.0 for "
        "none.",
        bounds=(0, 3600),
        live=True,
    ),
    ParameterSpec(
        "max_rate",
        0.0,
        "Images per second that are taken, evenly spaced; 0.0 for no limit.",
        bounds=(0, 10000),
        live=True,
    ),
    ParameterSpec(
        "queue_policy",
        "latest",
        "What happens to images that come while the model is busy: latest keeps the newest, oldest "
        "those that came first, block leaves them to the middleware's queue, every_nth keeps the "
        "newest of every nth.",
        choices=get_args(QueuePolicy),
        live=True,
    ),
    ParameterSpec(
        "queue_depth",
        1,
        "Images that may wait for the model.",
        bounds=(1, 100),
        live=True,
    ),
    ParameterSpec(
        "every_nth",
        1,
        "Which images queue_policy every_nth takes; without a meaning for the others.",
        bounds=(1, 1000000),
        live=True,
    ),
    ParameterSpec(
        "max_age",
        0.0,
        "Seconds from an image's stamp until its turn, by the node's clock; older ones are "
        "dropped; 0.0 for no limit.",
        bounds=(0, 3600),
        live=True,
    ),
    ParameterSpec(
        "lazy",
        False,
        "No subscription and no inference while nobody subscribes to the model's tensors.",
        live=True,
    ),
    ParameterSpec(
        "stall_timeout",
        10.0,
        "Seconds of failing inferences until the watchdog recreates the model's runtime; 0.0 for "
        "never.",
        bounds=(0, 3600),
        live=True,
    ),
    *_qos("tensors_qos", "reliable", "~/<model>/tensors"),
    ParameterSpec(
        "images",
        [""],
        "Names of the images that the model takes, where it takes several; each has its own "
        "parameters <model>.<image>.<parameter>. [''] for one image without a name.",
        items=(0, MAX_IMAGES),
        check=_check_images,
        constraint=f"at most {MAX_IMAGES} names of letters, digits and _, starting with a letter",
    ),
    ParameterSpec(
        "sync.policy",
        "exact",
        "How several images are put together: exact wants equal stamps, approximate stamps at most "
        "sync.tolerance apart, anchor takes for each image sync.anchor the nearest of the others.",
        choices=get_args(SyncPolicy),
    ),
    ParameterSpec(
        "sync.tolerance",
        0.02,
        "Seconds that stamps may be apart; not for exact.",
        bounds=(0, 60),
    ),
    ParameterSpec(
        "sync.max_age",
        0.5,
        "Seconds that an image waits for its partners.",
        bounds=(0.001, 60),
    ),
    ParameterSpec(
        "sync.depth",
        5,
        "Images per topic that wait for their partners.",
        bounds=(1, 100),
    ),
    ParameterSpec(
        "sync.anchor",
        "",
        "Name of the image that sync.policy anchor goes by; empty for the first.",
        constraint="one of images, or empty",
    ),
)

IMAGE_PARAMETERS = (
    ParameterSpec(
        "image_topic",
        "image_raw",
        "Topic that the image comes from.",
        check=_check_topic,
        constraint="words of letters, digits and _ between /",
    ),
    ParameterSpec(
        "image_transport",
        "raw",
        "raw subscribes to <image_topic> (sensor_msgs/Image), compressed to "
        "<image_topic>/compressed (sensor_msgs/CompressedImage).",
        choices=get_args(Transport),
    ),
    ParameterSpec(
        "encodings",
        [""],
        "Encodings that are accepted; [''] for all that the node knows. Others are counted and "
        "dropped.",
        check=_check_encodings,
        constraint=f"of {', '.join((*ENCODINGS, *COMPRESSED_ENCODINGS))}",
    ),
    ParameterSpec(
        "tensors",
        [""],
        "Input tensors of the model that the image feeds: luma and chroma, or one. [''] for those "
        "found by their shapes.",
        items=(0, 2),
        check=_check_tensors,
        constraint="at most 2 names",
    ),
    ParameterSpec(
        "resize",
        "stretch",
        "How an image is fitted into the model's input: stretch fills it, letterbox keeps the "
        "aspect ratio and pads, center_crop keeps it and cuts, roi takes a part of the image.",
        choices=get_args(ResizeMode),
    ),
    ParameterSpec(
        "roi",
        [0, 0, 0, 0],
        "Left, top, width and height in pixels of the image, with resize roi only.",
        bounds=(0, MAX_PIXELS),
        items=(4, 4),
        check=_check_roi,
    ),
    ParameterSpec(
        "pad_value",
        127,
        "Luma of the letterbox border (its chroma is grey), or the value of all channels.",
        bounds=(0, 255),
    ),
    ParameterSpec(
        "color_range",
        "full",
        "Range of YUV where RGB is converted to it or from it; NV12 into an NV12 model is not "
        "converted.",
        choices=get_args(ColorRange),
    ),
    ParameterSpec(
        "color_matrix",
        "bt601",
        "Matrix of that conversion.",
        choices=get_args(ColorMatrix),
    ),
    ParameterSpec(
        "mean",
        [0.0],
        "Subtracted from pixels of 0 to 255 where the model's input is not NV12: one for all "
        "channels, or one per channel in the order of channel_order.",
        bounds=(-1000000, 1000000),
        items=(1, 4),
    ),
    ParameterSpec(
        "scale",
        [1.0],
        "Then multiplied, before the tensor's own scale and zero point: one or one per channel.",
        bounds=(-1000000, 1000000),
        items=(1, 4),
        check=_check_scale,
        constraint="not 0.0",
    ),
    ParameterSpec(
        "channel_order",
        "rgb",
        "Order of the channels in a tensor that is not NV12.",
        choices=get_args(ChannelOrder),
    ),
    *_qos("image_qos", "sensor_data", "the image's topic"),
)
