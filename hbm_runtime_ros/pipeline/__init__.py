# SPDX-License-Identifier: Apache-2.0
"""From frames to results: queues, synchronisation, attempts, drops. Knows no ROS."""
