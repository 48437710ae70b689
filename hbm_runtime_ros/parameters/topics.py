# SPDX-License-Identifier: Apache-2.0
"""The name of the topic that an image comes from."""

from __future__ import annotations

from hbm_runtime_ros.parameters.settings import ImageSettings

COMPRESSED_SUFFIX = "/compressed"


def topic_of(image: ImageSettings) -> str:
    """Name of an image's topic as configured, before it is resolved."""
    return image.topic + (COMPRESSED_SUFFIX if image.transport == "compressed" else "")
