# SPDX-License-Identifier: Apache-2.0
"""What the node says about itself: reports of one moment, made into statistics and diagnostics."""
