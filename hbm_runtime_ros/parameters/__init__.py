# SPDX-License-Identifier: Apache-2.0
"""The one table of parameters, and everything that is made of it."""
