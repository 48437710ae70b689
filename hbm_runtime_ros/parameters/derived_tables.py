# SPDX-License-Identifier: Apache-2.0
"""The tables of the settings' parameters: one for the node, one per model, one per image.

A parameter of the image table may be given for a model (`detector.resize`) and, where
`detector.images` names several, for one of them (`detector.left.resize`); the model's value is the
default of its images.
"""

from __future__ import annotations

from hbm_runtime_ros.parameters.rows import rows
from hbm_runtime_ros.parameters.settings import (
    PICTURE_FACTS,
    ROS_PARAMETERS,
    ImageSettings,
    ModelSettings,
    NodeSettings,
)

NODE_PARAMETERS = tuple(rows(NodeSettings()))
MODEL_PARAMETERS = tuple(rows(ModelSettings("")))
IMAGE_PARAMETERS = tuple(rows(ImageSettings(), PICTURE_FACTS))


def is_own_of_ros(key: str) -> bool:
    """Whether a parameter is ROS's, not the node's."""
    return key.partition(".")[0] in ROS_PARAMETERS
