# SPDX-License-Identifier: Apache-2.0
"""What rclpy lacks: QoS by name, safe callbacks, throttled logs, the end of a process."""
