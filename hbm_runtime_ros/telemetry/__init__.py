# SPDX-License-Identifier: Apache-2.0
"""What is told of the node: one report per tick, made into statistics and diagnostics."""
