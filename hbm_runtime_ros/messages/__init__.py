# SPDX-License-Identifier: Apache-2.0
"""The only files that know both arrays and messages."""
