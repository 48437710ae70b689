# SPDX-License-Identifier: Apache-2.0
"""What is loaded and served: files, runtimes, models and their changes."""
