# SPDX-License-Identifier: Apache-2.0
"""From a path to loaded models: which libraries, which files, what is in them, what they log."""
