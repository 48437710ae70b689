# SPDX-License-Identifier: Apache-2.0
"""Long runs of random operations: nothing hangs, nothing leaks, every result is right."""
