# SPDX-License-Identifier: Apache-2.0
"""`hbm check`: whether the node could work with a configuration file. Knows no ROS."""
