# SPDX-License-Identifier: Apache-2.0
"""Quality of service of the node's topics."""

from __future__ import annotations

from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy, qos_profile_sensor_data

# Best effort, depth 5: matches reliable and best-effort cameras; the newest frame is what counts.
IMAGES = qos_profile_sensor_data

# Reliable, so that both kinds of subscriber match; depth 5 bounds the memory held for slow ones.
TENSORS = QoSProfile(depth=5, reliability=ReliabilityPolicy.RELIABLE)

# Kept for late joiners.
MODEL_INFO = QoSProfile(
    depth=1,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)

STATISTICS = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)
