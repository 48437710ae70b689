# SPDX-License-Identifier: Apache-2.0
"""The node's configuration as values: checked, immutable, without ROS."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from hbm_runtime.image.settings import PictureSettings

Transport = Literal["raw", "compressed"]
QueuePolicy = Literal["latest", "oldest", "block", "every_nth"]
SyncPolicy = Literal["exact", "approximate", "anchor"]
CustomId = Literal["none", "stamp", "sequence"]


@dataclass(frozen=True)
class QosSettings:
    """QoS of one topic: a profile, and the fields that differ from it.

    Attributes:
        profile: Name of a profile, see `qos.PROFILES`.
        reliability: "reliable", "best_effort" or "" for the profile's.
        durability: "volatile", "transient_local" or "" for the profile's.
        history: "keep_last", "keep_all" or "" for the profile's.
        depth: Messages kept; 0 for the profile's.
        deadline: Seconds between messages that the middleware watches over; 0 for none.
    """

    profile: str
    reliability: str = ""
    durability: str = ""
    history: str = ""
    depth: int = 0
    deadline: float = 0.0


@dataclass(frozen=True)
class ImageSettings(PictureSettings):
    """One image that a model takes, and where it comes from.

    Attributes:
        topic: As configured, relative or absolute.
        transport: "raw" subscribes to `<topic>`, "compressed" to `<topic>/compressed`.
        qos: Of the subscription.
    """

    topic: str = "image_raw"
    transport: Transport = "raw"
    qos: QosSettings = field(default_factory=lambda: QosSettings("sensor_data"))


@dataclass(frozen=True)
class SyncSettings:
    """How the images of a model with several are put together.

    Attributes:
        policy: "exact": equal stamps; "approximate": stamps at most `tolerance` apart; "anchor":
            for each image `anchor` the nearest of the others within `tolerance`.
        tolerance: Seconds.
        max_age: Seconds that an image waits for its partners.
        depth: Images per topic that wait for their partners.
        anchor: Name of the image, with "anchor"; "" for the first.
    """

    policy: SyncPolicy = "exact"
    tolerance: float = 0.02
    max_age: float = 0.5
    depth: int = 5
    anchor: str = ""


@dataclass(frozen=True)
class LiveSettings:
    """What may change while a model runs; read once per frame.

    Attributes:
        priority: 0..255, the highest waiting task runs first.
        bpu_cores: Accelerator cores that may run the model, (-1,) for any.
        custom_id: Tie-break among equal priorities.
        timeout: Seconds for one inference, waiting for the accelerator included.
        deadline: Seconds from an image's reception to its result; 0 for none.
        max_rate: Images per second; 0 for no limit.
        queue_policy: Which images wait and which are dropped.
        queue_depth: Images that may wait, >= 1.
        every_nth: With queue_policy every_nth.
        max_age: Seconds from an image's stamp until its turn, by the node's clock; 0 for no limit.
        lazy: No inference while nobody wants the tensors.
        stall_timeout: Seconds of failing inferences until the watchdog recreates the runtime; 0
            for never.
    """

    priority: int = 0
    bpu_cores: tuple[int, ...] = (-1,)
    custom_id: CustomId = "none"
    timeout: float = 5.0
    deadline: float = 0.0
    max_rate: float = 0.0
    queue_policy: QueuePolicy = "latest"
    queue_depth: int = 1
    every_nth: int = 1
    max_age: float = 0.0
    lazy: bool = False
    stall_timeout: float = 10.0


@dataclass(frozen=True)
class ModelSettings:
    """One model.

    Attributes:
        name: In the parameter `models`.
        file: Path of the model file.
        model_name: Name inside the file; "" for the only one.
        device_id: Accelerator device.
        images: What feeds it; one or more.
        sync: How several images are put together.
        tensors_qos: QoS of `~/<name>/tensors`.
        live: What may change while it runs.
    """

    name: str
    file: str
    model_name: str = ""
    device_id: int = 0
    images: tuple[ImageSettings, ...] = (ImageSettings(),)
    sync: SyncSettings = field(default_factory=SyncSettings)
    tensors_qos: QosSettings = field(default_factory=lambda: QosSettings("reliable"))
    live: LiveSettings = field(default_factory=LiveSettings)


@dataclass(frozen=True)
class DiagnosticsSettings:
    """Thresholds of `/diagnostics`; 0 switches one off.

    Attributes:
        period: Seconds between two messages.
        stale_warn: Seconds without an image of an active input that make a warning.
        stale_error: Seconds that make an error.
        drop_rate_warn: Share of images dropped for faults (not by policy), 0..1.
        drop_rate_error: Likewise.
        latency_warn: Seconds, 99th percentile from reception to publication.
        latency_error: Likewise.
    """

    period: float = 1.0
    stale_warn: float = 2.0
    stale_error: float = 10.0
    drop_rate_warn: float = 0.05
    drop_rate_error: float = 0.5
    latency_warn: float = 0.0
    latency_error: float = 0.0


@dataclass(frozen=True)
class NodeSettings:
    """The whole configuration.

    Attributes:
        models: In the order of the parameter `models`.
        autostart: Configure and activate when the node starts.
        library: Folder of the accelerator's libraries, "" for the usual search.
        max_image_bytes: Data of an image, compressed or not, that is looked at.
        diagnostics: Thresholds.
    """

    models: tuple[ModelSettings, ...]
    autostart: bool = True
    library: str = ""
    max_image_bytes: int = 134217728
    diagnostics: DiagnosticsSettings = field(default_factory=DiagnosticsSettings)
