# SPDX-License-Identifier: Apache-2.0
"""From an ONNX model to a model of the simulator, one step in each module."""
