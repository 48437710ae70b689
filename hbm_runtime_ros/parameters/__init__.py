# SPDX-License-Identifier: Apache-2.0
"""Each parameter once, as a field of the settings, and what is made of it. Knows no ROS."""
