# SPDX-License-Identifier: Apache-2.0
"""The ROS 2 node of hbm_runtime; the build adds the messages to this package."""
