# SPDX-License-Identifier: Apache-2.0
"""What a runtime tells of its runs: statistics, Prometheus text, traces."""
