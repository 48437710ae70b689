# SPDX-License-Identifier: Apache-2.0
"""From the arguments of a call to a run of the core: inputs, buffers, scheduling, futures."""
