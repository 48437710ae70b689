# SPDX-License-Identifier: Apache-2.0
"""The command `hbm`: the only part of the package that prints."""
